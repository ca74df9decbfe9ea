"""Cold starts: what a new process costs until its first answer."""

import os
import shutil
import statistics
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks import cases
from benchmarks.process import VALGRIND, import_cost, start_up_cost
from local.paths import BUILD
from tests.stack.function import Function
from tests.stack.resources import Resources

BASE = "`import fastapi` alone"
ROUNDS = 5
"""How often CPU time is measured, in turns: it swings. Instructions are counted once."""

type Measure = Callable[[], float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """A function and its first event."""

    name: str
    function: str
    prepare: Callable[[Resources], cases.Prepared]


STARTS = (
    Start(name="ApiFunction, `GET /health`", function="ApiFunction", prepare=cases.get_health),
    Start(
        name="ApiFunction, `POST /process-online`",
        function="ApiFunction",
        prepare=cases.post_online,
    ),
    Start(name="WorkerFunction, one task", function="WorkerFunction", prepare=cases.one_message),
    Start(name="ReportFunction, one tick", function="ReportFunction", prepare=cases.one_window),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of the table."""

    name: str
    cost: float
    ratio: float
    without_pyc: float | None


def measure() -> dict[str, Any]:
    """Measure every start, from the built artifact and from a copy of it without `.pyc` files."""
    with TemporaryDirectory(prefix="artifact-") as folder:
        bare = Path(folder, "bare")
        # The three functions share one code tree: one copy serves them all.
        shutil.copytree(
            BUILD / STARTS[0].function, bare, ignore=shutil.ignore_patterns("__pycache__")
        )
        costs = _run({BASE: _import_fastapi} | _measures("", None) | _measures("bare ", bare))
    base = costs[BASE]
    rows = [Row(name=BASE, cost=base, ratio=1.0, without_pyc=None)]
    rows += [
        Row(
            name=start.name,
            cost=costs[start.name],
            ratio=round(costs[start.name] / base, 2),
            without_pyc=costs[f"bare {start.name}"],
        )
        for start in STARTS
    ]
    return {"unit": _unit(), "rows": [asdict(row) for row in rows]}


def table(result: dict[str, Any]) -> str:
    """Return the result as a Markdown table."""
    unit = result["unit"]
    lines = [
        f"| new process to first answer | {unit} | of `import fastapi` | without `.pyc` |",
        "| --- | ---: | ---: | ---: |",
    ]
    for row in result["rows"]:
        bare = row["without_pyc"]
        shown = f"{_shown(bare)} ({bare / row['cost']:.1f} x)" if bare else ""
        lines.append(f"| {row['name']} | {_shown(row['cost'])} | {row['ratio']:.2f} x | {shown} |")
    return "\n".join(lines)


def _unit() -> str:
    return "million instructions" if VALGRIND else "CPU seconds"


def _shown(cost: float) -> str:
    return f"{cost:,.0f}" if VALGRIND else f"{cost:.2f}"


def _measures(prefix: str, folder: Path | None) -> dict[str, Measure]:
    return {f"{prefix}{start.name}": partial(_first_answer, start, folder) for start in STARTS}


def _first_answer(start: Start, folder: Path | None) -> float:
    with cases.resources() as made:
        function = made.function(start.function)
        if folder is not None:
            function = replace(function, folder=folder)
        return start_up_cost(function, start.prepare(made))


def _import_fastapi() -> float:
    return import_cost(Function(folder=BUILD / "ApiFunction", handler=""), "fastapi")


def _run(measures: dict[str, Measure]) -> dict[str, float]:
    """Run all measurements: counts side by side, CPU times in turns."""
    if VALGRIND:
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            running = {name: pool.submit(measure) for name, measure in measures.items()}
            return {name: round(future.result(), 1) for name, future in running.items()}
    rounds = [{name: measure() for name, measure in measures.items()} for _ in range(ROUNDS)]
    return {name: round(statistics.median(one[name] for one in rounds), 4) for name in measures}
