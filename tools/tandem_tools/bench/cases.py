"""The benchmarks' events, like those in events/, on resources of their own."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tandem.aws.dynamodb_reports import DynamoDBReportStore
from tandem.aws.dynamodb_tasks import DynamoDBTaskStore
from tandem.clock import whole_milliseconds
from tandem.limits import REPORT_GRACE
from tandem.reports.report import Totals, compile_report
from tandem.reports.tally import Tally
from tandem.reports.window import Window
from tandem.settings import Settings, read_settings
from tandem_tools.bench.process import Running
from tandem_tools.harness.resources import Resources
from tandem_tools.harness.tasks import make_task
from tandem_tools.paths import PROJECT

type Prepared = Callable[[Running], None]
"""Invokes a function once, with an event that its resources are ready for."""


class WrongAnswer(Exception):
    """The function answered with something else than what is to be measured."""


@contextmanager
def resources() -> Iterator[Resources]:
    """Make the table, the queues and the bucket, in an emulator that ends with the block."""
    with TemporaryDirectory(prefix="resources-") as folder, Resources(Path(folder)) as made:
        yield made


def get_health(made: Resources) -> Prepared:
    """Return GET /health: no AWS call."""
    del made
    return _request(_event("api-health.json"))


def get_processors(made: Resources) -> Prepared:
    """Return GET /processors: a response of some KB, no AWS call."""
    del made
    event = _event("api-process-online.json")
    context = event["requestContext"]
    http = context["http"] | {"method": "GET", "path": "/processors"}
    changed = event | {"rawPath": "/processors", "requestContext": context | {"http": http}}
    return _request({name: changed[name] for name in changed if name != "body"})


def post_online(made: Resources) -> Prepared:
    """Return POST /process-online with `echo`: two writes to the table."""
    del made
    return _request(_event("api-process-online.json"))


def post_offline(made: Resources) -> Prepared:
    """Return POST /process-offline with `echo`: a write to the table, a message to the queue."""
    del made
    return _checked(_event("api-process-offline.json"), lambda answer: answer["statusCode"] == 202)


def one_message(made: Resources) -> Prepared:
    """Return a batch of one `echo` task: two writes to the table."""
    client, settings = made.aws.dynamodb, _settings(made)
    task = make_task(_now())
    DynamoDBTaskStore(client, settings.table_name, shards=settings.index_shards).put(task)
    record = _event("sqs-batch.json")["Records"][0]
    event = {"Records": [record | {"body": json.dumps({"task_id": task.task_id})}]}
    return _checked(event, lambda answer: answer == {"batchItemFailures": []})


def one_window(made: Resources) -> Prepared:
    """Return a tick that closes a window in which nothing finished.

    It closes two when a minute ends on the way: one part in a hundred of a cold start.
    """
    client, settings = made.aws.dynamodb, _settings(made)
    store = DynamoDBReportStore(client, settings.table_name, shards=settings.index_shards)
    last = Window.holding(_now() - REPORT_GRACE).plus(-2)
    store.close(
        compile_report(last, Tally(), _now()),
        Totals(last, last, {}),
        previous=None,
        closing=last.name,
    )
    due = last.plus(1).name
    return _checked(_event("schedule-tick.json"), lambda answer: due in answer["closed"])


def _now() -> datetime:
    return whole_milliseconds(datetime.now(UTC))


def _settings(made: Resources) -> Settings:
    return read_settings(made.function("WorkerFunction").environment)


def _event(name: str) -> Any:
    return json.loads((PROJECT / "events" / name).read_text())


def _request(event: Any) -> Prepared:
    return _checked(event, lambda answer: answer["statusCode"] == 200)


def _checked(event: Any, right: Callable[[Any], bool]) -> Prepared:
    def invoke(process: Running) -> None:
        answer = process.invoke(event)
        if not right(answer):
            raise WrongAnswer(answer)

    return invoke
