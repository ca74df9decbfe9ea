"""Logging in and out."""

from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import ValidationError

from tandem_client.cli import output, profiles
from tandem_client.cli.options import ProfileName
from tandem_client.cli.session import ExitCode, reporting
from tandem_client.client import Tandem
from tandem_client.errors import TandemError

_LOCAL = Path(".local/stack.json")
_PROMPTS = {
    "url": "URL of the API",
    "token_url": "URL of the token endpoint",
    "client_id": "Client id",
    "client_secret": "Client secret",
}


def login(
    *,
    url: Annotated[str | None, typer.Option(envvar="TANDEM_URL", help="Of the API.")] = None,
    token_url: Annotated[
        str | None, typer.Option(envvar="TANDEM_TOKEN_URL", help="The OAuth2 token endpoint.")
    ] = None,
    client_id: Annotated[str | None, typer.Option(envvar="TANDEM_CLIENT_ID")] = None,
    client_secret: Annotated[
        str | None,
        typer.Option(
            envvar="TANDEM_CLIENT_SECRET", help="Better in the environment, or asked for."
        ),
    ] = None,
    scope: Annotated[
        str | None,
        typer.Option(envvar="TANDEM_SCOPE", help="To ask for, when the server has no default."),
    ] = None,
    local: Annotated[
        bool, typer.Option("--local", help=f"Use the stack of make run: {_LOCAL}, here or above.")
    ] = False,
    operator: Annotated[
        bool, typer.Option("--operator", help="With --local: be the stack's operator.")
    ] = False,
    profile: ProfileName = None,
) -> None:
    """Keep who you are. What is not given is asked for, and all of it is tried first."""
    given: dict[str, Any] = {
        "url": url,
        "token_url": token_url,
        "client_id": client_id,
        "client_secret": client_secret,
        "scope": scope,
    }
    with reporting():
        if local:
            given = profiles.local_profile(_stack_file(), operator=operator).model_dump()
        elif operator:
            raise typer.BadParameter("--operator goes with --local.", param_hint="--operator")
        for field, question in _PROMPTS.items():
            if not given[field]:
                given[field] = typer.prompt(question, hide_input=field == "client_secret", err=True)
        _keep(profile or "default", given)


def logout(*, profile: ProfileName = None) -> None:
    """Forget a profile, its secret and its token."""
    name = profile or "default"
    with reporting():
        was_there = profiles.forget(name)
    output.say(f"Forgot {name!r}." if was_there else f"There is no profile {name!r}.")


def _keep(name: str, given: dict[str, Any]) -> None:
    try:
        profile = profiles.Profile.model_validate(given)
    except ValidationError as error:
        output.say(f"Error: {profiles.complaint(error)}")
        raise typer.Exit(ExitCode.USAGE) from None
    with Tandem(profile.url, profile.auth()) as tandem:
        names = ", ".join(processor.name for processor in tandem.list_processors().processors)
    file = profiles.save(name, profile)
    output.say(f"Logged in to {profile.url} as {profile.client_id}. Processors: {names}.")
    output.say(f"Kept in {file}.")


def _stack_file() -> Path:
    """Return where a running stack of this checkout describes itself."""
    here = Path.cwd()
    file = next((f for folder in (here, *here.parents) if (f := folder / _LOCAL).exists()), None)
    if file is None:
        detail = f"There is no {_LOCAL} here or above: is the stack running (make run)?"
        raise TandemError("urn:tandem:client:not-logged-in", detail)
    return file
