"""What is written at each LogLevel, in a process that Lambda's runtime has set up for logging."""

import json
import logging
import os
import re
import subprocess
import sys
from functools import cache
from typing import Any

import pytest

from tandem_tools.template import load_template

LEVELS = {"DEBUG": 10, "INFO": 20, "WARN": 30, "ERROR": 40}
LIBRARIES = ("botocore.endpoint", "boto3", "urllib3", "mangum", "processorsx", "any.other")
PROGRAM = f"""
import logging, sys
logging.getLogger().addHandler(logging.StreamHandler(sys.stdout))
logging.getLogger().setLevel(sys.argv[1])
from tandem.telemetry import hear, logger
hear(["processors"])
from aws_lambda_powertools.metrics import EphemeralMetrics
for name in sys.argv[2:]:
    logging.getLogger(name).setLevel("DEBUG")
for level in (10, 20, 30, 40):
    logging.getLogger(logger.name).log(level, f"ours {{level}}")
    for name in ("processors.orders", *{LIBRARIES}):
        logging.getLogger(name).log(level, f"{{name}} {{level}}")
metrics = EphemeralMetrics(namespace="Tandem")
metrics.add_metric("WindowsClosed", "Count", 1)
metrics.flush_metrics()
"""
ASIDE = """
import asyncio, gc, sys, threading, warnings
from tandem.telemetry import log_without_text
log_without_text()
def fail():
    raise ValueError("secret of an error")
def end():
    raise SystemExit("secret of an end")
for target in (fail, end):
    thread = threading.Thread(target=target)
    thread.start()
    thread.join()
class Finalized:
    def __del__(self):
        fail()
    def __repr__(self):
        return "secret of an object"
Finalized()
async def task():
    fail()
async def forgetful():
    await asyncio.wait([asyncio.create_task(task())])
asyncio.run(forgetful())
gc.collect()
warnings.warn("secret of a warning")
"""
"""Fails where nobody catches it."""

RFC_3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")


def platform_level(level: str) -> str:
    """Return what the template gives the platform for its filter."""
    template = load_template()
    name, *choice = template["Globals"]["Function"]["LoggingConfig"]["ApplicationLogLevel"][
        "Fn::If"
    ]
    [said, wanted] = template["Conditions"][name]["Fn::Equals"]
    assert said == {"Ref": "LogLevel"}
    found: str = choice[0] if level == wanted else choice[1]
    return found


@cache
def written(level: str, *chatty: str) -> list[dict[str, Any]]:
    """Return what a process writes that says something at each level, by each kind of logger.

    Args:
        level: the functions' own.
        chatty: loggers whose own level somebody has set to DEBUG; the empty name is the root's.
    """
    platform = platform_level(level)
    environment = {
        "PYTHONPATH": os.pathsep.join(path for path in sys.path if path.endswith("functions")),
        "POWERTOOLS_LOG_LEVEL": level,
        "POWERTOOLS_SERVICE_NAME": "api",
        "AWS_LAMBDA_LOG_LEVEL": platform,
        "TZ": "Asia/Kathmandu",
    }
    done = subprocess.run(  # noqa: S603 - our own interpreter and program
        [sys.executable, "-W", "error", "-c", PROGRAM, platform, *chatty],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr == ""
    return [json.loads(line) for line in done.stdout.splitlines()]


def number(level: str) -> int:
    """Return where a level stands among all."""
    return logging.getLevelNamesMapping()[level]


def passed(line: dict[str, Any], platform: str) -> bool:
    """Return whether the platform keeps a line: one without a level, as metrics are, is at INFO.

    https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-log-level.html
    """
    return number(line.get("level", "INFO")) >= LEVELS[platform]


@pytest.mark.parametrize("chatty", [(), ("",), LIBRARIES], ids=["none", "root", "libraries"])
@pytest.mark.parametrize("level", LEVELS)
def test_our_lines_are_written_from_the_level_on_and_libraries_from_warning_on(
    level: str, chatty: tuple[str, ...]
) -> None:
    lines = written(level, *chatty)
    kept = {str(line["message"]) for line in lines if "message" in line}
    first = dict.fromkeys(("ours", "processors.orders"), LEVELS[level])
    first |= dict.fromkeys(
        LIBRARIES, LEVELS["WARN"] if chatty else max(LEVELS[level], LEVELS["WARN"])
    )
    assert kept == {
        f"{name} {number}"
        for name, least in first.items()
        for number in LEVELS.values()
        if number >= least
    }
    assert [line for line in lines if not passed(line, platform_level(level))] == []


@pytest.mark.parametrize("level", LEVELS)
def test_metrics_pass_the_platforms_filter_whatever_the_level(level: str) -> None:
    metrics = [line for line in written(level) if "_aws" in line]
    assert [line["WindowsClosed"] for line in metrics] == [[1.0]]
    assert all(passed(line, platform_level(level)) for line in metrics)


def test_times_are_those_of_rfc_3339() -> None:
    times = [line["timestamp"] for line in written("INFO") if "message" in line]
    assert times
    assert [time for time in times if not RFC_3339.fullmatch(time)] == []
    assert {time[-6:] for time in times} == {"+00:00"}


@pytest.mark.parametrize("level", LEVELS)
def test_errors_that_nobody_catches_and_warnings_are_told_by_their_place(level: str) -> None:
    folders = [path for path in sys.path if path.endswith("functions")]
    done = subprocess.run(  # noqa: S603 - our own interpreter and program
        [sys.executable, "-c", ASIDE],
        env={"PYTHONPATH": os.pathsep.join(folders), "POWERTOOLS_LOG_LEVEL": level},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "secret" not in done.stdout + done.stderr
    assert done.stderr == ""
    lines = {line["message"]: line for line in map(json.loads, done.stdout.splitlines())}
    warned = {"warned"} if LEVELS[level] <= LEVELS["WARN"] else set()
    asyncio = "Task exception was never retrieved"
    assert lines.keys() == {"thread failed", "error not raised", asyncio} | warned
    for message in ("thread failed", "error not raised", asyncio):
        assert lines[message]["error_type"] == "ValueError"
        assert lines[message]["stack"]
