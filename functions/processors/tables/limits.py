"""The limits of tables and queries, and the formats of tables."""

from typing import Literal

from tandem.processing.processor import Resources

TableFormat = Literal["csv", "jsonl", "parquet"]

MAX_COLUMNS = 500
MAX_NAME_CHARACTERS = 256
MAX_UNPACKED_BYTES = 256 << 20
"""The most that a packed file may hold: it is unpacked on the function's disk."""

TOP_VALUES = 10
MAX_BINS = 20
FIRST_ROWS = 5
TEXT_CHARACTERS = 100
CERTAIN_SHARE = 100
"""Of a column that is not counted, the values that make up more than one of so many rows are found
for certain: of three times as many values, those that seem the most frequent are monitored."""

PROFILE_MIB_PER_SECOND = 10.0
CONVERT_MIB_PER_SECOND = 25.0
QUERY_MIB_PER_SECOND = 40.0
"""What one vCPU does of the format that takes longest, CSV, at 1.2 GB: what docs/performance.md has
measured, less a reserve."""

TABLE_SECONDS = 90.0
"""The longest that a task may work on one table, below the time limits of the processors: few bytes
of Parquet can stand for any number of values, and another attempt would meet as many."""

QUERY_MEMORY = "256MiB"
QUERY_PROCESS_BYTES = 768 << 20
"""Addresses that a query's process may take: its code has 250 MiB of them. So its memory is bounded
too, whatever DuckDB counts of it."""
QUERY_SECONDS = 60
QUERY_RESULT_BYTES = 3 << 20
"""Rows as JSON: the answer to an online request has to fit in 4 MiB."""
QUERY_FILE_BYTES = 1 << 30
"""A result that is a file: the disk is everybody's."""

_VCPU_MIB = 1769
"""Memory for which Lambda gives one vCPU: https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html"""
_SPILLED_MIB = 192


def upload_mib(
    has: Resources, mib_per_second: float, *, seconds: float = TABLE_SECONDS, files: int = 1
) -> float:
    """Return how many MiB of uploads a table processor takes with what a function has.

    Args:
        has: the function's memory, disk and time.
        mib_per_second: what one vCPU does.
        seconds: how long the work may take.
        files: how many files of that size are on the disk together.
    """
    vcpus = min(1.0, has.memory_mib / _VCPU_MIB)
    in_time = min(has.seconds, seconds) * mib_per_second * vcpus
    return min((has.disk_mib - _SPILLED_MIB) / files, in_time)
