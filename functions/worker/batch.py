"""A batch of messages on the bounded pool."""

import sys
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextvars import copy_context
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType
from aws_lambda_powertools.utilities.batch.types import PartialItemFailureResponse
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord

from tandem.services.attempt import Attempt
from tandem.services.deliver import Delivery, Redeliver
from tandem.telemetry import logger
from tandem.trace import described, trace_id
from tandem.wiring import Wiring

LEAST_TIME = timedelta(seconds=5)
"""With less than this left, a message goes back to the queue and costs no attempt."""

FRESH = timedelta(seconds=2)
"""A message that a thread took within this time has the function's whole time before it."""

_WATCH_SECONDS = 0.25


def run_batch(
    event: dict[str, Any], wiring: Wiring, *, until: datetime
) -> PartialItemFailureResponse:
    """Run the messages of an SQS event and return those to be delivered again.

    Args:
        event: what the event source mapping sent.
        wiring: the services.
        until: when the function must have stopped.
    """
    batch = PooledBatch(wiring, until)
    with batch(event["Records"], batch.handle):
        batch.process()
    return batch.response()


class PooledBatch(BatchProcessor):
    """Powertools' batch processor with its records on the bounded pool.

    A record whose attempt is past its deadline is ended from here: its thread cannot be stopped,
    and is left behind with its pool. One that no thread took in time was never started.
    """

    def __init__(self, wiring: Wiring, until: datetime) -> None:
        # A batch in which every message must come again is no failure of the function.
        super().__init__(EventType.SQS, raise_on_entire_batch_failure=False)
        self._wiring = wiring
        self._until = until
        self._began = wiring.clock.now()
        self._attempts: dict[str, Attempt] = {}

    def handle(self, record: SQSRecord) -> None:
        """Run one message; as `Deliveries.handle`."""
        if self._wiring.clock.now() + LEAST_TIME > self._until:
            raise Redeliver
        _name_lines(record)
        self._wiring.deliveries.handle(
            _delivery(record),
            until=self._until,
            fresh=self._wiring.clock.now() - self._began < FRESH,
            started=partial(self._started, record.message_id),
        )

    def process(self) -> list[Any]:
        """Run all records and return how each ended."""
        records = [SQSRecord(record) for record in self.records]
        pending = {
            self._wiring.pool.submit(partial(self.handle, record)): record for record in records
        }
        ended, left_behind = [], []
        while pending:
            done, _ = wait(pending, timeout=_WATCH_SECONDS, return_when=FIRST_COMPLETED)
            ended += [self._end(pending.pop(future), future.result) for future in done]
            self._extend(pending)
            for future, work in self._late(pending):
                ended.append(self._end(pending.pop(future), work))
                left_behind.append(future)
        if not all(future.done() for future in left_behind):
            self._wiring.pool.replace()
        return ended

    def _started(self, message_id: str, attempt: Attempt) -> None:
        logger.thread_safe_append_keys(task_id=attempt.task.task_id)
        self._attempts[message_id] = attempt

    def _extend(self, pending: dict[Future[None], SQSRecord]) -> None:
        for record in pending.values():
            attempt = self._attempts.get(record.message_id)
            if attempt is not None and not attempt.overdue:
                self._wiring.deliveries.extend(_delivery(record), attempt)

    def _late(
        self, pending: dict[Future[None], SQSRecord]
    ) -> list[tuple[Future[None], Callable[[], None]]]:
        """Return the records that are out of time, each with what ends it."""
        late: list[tuple[Future[None], Callable[[], None]]] = []
        for future, record in pending.items():
            attempt = self._attempts.get(record.message_id)
            if attempt is not None and attempt.overdue and attempt.close():
                time_out = partial(self._time_out, record, attempt)
                late.append((future, partial(copy_context().run, time_out)))
            elif attempt is None and self._wiring.clock.now() >= self._until:
                future.cancel()
                late.append((future, _redeliver))
        return late

    def _time_out(self, record: SQSRecord, attempt: Attempt) -> None:
        _name_lines(record)
        self._wiring.deliveries.time_out(_delivery(record), attempt)

    def _end(self, record: SQSRecord, work: Callable[[], None]) -> Any:
        try:
            work()
        except Redeliver:
            return self.failure_handler(record, sys.exc_info())
        except Exception as error:  # noqa: BLE001 - one record's failure is not its batch's
            logger.error(
                "message failed",
                message_id=record.message_id,
                **described(error),
            )
            return self.failure_handler(record, sys.exc_info())
        return self.success_handler(record, None)


def _name_lines(record: SQSRecord) -> None:
    """Put the message and its trace on every log line of this context, and of no other thread's."""
    logger.thread_safe_append_keys(
        message_id=record.message_id, correlation_id=trace_id(_traceparent(record))
    )


def _redeliver() -> None:
    raise Redeliver


def _delivery(record: SQSRecord) -> Delivery:
    return Delivery(
        message_id=record.message_id,
        receipt_handle=record.receipt_handle,
        body=record.body,
        receive_count=int(record.attributes.approximate_receive_count),
    )


def _traceparent(record: SQSRecord) -> str | None:
    attribute = record.message_attributes["traceparent"]
    return attribute.string_value if attribute else None
