"""The queue and the worker's inbox in memory."""

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import count
from json import dumps

from tandem.clock import Clock
from tandem.ids import TaskId
from tandem.messages import MAX_DELAY, DeadLetter, Envelope, QueueDepth


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """A message as the worker receives it."""

    message_id: str
    body: str
    sent_at: datetime
    visible_at: datetime
    receive_count: int = 0
    attributes: dict[str, str] = field(default_factory=dict)

    @property
    def receipt_handle(self) -> str:
        """What this delivery is answered with."""
        return self.message_id


class MemoryQueue:
    """Holds messages until they are deleted. Deliveries are hidden for a visibility timeout.

    A message that was received `max_receives` times becomes a dead letter when it would be again.
    """

    def __init__(
        self,
        clock: Clock,
        *,
        visibility: timedelta = timedelta(minutes=12),
        max_receives: int = 10,
    ) -> None:
        self.messages: dict[str, Message] = {}
        self.dead_letters: list[Message] = []
        self._clock = clock
        self._visibility = visibility
        self._max_receives = max_receives
        self._ids = count(1)

    def send(self, *envelopes: Envelope) -> list[TaskId]:
        """Send tasks to the worker. None is ever lost."""
        for envelope in envelopes:
            attributes = {"tenant": str(envelope.tenant)}
            if envelope.traceparent:
                attributes["traceparent"] = envelope.traceparent
            body = dumps({"task_id": envelope.task_id})
            self.send_text(body, attributes, delay=min(envelope.delay, MAX_DELAY))
        return []

    def send_text(
        self,
        body: str,
        attributes: dict[str, str] | None = None,
        *,
        delay: timedelta = timedelta(0),
    ) -> Message:
        """Send any message, even one that no worker can read."""
        message = Message(
            message_id=f"message-{next(self._ids)}",
            body=body,
            sent_at=self._clock.now(),
            visible_at=self._clock.now() + delay,
            attributes=attributes or {},
        )
        self.messages[message.message_id] = message
        return message

    def receive(self) -> list[Message]:
        """Return what is visible, and hide it for the visibility timeout, or give it up."""
        now = self._clock.now()
        visible = [message for message in self.messages.values() if message.visible_at <= now]
        given_up = [message for message in visible if message.receive_count >= self._max_receives]
        for message in given_up:
            self.dead_letters.append(self.messages.pop(message.message_id))
        delivered = [
            replace(
                message,
                receive_count=message.receive_count + 1,
                visible_at=now + self._visibility,
            )
            for message in visible
            if message not in given_up
        ]
        self.messages |= {message.message_id: message for message in delivered}
        return delivered

    def depth(self) -> QueueDepth:
        """Return how many messages there are."""
        now = self._clock.now()
        hidden = [message for message in self.messages.values() if message.visible_at > now]
        return QueueDepth(
            waiting=len(self.messages) - len(hidden),
            delayed=sum(not message.receive_count for message in hidden),
            in_flight=sum(message.receive_count > 0 for message in hidden),
        )

    def count(self) -> int:
        """Return how many dead letters there are."""
        return len(self.dead_letters)

    def delete(self, message: Message) -> None:
        """Acknowledge a message."""
        self.messages.pop(message.message_id, None)

    def acknowledge(self, *receipt_handles: str) -> int:
        """Delete messages. None ever fails to be."""
        for receipt_handle in receipt_handles:
            self.messages.pop(receipt_handle, None)
        return 0

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
                sent_at=self._clock.now(),
                visible_at=self._clock.now(),
                attributes=attributes,
            )
        )

    def look(self, limit: int, *, hide: timedelta) -> list[DeadLetter]:
        """Return dead letters that are not hidden, and hide them for this long."""
        now = self._clock.now()
        found: list[DeadLetter] = []
        for index, letter in enumerate(self.dead_letters):
            if letter.visible_at <= now and len(found) < limit:
                self.dead_letters[index] = replace(letter, visible_at=now + hide)
                found.append(_dead_letter(letter))
        return found

    def put_back(self, letter: DeadLetter) -> None:
        """Show a hidden letter to other readers again."""
        now = self._clock.now()
        self.dead_letters = [
            replace(held, visible_at=now) if held.message_id == letter.letter_id else held
            for held in self.dead_letters
        ]

    def remove(self, letter: DeadLetter) -> None:
        """Remove a letter for good."""
        self.dead_letters = [
            held for held in self.dead_letters if held.message_id != letter.letter_id
        ]


def _dead_letter(message: Message) -> DeadLetter:
    task_id = message.attributes.get("task_id")
    return DeadLetter(
        letter_id=message.message_id,
        receipt_handle=message.receipt_handle,
        body=message.body,
        reason=message.attributes.get("reason", "unhandled"),
        error=message.attributes.get("error", ""),
        task_id=TaskId(task_id) if task_id else None,
        sent_at=message.sent_at,
    )
