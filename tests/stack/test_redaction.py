"""No token and no input is in any log, whatever becomes of the request and of its task.

At every level: test_log_levels.py has what Lambda's runtime makes of one, and the AWS SDK.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx2
import pytest

from tandem.processing.catalogue import installed
from tandem_tools.harness.stack import DeployedApp, Json, eventually
from tandem_tools.run import sample
from tandem_tools.run.logs import FunctionLogs
from tests.stack.issuer import Issuer
from tests.unit.test_log_levels import LEVELS

FUNCTIONS = ("api", "worker", "callback", "report")

ENDINGS = {
    "success": "succeeded",
    "error": "failed",
    "permanent": "failed",
    "output": "failed",
    "system exit": "failed",
    "hang": "failed",
    "aside": "succeeded",
}


@pytest.fixture(params=LEVELS)
def level(request: pytest.FixtureRequest, shared: DeployedApp) -> Iterator[str]:
    """A level that the functions write their lines from."""
    before = {name: shared.variables(name)["POWERTOOLS_LOG_LEVEL"] for name in FUNCTIONS}
    for name in FUNCTIONS:
        shared.configure(name, POWERTOOLS_LOG_LEVEL=request.param)
    yield request.param
    for name, value in before.items():
        shared.configure(name, POWERTOOLS_LOG_LEVEL=value)


def logged(app: DeployedApp) -> list[str]:
    """Return every line of every log group, whoever wrote it."""
    pages = app.aws.logs.get_paginator("describe_log_groups").paginate()
    groups = [group["logGroupName"] for page in pages for group in page["logGroups"]]
    assert set(app.description.log_groups.values()) <= set(groups)
    return [line for group in groups for line in lines_of(app, group)]


def lines_of(app: DeployedApp, log_group: str) -> list[str]:
    pages = app.aws.logs.get_paginator("filter_log_events").paginate(logGroupName=log_group)
    return [event["message"] for page in pages for event in page["events"]]


def crash(app: DeployedApp, client: httpx2.Client, secret: str) -> None:
    """Let a worker die over a secret, and wait for what is logged of that."""
    group = app.description.log_groups["worker"]
    before = len(lines_of(app, group))
    task_id = submit(client, "telling", {"text": secret, "ending": "exit"})
    eventually(lambda: len(lines_of(app, group)) > before or None, 30)
    client.post(f"/tasks/{task_id}/cancel").raise_for_status()  # or it would kill another


def requests(secret: str) -> Iterator[Json]:
    """Yield requests with a secret in each place that a request has."""
    body = {"processor": "echo", "input": {"message": secret}}
    yield {"method": "GET", "url": f"/tasks/{secret}"}
    yield {"method": "GET", "url": f"/{secret}"}
    yield {"method": "GET", "url": "/tasks", "params": {"cursor": secret, "processor": secret}}
    yield {"method": "POST", "url": "/process-online", "json": body}
    yield {"method": "POST", "url": "/process-online", "content": f"{{{secret}"}
    yield {"method": "POST", "url": "/process-online", "json": body | {"processor": secret}}
    yield {"method": "POST", "url": "/process-offline", "json": {"tasks": secret}}
    yield {"method": "POST", "url": "/process-offline/batch", "json": {"tasks": [body, body]}}
    for name in ("traceparent", "user-agent", "idempotency-key", "prefer", "cookie", "x-any"):
        headers = {name: secret, "content-type": "application/json"}
        yield {"method": "POST", "url": "/process-offline", "json": body, "headers": headers}
    filename = {"filename": f"{secret}.csv", "content_type": "text/csv", "size": 10}
    yield {"method": "POST", "url": "/uploads", "json": filename}
    yield {"method": "POST", "url": "/uploads", "json": filename | {"content_type": secret}}


def tables(secret: str) -> Iterator[tuple[str, str]]:
    """Yield files that hold a secret, good ones and bad ones."""
    yield "good.csv", f"{secret},b\n{secret},1\n"
    yield "wide.csv", f"a,b\n1,2\n{secret},{secret},{secret}\n"
    yield "quote.csv", f'a,b\n1,"{secret}\n'
    yield "bad.jsonl", f'{{"a": 1}}\n{{{secret}\n'
    yield "twice.jsonl", f'{{"{secret}": 1, "{secret}": 2}}\n'
    yield "bad.parquet", f"PAR1{secret}PAR1"


def submit(client: httpx2.Client, processor: str, data: Any) -> str:
    body = {"processor": processor, "input": data}
    return client.post("/process-offline", json=body).raise_for_status().json()["task_id"]


def ended(client: httpx2.Client, task_id: str) -> Json:
    def final() -> Json | None:
        task = client.get(f"/tasks/{task_id}").raise_for_status().json()
        return task if task["finished_at"] else None

    return eventually(final, 120)


@pytest.mark.timeout(300)
def test_no_log_holds_a_token_or_an_input(
    shared: DeployedApp, issuer: Issuer, tmp_path: Path, level: str
) -> None:
    secret = f"secret{uuid4().hex}"
    token = issuer.token("careful", jti=secret)
    client = shared.client(token)
    tasks = {
        ending: submit(client, "telling", {"text": secret, "ending": ending}) for ending in ENDINGS
    }
    odd = {"text": "x", "ending": "success", "parts": secret}
    for path in ("/process-online", "/process-offline"):
        body = {"processor": "telling", "input": odd}
        assert client.post(path, json=body).status_code in {200, 202}
    for request in requests(secret):
        assert client.request(**request).status_code < 500
    for name, content in tables(secret) if "query-table" in installed() else ():
        file = tmp_path / name
        file.write_text(content)
        upload = sample.send_upload(client, file)
        tasks[name] = submit(client, "summarize-table", {"upload": upload})
        query = {"upload": upload, "sql": f"SELECT {secret}"}
        tasks[f"query {name}"] = submit(client, "query-table", query)
    for ending in ("error", "permanent", "output", "system exit", "aside"):
        body = {"processor": "telling", "input": {"text": secret, "ending": ending}}
        assert client.post("/process-online", json=body).status_code in {200, 422, 500, 502}
    shared.anonymous.get("/tasks", headers={"Authorization": f"Bearer {token}x"})
    shared.aws.sqs.send_message(QueueUrl=shared.description.queue_url, MessageBody=secret)

    states = {name: ended(client, task_id)["state"] for name, task_id in tasks.items()}
    assert states | ENDINGS == states
    shared.dead_letter(secret)
    crash(shared, client, secret)
    lines = logged(shared)

    unread = [name for name, one in tasks.items() if not any(one in line for line in lines)]
    heard = LEVELS[level] <= LEVELS["INFO"]  # from there on, lines name the tasks
    assert not (heard and unread), "lines of this test were not read"
    parts = [secret, *token.split(".")[1:]]
    assert [line for line in lines if any(part in line for part in parts)] == []


@pytest.mark.timeout(300)
def test_make_run_shows_an_errors_text_which_no_log_has(app: DeployedApp) -> None:
    text = f"text{uuid4().hex}"
    ended(app.machine, submit(app.machine, "telling", {"text": text, "ending": "permanent"}))
    logs = FunctionLogs(app.aws, app.description)
    shown = eventually(lambda: next((e for e in logs.read() if text in e), None), 30)
    where = rf"  at functions/processors/telling\.py:[0-9]+ Permanent: {text}"
    assert re.fullmatch(where, shown.splitlines()[1])
    assert not [line for line in logged(app) if text in line]
