import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI

from tandem.http.lambda_handler import LambdaHandler
from tandem.lambda_events import LambdaContextStub, http_event


class Recorded:
    def __init__(self) -> None:
        self.starts = 0
        self.stops = 0
        self.loops: set[int] = set()
        self.app = FastAPI(lifespan=self.lifespan)
        self.app.get("/")(self.route)
        self.handler = LambdaHandler(self.app)

    @asynccontextmanager
    async def lifespan(self, _app: FastAPI) -> AsyncIterator[None]:
        self.starts += 1
        self.loops.add(id(asyncio.get_running_loop()))
        yield
        self.stops += 1

    async def route(self) -> dict[str, str]:
        self.loops.add(id(asyncio.get_running_loop()))
        return {}

    def invoke(self) -> dict[str, Any]:
        return self.handler(http_event("GET", "/"), LambdaContextStub())  # type: ignore[arg-type]


def test_the_lifespan_runs_once_for_all_invocations_on_one_loop() -> None:
    recorded = Recorded()
    assert [recorded.invoke()["statusCode"] for _ in range(3)] == [200, 200, 200]
    assert (recorded.starts, recorded.stops, len(recorded.loops)) == (1, 0, 1)
    recorded.handler.stop()
    recorded.handler.stop()
    assert (recorded.starts, recorded.stops) == (1, 1)


def test_nothing_starts_before_the_first_invocation() -> None:
    recorded = Recorded()
    recorded.handler.stop()
    assert recorded.starts == 0
