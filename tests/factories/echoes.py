"""The processor `echo` in other shapes: the API's document is made of the installed ones."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from tandem.processing import TaskContext
from tandem.processing.catalogue import Catalogue
from tandem.testing import MemoryWiring

ECHO = {"processor": "echo", "input": {"message": "hello"}}


def be_echo(
    wiring: MemoryWiring, run: Callable[[Any, TaskContext], Any] | None = None, **options: Any
) -> None:
    """Let `echo` do what the function does, with other options of a processor.

    A function returns an input, unless its `output` is another model.
    """
    echo = wiring.catalogue["echo"]
    if run is not None:
        options = {"run": run, "output": echo.input} | options
    others = [one for one in wiring.catalogue.values() if one is not echo]
    wiring.catalogue = Catalogue([*others, replace(echo, **options)])
