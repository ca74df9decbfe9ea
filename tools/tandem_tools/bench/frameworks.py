"""The frame's cost of a warm request, beside Powertools' resolver on the same work."""

import json
import os
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tandem_tools.bench.bars import Bar
from tandem_tools.bench.compared.order import example
from tandem_tools.bench.process import VALGRIND, Running, start_up_cost
from tandem_tools.harness.function import Function
from tandem_tools.paths import BUILD, PROJECT

WARM_UP = 5
REQUESTS = 200
"""Enough that a start's own variation, one part in a thousand, is one percent of them."""

OUR_GET = "`GET /health`: this application"
THEIR_GET = "`GET /health`: Powertools' resolver"
OUR_POST = "`POST`, 2 KB validated: this application's frame"
THEIR_POST = "`POST`, 2 KB validated: Powertools' resolver with validation"
THROUGH_THREE = "`POST`, 2 KB validated: our frame and three more ASGI middlewares"

NOTHING = "`GET`: a handler that does nothing"

HANDLERS = {
    NOTHING: "tandem_tools.bench.compared.bare.handler",
    THEIR_GET: "tandem_tools.bench.compared.resolver.get",
    OUR_GET: "tandem.handlers.api.handler",
    THEIR_POST: "tandem_tools.bench.compared.resolver.post",
    OUR_POST: "tandem_tools.bench.compared.ours.post",
    THROUGH_THREE: "tandem_tools.bench.compared.ours.post_through_three",
}

type Json = dict[str, Any]


def measure() -> dict[str, Any]:
    """Measure one request of each handler, many less none, without the runtime client's part."""
    with _artifact() as folder, ThreadPoolExecutor(os.cpu_count() if VALGRIND else 1) as pool:
        none = {name: pool.submit(_cost, folder, name, 0) for name in HANDLERS}
        many = {name: pool.submit(_cost, folder, name, REQUESTS) for name in HANDLERS}
        costs = {
            name: (many[name].result() - none[name].result()) / REQUESTS * 1e3 for name in HANDLERS
        }
    client = costs.pop(NOTHING)
    return {
        "unit": "thousand instructions" if VALGRIND else "CPU ms",
        "requests": REQUESTS,
        "client": round(client, 3),
        "costs": {name: round(cost - client, 3) for name, cost in costs.items()},
    }


def table(result: dict[str, Any]) -> str:
    """Return the result as a Markdown table."""
    costs = result["costs"]
    lines = [f"| the same request, warm | {result['unit']} | ratio |", "| --- | ---: | ---: |"]
    for name, cost in costs.items():
        theirs = costs[THEIR_GET if "GET" in name else THEIR_POST]
        shown = f"{cost:,.0f}" if VALGRIND else f"{cost:.2f}"
        lines.append(f"| {name} | {shown} | {cost / theirs:.2f} x |")
    shown = f"{result['client']:,.0f}" if VALGRIND else f"{result['client']:.2f}"
    lines.append(f"| Lambda's runtime client, in none of these | {shown} |  |")
    return "\n".join(lines)


def bars(result: dict[str, Any]) -> list[Bar]:
    """Return the bars of warm requests."""
    costs = result["costs"]
    return [
        Bar.at_most(
            "warm `GET` over the Powertools resolver's", 3.0, costs[OUR_GET] / costs[THEIR_GET]
        ),
        Bar.at_most(
            "warm 2 KB `POST` over Powertools with validation",
            0.85,
            costs[OUR_POST] / costs[THEIR_POST],
        ),
        Bar.at_most(
            "three more ASGI middlewares over none", 1.08, costs[THROUGH_THREE] / costs[OUR_POST]
        ),
    ]


@contextmanager
def _artifact() -> Iterator[Path]:
    """Give the artifact with the compared handlers beside its own."""
    with TemporaryDirectory(prefix="artifact-") as folder:
        for path in (BUILD / "ApiFunction").iterdir():
            Path(folder, path.name).symlink_to(path)
        ours = Path(folder, "benchmarks")
        shutil.copytree(Path(__file__).with_name("compared"), ours / "compared")
        shutil.copy(Path(__file__).with_name("__init__.py"), ours)
        yield Path(folder)


def _cost(folder: Path, name: str, requests: int) -> float:
    function = Function(folder=folder, handler=HANDLERS[name])
    event, right = _get() if "GET" in name else _post()
    return start_up_cost(function, partial(_invoke, event, right, WARM_UP + requests))


def _invoke(event: Json, right: Json, times: int, process: Running) -> None:
    for _ in range(times):
        answer = process.invoke(event)
        if answer["statusCode"] != 200 or json.loads(answer["body"]) != right:
            raise ValueError(answer)


def _get() -> tuple[Json, Json]:
    return json.loads((PROJECT / "events" / "api-health.json").read_text()), {"status": "ok"}


def _post() -> tuple[Json, Json]:
    event = json.loads((PROJECT / "events" / "api-process-online.json").read_text())
    context = event["requestContext"]
    http = context["http"] | {"path": "/orders"}
    changed = {
        "rawPath": "/orders",
        "routeKey": "POST /orders",
        "body": json.dumps(example()),
        "isBase64Encoded": False,
        "requestContext": context | {"http": http},
    }
    return event | changed, example() | {"note": None}
