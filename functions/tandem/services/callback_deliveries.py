"""What CallbackFunction does with each message that its queue delivers."""

from dataclasses import dataclass, replace
from http import HTTPStatus

from tandem.domain.addresses import Network
from tandem.domain.callback import Callback, CallbackState
from tandem.domain.callback_url import InvalidCallbackUrl, parse_callback_url
from tandem.domain.clock import Clock
from tandem.domain.ids import TaskId
from tandem.domain.redelivery import Redelivery, asked_wait
from tandem.domain.task import Task
from tandem.domain.text import storable
from tandem.domain.webhook import signed_headers
from tandem.limits import ERROR_CHARACTERS
from tandem.ports import (
    AddressForbidden,
    Answered,
    CallbackSender,
    CallbackStore,
    Delivery,
    Inbox,
    TaskStore,
    Unreachable,
)
from tandem.processing.context import Logger
from tandem.services.deliver import read_task_id
from tandem.services.redelivery import Redeliver
from tandem.services.views import TaskEvent
from tandem.services.webhook_keys import WebhookKeys

USER_AGENT = "Tandem-Callbacks"


@dataclass(frozen=True, slots=True)
class _Refused:
    """The receiver did not take the callback."""

    why: str
    final: str | None = None
    """The dead letter's reason where trying again cannot help."""
    retry_after: str | None = None


class CallbackDeliveries:
    """Sends callbacks: each message ends delivered, delivered again later, or as a dead letter.

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
            SecretsError: the callback cannot be signed; nothing was sent.
        """
        task_id = read_task_id(delivery.body)
        if task_id is None:
            self._dead_letter(delivery, None, "unparsable", "the message names no task")
            return
        task = self._tasks.get(task_id)
        if task is None:
            self._dead_letter(delivery, task_id, "unknown-task", "there is no such task")
        elif task.callback is None or not task.state.final:
            self._dead_letter(delivery, task_id, "no-callback", "it has no callback to send")
        elif task.callback.state is not CallbackState.DELIVERED:
            self._attempt(delivery, task, task.callback)

    def _attempt(self, delivery: Delivery, task: Task, callback: Callback) -> None:
        refused = self._post(task, callback.url)
        tried = replace(
            callback,
            attempts=callback.attempts + 1,
            error=storable(refused.why, ERROR_CHARACTERS) if refused else None,
        )
        if refused is None:
            self._record(
                task, replace(tried, state=CallbackState.DELIVERED, delivered_at=self._clock.now())
            )
            return
        wait = self._redelivery.wait(
            tried.attempts, asked_wait(refused.retry_after, self._clock.now())
        )
        if wait is None or refused.final:
            reason = refused.final or "attempts-exhausted"
            self._dead_letter(delivery, task.task_id, reason, refused.why)
            self._record(task, replace(tried, state=CallbackState.FAILED))
            return
        self._record(task, replace(tried, state=CallbackState.PENDING))
        raise Redeliver(wait)

    def _post(self, task: Task, url: str) -> _Refused | None:
        """Send the callback, and return why it was not taken; None when it was."""
        body = TaskEvent.of(task).model_dump_json().encode()
        headers = {"Content-Type": "application/json", "User-Agent": USER_AGENT} | signed_headers(
            self._keys.of(task.tenant), message_id=task.task_id, at=self._clock.now(), body=body
        )
        try:
            target = parse_callback_url(url, self._allowed)
            return _refusal(self._sender.post(target, body, headers))
        except (AddressForbidden, InvalidCallbackUrl) as error:
            return _Refused(str(error), final="forbidden-address")
        except Unreachable as error:
            return _Refused(str(error))

    def _record(self, task: Task, callback: Callback) -> None:
        self._callbacks.record(task.task_id, callback)
        self._logger.info(
            "callback attempt",
            task_id=task.task_id,
            attempt=callback.attempts,
            state=callback.state,
            error=callback.error,
        )

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
    final = "gone" if answer.status == HTTPStatus.GONE else None
    return _Refused(f"it answered {answer.status}", final, answer.retry_after)
