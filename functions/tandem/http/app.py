"""The application."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from fastapi.telemetry import TelemetryConfig

from tandem.aws.wiring import Wiring
from tandem.http import problems
from tandem.http.middleware import RequestFrame
from tandem.http.resources import Resources
from tandem.telemetry import logger

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
