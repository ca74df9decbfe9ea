"""The handler of CallbackFunction."""

from typing import Any

from tandem.startup import gc_frozen

with gc_frozen():
    from aws_lambda_powertools.utilities.typing import LambdaContext

    from tandem.aws.sqs_event import BatchAnswer
    from tandem.aws.wiring import Wiring
    from tandem.callbacks.batch import run_batch
    from tandem.settings import settings
    from tandem.telemetry import log_without_text, logger

    log_without_text()
    wiring = Wiring(settings())
    wiring.prepare("callback_deliveries")


@logger.inject_lambda_context
def handler(event: dict[str, Any], _context: LambdaContext) -> BatchAnswer:
    """Send a batch of callbacks and return those that the queue must deliver again."""
    return run_batch(event, wiring)
