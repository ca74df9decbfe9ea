"""The handler of ReportFunction."""

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from report.emit import emit
from tandem.settings import settings
from tandem.telemetry import logger
from tandem.wiring import Wiring

wiring = Wiring(settings())


@logger.inject_lambda_context
def handler(_event: dict[str, Any], _context: LambdaContext) -> dict[str, list[str]]:
    """Close the report windows that are over, send them to monitoring, and return their names."""
    closed = []
    for report in wiring.reports.close_due():
        emit(report)
        closed.append(report.window.name)
    return {"closed": closed}
