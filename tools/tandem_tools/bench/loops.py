"""A program: a batch of records by the worker, and by a loop written by hand.

`python loops.py own|hand RUNS` runs a batch of 100 records so often, and prints the CPU time of it.
`python loops.py pool|sequential THREADS` runs one whose records wait for 5 ms each, and prints how
long it took. It runs in the artifact's folder, with the artifact's modules and nothing else.
"""

import json
import sys
import time
from collections.abc import Callable
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

from tandem.clock import SystemClock
from tandem.ids import new_task_id
from tandem.messages import Delivery
from tandem.processing.pool import BoundedPool
from tandem.telemetry import logger
from tandem.trace import trace_id
from tandem.worker.batch import run_batch
from tandem.worker.deliver import read_task_id

RECORDS = 100
WARM_UP = 3
WAIT_SECONDS = 0.005
CLOCK = SystemClock()
TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


class Handler:
    """In place of the worker's deliveries: reads which task is meant, and does nothing with it."""

    def __init__(self, wait_seconds: float = 0) -> None:
        self._wait_seconds = wait_seconds

    def handle(self, delivery: Delivery, **_: Any) -> None:
        """Handle a message."""
        read_task_id(delivery.body)
        if self._wait_seconds:
            time.sleep(self._wait_seconds)


def by_hand(event: dict[str, Any], handler: Handler) -> dict[str, Any]:
    """Do what one writes without a library: each record parsed, named in the log, handled."""
    failures = []
    for record in event["Records"]:
        try:
            traceparent = record["messageAttributes"].get("traceparent", {}).get("stringValue")
            logger.thread_safe_append_keys(
                message_id=record["messageId"], correlation_id=trace_id(traceparent)
            )
            delivery = Delivery(
                message_id=record["messageId"],
                receipt_handle=record["receiptHandle"],
                body=record["body"],
                receive_count=int(record["attributes"]["ApproximateReceiveCount"]),
                traceparent=traceparent,
            )
            handler.handle(delivery)
        except Exception:  # noqa: BLE001 - one record's failure is not its batch's
            failures.append({"itemIdentifier": record["messageId"]})
    return {"batchItemFailures": failures}


def loops(handler: Handler, threads: int) -> tuple[Callable[[], Any], Callable[[], Any]]:
    """Return the worker's loop, and the one written by hand, over the same records."""
    event = {"Records": [_record(number) for number in range(RECORDS)]}
    wiring: Any = SimpleNamespace(clock=CLOCK, pool=BoundedPool(threads), deliveries=handler)

    def own() -> Any:
        return run_batch(event, wiring, until=CLOCK.now() + timedelta(minutes=1))

    return own, lambda: by_hand(event, handler)


def _record(number: int) -> dict[str, Any]:
    return {
        "messageId": f"message-{number}",
        "receiptHandle": f"handle-{number}",
        "body": json.dumps({"task_id": new_task_id(CLOCK.now())}),
        "attributes": {"ApproximateReceiveCount": "1"},
        "messageAttributes": {"traceparent": {"stringValue": TRACE, "dataType": "String"}},
    }


def main() -> None:
    """Run what the arguments name."""
    kind, number = sys.argv[1], int(sys.argv[2])
    waits = kind in {"pool", "sequential"}
    own, hand = loops(Handler(WAIT_SECONDS if waits else 0), threads=number if waits else 5)
    for _ in range(WARM_UP):
        own()
        hand()
    cpu, wall = time.process_time(), time.perf_counter()
    chosen = own if kind in {"own", "pool"} else hand
    for _ in range(1 if waits else number):
        chosen()
    print(time.perf_counter() - wall if waits else time.process_time() - cpu, flush=True)


if __name__ == "__main__":
    main()
