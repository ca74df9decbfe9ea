"""A batch of callbacks on the bounded pool."""

from typing import Any

from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType
from aws_lambda_powertools.utilities.batch.types import PartialItemFailureResponse
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord

from tandem.ports import SecretsError
from tandem.services.deliver import Delivery, Redeliver
from tandem.telemetry import logger
from tandem.trace import described, trace_id
from tandem.wiring import Wiring


def run_batch(event: dict[str, Any], wiring: Wiring) -> PartialItemFailureResponse:
    """Send the callbacks of an SQS event and return those to be delivered again."""
    batch = PooledBatch(wiring)
    with batch(event["Records"], batch.handle):
        batch.process()
    return batch.response()


class PooledBatch(BatchProcessor):
    """Powertools' batch processor with its records on the bounded pool.

    The pool is as large as a batch, and the time of each POST is bounded: so is the batch's.
    """

    def __init__(self, wiring: Wiring) -> None:
        # A batch in which every message must come again is no failure of the function.
        super().__init__(EventType.SQS, raise_on_entire_batch_failure=False)
        self._wiring = wiring

    def process(self) -> list[Any]:
        """Send all callbacks and return how each ended."""
        return self._wiring.pool.map(self._process_record, self.records)

    def handle(self, record: SQSRecord) -> None:
        """Send one callback; as `CallbackDeliveries.handle`."""
        logger.thread_safe_append_keys(
            message_id=record.message_id, correlation_id=trace_id(_traceparent(record))
        )
        delivery = Delivery(
            message_id=record.message_id,
            receipt_handle=record.receipt_handle,
            body=record.body,
            receive_count=int(record.attributes.approximate_receive_count),
        )
        try:
            self._wiring.callback_deliveries.handle(delivery)
        except Redeliver:
            raise
        except SecretsError as error:
            logger.error("callback not signed", reason=str(error))
            raise
        except Exception as error:
            logger.error("message failed", **described(error))
            raise


def _traceparent(record: SQSRecord) -> str | None:
    attribute = record.message_attributes["traceparent"]
    return attribute.string_value if attribute else None
