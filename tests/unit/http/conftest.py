import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest

from tandem.http.app import create_app
from tandem.http.lambda_handler import LambdaHandler
from tandem.testing import MemoryWiring
from tandem.worker.batch import run_batch
from tandem_tools.harness.events import LambdaContextStub, http_event, sqs_record


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    text: str

    @property
    def json(self) -> Any:
        return json.loads(self.text)

    @property
    def problem(self) -> str:
        """The kind of the problem document that this is."""
        assert self.headers["content-type"] == "application/problem+json"
        document = self.json
        assert document["status"] == self.status
        assert document["request_id"] == self.headers["x-request-id"]
        kind: str = document["type"].removeprefix("urn:tandem:problem:")
        return kind


class Api:
    """The deployed handler over doubles, called with API Gateway's events."""

    def __init__(self) -> None:
        self.wiring = MemoryWiring()
        self.handler = LambdaHandler(create_app(self.wiring))
        self.context = LambdaContextStub()

    def __call__(self, method: str, path: str, body: Any = None, **options: Any) -> Answer:
        answer = self.handler(http_event(method, path, body, **options), self.context)  # type: ignore[arg-type]
        assert not answer["isBase64Encoded"]
        return Answer(answer["statusCode"], answer["headers"], answer["body"])

    def work(self) -> None:
        """Run what is queued."""
        records = [
            sqs_record(message.body, message_id=message.message_id)
            for message in self.wiring.queue.receive()
        ]
        until = self.wiring.clock.now() + timedelta(minutes=1)
        run_batch({"Records": records}, self.wiring, until=until)


@pytest.fixture
def api() -> Iterator[Api]:
    running = Api()
    yield running
    running.handler.stop()
