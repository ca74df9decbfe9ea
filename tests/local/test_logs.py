"""A log event becomes one line that a person reads."""

import json

import pytest

from local.logs import readable

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


def test_plain_text_stays_as_it_is() -> None:
    assert line("started\n") == "worker started"


@pytest.mark.parametrize(
    "message",
    ["", "START RequestId: 1 Version: $LATEST", "END RequestId: 1", {"_aws": {}, "Tasks": 1}],
)
def test_platform_lines_and_metrics_are_left_out(message: object) -> None:
    assert line(message) == ""
