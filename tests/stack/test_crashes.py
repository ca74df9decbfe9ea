"""A task that ends the process of every attempt, and the innocent ones that run beside it."""

import json
import time
from datetime import datetime, timedelta

import pytest

from tandem.aws.dynamodb_tasks import DynamoDBTaskStore
from tandem.aws.items import task_key
from tandem.clock import SystemClock, to_text
from tandem.ids import TenantId
from tandem.lambda_events import sqs_record
from tandem.tasks.task import InlinePayload, State, Task
from tandem_tools.harness.stack import DeployedApp
from tandem_tools.harness.tasks import make_task

TICK = {"source": "aws.events", "detail-type": "Scheduled Event", "detail": {}}
TIME_LIMIT = timedelta(seconds=8)
"""Of both processors: an attempt that is older by a margin ended with its process."""
MARGIN = timedelta(seconds=3)


def now() -> datetime:
    return SystemClock().now()


class Patients:
    """Some tasks, and the time that passes for them sooner than a lease of a minute would."""

    def __init__(self, app: DeployedApp, tasks: list[Task]) -> None:
        self._app = app
        self._store = DynamoDBTaskStore(app.aws.dynamodb, app.description.table, shards=4)
        self._ids = [task.task_id for task in tasks]
        for task in tasks:
            self._store.put(task)

    @property
    def tasks(self) -> list[Task]:
        """The tasks as they are."""
        return [task for task in map(self._store.get, self._ids) if task is not None]

    def run_together(self) -> None:
        """Give all of them to one worker in one batch, which ends its process."""
        records = [
            sqs_record(json.dumps({"task_id": task_id}), message_id=task_id)
            for task_id in self._ids
        ]
        answer = self._app.aws.functions.invoke(
            FunctionName=self._app.description.functions["worker"],
            Payload=json.dumps({"Records": records}).encode(),
        )
        assert "FunctionError" in answer

    def recover(self, after: timedelta) -> None:
        """End the leases of attempts that began so long ago, and run the sweep."""
        for task in self.tasks:
            began = task.attempt_started_at
            if task.state is State.RUNNING and began is not None and now() - began > after:
                self._end_lease(task)
        self._app.invoke("report", TICK)

    def _end_lease(self, task: Task) -> None:
        self._app.aws.dynamodb.update_item(
            TableName=self._app.description.table,
            Key=task_key(task.task_id),
            ConditionExpression="attempts = :attempts AND attribute_exists(lease_until)",
            UpdateExpression="SET lease_until = :past, due_at = :past",
            ExpressionAttributeValues={
                ":attempts": {"N": str(task.attempts)},
                ":past": {"S": to_text(now() - timedelta(seconds=1))},
            },
        )


@pytest.mark.timeout(300)
def test_a_task_that_ends_its_process_takes_no_innocent_one_with_it(app: DeployedApp) -> None:
    tenant = TenantId(app.description.client_id)
    innocent = {"processor": "unreliable", "input": InlinePayload('{"sleep_seconds":3}')}
    made: list[dict[str, object]] = [
        {"processor": "deadly", "input": InlinePayload("{}"), "max_attempts": 1},
        *[innocent] * 4,
    ]
    patients = Patients(app, [make_task(now(), tenant=tenant, **fields) for fields in made])

    patients.run_together()

    assert [(task.state, task.attempts, task.in_company) for task in patients.tasks] == [
        (State.RUNNING, 1, True)
    ] * 5
    patients.recover(after=timedelta(0))
    deadline = time.monotonic() + 200
    while any(not task.state.final for task in patients.tasks) and time.monotonic() < deadline:
        time.sleep(2)
        patients.recover(after=TIME_LIMIT + MARGIN)
    deadly, *innocents = patients.tasks
    assert [task.state for task in innocents] == [State.SUCCEEDED] * 4
    # What the neighbour did has cost them nothing.
    assert [task.attempts - task.uncounted for task in innocents] == [1] * 4
    assert (deadly.state, deadly.alone, deadly.error and deadly.error.type) == (
        State.FAILED,
        True,
        "Crashed",
    )
    assert deadly.attempts - deadly.uncounted == 1
    letter = app.failed(deadly.task_id)
    assert letter is not None
    assert letter["reason"] == "attempts-exhausted"
