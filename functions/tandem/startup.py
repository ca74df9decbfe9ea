"""Cheaper cold starts: no garbage collection and no unneeded imports."""

import atexit
import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def gc_frozen() -> Iterator[None]:
    """Look for no garbage within the block, and never again at what the block leaves.

    What a start makes lasts as long as the process: looking through it costs some percent of a
    cold start, and as much again with each full collection.
    https://docs.python.org/3/library/gc.html#gc.freeze
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()
        # A process ends as any other: DuckDB complains of what is not taken down with it.
        atexit.register(gc.unfreeze)


@contextmanager
def pretend_missing(module: str) -> Iterator[None]:
    """Let a module be as if it were not installed, unless it is imported already.

    https://docs.python.org/3/reference/import.html#the-module-cache
    """
    if module in sys.modules:
        yield
        return
    sys.modules[module] = None  # type: ignore[assignment]  # as the reference says
    try:
        yield
    finally:
        del sys.modules[module]
