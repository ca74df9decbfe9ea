"""Warm requests: what one more of them costs a process that has answered some."""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

from tandem_tools.bench import cases
from tandem_tools.bench.process import VALGRIND, Running, running, start_up_cost
from tandem_tools.harness.resources import Resources

WARM_UP = 5
REQUESTS = 100
"""Enough that a start-up's own variation, one part in a thousand, is lost in them."""

REQUESTS_OF: dict[str, Callable[[Resources], cases.Prepared]] = {
    "`GET /health`": cases.get_health,
    "`GET /processors`": cases.get_processors,
    "`POST /process-online`, `echo`": cases.post_online,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of the table."""

    name: str
    thousand_instructions: float | None
    cpu_milliseconds: float


def measure() -> dict[str, Any]:
    """Measure every kind of request."""
    milliseconds = _cpu_milliseconds()
    thousands = _thousand_instructions() if VALGRIND else {}
    rows = [
        Row(name=name, thousand_instructions=thousands.get(name), cpu_milliseconds=spent)
        for name, spent in milliseconds.items()
    ]
    return {"requests": REQUESTS, "rows": [asdict(row) for row in rows]}


def table(result: dict[str, Any]) -> str:
    """Return the result as a Markdown table."""
    lines = ["| warm request | thousand instructions | CPU ms |", "| --- | ---: | ---: |"]
    for row in result["rows"]:
        counted = row["thousand_instructions"]
        shown = f"{counted:,.0f}" if counted else "-"
        lines.append(f"| {row['name']} | {shown} | {row['cpu_milliseconds']:.2f} |")
    return "\n".join(lines)


def _cpu_milliseconds() -> dict[str, float]:
    """Return the CPU time of a request of each kind, all in one process."""
    with cases.resources() as made, running(made.function("ApiFunction")) as process:
        requests = {name: prepare(made) for name, prepare in REQUESTS_OF.items()}
        _invoke([*requests.values()] * WARM_UP, process)
        spent = {}
        for name, request in requests.items():
            before = process.cpu_seconds()
            _invoke([request] * REQUESTS, process)
            spent[name] = round((process.cpu_seconds() - before) / REQUESTS * 1e3, 3)
        return spent


def _thousand_instructions() -> dict[str, float]:
    """Return the instructions of a request: a process with many of them less one with none."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        base = pool.submit(_millions, None)
        totals = {name: pool.submit(_millions, name) for name in REQUESTS_OF}
        return {
            name: round((total.result() - base.result()) / REQUESTS * 1e3, 1)
            for name, total in totals.items()
        }


def _millions(measured: str | None) -> float:
    """Return what a process costs that is warmed up and then answers requests of one kind."""
    with cases.resources() as made:
        requests = {name: prepare(made) for name, prepare in REQUESTS_OF.items()}
        sequence = [*requests.values()] * WARM_UP
        if measured is not None:
            sequence += [requests[measured]] * REQUESTS
        return start_up_cost(made.function("ApiFunction"), partial(_invoke, sequence))


def _invoke(requests: list[cases.Prepared], process: Running) -> None:
    for request in requests:
        request(process)
