"""`python -m tandem_tools bench [NAME]`: measure, and keep it.

The results are kept in results.json, and their tables in docs/performance.md.
"""

import argparse
import json
import os
import re
import signal
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import Any

from tandem_tools.bench import bars
from tandem_tools.build.sam import build, machine_architecture
from tandem_tools.errors import ToolError
from tandem_tools.paths import PROJECT

BENCHES = ("package", "cold", "warm", "frameworks", "snapstart", "worker", "throughput", "tables")
ON_REQUEST = ("reporting", "soak", "faults")
"""Measured only when they are named: they take some minutes."""
OPTIONS: dict[str, tuple[str, type, str]] = {
    "seeds": ("faults", int, "a run for each"),
    "tasks": ("faults", int, "how many in each run"),
    "minutes": ("faults", float, "then no further run is begun"),
    "megabytes": ("tables", int, "the sizes of the CSV files"),
}
"""Options of single benches: whose each is, its type and what it means."""
SINGLE = frozenset({"tasks", "minutes"})
"""Those that take one value."""
RESULTS = Path(__file__).with_name("results.json")
PAGE = PROJECT / "docs" / "performance.md"
QUOTED = re.compile(r"(?<=<!-- make bench -->\n).*?(?=<!-- end of make bench -->)", re.DOTALL)
PACKAGES = ("fastapi", "mangum", "pydantic", "aws-lambda-powertools", "boto3", "awslambdaric")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the chosen benches and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tandem_tools bench", description=__doc__)
    parser.add_argument(
        "bench", nargs="?", choices=BENCHES + ON_REQUEST, help="which; by default the first eight"
    )
    for name, (of, kind, meaning) in OPTIONS.items():
        number = None if name in SINGLE else "+"
        parser.add_argument(f"--{name}", type=kind, nargs=number, help=f"of {of}: {meaning}")
    asked = parser.parse_args(arguments)
    bench: str | None = asked.bench
    options = {name: value for name in OPTIONS if (value := getattr(asked, name))}
    for name in options:
        if bench != OPTIONS[name][0]:
            parser.error(f"--{name} is for: {OPTIONS[name][0]}")
    signal.signal(signal.SIGTERM, _interrupt)  # as Ctrl-C: what was started is stopped in order
    try:
        build(machine_architecture())
    except ToolError as error:
        print(error, file=sys.stderr)
        return 1
    sys.path.insert(0, str(PROJECT / "functions"))  # the library, as the functions find it
    results: dict[str, Any] = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    for name in [bench] if bench else BENCHES:
        print(f"Measuring {name} …", file=sys.stderr)
        results[name] = _circumstances() | import_module(f"tandem_tools.bench.{name}").measure(
            **options
        )
        print(f"\n{table(name, results)}\n", flush=True)
        if reached := bars_of(name, results):
            print(f"{bars.table(reached)}\n", flush=True)
    RESULTS.write_text(json.dumps(results, indent=2) + "\n")
    PAGE.write_text(quoting(PAGE.read_text(), results))
    return 0


def table(name: str, results: dict[str, Any]) -> str:
    """Return one bench's results as a Markdown table."""
    shown: str = import_module(f"tandem_tools.bench.{name}").table(results[name])
    return shown


def quoting(page: str, results: dict[str, Any]) -> str:
    """Return a page with the tables of these results where it quotes any."""
    measured = [name for name in BENCHES + ON_REQUEST if name in results]
    tables = [table(name, results) for name in measured]
    reached = [bar for name in measured for bar in bars_of(name, results)]
    if reached:
        tables.insert(0, bars.table(reached))
    return QUOTED.sub(lambda _: "\n" + "\n\n".join(tables) + "\n\n", page)


def bars_of(name: str, results: dict[str, Any]) -> list[bars.Bar]:
    """Return the bars that a bench is measured against. It defines `bars` where it has any."""
    found = getattr(import_module(f"tandem_tools.bench.{name}"), "bars", None)
    reached: list[bars.Bar] = found(results[name]) if found else []
    return reached


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def _circumstances() -> dict[str, Any]:
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "machine": {"architecture": machine_architecture(), "cpus": os.cpu_count()},
        "versions": {"python": sys.version.split()[0]}
        | {package: version(package) for package in PACKAGES},
    }
