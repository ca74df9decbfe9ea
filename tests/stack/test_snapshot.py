"""SnapStart: one process is started and rehearsed, and many go on from where it was."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from tandem.lambda_events import SCOPES, http_event
from tandem_tools.bench.process import program_output, running
from tandem_tools.build.sam import build, machine_architecture
from tandem_tools.environment import ACCESS_KEY, SECRET_KEY
from tandem_tools.harness.resources import Resources
from tandem_tools.harness.wire import Wire, wire_to
from tandem_tools.ports import LOOPBACK

ECHO = {"processor": "echo", "input": {"message": "hello"}}
EVENTS = [
    http_event("POST", path, ECHO, scopes=(*SCOPES, "tasks:write"))
    for path in ("/process-offline", "/process-online")
]


@pytest.fixture(scope="module")
def resources(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Resources]:
    build(machine_architecture())
    with Resources(tmp_path_factory.mktemp("resources")) as made:
        yield made


@pytest.fixture
def wire(resources: Resources) -> Iterator[Wire]:
    with wire_to(resources.aws.endpoint_url) as listening:
        yield listening


@contextmanager
def credentials_for(lifetime: timedelta) -> Iterator[str]:
    """Give out credentials as Lambda does to functions with SnapStart, each with another token."""

    class Handler(BaseHTTPRequestHandler):
        given = 0

        def do_GET(self) -> None:
            Handler.given += 1
            document = {
                "AccessKeyId": ACCESS_KEY,
                "SecretAccessKey": SECRET_KEY,
                "Token": f"session-{Handler.given}",
                "Expiration": (datetime.now(UTC) + lifetime).isoformat(),
            }
            self.send_response(200)
            self.end_headers()
            self.wfile.write(json.dumps(document).encode())

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer((LOOPBACK, 0), Handler)
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://{LOOPBACK}:{server.server_port}/credentials"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def restored_twice(resources: Resources, wire: Wire, folder: Path, **changed: str) -> Any:
    """Return what was in a snapshot of the built API, and what two processes made of it."""
    asked, told = folder / "events.json", folder / "told.json"
    asked.write_text(json.dumps(EVENTS))
    function = resources.function("ApiFunction")
    environment = {
        **function.environment,
        "AWS_ENDPOINT_URL": wire.url,
        "AWS_LAMBDA_INITIALIZATION_TYPE": "snap-start",
        **changed,
    }
    program = str(Path(__file__).with_name("snapshots.py"))
    program_output(replace(function, environment=environment), program, str(asked), str(told))
    return json.loads(told.read_text())


def test_what_goes_on_from_one_snapshot_shares_nothing_that_must_differ(
    resources: Resources, wire: Wire, tmp_path: Path
) -> None:
    told = restored_twice(resources, wire, tmp_path)
    assert told["hooks"] == [1, 1]
    assert told["threads"] == 1
    assert told["sockets"] == []
    first, second = told["restored"]
    assert not {*first["jitter"]} & {*second["jitter"]}
    ids = [body["task_id"] for one in (first, second) for body in one["bodies"]]
    assert len(set(ids)) == 4
    # Nothing was sent before the snapshot, and then each process over connections of its own.
    assert sorted(wire.taken()) == sorted(["PutItem", "SendMessage", "PutItem", "UpdateItem"] * 2)
    assert len(wire.connections) == 4
    traces = [task["traceparent"]["S"] for task in items(resources, ids)]
    assert len({trace.split("-")[1] for trace in traces}) == 4


def test_credentials_that_ran_out_while_the_snapshot_lay_are_asked_for_again(
    resources: Resources, wire: Wire, tmp_path: Path
) -> None:
    with credentials_for(timedelta(seconds=1)) as url:
        told = restored_twice(
            resources,
            wire,
            tmp_path,
            AWS_ACCESS_KEY_ID="",
            AWS_SECRET_ACCESS_KEY="",
            AWS_CONTAINER_CREDENTIALS_FULL_URI=url,
            AWS_CONTAINER_AUTHORIZATION_TOKEN="token",
        )
    assert told["sockets"] == []
    assert [body["output"] for one in told["restored"] for body in one["bodies"][1:]] == [
        ECHO["input"]
    ] * 2
    assert "session-1" not in wire.sessions
    assert len(wire.sessions) > 1


@pytest.mark.parametrize("started_as", ["on-demand", "provisioned-concurrency", "snap-start"])
def test_the_runtime_client_rehearses_only_what_is_started_ahead(
    resources: Resources, wire: Wire, tmp_path: Path, started_as: str
) -> None:
    function = resources.function("ApiFunction")
    environment = {
        **function.environment,
        "AWS_ENDPOINT_URL": wire.url,
        "AWS_LAMBDA_INITIALIZATION_TYPE": started_as,
    }
    log = tmp_path / "function.log"
    with running(replace(function, environment=environment), log=log) as process:
        answer = process.invoke(EVENTS[1])
    assert answer["statusCode"] == 200
    assert wire.taken() == ["PutItem", "UpdateItem"]
    lines = [json.loads(line) for line in log.read_text().splitlines() if line.startswith("{")]
    rehearsed = [line["route"] for line in lines if line.get("rehearsal") and "route" in line]
    expected = [
        "/health",
        "/processors",
        "/process-offline",
        "/process-online",
        "/tasks/{task_id}",
    ]
    assert rehearsed == ([] if started_as == "on-demand" else expected)
    assert [line["route"] for line in lines if "route" in line][len(rehearsed) :] == [
        "/process-online"
    ]
    assert not [line for line in lines if line["level"] not in {"INFO", "WARNING"}]


def items(resources: Resources, ids: list[str]) -> list[Any]:
    """Return the recorded tasks."""
    keys = [{"pk": {"S": f"task#{one}"}} for one in ids]
    found = resources.aws.dynamodb.batch_get_item(RequestItems={resources.table: {"Keys": keys}})
    return found["Responses"][resources.table]
