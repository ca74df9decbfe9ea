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

from tandem_tools.bench import cases
from tandem_tools.bench.bars import Bar
from tandem_tools.bench.parts import HEAVY, breakdown, heavy_after_health
from tandem_tools.bench.plain import make_plain
from tandem_tools.bench.process import VALGRIND, import_cost, start_up_cost
from tandem_tools.build.compiled import require_compiled
from tandem_tools.harness.function import Function
from tandem_tools.harness.resources import Resources
from tandem_tools.paths import BUILD

BASE = "`import fastapi` alone"
PLAIN = "ApiFunction as a plain `sam build` has it, clients and Tracer at import"
ROUNDS = 5
"""How often CPU time is measured, in turns: it swings. Instructions are counted once."""

type Measure = Callable[[], float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """A function and its first event."""

    name: str
    function: str
    prepare: Callable[[Resources], cases.Prepared]
    lazy: bool = False
    """Without the AWS client that is made at init."""


LAZY = "ApiFunction, `GET /health`, no AWS client"
PREPARED = "ApiFunction, `GET /health`, as deployed"

STARTS = (
    Start(name=LAZY, function="ApiFunction", prepare=cases.get_health, lazy=True),
    Start(name=PREPARED, function="ApiFunction", prepare=cases.get_health),
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
        bare, plain = Path(folder, "bare"), Path(folder, "plain")
        # The functions share one code tree: one copy serves them all.
        shutil.copytree(
            BUILD / STARTS[0].function, bare, ignore=shutil.ignore_patterns("__pycache__")
        )
        make_plain(bare, plain)
        measures: dict[str, Measure] = {BASE: _import_fastapi, PLAIN: partial(_plain, plain)}
        costs = _run(measures | _measures("", None) | _measures("bare ", bare))
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
    return {
        "unit": _unit(),
        "rows": [asdict(row) for row in rows],
        "plain": costs[PLAIN],
        "modules": require_compiled(BUILD / "ApiFunction"),
        "heavy": heavy_after_health(),
        "breakdown": breakdown(),
    }


def bars_of(artifact: Path) -> list[Bar]:
    """Return the bars of a start for ApiFunction as another project built it.

    Args:
        artifact: its folder, such as `.aws-sam/build/ApiFunction` of a new project.
    """
    measures: dict[str, Measure] = {BASE: partial(_import_fastapi, artifact)}
    for start in STARTS[:2]:
        measures[start.name] = partial(_first_answer, start, artifact)
    costs = _run(measures)
    return _start_bars(costs[LAZY] / costs[BASE], costs[PREPARED] / costs[BASE])


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
    if "plain" not in result:
        return "\n".join(lines)
    ratio = result["plain"] / result["rows"][0]["cost"]
    lines.append(f"| {PLAIN} |  | {ratio:.2f} x | {_shown(result['plain'])} |")
    lines += ["", f"| a cold `GET /health`, part by part | {unit} |", "| --- | ---: |"]
    lines += [f"| {part} | {_shown(cost)} |" for part, cost in result["breakdown"].items()]
    return "\n".join(lines)


def bars(result: dict[str, Any]) -> list[Bar]:
    """Return the bars of a start. None of a result that an earlier version kept."""
    if "plain" not in result:
        return []
    rows = {row["name"]: row for row in result["rows"]}
    lazy, prepared = rows[LAZY], rows[PREPARED]
    heavy = ", ".join(result["heavy"]) or "none"
    return [
        Bar.at_most(
            f"API cold start with {result['modules']:,} `.pyc`, one for each module, over without",
            0.40,
            prepared["cost"] / prepared["without_pyc"],
        ),
        *_start_bars(lazy["ratio"], prepared["ratio"]),
        Bar.at_most(
            "the same over a plain `sam build` with clients and Tracer at import",
            0.25,
            prepared["cost"] / result["plain"],
        ),
        Bar(
            figure=f"imported after `GET /health` of {', '.join(HEAVY)}",
            bar="none",
            measured=heavy,
            met=not result["heavy"],
        ),
    ]


def _start_bars(lazy: float, prepared: float) -> list[Bar]:
    return [
        Bar.at_most("API cold, first `GET /health`, over `import fastapi`", 1.25, lazy),
        Bar.at_most("the same with the client of the first `POST` made", 1.6, prepared),
    ]


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
        if start.lazy:
            environment = {**function.environment, "PREPARE_AT_INIT": "false"}
            function = replace(function, environment=environment)
        return start_up_cost(function, start.prepare(made))


def _plain(folder: Path) -> float:
    with cases.resources() as made:
        function = replace(made.function("ApiFunction"), folder=folder, handler="plain.handler")
        return start_up_cost(function, cases.get_health(made))


def _import_fastapi(artifact: Path = BUILD / "ApiFunction") -> float:
    return import_cost(Function(folder=artifact, handler=""), "fastapi")


def _run(measures: dict[str, Measure]) -> dict[str, float]:
    """Run all measurements: counts side by side, CPU times in turns."""
    if VALGRIND:
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            running = {name: pool.submit(measure) for name, measure in measures.items()}
            return {name: round(future.result(), 1) for name, future in running.items()}
    rounds = [{name: measure() for name, measure in measures.items()} for _ in range(ROUNDS)]
    return {
        name: round(statistics.median(round_[name] for round_ in rounds), 4) for name in measures
    }
