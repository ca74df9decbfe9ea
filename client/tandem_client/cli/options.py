"""Options that several commands take."""

from pathlib import Path
from typing import Annotated

import typer

Json = Annotated[
    bool, typer.Option("--json", help="Print the API's document on stdout, and nothing else.")
]
ProfileName = Annotated[
    str | None,
    typer.Option(
        "--profile",
        "-p",
        envvar="TANDEM_PROFILE",
        show_envvar=True,
        help="Whom to be; see tandem login.",
        show_default="default",
    ),
]
TaskId = Annotated[str, typer.Argument(help="A task's id.", metavar="TASK")]
Limit = Annotated[int, typer.Option(min=1, max=100, help="How many to show.")]
Cursor = Annotated[str | None, typer.Option(help="Where the page before ended.")]
Timeout = Annotated[
    float | None, typer.Option(min=0, help="Stop waiting after so many seconds; exit code 4.")
]
OutputFile = Annotated[
    Path | None, typer.Option("--output", "-o", help="Write to this file, or into this folder.")
]
