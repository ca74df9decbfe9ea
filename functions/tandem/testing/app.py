"""The whole application in memory, called with API Gateway's events."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from tandem.http.app import create_app
from tandem.http.lambda_handler import LambdaHandler
from tandem.lambda_events import LambdaContextStub, http_event, sqs_record
from tandem.testing.wiring import MemoryWiring
from tandem.worker.batch import run_batch

_PROBLEM = "urn:tandem:problem:"


@dataclass(frozen=True)
class Answer:
    """The answer to a request."""

    status: int
    headers: dict[str, str]
    text: str

    @property
    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.text)

    @property
    def problem(self) -> str:
        """The kind of the problem document that this is: `task-failed` for one."""
        assert self.headers["content-type"] == "application/problem+json"
        document = self.json
        assert document["status"] == self.status
        assert document["request_id"] == self.headers["x-request-id"]
        kind: str = document["type"].removeprefix(_PROBLEM)
        return kind


def run_queued(wiring: MemoryWiring) -> None:
    """Run what is queued, as the worker does."""
    records = [
        sqs_record(message.body, message_id=message.message_id)
        for message in wiring.queue.receive()
    ]
    run_batch({"Records": records}, wiring, until=wiring.clock.now() + timedelta(minutes=1))


class MemoryApp:
    """The deployed handler and worker over doubles: nothing leaves the process.

    Example:
        answer = memory_app("POST", "/process-online", {"processor": "hello", "input": {…}})
        assert answer.status == 200
    """

    def __init__(self, processor_settings: Mapping[str, str] | None = None) -> None:
        """Make the application.

        Args:
            processor_settings: what `ctx.settings` is made of, by names in capitals.
        """
        self.wiring = MemoryWiring(processor_settings=processor_settings)
        self.handler = LambdaHandler(create_app(self.wiring))
        self.context = LambdaContextStub()

    def __call__(self, method: str, path: str, body: Any = None, **options: Any) -> Answer:
        """Return the answer to a request.

        Args:
            method: of the request.
            path: of the request.
            body: sent as JSON, or as it is when it is a text.
            options: as `http_event` takes them: tenant, scopes, query, headers.
        """
        answer = self.handler(http_event(method, path, body, **options), self.context)  # type: ignore[arg-type]
        assert not answer["isBase64Encoded"]
        return Answer(answer["statusCode"], answer["headers"], answer["body"])

    def work(self) -> None:
        """Run what is queued, as the worker does."""
        run_queued(self.wiring)

    def close(self) -> None:
        """End the application's lifespan."""
        self.handler.stop()
