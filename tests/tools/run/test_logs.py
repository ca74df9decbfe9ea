"""A log event becomes one line that a person reads."""

import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from tandem.reports.cloudwatch import summary
from tandem.reports.counts import Count, Series
from tandem.reports.report import Levels, Report
from tandem.reports.window import Window
from tandem.tasks.task import Mode, State
from tandem_tools.run.logs import readable

NOON_MS = 1_795_348_800_000


def line(message: object) -> str:
    text = message if isinstance(message, str) else json.dumps(message)
    return readable("worker", NOON_MS, text).partition(" ")[2]


def test_an_entry_shows_its_level_its_message_and_its_own_fields() -> None:
    entry = {
        "level": "INFO",
        "message": "task succeeded",
        "service": "worker",
        "function_request_id": "1",
        "task_id": "t-1",
        "attempts": 2,
    }
    assert line(entry) == "worker INFO    task succeeded  task_id=t-1 attempts=2"


def test_an_exception_follows_its_entry() -> None:
    entry = {"level": "ERROR", "message": "failed", "exception": "Traceback: boom"}
    assert line(entry) == "worker ERROR   failed\nTraceback: boom"


def test_a_stack_follows_its_entry_innermost_first_with_the_projects_paths() -> None:
    scratch = "/dev/shm/tandem-x/ministack-lambda-tandem-local-ApiFunction-1/code"
    stack = [f"{scratch}/tandem/tasks/execute.py:299", f"{scratch}/processors/zero.py:7"]
    entry = {"level": "WARNING", "message": "attempt failed", "attempt": 1, "stack": stack}
    assert line(entry).splitlines() == [
        "worker WARNING attempt failed  attempt=1",
        "  at functions/processors/zero.py:7",
        "  by functions/tandem/tasks/execute.py:299",
    ]
    entry["stack"] = ["/var/task/processors/zero.py:7", "/usr/lib/python3.13/json/decoder.py:1"]
    assert line(entry).splitlines()[1:] == [
        "  at /usr/lib/python3.13/json/decoder.py:1",
        "  by functions/processors/zero.py:7",
    ]


def test_an_attempt_that_failed_is_told_with_its_place_and_its_error() -> None:
    known = {("t-1", 2): "division by zero\nsecond line"}
    entry = {
        "level": "WARNING",
        "message": "attempt failed",
        "task_id": "t-1",
        "attempt": 2,
        "error_type": "ZeroDivisionError",
        "stack": ["/var/task/tandem/x.py:1", "/var/task/processors/zero.py:7"],
    }

    def told() -> list[str]:
        text = readable("worker", NOON_MS, json.dumps(entry), lambda *of: known.get(of, ""))
        return text.splitlines()[1:]

    assert told() == [
        "  at functions/processors/zero.py:7 ZeroDivisionError: division by zero",
        "     second line",
        "  by functions/tandem/x.py:1",
    ]
    entry["stack"] = []
    assert told()[0] == "  ZeroDivisionError: division by zero"
    entry["attempt"] = 1  # another attempt's error is recorded by now
    assert told() == []
    entry |= {"attempt": 2, "message": "attempt ended"}
    assert told() == []


def test_plain_text_stays_as_it_is() -> None:
    assert line("started\n") == "worker started"


@pytest.mark.parametrize(
    "message",
    ["", "START RequestId: 1 Version: $LATEST", "END RequestId: 1", {"_aws": {}, "Tasks": 1}],
)
def test_platform_lines_and_metrics_are_left_out(message: object) -> None:
    assert line(message) == ""


WINDOW = Window(datetime(2026, 11, 22, 11, 59, tzinfo=UTC))
LEVELS = Levels(
    waiting=0, delayed=0, in_flight=1, dead_letters=2, oldest_waiting_seconds=0, swept=0
)


def report_line(levels: Levels | None = LEVELS, late: int = 0, **ended: int) -> str:
    counts = {
        Series("echo", Mode.OFFLINE, State(state)): Count(tasks=tasks)
        for state, tasks in ended.items()
    }
    report = Report(WINDOW, WINDOW.end, counts, {}, levels=levels)
    entry = {"level": "INFO", "message": "report"} | summary(report) | {"late": late}
    written = readable("report", NOON_MS, json.dumps(entry))
    assert "\n" not in written
    clock, name, minute, said = written.split(maxsplit=3)
    assert clock == datetime.fromtimestamp(NOON_MS / 1000, UTC).astimezone().strftime("%H:%M:%S")
    assert (name, minute) == ("report", WINDOW.start.astimezone().strftime("%H:%M"))
    return said


def test_a_report_is_one_sentence() -> None:
    assert report_line(succeeded=15, failed=2) == (
        "17 tasks: 15 succeeded, 2 failed; waiting 0, in flight 1, dead letters 2"
    )
    assert report_line(cancelled=1, levels=None) == "1 task: 1 cancelled"
    assert report_line(succeeded=3, late=2, levels=None) == "3 tasks: 3 succeeded, 2 of them late"
    assert report_line(levels=LEVELS) == "no tasks; waiting 0, in flight 1, dead letters 2"
    unknown = replace(LEVELS, waiting=None, in_flight=None)
    assert report_line(levels=unknown) == "no tasks; dead letters 2"
    assert report_line(levels=replace(unknown, dead_letters=None)) == "no tasks"


def test_the_examples_of_a_report_are_left_out() -> None:
    assert line({"level": "INFO", "message": "counted", "task_id": "t-1"}) == ""
