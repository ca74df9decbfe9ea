"""What a query may take."""

MEMORY_LIMIT = "256MiB"
PROCESS_BYTES = 768 << 20
"""Addresses that the process may take: its code has 250 MiB of them. So its memory is bounded too,
whatever DuckDB counts of it."""
MAX_SECONDS = 60
MAX_RESULT_BYTES = 3 << 20
"""Rows as JSON: the answer to an online request has to fit in 4 MiB."""
MAX_FILE_BYTES = 1 << 30
"""A result that is a file: the disk is everybody's."""
