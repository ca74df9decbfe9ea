"""The application, and the handler of ApiFunction."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tandem.startup import lasting

with lasting():
    from fastapi import FastAPI
    from fastapi.telemetry import TelemetryConfig

    from api import problems
    from api.lambda_handler import LambdaHandler
    from api.middleware import RequestFrame
    from api.resources import Resources
    from api.snapshot import get_ready
    from tandem.settings import settings
    from tandem.telemetry import logger
    from tandem.wiring import Wiring

_NO_TELEMETRY = TelemetryConfig(tracing=False, metrics=False, logs=False, operation_spans=False)
"""Nothing takes FastAPI's own: logs and metrics are Powertools', traces Lambda's."""


def create_app(wiring: Wiring) -> FastAPI:
    """Return the application over the given services."""

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        logger.info("started")
        yield
        wiring.close()
        logger.info("stopped")

    app = FastAPI(
        title="Tandem",
        version="0.1.0",
        summary="One typed Python function, served online and offline.",
        lifespan=lifespan,
        redirect_slashes=False,
        openapi_url=None,
        telemetry=_NO_TELEMETRY,
    )
    app.state.wiring = wiring
    app.state.resources = Resources(app.router)
    app.add_middleware(RequestFrame)
    problems.install(app)
    return app


with lasting():
    wiring = Wiring(settings())
    handler = LambdaHandler(create_app(wiring), url=wiring.settings.console_url)
    wiring.prepare()
    get_ready(handler, wiring)
