"""The import of the processors, tried before a function does it: a function logs no text."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from tandem_tools.catalogue import last_words, run_with_processors
from tandem_tools.errors import ToolError

_IMPORT = """
import json, pathlib, sys, traceback
from tandem.limits import SETTLE_SECONDS
from tandem.processing.catalogue import BUILT_IN, installed
from tandem.processing.processor import NotAProcessor
from tandem.settings import settings
packages = settings().processors

def described(processor, model, mode):
    try:
        model.model_json_schema(mode=mode)
    except Exception as error:
        why = f"{model.__name__} has no JSON Schema, which callers are shown"
        told = " ".join(str(error).split())
        raise NotAProcessor(f"{processor.name} ({processor.run.__module__}): {why}: {told}")

try:
    own = [one for one in installed().values() if one.run.__module__ != BUILT_IN]
    for one in own:
        described(one, one.input, "validation")
        described(one, one.output, "serialization")
    limits = {one.name: float(one.time_limit_seconds) for one in own}
    answer = {"time_limits": limits, "settle_seconds": SETTLE_SECONDS}
except (Exception, SystemExit) as error:
    frames = traceback.walk_tb(error.__traceback__)
    own = [
        (name, line)
        for frame, line in frames
        if (name := frame.f_globals.get("__name__", "")).startswith(packages)
    ]
    where = f"{own[-1][0]}, line {own[-1][1]}: " if own else ""
    answer = {"error": f"{where}{type(error).__name__}: {error}"}
    if isinstance(error, ModuleNotFoundError):
        answer["error"] += " (add a package to dependencies in pyproject.toml, then: make lock)"
pathlib.Path(sys.argv[1]).write_text(json.dumps(answer))
"""
"""Writes what went wrong, with the last line of a processor's own that it passed, into a file: what
a module prints while it is imported is no error."""


@dataclass(frozen=True, slots=True)
class Imported:
    """The application's processors, as a function would import them."""

    error: str | None = None
    """Why they cannot be imported."""
    time_limits: Mapping[str, float] = field(default_factory=dict)
    """In seconds, by the processor's name. Without the library's own, which take what there is."""
    settle_seconds: float = 0
    """What the worker keeps of its timeout to record ends."""

    def excess(self, worker_seconds: float) -> ToolError | None:
        """Return what is wrong where a time limit is above what a worker can give.

        Args:
            worker_seconds: the worker's timeout, WorkerTimeoutSeconds.
        """
        given = worker_seconds - self.settle_seconds
        above = {name: limit for name, limit in self.time_limits.items() if limit > given}
        if not above:
            return None
        needed = -int(-(max(above.values()) + self.settle_seconds) // 1)
        limits = ", ".join(f"{name} has time_limit={limit:g}" for name, limit in above.items())
        return ToolError(
            f"{limits}, and the worker gives an attempt {given:g} s: WorkerTimeoutSeconds="
            f"{worker_seconds:g}, less {self.settle_seconds:g} to record its end.",
            f"Lower time_limit, or say WorkerTimeoutSeconds={needed} and VisibilityTimeoutSeconds="
            f"{6 * needed} in samconfig.toml or in PARAMETERS.",
        )


def imported(functions: Path) -> Imported:
    """Return the processors in a folder, imported as a function imports them."""
    with TemporaryDirectory(prefix="tandem-") as folder:
        answer = Path(folder, "answer.json")
        done = run_with_processors(_IMPORT, str(answer), functions=functions)
        if answer.is_file():
            return Imported(**json.loads(answer.read_text()))
    return Imported(error=last_words(done))


def require_processors(functions: Path, worker_seconds: float) -> None:
    """Refuse processors that cannot be imported, or that ask for more time than a worker gives.

    Raises:
        ToolError: which, and why.
    """
    found = imported(functions)
    if found.error is not None:
        raise ToolError(
            f"The processors cannot be imported: {found.error}",
            "Mend that module, then run it again.",
        )
    if (excess := found.excess(worker_seconds)) is not None:
        raise excess
