"""Watching a task until its end."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Self

import typer
from rich.progress import (
    BarColumn,
    Progress,
    SpinnerColumn,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
)

from tandem_client.cli import output
from tandem_client.cli.session import ExitCode
from tandem_client.client import Tandem
from tandem_client.models import State, TaskDetail

_LOOKS_EVERY_SECONDS = 1.0


def watched(
    tandem: Tandem, task_id: str, timeout: float | None, *, as_json: bool = False
) -> TaskDetail:
    """Show a task's progress on stderr until it is final, and return it.

    One that does not end in time is printed as it was seen last, for `as_json`.
    """
    with _left_running(task_id):
        try:
            with _Display() as display:
                for task in tandem.changes(task_id, timeout=timeout, every=_LOOKS_EVERY_SECONDS):
                    display.show(task)
        except TimeoutError:
            if as_json:
                output.document(task)
            raise
    return task


def ended_well(task: TaskDetail) -> bool:
    """Return whether a final task succeeded. Say why when it did not."""
    if task.state is State.failed:
        why = output.error(task.error) if task.error else "no reason is known"
        output.say(f"Task {task.task_id} failed after {task.attempts} attempt(s). {why}")
    elif task.state is State.cancelled:
        output.say(f"Task {task.task_id} was cancelled.")
    return task.state is State.succeeded


@contextmanager
def _left_running(task_id: str) -> Iterator[None]:
    """On Ctrl-C, say that only the watching has ended."""
    try:
        yield
    except KeyboardInterrupt:
        output.say(f"Task {task_id} goes on. See tandem status {task_id}, or tandem cancel.")
        raise typer.Exit(ExitCode.INTERRUPTED) from None


class _Display:
    """A live line on a terminal. In a pipe, a line for each change."""

    def __init__(self) -> None:
        console = output.messages()
        self._live = console.is_terminal
        self._said = ""
        self._bar = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            TaskProgressColumn(show_speed=True),
            TextColumn("{task.fields[words]}", markup=False),
            TimeElapsedColumn(),
            console=console,
            transient=True,
            disable=not self._live,
        )
        self._row = self._bar.add_task("waiting", total=None, words="")

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def show(self, task: TaskDetail) -> None:
        """Show a task as it is now."""
        words = output.progress(task)
        if self._live:
            at = task.progress
            self._bar.update(
                self._row,
                description=task.state.value,
                completed=at.done if at else 0,
                total=at.total if at else None,
                words=words,
                refresh=True,
            )
        elif (line := f"{task.state.value} {words}".rstrip()) != self._said:
            self._said = line
            output.say(line)
