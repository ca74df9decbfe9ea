"""`tandem submit`."""

import json
import sys
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from tandem_client.cli import output
from tandem_client.cli.options import Json, ProfileName, Timeout
from tandem_client.cli.session import ExitCode, calling
from tandem_client.cli.tasks import print_result
from tandem_client.cli.watching import ended_well, watched
from tandem_client.client import FINAL_STATES, Tandem
from tandem_client.models import Accepted, ProcessedOnline
from tandem_client.submission import Submission


def submit(
    processor: Annotated[str, typer.Argument(help="What does the work: tandem processors")],
    *,
    data: Annotated[
        str | None,
        typer.Option("--input", "-i", metavar="JSON|@FILE|-", help="Its input; - is stdin."),
    ] = None,
    upload: Annotated[
        list[str] | None,
        typer.Option(
            metavar="[MEMBER=]FILE",
            help="Send this file, and name it in that member of the input: upload by default.",
        ),
    ] = None,
    wait: Annotated[bool, typer.Option("--wait", "-w", help="Watch it, then print the result.")] = (
        False
    ),
    online: Annotated[bool, typer.Option("--online", help="Answer at once, if it can.")] = False,
    run_after: Annotated[
        str | None, typer.Option(metavar="TIME", help="Not before: 2026-12-01T08:00:00+01:00")
    ] = None,
    callback_url: Annotated[
        str | None, typer.Option(metavar="URL", help="Where a signed POST says that it has ended.")
    ] = None,
    key: Annotated[
        str | None, typer.Option(help="Idempotency key: the same one makes the same task.")
    ] = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="No answer from a kept result.")] = False,
    timeout: Timeout = None,
    as_json: Json = False,
    profile: ProfileName = None,
) -> None:
    """Submit a task, and print its id: or its result, with --wait or --online."""
    given = _input(data)
    not_before = _time(run_after)
    with calling(profile, as_json=as_json) as tandem:
        if upload:
            given |= _uploaded(tandem, processor, upload)
        asked = Submission(processor, given, not_before, callback_url)
        send = tandem.process_online if online else tandem.process_offline
        answer = send(asked, idempotency_key=key, fresh=fresh)
        if isinstance(answer, Accepted) and wait:
            _wait(tandem, answer, timeout, as_json=as_json)
        else:
            _show(answer, as_json=as_json)


def _wait(tandem: Tandem, accepted: Accepted, timeout: float | None, *, as_json: bool) -> None:
    if accepted.task.state not in FINAL_STATES:
        output.say(f"Task {accepted.task_id}")
    task = watched(tandem, accepted.task_id, timeout, as_json=as_json)
    if not ended_well(task):
        if as_json:
            output.document(task)
        raise typer.Exit(ExitCode.TASK_FAILED)
    print_result(tandem, task.task_id, None, as_json=as_json)


def _show(answer: Accepted | ProcessedOnline, *, as_json: bool) -> None:
    if as_json:
        output.document(answer)
    elif isinstance(answer, ProcessedOnline):
        output.pretty_json(json.dumps(answer.output, ensure_ascii=False))
    else:
        output.raw(answer.task_id)
        output.say(f"{answer.message}. Follow it: tandem status --watch {answer.task_id}")


def _input(data: str | None) -> dict[str, Any]:
    """Return the input that is given as JSON, in a file or on stdin. An empty one for none."""
    if data is None:
        return {}
    try:
        text = sys.stdin.read() if data == "-" else data
        if data.startswith("@"):
            text = Path(data[1:]).read_text(encoding="utf-8")
        given = json.loads(text)
    except (OSError, ValueError) as error:
        raise typer.BadParameter(str(error), param_hint="--input") from None
    if not isinstance(given, dict):
        raise typer.BadParameter("It is no JSON object.", param_hint="--input")
    return given


def _time(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        return datetime.fromisoformat(text).astimezone()
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--run-after") from None


def _uploaded(tandem: Tandem, processor: str, upload: list[str]) -> dict[str, Any]:
    """Send files, and return the members of a processor's input that name them.

    Args:
        tandem: where to.
        processor: which is to work on them.
        upload: the files as they were given, some with the members that name them.
    """
    known = {
        processor.name: processor.input_schema for processor in tandem.list_processors().processors
    }
    if processor not in known:
        raise typer.BadParameter(f"There is only {', '.join(known)}.", param_hint="PROCESSOR")
    members = known[processor].get("properties", {})
    files: dict[str, list[Path]] = {}
    for given in upload:
        member, equals, path = given.partition("=")
        if not equals or member not in members:
            member, path = usual_member(processor, members, len(upload)), given
        if not Path(path).is_file():
            raise typer.BadParameter(f"There is no file {path}.", param_hint="--upload")
        files.setdefault(member, []).append(Path(path))
    for member, paths in files.items():
        if len(paths) > 1 and not _is_list(members[member]):
            raise typer.BadParameter(f"{member} names one file.", param_hint="--upload")
    named: dict[str, Any] = {}
    for member, paths in files.items():
        ids = [tandem.upload(path, processor=processor) for path in paths]
        named[member] = ids if _is_list(members[member]) else ids[0]
    return named


def usual_member(processor: str, members: Mapping[str, Any], files: int) -> str:
    """Return the member for a file that was given without one: `upload`, or a list `uploads`."""
    if _is_list(members.get("uploads", {})) and (files > 1 or "upload" not in members):
        return "uploads"
    if "upload" in members:
        return "upload"
    raise typer.BadParameter(
        f"{processor} has no member upload. Write MEMBER=FILE with one of its own: "
        f"{', '.join(members) or 'it has none'}.",
        param_hint="--upload",
    )


def _is_list(schema: Mapping[str, Any]) -> bool:
    """Return whether a member takes a list, by its schema or by one of those that it allows."""
    return schema.get("type") == "array" or any(map(_is_list, schema.get("anyOf", ())))
