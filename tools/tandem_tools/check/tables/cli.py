"""`python -m tandem_tools compare-tables`: the table processors beside pandas.

It ends with 1 when a figure differs that differences.csv does not explain, or when a conversion
changes a value.
"""

import argparse
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

from tandem_tools.check.tables.comparison import Compared, be_quiet, compared
from tandem_tools.check.tables.datasets import data_sets
from tandem_tools.check.tables.differences import read_table, unexplained, write_table

PROCESSES = 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Compare, print what is wrong, and return the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m tandem_tools compare-tables", description=__doc__
    )
    parser.add_argument("--only", default="", help="tables whose names hold this")
    parser.add_argument("--write", action="store_true", help="write differences.csv anew")
    asked = parser.parse_args(arguments)
    began = time.monotonic()
    sets = [data_set for data_set in data_sets() if asked.only in data_set.name]
    with ProcessPoolExecutor(PROCESSES, get_context("spawn"), initializer=be_quiet) as pool:
        found = [_told(table) for table in pool.map(compared, sets, chunksize=4)]
    differences = [difference for table in found for difference in table.differences]
    if asked.write:
        write_table(differences)
    names = [data_set.name for data_set in sets]
    written = [column for column in read_table() if not asked.only or column.is_of_any(names)]
    wrong = unexplained(differences, written)
    for line in wrong:
        print(line, file=sys.stderr)
    to_mend = len(wrong) + sum(len(table.faults) for table in found)
    columns = sum(table.columns for table in found)
    print(
        f"tables compared with pandas: {len(found)} ({columns} columns), {len(differences)} "
        f"differences, {to_mend} to mend ({time.monotonic() - began:.0f} s)"
    )
    return 1 if to_mend else 0


def _told(table: Compared) -> Compared:
    """Print what is wrong with a table as soon as it is known."""
    for fault in table.faults:
        print(f"{table.data_set}: {fault}", file=sys.stderr, flush=True)
    return table
