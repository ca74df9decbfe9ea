"""A batch of callbacks on the bounded pool."""

from collections.abc import Callable
from functools import partial
from typing import Any

from tandem.aws.sqs_event import BatchAnswer, answer, read_deliveries
from tandem.aws.wiring import Wiring
from tandem.messages import Delivery, Inbox, Redeliver, hide
from tandem.secrets import SecretsError
from tandem.telemetry import logger
from tandem.trace import described, trace_id


def run_batch(event: dict[str, Any], wiring: Wiring) -> BatchAnswer:
    """Send the callbacks of an SQS event and return those to be delivered again.

    The pool is as large as a batch, and the time of each POST is bounded: so is the batch's.
    """
    deliveries = read_deliveries(event)
    # Made before the threads: each that finds no part in the wiring would make one of its own.
    handle, inbox = wiring.callback_deliveries.handle, wiring.callback_inbox
    sent = wiring.pool.map(partial(_sent, handle, inbox), deliveries)
    return answer(delivery for delivery, done in zip(deliveries, sent, strict=True) if not done)


def _sent(handle: Callable[[Delivery], None], inbox: Inbox, delivery: Delivery) -> bool:
    """Send one callback, and return whether its message is done with. Else it comes again."""
    logger.thread_safe_append_keys(
        message_id=delivery.message_id, correlation_id=trace_id(delivery.traceparent)
    )
    wait = None
    try:
        handle(delivery)
    except Redeliver as again:
        wait = again.wait
    except SecretsError as error:
        logger.error("callback not signed", reason=str(error))
    except Exception as error:  # noqa: BLE001 - one message's failure is not its batch's
        logger.error("message failed", **described(error))
    else:
        return True
    hide(inbox, delivery, wait, logger)
    return False
