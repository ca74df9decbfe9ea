"""What becomes of many tasks when SQS refuses a call; nothing is sent."""

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tandem.aws.sqs import SQSTaskQueue
from tandem.ids import TaskId
from tandem.messages import Envelope
from tandem_tools.harness.tasks import ACME
from tests.factories.refusals import Refused, client_of

URL = "https://sqs.eu-central-1.amazonaws.com/111122223333/tasks"
ENVELOPES = [
    Envelope(task_id=TaskId(f"task-{number}"), tenant=ACME, traceparent=None)
    for number in range(35)
]


class Sqs:
    """Takes messages, and refuses the calls of these numbers."""

    def __init__(self, refused: set[int]) -> None:
        self._refused = refused
        self._calls = 0
        self.sent: list[str] = []

    def __call__(self, asked: Any) -> Any:
        number, self._calls = self._calls, self._calls + 1
        if number in self._refused:
            code = "RequestThrottled"
            raise Refused(code)
        self.sent += [json.loads(entry["MessageBody"])["task_id"] for entry in asked["Entries"]]
        return {"Successful": [], "Failed": []}


def test_a_call_that_is_refused_loses_its_own_tasks_and_no_others() -> None:
    service = Sqs(refused={1})
    ids = [envelope.task_id for envelope in ENVELOPES]
    assert SQSTaskQueue(client_of("sqs", service), URL).send(*ENVELOPES) == ids[10:20]
    assert service.sent == ids[:10] + ids[20:]


def test_when_every_call_is_refused_the_refusal_is_raised() -> None:
    service = Sqs(refused={0, 1, 2, 3})
    with pytest.raises(ClientError, match="RequestThrottled"):
        SQSTaskQueue(client_of("sqs", service), URL).send(*ENVELOPES)
