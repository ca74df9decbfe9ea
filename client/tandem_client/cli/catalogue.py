"""Commands on the API as a whole."""

from typing import Annotated

import typer

from tandem_client.cli import output
from tandem_client.cli.options import Json, ProfileName
from tandem_client.cli.session import calling


def processors(*, as_json: Json = False, profile: ProfileName = None) -> None:
    """Show what can be submitted. --json has the schemas of inputs and outputs."""
    with calling(profile, as_json=as_json) as tandem:
        known = tandem.list_processors()
    if as_json:
        output.document(known)
        return
    output.table(
        ("PROCESSOR", "INPUT", "SUMMARY"),
        (
            (
                processor.name,
                ", ".join(processor.input_schema.get("properties", {})),
                processor.summary,
            )
            for processor in known.processors
        ),
    )


def health(
    *,
    deep: Annotated[
        bool, typer.Option("--deep", help="Look at the table, the queue and the bucket as well.")
    ] = False,
    as_json: Json = False,
    profile: ProfileName = None,
) -> None:
    """Show whether the API is alive."""
    with calling(profile, as_json=as_json) as tandem:
        answer = tandem.get_deep_health() if deep else tandem.get_health()
    if as_json:
        output.document(answer)
    else:
        output.raw(answer.status)


def callback_keys(*, as_json: Json = False, profile: ProfileName = None) -> None:
    """Show the keys that callbacks to you are signed with: two after a rotation."""
    with calling(profile, as_json=as_json) as tandem:
        found = tandem.list_callback_keys()
    if as_json:
        output.document(found)
    else:
        output.table(("USE", "KEY"), ((key.use.value, key.key) for key in found.keys))
