"""The package: how large it is, by what is in it, and whether every module of it is compiled."""

from dataclasses import asdict
from typing import Any

from tandem_tools.bench.bars import Bar
from tandem_tools.build import sizes
from tandem_tools.build.compiled import is_compiled
from tandem_tools.build.sam import FUNCTIONS, build, machine_architecture
from tandem_tools.build.sizes import Size
from tandem_tools.build.store import Store
from tandem_tools.build.tree import files
from tandem_tools.paths import BUILD, PROJECT

MOST_MB = 20.0
"""What the zip file may have without DuckDB's share."""


def measure() -> dict[str, Any]:
    """Measure what is built for this machine's processor."""
    architecture = machine_architecture()
    build(architecture)
    sources = [path for name in FUNCTIONS for path in files(BUILD / name) if path.suffix == ".py"]
    found = Store(PROJECT, architecture).sizes()
    return {
        "architecture": architecture,
        "components": {name: asdict(size) for name, size in found.items()},
        "modules": len(sources),
        "modules_compiled": sum(map(is_compiled, sources)),
    }


def table(result: dict[str, Any]) -> str:
    """Return the sizes as a Markdown table."""
    return sizes.table(_sizes(result), result["architecture"])


def bars(result: dict[str, Any]) -> list[Bar]:
    """Return what was measured against the bounds of the package."""
    modules, compiled = result["modules"], result["modules_compiled"]
    return [
        Bar(
            figure="packaged .py with an unchecked-hash .pyc",
            bar="all",
            measured=f"{compiled:,} of {modules:,}",
            met=compiled == modules > 0,
        ),
        Bar.at_most(
            "zip of the API function without DuckDB's share, MB",
            MOST_MB,
            sizes.without_duckdb(_sizes(result)).zipped / 1e6,
        ),
    ]


def _sizes(result: dict[str, Any]) -> dict[str, Size]:
    return {name: Size(**size) for name, size in result["components"].items()}
