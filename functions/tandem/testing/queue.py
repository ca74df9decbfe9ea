"""The queue and the worker's inbox in memory."""

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import count
from json import dumps

from tandem.domain.clock import Clock
from tandem.domain.ids import TaskId, TenantId


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """A message as the worker receives it."""

    message_id: str
    body: str
    visible_at: datetime
    receive_count: int = 0
    attributes: dict[str, str] = field(default_factory=dict)

    @property
    def receipt_handle(self) -> str:
        """What this delivery is answered with."""
        return self.message_id


class MemoryQueue:
    """Holds messages until they are deleted; deliveries are hidden for a visibility timeout."""

    def __init__(self, clock: Clock, *, visibility: timedelta = timedelta(minutes=12)) -> None:
        self.messages: dict[str, Message] = {}
        self.dead_letters: list[Message] = []
        self._clock = clock
        self._visibility = visibility
        self._ids = count(1)

    def send(self, task_id: TaskId, tenant: TenantId, *, traceparent: str | None) -> None:
        """Send a task to the worker."""
        attributes = {"tenant": str(tenant)} | ({"traceparent": traceparent} if traceparent else {})
        self.send_text(dumps({"task_id": task_id}), attributes)

    def send_text(self, body: str, attributes: dict[str, str] | None = None) -> Message:
        """Send any message, even one that no worker can read."""
        message = Message(
            message_id=f"message-{next(self._ids)}",
            body=body,
            visible_at=self._clock.now(),
            attributes=attributes or {},
        )
        self.messages[message.message_id] = message
        return message

    def receive(self) -> list[Message]:
        """Return what is visible, and hide it for the visibility timeout."""
        now = self._clock.now()
        visible = [message for message in self.messages.values() if message.visible_at <= now]
        delivered = [
            replace(
                message,
                receive_count=message.receive_count + 1,
                visible_at=now + self._visibility,
            )
            for message in visible
        ]
        self.messages |= {message.message_id: message for message in delivered}
        return delivered

    def delete(self, message: Message) -> None:
        """Acknowledge a message."""
        self.messages.pop(message.message_id, None)

    def postpone(self, receipt_handle: str, delay: timedelta) -> None:
        """Hide the message for this long: it is then delivered again."""
        hidden = replace(self.messages[receipt_handle], visible_at=self._clock.now() + delay)
        self.messages[receipt_handle] = hidden

    def dead_letter(
        self, body: str, *, message_id: str, reason: str, error: str, task_id: TaskId | None
    ) -> None:
        """Keep a copy of the message as a dead letter, saying why."""
        attributes = {"reason": reason, "error": error, "message_id": message_id}
        if task_id is not None:
            attributes["task_id"] = task_id
        self.dead_letters.append(
            Message(
                message_id=f"letter-{next(self._ids)}",
                body=body,
                visible_at=self._clock.now(),
                attributes=attributes,
            )
        )
