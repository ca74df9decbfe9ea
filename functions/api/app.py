"""The application, and the handler of ApiFunction."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import Depends, FastAPI

from api import problems
from api.lambda_handler import LambdaHandler
from api.middleware import RequestFrame
from api.negotiation import json_spoken
from api.routes import (
    batch,
    callbacks,
    dead_letters,
    docs,
    health,
    heavy,
    metrics,
    process,
    processors,
    reports,
    results,
    tasks,
    uploads,
)
from api.snapshot import get_ready
from tandem.settings import settings
from tandem.telemetry import logger
from tandem.wiring import Wiring


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
        webhooks=callbacks.webhooks,
    )
    app.state.wiring = wiring
    app.add_middleware(RequestFrame)
    problems.install(app)
    app.include_router(docs.router)
    for resource in (
        health.open_router,
        health.router,
        process.router,
        batch.router,
        heavy.router,
        tasks.router,
        callbacks.router,
        processors.router,
        uploads.router,
        reports.router,
        dead_letters.router,
    ):
        app.include_router(resource, dependencies=[Depends(json_spoken)])
    app.include_router(results.router)
    app.include_router(metrics.router)
    app.include_router(reports.picture_router)
    return app


wiring = Wiring(settings())
handler = LambdaHandler(create_app(wiring))
get_ready(handler, wiring)
