"""The queue's deliveries to the worker, without the batch around them."""

from datetime import timedelta

from tandem.ports import Delivery
from tandem.services.deliver import Redeliver
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
    """Handle one message as the event source mapping does; return whether it was acknowledged."""
    until = wiring.clock.now() + timedelta(seconds=100)
    try:
        wiring.deliveries.handle(delivery_of(message), until=until)
    except Redeliver:
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
    try:
        wiring.callback_deliveries.handle(delivery_of(message))
    except Redeliver:
        return False
    wiring.callback_queue.delete(message)
    return True
