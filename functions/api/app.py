"""The application, and the handler of ApiFunction."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import Depends, FastAPI

from api import problems
from api.identity import bearer
from api.lambda_handler import LambdaHandler
from api.middleware import RequestFrame
from api.routes import (
    batch,
    dead_letters,
    health,
    heavy,
    process,
    processors,
    reports,
    tasks,
    uploads,
)
from tandem.limits import BODY_BYTES
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
        max_body_size=BODY_BYTES,
        redirect_slashes=False,
        responses={
            "default": {
                "description": "What went wrong.",
                "content": {problems.MEDIA_TYPE: {}},
                "model": problems.ProblemDocument,
            }
        },
    )
    app.state.wiring = wiring
    app.add_middleware(RequestFrame)
    problems.install(app)
    app.include_router(health.router)
    for resource in (
        process,
        batch,
        heavy,
        tasks,
        processors,
        uploads,
        reports,
        dead_letters,
    ):
        app.include_router(resource.router, dependencies=[Depends(bearer)])
    return app


handler = LambdaHandler(create_app(Wiring(settings())))
