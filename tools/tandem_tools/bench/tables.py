"""The table processors' cost over DuckDB, in CPU time and memory.

DuckDB does the same in one process on one thread, and takes the types from all rows
(`sample_size = -1`). Each piece of work has a process of its own. A query is allowed the time that
its own process takes to start.
"""

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tandem_tools.bench.bars import Bar
from tandem_tools.environment import with_tools

SIZES = (30, 300)
"""Megabytes of CSV."""
BAR_SIZE = 300
PROCESS_SECONDS = 0.3
"""What a query may take for its own process."""
ROUNDS = 2
"""How often each is measured, in turn. The best is taken."""
WORK = (
    ("profile", "csv", "profile", 1.6),
    ("profile", "parquet", "profile", 1.6),
    ("convert to Parquet", "csv", "parquet", 1.3),
    ("convert to JSON Lines", "csv", "jsonl", 1.3),
    ("convert to CSV", "parquet", "csv", 1.3),
    ("query", "csv", "query", 2.0),
    ("query", "parquet", "query", 2.0),
)
"""What is done, with which file, by which name of `table_work`, and how many times DuckDB's time it
may take."""

type Json = dict[str, Any]


def measure(megabytes: Sequence[int] = SIZES) -> Json:
    """Measure every piece of work on tables of these sizes."""
    return {"rows": [row for size in megabytes for row in _measured(size)]}


def table(result: Json) -> str:
    """Return the results as a Markdown table."""
    lines = [
        "| a table | CSV, MB | rows | DuckDB, CPU s | Tandem | ratio | memory, MB (DuckDB's) |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for row in result["rows"]:
        took = row["refused"] or f"{row['tandem']['cpu_seconds']:.1f}"
        ratio = "" if row["refused"] else f"{row['ratio']:.2f} x"
        lines.append(
            f"| {row['work']}, {row['file']} | {row['csv_megabytes']:,} | {row['table_rows']:,} | "
            f"{row['duckdb']['cpu_seconds']:.1f} | {took} | {ratio} | "
            f"{row['tandem']['megabytes']:,} ({row['duckdb']['megabytes']:,}) |"
        )
    return "\n".join(lines)


def bars(result: Json) -> list[Bar]:
    """Return the bars, which hold at one size. A refusal misses its bar."""
    bounds = {(work, file): bound for work, file, _, bound in WORK}
    return [
        _bar(row, bounds[row["work"], row["file"]])
        for row in result["rows"]
        if row["csv_megabytes"] == BAR_SIZE
    ]


def _bar(row: Json, bound: float) -> Bar:
    figure = f"{row['work']}, {BAR_SIZE} MB {row['file']}: CPU time over DuckDB's"
    if row["refused"]:
        return Bar(figure=figure, bar=f"≤ {bound:g}", measured="refused", met=False)
    return Bar.at_most(figure, bound, row["ratio"])


def _measured(megabytes: int) -> list[Json]:
    with TemporaryDirectory(prefix="tables-") as folder:
        made = Path(folder, f"{megabytes}.csv")
        rows = int(_in_own_process("made", "table", made)["outcome"])
        return [
            {
                "work": work,
                "file": suffix,
                "csv_megabytes": megabytes,
                "table_rows": rows,
            }
            | _both(name, made.with_suffix(f".{suffix}"))
            for work, suffix, name, _ in WORK
        ]


def _both(work: str, file: Path) -> Json:
    """Return what DuckDB and Tandem take for a piece of work, and how they compare."""
    best: dict[str, Json] = {}
    for _ in range(ROUNDS):
        for by in ("duckdb", "tandem"):
            took = _in_own_process(by, work, file)
            if by not in best or took["cpu_seconds"] < best[by]["cpu_seconds"]:
                best[by] = took
    allowed = best["duckdb"]["cpu_seconds"] + (PROCESS_SECONDS if work == "query" else 0)
    return {
        "duckdb": best["duckdb"],
        "tandem": best["tandem"],
        "refused": best["tandem"]["outcome"],
        "ratio": round(best["tandem"]["cpu_seconds"] / allowed, 2),
    }


def _in_own_process(*arguments: str | Path) -> Json:
    command = [sys.executable, "-m", "tandem_tools.bench.table_work", *map(str, arguments)]
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=with_tools())
    result: Json = json.loads(done.stdout)
    return result
