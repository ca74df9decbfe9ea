"""The handler of ReportFunction."""

from typing import Any

from tandem.startup import gc_frozen

with gc_frozen():
    from aws_lambda_powertools.utilities.typing import LambdaContext

    from tandem.aws.wiring import Wiring
    from tandem.reports.run import run
    from tandem.settings import settings
    from tandem.telemetry import log_without_text, logger

    log_without_text()
    wiring = Wiring(settings())
    wiring.prepare("sweep", "publishing", "levels", "reports", "callbacks")


@logger.inject_lambda_context
def handler(_event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    """Do what is to be done each minute. Fail when some of it failed."""
    return run(wiring)
