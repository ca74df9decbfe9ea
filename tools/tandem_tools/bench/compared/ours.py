"""The application's own frame around the same route, with and without three more middlewares."""

from fastapi import APIRouter, FastAPI
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tandem.aws.wiring import Wiring
from tandem.http.app import create_app
from tandem.http.headers import JSON_SPOKEN
from tandem.http.lambda_handler import LambdaHandler
from tandem.http.strict_json import StrictJsonRoute
from tandem.settings import Settings
from tandem_tools.bench.compared.order import Order

router = APIRouter(route_class=StrictJsonRoute, dependencies=[JSON_SPOKEN])


@router.post("/orders")
async def post_order(order: Order) -> Order:
    """Return what was sent."""
    return order


class OneHeader:
    """A plain ASGI middleware, as small as one that does something is."""

    def __init__(self, app: ASGIApp, name: bytes) -> None:
        self._app = app
        self._name = name

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request, and add a header to its answer."""

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], (self._name, b"1")]
            await send(message)

        await self._app(scope, receive, sending)


def _app() -> FastAPI:
    app = create_app(Wiring(Settings()))
    app.router.routes[:0] = router.routes
    return app


def _with_three() -> FastAPI:
    app = _app()
    for name in (b"x-one", b"x-two", b"x-three"):
        app.add_middleware(OneHeader, name=name)
    return app


post = LambdaHandler(_app())
post_through_three = LambdaHandler(_with_three())
