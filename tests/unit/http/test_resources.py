"""A resource is imported when it is first asked for, and served as if it had always been there."""

import inspect
import itertools
import subprocess
import sys
from pathlib import Path

import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute
from starlette.middleware.base import BaseHTTPMiddleware

import tandem.http.routes
from tandem.http.app import create_app
from tandem.http.middleware import RequestFrame
from tandem.http.resources import RESOURCES
from tandem.testing import MemoryWiring
from tests.unit.http.conftest import Api

FUNCTIONS = Path(__file__).resolve().parents[3] / "functions"


@pytest.fixture
def app() -> FastAPI:
    return create_app(MemoryWiring())


@pytest.fixture
def routes(app: FastAPI) -> list[APIRoute]:
    app.state.resources.load()
    return [route for route in app.routes if isinstance(route, APIRoute)]


def paths(app: FastAPI) -> list[str]:
    return [route.path for route in app.routes if isinstance(route, APIRoute)]


def test_every_module_of_routes_is_a_resource() -> None:
    modules = {path.stem for path in Path(tandem.http.routes.__path__[0]).glob("[a-z]*.py")}
    assert modules == set(RESOURCES)


def test_every_route_begins_with_a_path_of_its_resource(app: FastAPI) -> None:
    for name, starts in RESOURCES.items():
        before = set(paths(app))
        app.state.resources.load([name])
        added = set(paths(app)) - before
        assert added, name
        for path in added:
            assert any(path == start or path.startswith(f"{start}/") for start in starts), path


def test_a_request_loads_its_resource_and_no_other(api: Api) -> None:
    app = api.handler._app
    assert paths(app) == []
    assert api("GET", "/health").status == 200
    assert paths(app) == ["/health"]
    assert api("GET", "/nowhere").status == 404
    assert api("GET", "/healthy").status == 404
    assert paths(app) == ["/health"]


def test_the_order_of_requests_does_not_change_the_order_of_routes(app: FastAPI) -> None:
    other = create_app(MemoryWiring())
    other.state.resources.load()
    for name in reversed(RESOURCES):
        app.state.resources.load([name])
    assert paths(app) == paths(other)


@pytest.mark.parametrize("path", ["/tasks", "/tasks/1/result", "/process-offline/batch", "/health"])
def test_a_wrong_method_is_answered_alike_whether_the_resource_is_loaded_or_not(path: str) -> None:
    fresh, loaded = Api(), Api()
    loaded.handler._app.state.resources.load()
    answers = [one("PUT", path, {}) for one in (fresh, loaded, fresh)]
    assert {answer.status for answer in answers} == {405}
    assert len({answer.headers["allow"] for answer in answers}) == 1
    fresh.handler.stop()
    loaded.handler.stop()


def test_routes_bounce_through_no_thread_pool(routes: list[APIRoute]) -> None:
    for route in routes:
        waiting = [route.dependant]
        while waiting:
            dependant = waiting.pop()
            waiting += dependant.dependencies
            call = dependant.call
            waits = inspect.iscoroutinefunction(call) or inspect.iscoroutinefunction(
                getattr(call, "__call__", None)  # noqa: B004 - a dependency may be an object
            )
            assert waits, (route.path, call)


def test_the_one_middleware_of_ours_is_plain_asgi(app: FastAPI) -> None:
    classes = [middleware.cls for middleware in app.user_middleware]
    assert classes == [RequestFrame]
    assert not issubclass(RequestFrame, BaseHTTPMiddleware)


def test_a_processor_may_need_what_fastapi_does_without(tmp_path: Path) -> None:
    """Our routes are made as if pydantic.v1 were not installed; nothing else is."""
    package = tmp_path / "processors"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "old.py").write_text(
        "from pydantic import BaseModel\n"
        "from pydantic.v1 import BaseModel as Old\n"
        "from tandem.processing import TaskContext, processor\n"
        "class Value(BaseModel): x: int\n"
        "@processor('old')\n"
        "def old(data: Value, ctx: TaskContext) -> Value: return data\n"
    )
    program = (
        "import sys, warnings; warnings.simplefilter('ignore')\n"
        "from tandem.handlers.api import create_app\n"
        "from tandem.testing import MemoryWiring\n"
        "app = create_app(MemoryWiring())\n"
        "app.state.resources.load(['health'])\n"
        "assert 'pydantic.v1' not in sys.modules\n"
        "app.state.resources.load()\n"
        "assert 'processors.old' in sys.modules\n"
        "from pydantic import v1\n"
        "v1.BaseModel\n"
    )
    search = [str(tmp_path), str(FUNCTIONS)]
    subprocess.run(  # noqa: S603 - our own interpreter and program
        [sys.executable, "-c", f"import sys; sys.path[:0] = {search}\n{program}"],
        cwd=tmp_path,
        check=True,
    )


def test_starts_of_paths_are_no_starts_of_each_other_but_where_that_is_meant() -> None:
    """A path that two resources begin with loads both: each has its own sub-paths."""
    starts = [(name, start) for name, own in RESOURCES.items() for start in own]
    nested = {
        (one, two)
        for (one, start), (two, longer) in itertools.product(starts, repeat=2)
        if longer.startswith(f"{start}/") or (start == longer and one < two)
    }
    assert nested == {
        ("health", "deep_health"),
        ("process", "batch"),
        ("results", "tasks"),
        ("reports", "pictures"),
    }
