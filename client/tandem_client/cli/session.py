"""The frame of each command: the caller, and messages and exit codes for errors."""

from collections.abc import Iterator
from contextlib import contextmanager
from enum import IntEnum

import typer

from tandem_client.cli import output, profiles
from tandem_client.client import Tandem
from tandem_client.errors import TandemError

_FAILED = frozenset({"task-failed", "task-has-no-result", "task-cancelled"})


class ExitCode(IntEnum):
    """How the command ends."""

    OK = 0
    PROBLEM = 1
    USAGE = 2
    TASK_FAILED = 3
    NOT_IN_TIME = 4
    INTERRUPTED = 130


@contextmanager
def calling(profile: str | None, *, as_json: bool = False) -> Iterator[Tandem]:
    """Return the API as a profile's caller sees it. What goes wrong ends the command."""
    with reporting(as_json=as_json):
        url, auth = profiles.load(profile)
        with Tandem(url, auth) as tandem:
            yield tandem


@contextmanager
def reporting(*, as_json: bool = False) -> Iterator[None]:
    """Turn errors into one line and an exit code."""
    try:
        yield
    except TandemError as error:
        output.failure(error, as_json=as_json)
        code = ExitCode.TASK_FAILED if error.kind in _FAILED else ExitCode.PROBLEM
        raise typer.Exit(code) from None
    except TimeoutError as error:
        output.say(str(error))
        raise typer.Exit(ExitCode.NOT_IN_TIME) from None
    except OSError as error:
        if isinstance(error, BrokenPipeError):
            raise
        output.failure(TandemError("urn:tandem:client:file", str(error)), as_json=as_json)
        raise typer.Exit(ExitCode.PROBLEM) from None
