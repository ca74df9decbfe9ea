"""Delivery of callbacks: what becomes of each message, and when a refused one is sent again."""

import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from http import HTTPStatus

from tandem.callbacks.callback import Callback, CallbackState, GivenUp
from tandem.callbacks.ports import (
    AddressForbidden,
    Answered,
    CallbackSender,
    CallbackStore,
    Unreachable,
)
from tandem.callbacks.signing import WebhookKeys, signed_headers
from tandem.callbacks.url import InvalidCallbackUrl, Network, parse_callback_url
from tandem.clock import Clock
from tandem.ids import TaskId
from tandem.limits import ERROR_CHARACTERS
from tandem.messages import Delivery, Inbox, Redeliver
from tandem.processing.context import Logger
from tandem.tasks.store import TaskStore
from tandem.tasks.task import Task
from tandem.tasks.views import TaskEvent
from tandem.text import storable
from tandem.worker.deliver import read_task_id

LONGEST = timedelta(hours=11)
"""SQS hides a message for at most 12 hours from its receipt."""

_SECONDS_DIGITS = 9
"""Some thirty years: more digits ask for no more than the longest wait."""

_DATE_CHARACTERS = 64
"""More than any form of a date that RFC 9110 has."""


@dataclass(frozen=True, slots=True)
class Redelivery:
    """The waits between attempts: as many attempts are made, and one more."""

    waits: tuple[timedelta, ...]

    def wait(
        self,
        attempts: int,
        asked: timedelta | None = None,
        *,
        fraction: Callable[[], float] = random.random,
    ) -> timedelta | None:
        """Return how long to wait after so many attempts, or None when that was the last.

        Args:
            attempts: how many were made, from 1.
            asked: how long the receiver asked to be left alone. A longer wait than our own is
                kept, up to `LONGEST`. A shorter one is not.
            fraction: from 0 to 1. Up to a tenth is added, so that not all come back at once.
        """
        if attempts > len(self.waits):
            return None
        own = self.waits[attempts - 1] * (1 + fraction() / 10)
        return min(max(own, asked or own), LONGEST)


def asked_wait(retry_after: str | None, now: datetime) -> timedelta | None:
    """Return the wait that a Retry-After header asks for (RFC 9110, section 10.2.3). Else None.

    It is never less than nothing or more than `LONGEST`.
    """
    text = (retry_after or "").strip()
    if text.isascii() and text.isdigit():
        seconds = text.lstrip("0")[:_SECONDS_DIGITS] or "0"
        return min(timedelta(seconds=int(seconds)), LONGEST)
    if not 0 < len(text) <= _DATE_CHARACTERS:
        return None
    from email.utils import parsedate_to_datetime  # 20 modules, for a header that is seldom a date

    try:
        wait = parsedate_to_datetime(text) - now
    except Exception:  # noqa: BLE001 - the parser documents ValueError, and raises others as well
        return None
    return min(max(wait, timedelta(0)), LONGEST)


USER_AGENT = "Tandem-Callbacks"


@dataclass(frozen=True, slots=True)
class _Refused:
    """The receiver did not take the callback."""

    why: str
    final: GivenUp | None = None
    """Why it is given up, where trying again cannot help."""
    retry_after: str | None = None


class CallbackDeliveries:
    """Sends callbacks: each ends delivered, sent again later, or given up.

    What an attempt has led to is recorded first, and its message acknowledged after: the write that
    gives a callback up puts it on the list of those that wait for a decision. Only a message that
    names no callback becomes a dead letter.

    A callback can be sent twice, by a crash or a duplicate message: its `webhook-id`, the task's
    id, is then the same.
    """

    def __init__(
        self,
        tasks: TaskStore,
        callbacks: CallbackStore,
        inbox: Inbox,
        sender: CallbackSender,
        keys: WebhookKeys,
        *,
        clock: Clock,
        redelivery: Redelivery,
        allowed: tuple[Network, ...],
        logger: Logger,
    ) -> None:
        self._tasks = tasks
        self._callbacks = callbacks
        self._inbox = inbox
        self._sender = sender
        self._keys = keys
        self._clock = clock
        self._redelivery = redelivery
        self._allowed = allowed
        self._logger = logger

    def handle(self, delivery: Delivery) -> None:
        """Send the message's callback and return when the message can be acknowledged.

        Raises:
            Redeliver: the message must be delivered again.
            SecretsError: the callback cannot be signed. Nothing was sent.
        """
        task_id = read_task_id(delivery.body)
        if task_id is None:
            self._dead_letter(delivery, None, "unparsable", "the message names no task")
            return
        task = self._tasks.get(task_id)
        if task is None:
            # Its owner deleted the task, and wants to hear no more of it.
            if self._tasks.deletion(task_id) is None:
                self._dead_letter(delivery, task_id, "unknown-task", "there is no such task")
        elif task.callback is None or not task.state.final:
            self._dead_letter(delivery, task_id, "no-callback", "it has no callback to send")
        elif task.callback.state is CallbackState.PENDING:
            self._attempt(task, task.callback)

    def _attempt(self, task: Task, callback: Callback) -> None:
        refused = self._post(task, callback.url)
        now = self._clock.now()
        if refused is None:
            self._record(task, callback.delivered(now), seen=callback)
            return
        error = storable(refused.why, ERROR_CHARACTERS)
        wait = self._redelivery.wait(callback.attempts + 1, asked_wait(refused.retry_after, now))
        if refused.final is not None or wait is None:
            reason = refused.final or GivenUp.ATTEMPTS_EXHAUSTED
            tried = callback.given_up(reason, error, now)
        else:
            tried = callback.refused(error)
        kept = self._record(task, tried, seen=callback)
        if kept is not None and kept.state is CallbackState.PENDING:
            # Whoever recorded it: it needs a message still, and this may be the only one.
            raise Redeliver(wait)

    def _post(self, task: Task, url: str) -> _Refused | None:
        """Send the callback, and return why it was not taken. None when it was."""
        body = TaskEvent.of(task).model_dump_json().encode()
        headers = {"Content-Type": "application/json", "User-Agent": USER_AGENT} | signed_headers(
            self._keys.of(task.tenant), message_id=task.task_id, at=self._clock.now(), body=body
        )
        try:
            target = parse_callback_url(url, self._allowed)
            return _refusal(self._sender.post(target, body, headers))
        except (AddressForbidden, InvalidCallbackUrl) as error:
            return _Refused(str(error), final=GivenUp.FORBIDDEN_ADDRESS)
        except Unreachable as error:
            return _Refused(str(error))

    def _record(self, task: Task, callback: Callback, *, seen: Callback) -> Callback | None:
        kept = self._callbacks.record(task.task_id, callback, seen=seen)
        self._logger.info(
            "callback attempt",
            task_id=task.task_id,
            attempt=callback.attempts,
            state=callback.state,
            error=callback.error,
        )
        return kept

    def _dead_letter(
        self, delivery: Delivery, task_id: TaskId | None, reason: str, error: str
    ) -> None:
        self._inbox.dead_letter(
            delivery.body,
            message_id=delivery.message_id,
            reason=reason,
            error=error,
            task_id=task_id,
        )


def _refusal(answer: Answered) -> _Refused | None:
    if 200 <= answer.status < 300:
        return None
    final = GivenUp.GONE if answer.status == HTTPStatus.GONE else None
    return _Refused(f"it answered {answer.status}", final, answer.retry_after)
