"""What a table and a query may be at most, and the formats that tables come in."""

from typing import Literal

TableFormat = Literal["csv", "jsonl", "parquet"]

MAX_COLUMNS = 500
MAX_NAME_CHARACTERS = 256
MAX_UNPACKED_BYTES = 256 << 20
"""The most that a packed file may hold: it is unpacked on the function's disk."""

QUERY_MEMORY = "256MiB"
QUERY_PROCESS_BYTES = 768 << 20
"""Addresses that a query's process may take: its code has 250 MiB of them. So its memory is bounded
too, whatever DuckDB counts of it."""
QUERY_SECONDS = 60
QUERY_RESULT_BYTES = 3 << 20
"""Rows as JSON: the answer to an online request has to fit in 4 MiB."""
QUERY_FILE_BYTES = 1 << 30
"""A result that is a file: the disk is everybody's."""
