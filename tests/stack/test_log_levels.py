"""No level of the logs shows inputs, keys or session tokens, and none drops a metric.

The functions run in Lambda's runtime client, which sets the root logger to the platform's level.
"""

import json
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from tandem.lambda_events import http_event, sqs_record
from tandem.processing.catalogue import installed
from tandem_tools.build import sam as artifact
from tandem_tools.harness.receiver import Receiver
from tandem_tools.harness.resources import Resources
from tests.stack.runtime import FunctionRuntime
from tests.stack.scene import with_processors
from tests.unit.test_log_levels import LEVELS, number, passed

SECRET = f"secret{uuid4().hex}"
"""Part of every input."""
SESSION = f"session{uuid4().hex}"
WORD = f"word{uuid4().hex}"
"""A setting of a processor."""
PATHS = ("/process-online", "/process-offline")
INPUTS: list[tuple[str, Any]] = [
    ("echo", {"message": SECRET}),
    ("hash-blocks", {"blocks": SECRET}),
    ("echo", {"message": {SECRET: 1}}),
    ("checksum-files", {"uploads": [SECRET]}),
    ("query-table", {"rows": [{SECRET: SECRET}], "sql": f"SELECT {SECRET}1"}),
    ("query-table", {"rows": [{"a": SECRET}], "sql": f"SELECT CAST('{SECRET}' AS INTEGER)"}),
    ("summarize-table", {"rows": [{SECRET: SECRET}]}),
]
"""What is sent to the processors that are there."""


ENDINGS = ("success", "error", "permanent", "log")
"""How a processor ends that knows the setting, and puts it wherever it can."""


@pytest.fixture(scope="module", params=LEVELS)
def resources(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Resources]:
    """The resources of a stack with each LogLevel."""
    artifact.build(artifact.machine_architecture())
    folder = tmp_path_factory.mktemp(request.param)
    parameters = {"LogLevel": request.param, "SettingsMaxAgeSeconds": "1"}
    with Resources(folder, parameters=parameters) as made:
        know(made, known_word=WORD)
        yield made


def know(resources: Resources, **settings: str) -> None:
    """Give processors these settings."""
    name = resources.function("ApiFunction").environment["PROCESSOR_SETTINGS_SECRET"]
    body = json.dumps({name.upper(): value for name, value in settings.items()})
    resources.aws.secrets_manager.put_secret_value(SecretId=name, SecretString=body)


def running(resources: Resources, name: str, scratch: Path, **more: str) -> FunctionRuntime:
    """Return a function, with the tests' processors, whose session token must not be seen."""
    scratch.mkdir()
    function = resources.function(name)
    function = replace(function, folder=with_processors(function.folder, scratch / "artifact"))
    environment = {**function.environment, "AWS_SESSION_TOKEN": SESSION, **more}
    return FunctionRuntime(replace(function, environment=environment), scratch)


def as_records(resources: Resources, queue: str) -> dict[str, Any]:
    """Take what waits in a queue, as its function is given it."""
    found = resources.aws.sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10)
    return {"Records": [sqs_record(one["Body"]) for one in found.get("Messages", [])]}


def knowing(api: FunctionRuntime, path: str, ending: str) -> str:
    """Return the answer to a task of the processor that knows the setting."""
    body = {"processor": "knowing", "input": {"ending": ending}}
    answer: str = json.dumps(api.invoke(http_event("POST", path, body)))
    return answer


def signing_secret(resources: Resources) -> str:
    name = resources.function("ApiFunction").environment["CALLBACK_SECRET"]
    return resources.aws.secrets_manager.get_secret_value(SecretId=name)["SecretString"]


@pytest.mark.timeout(240)
def test_nothing_secret_is_logged_and_all_metrics_are(resources: Resources, tmp_path: Path) -> None:
    platform = resources.function("ApiFunction").platform_log_level
    level = resources.function("ApiFunction").environment["POWERTOOLS_LOG_LEVEL"]
    runtimes = {}
    with Receiver("127.0.0.1") as receiver:
        trust = str(receiver.write_authority(tmp_path / "authority.pem"))
        own = {"SSL_CERT_FILE": trust, "CALLBACK_ALLOWED_NETWORKS": "127.0.0.0/8"}
        with running(resources, "ApiFunction", tmp_path / "api", **own) as api:
            runtimes["api"] = api
            for processor, data in (one for one in INPUTS if one[0] in installed()):
                body = {"processor": processor, "input": data, "callback_url": receiver.url}
                for path in PATHS:
                    assert api.invoke(http_event("POST", path, body))["statusCode"] < 500
            told = [knowing(api, path, ending) for path in PATHS for ending in ENDINGS]
            know(resources, known_word=WORD, known_times=WORD)
            time.sleep(1.1)
            told.append(knowing(api, "/process-online", "success"))
            assert "KNOWN_TIMES is wrong (int_parsing)" in told[-1]
            assert [one for one in told if WORD in one] == []
            know(resources, known_word=WORD)
            keys = api.invoke(http_event("GET", "/callback-keys"))
            assert keys["statusCode"] == 200
        with running(resources, "WorkerFunction", tmp_path / "worker") as worker:
            runtimes["worker"] = worker
            while records := as_records(resources, resources.queue_url)["Records"]:
                worker.invoke({"Records": records})
        queue = resources.function("WorkerFunction").environment["CALLBACK_QUEUE_URL"]
        with running(resources, "CallbackFunction", tmp_path / "callback", **own) as callback:
            runtimes["callback"] = callback
            callback.invoke(as_records(resources, queue))
        assert receiver.requests
    with running(resources, "ReportFunction", tmp_path / "report") as report:
        runtimes["report"] = report
        assert report.invoke({})["closed"]

    key = json.loads(keys["body"])["keys"][0]["key"].removeprefix("whsec_")
    secrets = {SECRET, SESSION, WORD, signing_secret(resources), key}
    logs = {name: runtime.log for name, runtime in runtimes.items()}
    assert [(name, one) for name, log in logs.items() for one in secrets if one in log] == []

    lines = [line for runtime in runtimes.values() for line in runtime.log_entries()]
    below = [one for one in lines if "message" in one and number(one["level"]) < LEVELS[level]]
    assert below == []
    metrics = {name for line in lines if "_aws" in line and passed(line, platform) for name in line}
    assert {"WindowsClosed", "TasksSucceeded", "TasksSwept"} <= metrics
