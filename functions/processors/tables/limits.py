"""What a table may be at most, and the formats that it comes in."""

from typing import Literal

TableFormat = Literal["csv", "jsonl", "parquet"]

MAX_COLUMNS = 500
MAX_NAME_CHARACTERS = 256
MAX_UNPACKED_BYTES = 256 << 20
"""The most that a packed file may hold: it is unpacked on the function's disk."""
