"""Commands on tasks."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from tandem_client.cli import output
from tandem_client.cli.options import (
    Cursor,
    Json,
    Limit,
    OutputFile,
    ProfileName,
    TaskId,
    Timeout,
)
from tandem_client.cli.session import ExitCode, calling
from tandem_client.cli.watching import ended_well, watched
from tandem_client.client import Tandem
from tandem_client.models import State


def status(
    task_id: TaskId,
    *,
    watch: Annotated[
        bool, typer.Option("--watch", "-w", help="Until its end; exit code 3 when it failed.")
    ] = False,
    timeout: Timeout = None,
    as_json: Json = False,
    profile: ProfileName = None,
) -> None:
    """Show a task. With --watch, follow its progress. Ctrl-C leaves it running."""
    with calling(profile, as_json=as_json) as tandem:
        task = (
            watched(tandem, task_id, timeout, as_json=as_json)
            if watch
            else tandem.get_task(task_id)
        )
    if as_json:
        output.document(task)
    else:
        output.task(task)
    if watch and not ended_well(task):
        raise typer.Exit(ExitCode.TASK_FAILED)


def list_tasks(
    *,
    state: Annotated[State | None, typer.Option(help="Only tasks in this state.")] = None,
    processor: Annotated[str | None, typer.Option(help="Only this processor's.")] = None,
    limit: Limit = 20,
    cursor: Cursor = None,
    as_json: Json = False,
    profile: ProfileName = None,
) -> None:
    """Show your tasks, newest first."""
    with calling(profile, as_json=as_json) as tandem:
        page = tandem.list_tasks(state=state, processor=processor, limit=limit, cursor=cursor)
    if as_json:
        output.document(page)
        return
    output.table(
        ("TASK", "PROCESSOR", "STATE", "ATTEMPTS", "CREATED", ""),
        (
            (
                task.task_id,
                task.processor,
                output.state(task.state),
                task.attempts,
                task.created_at,
                task.error.message if task.error else output.progress(task),
            )
            for task in page.tasks
        ),
    )
    if page.next_cursor:
        output.say(f"There are more: --cursor {page.next_cursor}")


def result(
    task_id: TaskId,
    *,
    target: OutputFile = None,
    as_json: Json = False,
    profile: ProfileName = None,
) -> None:
    """Print a task's output, or write it, or the file that it made, with -o."""
    with calling(profile, as_json=as_json) as tandem:
        print_result(tandem, task_id, target, as_json=as_json)


def print_result(tandem: Tandem, task_id: str, target: Path | None, *, as_json: bool) -> None:
    """Write a result to a file, or to stdout. A file that is no text does not go to a terminal."""
    with tandem.get_task_result(task_id) as stored:
        if target is not None:
            output.say(f"Written to {stored.save(target)}.")
        elif as_json:
            output.raw(stored.text())
        elif stored.is_json:
            output.pretty_json(stored.text())
        elif sys.stdout.isatty() and not stored.content_type.startswith("text/"):
            output.say(f"The result is a file: tandem result {task_id} -o {stored.filename}")
            raise typer.Exit(ExitCode.PROBLEM)
        else:
            sys.stdout.flush()
            for chunk in stored.chunks():
                sys.stdout.buffer.write(chunk)
            sys.stdout.buffer.flush()


def cancel(task_id: TaskId, *, as_json: Json = False, profile: ProfileName = None) -> None:
    """Cancel a queued task, or ask a running one to stop."""
    with calling(profile, as_json=as_json) as tandem:
        task = tandem.cancel_task(task_id)
    if as_json:
        output.document(task)
    elif task.state is State.cancelled:
        output.say(f"Task {task_id} is cancelled.")
    else:
        output.say(f"Task {task_id} runs, and was asked to stop.")


def delete(task_id: TaskId, *, profile: ProfileName = None) -> None:
    """Delete a finished task with its input, output and files, but not its uploads."""
    with calling(profile) as tandem:
        tandem.delete_task(task_id)
    output.say(f"Task {task_id} is deleted.")


def retry(
    task_id: TaskId,
    *,
    key: Annotated[
        str | None, typer.Option(help="Idempotency key: the same one makes the same task.")
    ] = None,
    as_json: Json = False,
    profile: ProfileName = None,
) -> None:
    """Do a finished task again, and print the new task's id."""
    with calling(profile, as_json=as_json) as tandem:
        accepted = tandem.retry_task(task_id, idempotency_key=key)
    if as_json:
        output.document(accepted)
    else:
        output.raw(accepted.task_id)
        output.say(f"{accepted.message}. Follow it: tandem status --watch {accepted.task_id}")
