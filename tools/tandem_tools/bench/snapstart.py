"""The first request after a restore: with what was rehearsed before the snapshot, and without."""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

from tandem_tools.bench import cases
from tandem_tools.bench.bars import Bar
from tandem_tools.bench.process import VALGRIND, Running, start_up_cost
from tandem_tools.harness.resources import Resources

STARTED_AS = ("on-demand", "snap-start")
"""What Lambda's runtime client is told: only with the second does it run the hooks."""

FIRST: dict[str, Callable[[Resources], cases.Prepared]] = {
    "`GET /health`": cases.get_health,
    "`POST /process-online`": cases.post_online,
}
BARRED = "`POST /process-online`"


def measure() -> dict[str, Any]:
    """Measure each first request as what a process costs with it, less one without."""
    asked = [(started_as, name) for started_as in STARTED_AS for name in (None, *FIRST)]
    with ThreadPoolExecutor(os.cpu_count() if VALGRIND else 1) as pool:
        costs = dict(zip(asked, pool.map(_cost, asked), strict=True))
    unprimed, primed = STARTED_AS
    return {
        "unit": "million instructions" if VALGRIND else "CPU seconds",
        "ready": {kind: round(costs[kind, None], 3) for kind in STARTED_AS},
        "rows": [
            {
                "name": name,
                "unprimed": round(costs[unprimed, name] - costs[unprimed, None], 3),
                "primed": round(costs[primed, name] - costs[primed, None], 3),
            }
            for name in FIRST
        ],
    }


def table(result: dict[str, Any]) -> str:
    """Return the result as a Markdown table."""
    lines = [
        f"| first request, {result['unit']} | not rehearsed | rehearsed | ratio |",
        "| --- | ---: | ---: | ---: |",
    ]
    for row in result["rows"]:
        unprimed, primed = row["unprimed"], row["primed"]
        shown = f"{unprimed:,.1f} | {primed:,.1f} | {primed / unprimed:.2f}"
        lines.append(f"| {row['name']} | {shown} |")
    unprimed, primed = (result["ready"][kind] for kind in STARTED_AS)
    lines.append(f"| before it: import, and the rehearsal | {unprimed:,.1f} | {primed:,.1f} | |")
    return "\n".join(lines)


def bars(result: dict[str, Any]) -> list[Bar]:
    """Return the bar of the first POST."""
    (row,) = (row for row in result["rows"] if row["name"] == BARRED)
    figure = "SnapStart: first POST after a primed restore over unprimed"
    return [Bar.at_most(figure, 0.25, row["primed"] / row["unprimed"])]


def _cost(asked: tuple[str, str | None]) -> float:
    started_as, name = asked
    with cases.resources() as made:
        function = made.function("ApiFunction")
        environment = {**function.environment, "AWS_LAMBDA_INITIALIZATION_TYPE": started_as}
        drive = FIRST[name](made) if name else Running.wait_until_ready
        return start_up_cost(replace(function, environment=environment), drive)
