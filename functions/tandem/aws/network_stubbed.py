"""AWS calls that are made in full, and not sent: what a start can do ahead of its first request."""

import io
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from botocore.awsrequest import AWSPreparedRequest
    from botocore.client import ClientMeta

_JSON: Any = {"Content-Type": "application/x-amz-json-1.0"}


class Client(Protocol):
    """Any of boto3's clients."""

    @property
    def meta(self) -> "ClientMeta":
        """What the client is made of, its events among it."""
        ...


@contextmanager
def network_stubbed(*clients: Client) -> Iterator[None]:
    """Let these clients check, sign and read as ever, with answers that come from here.

    While the block runs, an item that was put last is what every answer holds. Nothing leaves the
    process but what finding the credentials takes.
    """
    answers = _Answers()
    for client in clients:
        client.meta.events.register("before-send", answers.answer, unique_id="network_stubbed")
    try:
        yield
    finally:
        for client in clients:
            client.meta.events.unregister(
                "before-send", answers.answer, unique_id="network_stubbed"
            )


class _Answers:
    """Takes the place of the network: botocore sends nothing when this event has an answer."""

    def __init__(self) -> None:
        self._item: Any = {}

    def answer(self, request: "AWSPreparedRequest", **_: Any) -> Any:
        """Return what stands for the service's answer, with a member for each that is read."""
        from botocore.awsrequest import AWSResponse

        body: Any = request.body
        asked = json.loads(body or "{}")
        self._item = asked.get("Item", self._item)
        answer = {"Attributes": self._item, "Item": self._item, "MessageId": "network_stubbed"}
        return AWSResponse(request.url, 200, _JSON, _Body(json.dumps(answer).encode()))


class _Body(io.BytesIO):
    """A body as urllib3 hands it over."""

    def stream(self, **_: Any) -> Iterator[bytes]:
        """Return it in one piece."""
        yield self.getvalue()
