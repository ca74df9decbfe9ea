"""The handler of ReportFunction."""

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from report.emit import emit, emit_sweep, found_overdue
from tandem.settings import settings
from tandem.telemetry import logger
from tandem.wiring import Wiring

wiring = Wiring(settings())


@logger.inject_lambda_context
def handler(_event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    """Move on what is overdue, close the windows that are over, and send both to monitoring."""
    swept = wiring.sweep.run()
    emit_sweep(swept)
    levels = wiring.levels.read(swept=found_overdue(swept))
    closed = []
    for report in wiring.reports.close_due(levels):
        emit(report)
        closed.append(report.window.name)
    return {"closed": closed, "swept": dict(swept), "callbacks": wiring.callbacks.sweep()}
