"""The handler of ReportFunction."""

from typing import Any

from tandem.startup import lasting

with lasting():
    from aws_lambda_powertools.utilities.typing import LambdaContext

    from tandem.cloudwatch import emit_run
    from tandem.services.sweep import found_overdue
    from tandem.settings import settings
    from tandem.telemetry import logger
    from tandem.wiring import Wiring

    wiring = Wiring(settings())
    wiring.prepare("sweep", "publishing", "levels", "reports", "callbacks")


@logger.inject_lambda_context
def handler(_event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    """Move on what is overdue, close the windows that are over, and send them to the sinks."""
    swept = wiring.sweep.run()
    overdue = found_overdue(swept)
    if overdue:
        logger.warning("swept", counts=dict(swept))
    sinks = wiring.publishing.begin(wiring.reports.before_next())
    levels = wiring.levels.read(swept=overdue)
    closed = [report.window.name for report in wiring.reports.close_due(levels, sinks)]
    emit_run(overdue, wiring.publishing.run())
    return {"closed": closed, "swept": dict(swept), "callbacks": wiring.callbacks.sweep()}
