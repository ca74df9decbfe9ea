"""The API's resources: a module is imported when the first request for its paths comes.

Making a resource's routes and models costs more than answering many requests, and an execution
environment may never be asked for most of them.
"""

from collections.abc import Iterable
from importlib import import_module

from fastapi import APIRouter
from starlette.routing import BaseRoute, Match, Router
from starlette.types import Receive, Scope, Send

from tandem.startup import pretend_missing

RESOURCES: dict[str, tuple[str, ...]] = {
    "docs": ("/openapi.json", "/docs"),
    "health": ("/health",),
    "deep_health": ("/health/deep",),
    "process": ("/process-online", "/process-offline"),
    "batch": ("/process-offline/batch",),
    "heavy": ("/heavy-task",),
    "tasks": ("/tasks",),
    "callbacks": ("/callback-keys",),
    "processors": ("/processors",),
    "uploads": ("/uploads",),
    "reports": ("/reports",),
    "dead_letters": ("/dead-letters",),
    "results": ("/tasks",),
    "metrics": ("/metrics",),
    "pictures": ("/reports/latest.svg",),
}
"""The modules in `tandem.http.routes`, in the document's order, each with its paths' beginnings."""

_OF_PROCESSORS = frozenset({"process", "batch"})
"""Those whose models hold the processors': these are imported first, with all that they need."""


class Resources(BaseRoute):
    """The route behind all others: takes a resource's first request, and puts its routes before it.

    From then on they are routes of the application like any other, and cost nothing more.
    """

    def __init__(self, router: Router) -> None:
        self._router = router
        self._loaded: dict[str, list[BaseRoute]] = {}
        router.routes.append(self)

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Match a request for a resource that is not loaded."""
        waiting = scope["type"] == "http" and self._waiting_for(scope["path"])
        return (Match.FULL if waiting else Match.NONE), {}

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Load the resource, and let the router look again."""
        self.load(self._waiting_for(scope["path"]))
        await self._router(scope, receive, send)

    def load(self, names: Iterable[str] = tuple(RESOURCES)) -> None:
        """Import resources, all of them unless some are named, and serve them.

        Their order is that of `RESOURCES`, whichever was asked for first.
        """
        self._loaded |= {name: _routes(name) for name in names if name not in self._loaded}
        loaded = (route for name in RESOURCES for route in self._loaded.get(name, ()))
        self._router.routes[:] = [*loaded, self]

    def _waiting_for(self, path: str) -> list[str]:
        """Return every resource that may serve the path and is not loaded: all of them, or none."""
        return [
            name
            for name, starts in RESOURCES.items()
            if name not in self._loaded and any(_within(path, start) for start in starts)
        ]


def _within(path: str, start: str) -> bool:
    return path == start or path.startswith(f"{start}/")


def _routes(name: str) -> list[BaseRoute]:
    if name in _OF_PROCESSORS:
        from tandem.processing.catalogue import installed

        installed()
    # For each field of a route FastAPI asks whether it is a model of pydantic.v1, and does without
    # where that is not installed. Importing it costs as much as the routes of most resources.
    with pretend_missing("pydantic.v1"):
        router: APIRouter = import_module(f"tandem.http.routes.{name}").router
    return router.routes
