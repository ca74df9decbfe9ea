"""The `tandem` command's commands for projects. The client finds them by their entry points."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from tandem_tools.errors import ToolError
from tandem_tools.ports import LISTEN_PORT
from tandem_tools.project.new import make_project
from tandem_tools.project.upgrade import upgrade as merge

Wheels = Annotated[
    Path | None,
    typer.Option(help="The folder of Tandem's wheels. By default what PIP_FIND_LINKS names."),
]


def new(
    folder: Annotated[Path, typer.Argument(help="A new folder: its name is the project's.")],
    wheels: Wheels = None,
) -> None:
    """Make a project of your own."""
    with _told():
        version = make_project(folder, _folder(wheels))
    typer.echo(
        f"{folder} is a project of Tandem {version}.\n\n  cd {folder}\n  git init\n  make run"
    )


def upgrade(wheels: Wheels = None) -> None:
    """Move the project in this folder to another version of Tandem."""
    with _told():
        done = merge(Path.cwd(), _folder(wheels))
    typer.echo(f"Tandem {done.before} → {done.now}: {len(done.changed)} files changed.")
    for path in done.kept:
        typer.echo(f"{path} is not Tandem's any more, and was changed: it is still there.")
    for path in done.conflicts:
        typer.echo(f"{path} was changed on both sides: it has both, with git's marks.", err=True)
    if done.conflicts:
        typer.echo("Mend these, then: make lock, make check, make test", err=True)
        raise typer.Exit(1)
    typer.echo("Look at it (git diff), then: make lock, make check, make test")


def settings(
    words: Annotated[
        list[str], typer.Argument(help="set NAME …, set NAME=value …, list, or check.")
    ],
    env: Annotated[str, typer.Option(help="dev, staging or prod.")] = "dev",
) -> None:
    """Set, list and check the settings of processors on AWS."""
    from tandem_tools.settings.cli import main

    raise typer.Exit(main([*words, "--env", env]))


def listen(
    port: Annotated[int, typer.Option(help="To listen on.")] = LISTEN_PORT,
    answer: Annotated[str, typer.Option(help="Answers, in turn: 500,500,204.")] = "",
    forward: Annotated[str, typer.Option(help="A URL that they are handed on to.")] = "",
    key: Annotated[str, typer.Option(help="To verify with. By default the stack's.")] = "",
    *,
    body: Annotated[bool, typer.Option("--body", help="Show each body.")] = False,
) -> None:
    """Receive the callbacks of make run on this machine, and verify them."""
    from tandem_tools.run.cli import main

    given = {"--answer": answer, "--forward": forward, "--key": key}
    words = [f"{name}={value}" for name, value in given.items() if value]
    raise typer.Exit(main(["listen", f"--port={port}", *words, *(["--body"] if body else [])]))


def _folder(wheels: Path | None) -> Path:
    if wheels is not None:
        return wheels
    for name in ("PIP_FIND_LINKS", "UV_FIND_LINKS"):
        if os.environ.get(name):
            return Path(os.environ[name].split()[0])
    raise ToolError("No folder of wheels is named.", "Name it: --wheels FOLDER")


@contextmanager
def _told() -> Iterator[None]:
    """Show what went wrong, and what to do, as the tools' other commands do."""
    try:
        yield
    except ToolError as error:
        print(f"\n{error}", file=sys.stderr)
        raise typer.Exit(1) from None
    except OSError as error:
        advice = "Let it be read and written, or name another folder."
        print(f"\n{ToolError(f'{error.strerror}: {error.filename}.', advice)}", file=sys.stderr)
        raise typer.Exit(1) from None
