"""The command's output: answers to stdout, everything else to stderr."""

import os
import re
import sys
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from rich.console import Console
from rich.json import JSON
from rich.table import Table
from rich.text import Text

from tandem_client.document import Document
from tandem_client.errors import TandemError
from tandem_client.models import ErrorView, State, TaskDetail, TaskView

_PIPED_COLUMNS = 200
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_COLOURS = {
    State.queued: "yellow",
    State.running: "cyan",
    State.succeeded: "green",
    State.failed: "red",
    State.cancelled: "magenta",
}


def answers() -> Console:
    """Return the console of answers. In a pipe, lines are long rather than cut."""
    return _console(sys.stdout.isatty(), stderr=False)


def messages() -> Console:
    """Return the console of messages and progress."""
    return _console(sys.stderr.isatty(), stderr=True)


def _console(is_terminal: bool, *, stderr: bool) -> Console:  # noqa: FBT001
    width = None if is_terminal or "COLUMNS" in os.environ else _PIPED_COLUMNS
    return Console(stderr=stderr, width=width, highlight=False, soft_wrap=not is_terminal)


def say(text: str) -> None:
    """Tell the person at the terminal something."""
    messages().print(Text(harmless(text)))


def document(one: Document) -> None:
    """Print a document as the API sent it, on one line."""
    raw(one.as_json())


def raw(text: str) -> None:
    """Print a text as it is."""
    sys.stdout.write(text if text.endswith("\n") else text + "\n")
    sys.stdout.flush()


def pretty_json(text: str) -> None:
    """Print JSON for people: indented, and with colours on a terminal."""
    answers().print(JSON(text), soft_wrap=True)


def table(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Print a table whose first column is never cut."""
    shown = Table(box=None, pad_edge=False, header_style="bold")
    for index, column in enumerate(columns):
        shown.add_column(column, no_wrap=index == 0, overflow="fold")
    for row in rows:
        shown.add_row(*(cell if isinstance(cell, Text) else plain(cell) for cell in row))
    answers().print(shown)


def task(one: TaskDetail) -> None:
    """Print a task, one fact on each line."""
    facts: list[tuple[str, Any]] = [
        ("task", one.task_id),
        ("processor", f"{one.processor}, {one.mode.value}"),
        ("state", state(one.state)),
        ("attempts", one.attempts),
        ("progress", progress(one)),
        ("error", error(one.error) if one.error else None),
        ("created", one.created_at),
        ("waits until", one.run_after if one.state is State.queued else None),
        ("started", one.started_at),
        ("finished", one.finished_at),
        ("retry of", one.retry_of),
        ("cached from", one.cached_from),
        ("callback", _callback(one)),
    ]
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="dim", no_wrap=True)
    grid.add_column(overflow="fold")
    for name, value in facts:
        if value not in (None, ""):
            grid.add_row(name, value if isinstance(value, Text) else plain(value))
    answers().print(grid)


def progress(one: TaskView | TaskDetail) -> str:
    """Return how far a task is, in words. Empty when it does not say."""
    if one.progress is None:
        return ""
    total = f"/{one.progress.total}" if one.progress.total else ""
    return harmless(f"{one.progress.done}{total} {one.progress.message}".rstrip())


def error(one: ErrorView) -> str:
    """Return an error in words, and whether trying again can help."""
    permanent = " (permanent)" if one.permanent else ""
    return f"{one.type}: {one.message}{permanent}"


def _callback(one: TaskDetail) -> str:
    """Return how far its callback is, in words. Empty when none was asked for."""
    if one.callback is None:
        return ""
    why = f": {one.callback.error}" if one.callback.error else ""
    return f"{one.callback.state.value}, {one.callback.url}{why}"


def state(value: State) -> Text:
    """Return a state in its colour."""
    return Text(value.value, style=_COLOURS[value])


def plain(value: Any) -> Text:
    """Return a value as text that is not looked through for markup: callers write some of it."""
    if isinstance(value, datetime):
        value = value.astimezone().strftime("%Y-%m-%d %H:%M:%S")
    return Text("" if value is None else harmless(str(value)))


def harmless(text: str) -> str:
    """Return a text in which control characters are named: none reaches the terminal."""
    return _CONTROLS.sub(lambda found: f"\\x{ord(found[0]):02x}", text)


def failure(error: TandemError, *, as_json: bool) -> None:
    """Say on stderr what went wrong, in one line: for people, or as a problem document."""
    if as_json:
        sys.stderr.write(error.as_json() + "\n")
        return
    line = Text("Error: ", style="bold red")
    line.append(harmless(error.detail), style="not bold default")
    for part in error.errors:
        line.append(harmless(f" [{part.pointer}: {part.detail}]"), style="not bold default")
    if error.kind == "insufficient-scope":
        line.append(" Log in as one who has it: tandem login --help.", style="not bold default")
    quoted = [
        f"{name} {value}"
        for name, value in (("task", error.task_id), ("request", error.request_id))
        if value
    ]
    if quoted:
        line.append(harmless(f" ({', '.join(quoted)})"), style="not bold dim")
    messages().print(line, soft_wrap=True)
