"""What a processor logs with the standard library is a line of ours."""

import asyncio
import json
import logging
from collections.abc import Callable
from io import StringIO
from typing import Any

import pytest

from tandem.clock import SystemClock
from tandem.lambda_events import sqs_record
from tandem.processing import TaskContext
from tandem.processing.catalogue import Catalogue
from tandem.telemetry import logger
from tandem.testing import MemoryWiring
from tandem.worker.batch import run_batch
from tests.factories.processors import Number, make_processor, make_wiring, new_work

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"

OURS = logging.getLogger("processors.orders")


def run(work: Callable[[Number, TaskContext], Any]) -> str:
    """Run a task as a batch and return its id."""
    catalogue = Catalogue([make_processor(work)])
    wiring = MemoryWiring(clock=SystemClock(), catalogue=catalogue)
    task = wiring.submissions.offline(new_work(wiring))
    (message,) = wiring.queue.receive()
    record = sqs_record(
        message.body, message_id=message.message_id, traceparent=message.attributes["traceparent"]
    )
    until = wiring.clock.now().replace(year=2100)
    run_batch({"Records": [record]}, wiring, until=until)
    return task.task_id


def lines(log: StringIO, message: str) -> list[dict[str, Any]]:
    written = [json.loads(text) for text in log.getvalue().splitlines()]
    return [line for line in written if line["message"] == message]


def test_a_line_of_the_standard_library_is_written_once_and_names_task_trace_and_message(
    log: StringIO, capfd: pytest.CaptureFixture[str]
) -> None:
    def warn(data: Number, ctx: TaskContext) -> Number:
        OURS.warning("%d rows were skipped", 3)
        return data

    task_id = run(warn)
    (line,) = lines(log, "3 rows were skipped")
    assert (line["level"], line["task_id"]) == ("WARNING", task_id)
    assert (line["correlation_id"], line["message_id"]) == (TRACE, "message-1")
    assert "rows" not in "".join(capfd.readouterr())


def test_lines_of_the_pools_helpers_name_the_task_too(log: StringIO) -> None:
    def warn_from_each(data: Number, ctx: TaskContext) -> Number:
        ctx.pool.map(lambda number: OURS.info("part %d", number), range(20))
        return data

    task_id = run(warn_from_each)
    parts = [line for number in range(20) for line in lines(log, f"part {number}")]
    assert [line["task_id"] for line in parts] == [task_id] * 20


def test_an_error_that_a_processor_logs_is_named_without_its_text(log: StringIO) -> None:
    def fail(data: Number, ctx: TaskContext) -> Number:
        try:
            {}["SECRET-INPUT"]
        except KeyError:
            OURS.exception("no such row")
        return data

    run(fail)
    (line,) = lines(log, "no such row")
    assert line["error_type"] == "KeyError"
    assert "test_processor_logs.py" in line["stack"][-1]
    assert "SECRET-INPUT" not in log.getvalue()


@pytest.mark.parametrize("name", ["botocore", "urllib3.connectionpool", "asyncio", "any.other"])
def test_libraries_say_what_is_wrong_and_no_more(name: str, log: StringIO) -> None:
    library = logging.getLogger(name)
    library.info("chatter")
    library.warning("trouble")
    assert lines(log, "chatter") == []
    assert len(lines(log, "trouble")) == 1


def test_a_handler_that_lambdas_runtime_put_on_the_root_writes_nothing_beside_ours(
    log: StringIO,
) -> None:
    assert logger.registered_handler in logging.getLogger().handlers
    logger.info("of our own")
    assert len(lines(log, "of our own")) == 1


def test_an_online_tasks_lines_name_it(log: StringIO) -> None:
    def warn(data: Number, ctx: TaskContext) -> Number:
        OURS.warning("slow")
        return data

    wiring = make_wiring(warn)
    new = new_work(wiring)
    answer = asyncio.run(wiring.online.process(new, Number(), budget_seconds=10))
    (line,) = lines(log, "slow")
    assert line["task_id"] == answer.task.task_id
