"""The handler of WorkerFunction."""

from datetime import timedelta
from typing import Any

from tandem.startup import gc_frozen

with gc_frozen():
    from aws_lambda_powertools.utilities.typing import LambdaContext

    from tandem.aws.sqs_event import BatchAnswer
    from tandem.aws.wiring import Wiring
    from tandem.limits import SETTLE_SECONDS
    from tandem.settings import settings
    from tandem.telemetry import log_without_text, logger
    from tandem.worker.batch import run_batch

    log_without_text()
    wiring = Wiring(settings())
    wiring.prepare("deliveries")


@logger.inject_lambda_context
def handler(event: dict[str, Any], context: LambdaContext) -> BatchAnswer:
    """Run a batch of messages and return those that the queue must deliver again."""
    remaining = timedelta(milliseconds=context.get_remaining_time_in_millis())
    until = wiring.clock.now() + remaining - timedelta(seconds=SETTLE_SECONDS)
    return run_batch(event, wiring, until=until)
