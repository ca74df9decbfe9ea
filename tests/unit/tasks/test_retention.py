"""The bucket's lifecycle deletes nothing that a task, kept or to be run, can need."""

from datetime import UTC, datetime, timedelta

import pytest

from tandem.limits import (
    ATTEMPT_LONGEST,
    DELETED_KNOWN,
    RUN_AFTER,
    UPLOAD_LIFETIME,
    UPLOAD_RETENTION,
)
from tandem.processing.processor import MAX_CACHE_SECONDS, MAX_TIME_LIMIT_SECONDS
from tandem.tasks.task import LEAST, Retention
from tandem_tools.template import Node, load_template
from tests.factories.ended import ended_task

TEMPLATE = load_template()
RESOURCES: Node = TEMPLATE["Resources"]
RULES = {
    rule["Id"]: rule
    for rule in RESOURCES["TaskBucket"]["Properties"]["LifecycleConfiguration"]["Rules"]
}
DAYS: Node = TEMPLATE["Parameters"]["TaskRetentionDays"]
SUBMITTED = datetime(2026, 1, 1, tzinfo=UTC)


def test_only_these_rules_delete_objects() -> None:
    expiring = {name: rule for name, rule in RULES.items() if "ExpirationInDays" in rule}
    assert {name: rule["Prefix"] for name, rule in expiring.items()} == {
        "uploads": "uploads/",
        "tasks": "tasks/",
    }
    assert all(rule["Status"] == "Enabled" for rule in RULES.values())


def test_the_bucket_and_the_tasks_count_the_same_days() -> None:
    assert RULES["tasks"]["ExpirationInDays"] == {"Ref": "TaskRetentionDays"}
    for name in ("ApiFunction", "WorkerFunction", "ReportFunction"):
        variables = RESOURCES[name]["Properties"]["Environment"]["Variables"]
        assert variables["TASK_RETENTION_DAYS"] == {"Ref": "TaskRetentionDays"}


@pytest.mark.parametrize("days", [DAYS["MinValue"], DAYS["Default"], 365])
@pytest.mark.parametrize("finished_after", [timedelta(0), RUN_AFTER, RUN_AFTER + LEAST])
def test_no_object_is_deleted_before_its_task_expires(days: int, finished_after: timedelta) -> None:
    """An input is stored at the submission, an output or a file at the end: S3 counts from then.

    That holds for each task that ends within a day of the longest delay.
    """
    period = timedelta(days=days)
    finished_at = SUBMITTED + finished_after
    task = ended_task(finished_at, created_at=SUBMITTED)
    expires_at = Retention(period).expiry(task, finished_at)
    input_goes, output_goes = SUBMITTED + period, finished_at + period
    assert expires_at <= input_goes <= output_goes


def test_an_input_outlives_the_longest_delay_and_a_day_of_attempts() -> None:
    assert timedelta(days=DAYS["MinValue"]) >= RUN_AFTER + LEAST


def test_an_upload_that_is_fresh_outlives_the_longest_delay() -> None:
    assert timedelta(days=RULES["uploads"]["ExpirationInDays"]) == UPLOAD_RETENTION
    assert UPLOAD_RETENTION >= RUN_AFTER + LEAST + UPLOAD_LIFETIME


def test_a_kept_output_outlives_the_cache_that_names_it() -> None:
    assert timedelta(seconds=MAX_CACHE_SECONDS) <= LEAST
    assert timedelta(days=DAYS["MinValue"]) > LEAST


def test_a_purge_comes_after_the_last_object_and_its_mark_after_the_last_message() -> None:
    assert timedelta(seconds=MAX_TIME_LIMIT_SECONDS) < ATTEMPT_LONGEST
    longest = max(
        TEMPLATE["Parameters"]["WorkerTimeoutSeconds"]["MaxValue"],
        *(
            function["Properties"]["Timeout"]
            for function in RESOURCES.values()
            if function["Type"] == "AWS::Serverless::Function"
            and isinstance(function["Properties"].get("Timeout"), int)
        ),
    )
    assert timedelta(seconds=longest) <= ATTEMPT_LONGEST
    queues = [
        timedelta(seconds=queue["Properties"]["MessageRetentionPeriod"])
        for queue in RESOURCES.values()
        if queue["Type"] == "AWS::SQS::Queue"
    ]
    assert max(queues) <= DELETED_KNOWN
