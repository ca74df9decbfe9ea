"""The handler of ApiFunction."""

from tandem.startup import gc_frozen

with gc_frozen():
    from tandem.aws.wiring import Wiring
    from tandem.http.app import create_app
    from tandem.http.lambda_handler import LambdaHandler
    from tandem.http.snapshot import get_ready
    from tandem.settings import settings
    from tandem.telemetry import log_without_text

    log_without_text()
    wiring = Wiring(settings())
    handler = LambdaHandler(create_app(wiring), url=wiring.settings.console_url)
    wiring.prepare()
    get_ready(handler, wiring)
