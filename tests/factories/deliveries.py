"""The queue's deliveries to the worker, without the batch around them."""

from datetime import timedelta

from tandem.messages import Delivery, Redeliver, hide
from tandem.telemetry import logger
from tandem.testing import MemoryWiring, Message


def delivery_of(message: Message) -> Delivery:
    """Return a received message as the worker's batch passes it on."""
    return Delivery(
        message_id=message.message_id,
        receipt_handle=message.receipt_handle,
        body=message.body,
        receive_count=message.receive_count,
    )


def deliver(wiring: MemoryWiring, message: Message) -> bool:
    """Handle one message as a batch of its own does; return whether it was acknowledged."""
    delivery = delivery_of(message)
    until = wiring.clock.now() + timedelta(seconds=100)
    try:
        wiring.deliveries.handle(delivery, until=until, alone=True)
    except Redeliver as again:
        if not wiring.deliveries.redeliver(delivery, again):
            return False
    wiring.queue.delete(message)
    return True


def deliver_all(wiring: MemoryWiring) -> list[bool]:
    """Handle all visible messages; return which were acknowledged."""
    return [deliver(wiring, message) for message in wiring.queue.receive()]


def deliver_callbacks(wiring: MemoryWiring) -> list[bool]:
    """Handle all visible callbacks; return which were acknowledged."""
    return [_deliver_callback(wiring, message) for message in wiring.callback_queue.receive()]


def _deliver_callback(wiring: MemoryWiring, message: Message) -> bool:
    delivery = delivery_of(message)
    try:
        wiring.callback_deliveries.handle(delivery)
    except Redeliver as again:
        hide(wiring.callback_inbox, delivery, again.wait, logger)
        return False
    wiring.callback_queue.delete(message)
    return True
