"""Commands of operators. Their profile has an operator's client."""

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from tandem_client.cli import output
from tandem_client.cli.options import Cursor, Json, Limit, ProfileName
from tandem_client.cli.session import calling
from tandem_client.models import DeadQueue, RedriveRequest

Queue = Annotated[DeadQueue, typer.Option(help="Of tasks that failed, or of callbacks.")]

Reason = Annotated[str | None, typer.Option(help="Only letters with this reason.")]
Processor = Annotated[str | None, typer.Option(help="Only this processor's.")]
Tenant = Annotated[str | None, typer.Option(help="Only this tenant's.")]
OwnFault = Annotated[
    bool | None,
    typer.Option(
        "--own-fault/--callers-fault",
        help="Only tasks that failed by the processor's or the deployment's fault, or the others.",
    ),
]

dead_letters = typer.Typer(invoke_without_command=True)


@dead_letters.callback()
def list_dead_letters(
    ctx: typer.Context,
    *,
    queue: Queue = DeadQueue.tasks,
    reason: Reason = None,
    processor: Processor = None,
    tenant: Tenant = None,
    own_fault: OwnFault = None,
    limit: Limit = 20,
    cursor: Cursor = None,
    as_json: Json = False,
    profile: ProfileName = None,
) -> None:
    """Show what was given up, and why. Redrive gives it another chance. For operators."""
    if ctx.invoked_subcommand:
        _refuse_options_before(ctx)
        return
    with calling(profile, as_json=as_json) as tandem:
        page = tandem.list_dead_letters(
            queue=queue,
            limit=limit,
            cursor=cursor,
            reason=reason,
            processor=processor,
            tenant=tenant,
            own_fault=own_fault,
        )
    if as_json:
        output.document(page)
        return
    output.table(
        ("TASK", "REASON", "SINCE", "TENANT", "PROCESSOR", "ERROR", "LETTER"),
        (
            (
                letter.task_id,
                letter.reason,
                letter.since,
                letter.tenant,
                letter.processor,
                letter.error,
                letter.letter_id,
            )
            for letter in page.letters
        ),
    )
    if page.next_cursor:
        output.say(f"There are more: --cursor {page.next_cursor}")


def _refuse_options_before(ctx: typer.Context) -> None:
    """Refuse what the subcommand would not see: it could redrive other letters than meant."""
    sources = (ctx.get_parameter_source(name) for name in ctx.params)
    if any(source and source.name == "COMMANDLINE" for source in sources):
        raise typer.BadParameter(f"Options go behind {ctx.invoked_subcommand}.", ctx)


@dead_letters.command()
def redrive(
    *,
    task: Annotated[
        list[str] | None, typer.Option(help="Only this task; may be given again.")
    ] = None,
    letter: Annotated[
        list[str] | None, typer.Option(help="Only this message; may be given again.")
    ] = None,
    reason: Reason = None,
    processor: Processor = None,
    tenant: Tenant = None,
    own_fault: OwnFault = None,
    limit: Limit = 100,
    cursor: Cursor = None,
    queue: Queue = DeadQueue.tasks,
    yes: Annotated[bool, typer.Option("--yes", help="Do it; else only say what it would do.")] = (
        False
    ),
    as_json: Json = False,
    profile: ProfileName = None,
) -> None:
    """Do failed tasks, or send callbacks, again. Without --yes, only say what would be done."""
    request = RedriveRequest(
        queue=queue,
        reason=reason,
        processor=processor,
        tenant=tenant,
        own_fault=own_fault,
        limit=limit,
        cursor=cursor,
        dry_run=not yes,
        # A list that names nothing is refused: it must not be taken for all.
        **({"task_ids": task} if task else {}),
        **({"letter_ids": letter} if letter else {}),
    )
    with calling(profile, as_json=as_json) as tandem:
        answer = tandem.redrive_dead_letters(request)
    if as_json:
        output.document(answer)
        return
    output.table(
        ("TASK", "LETTER", "DONE" if yes else "WOULD BE", "NEW TASK"),
        (
            (letter.failed_task_id, letter.letter_id, letter.done.value, letter.task_id)
            for letter in answer.letters
        ),
    )
    if answer.next_cursor:
        output.say(f"There may be more: --cursor {answer.next_cursor}")
    if not yes and answer.letters:
        output.say("Nothing is done yet: add --yes.")


def reports(
    *,
    limit: Limit = 20,
    before: Annotated[
        datetime | None,
        typer.Option(formats=["%Y-%m-%dT%H:%M:%S%z"], help="Only older windows."),
    ] = None,
    svg: Annotated[
        Path | None,
        typer.Option(help="Write a picture of the last hour to this file instead."),
    ] = None,
    as_json: Json = False,
    profile: ProfileName = None,
) -> None:
    """Show what finished, minute by minute, newest first. For operators."""
    if svg is not None:
        if before is not None or as_json:
            raise typer.BadParameter("--svg draws the last hour, without --before and --json.")
        _draw(svg, profile)
        return
    with calling(profile, as_json=as_json) as tandem:
        page = tandem.list_reports(before=before, limit=limit)
    if as_json:
        output.document(page)
        return
    rows = (
        (
            report.window,
            count.processor,
            count.mode.value,
            output.state(count.outcome),
            count.tasks,
            count.retries,
        )
        for report in page.reports
        for count in report.counts
    )
    output.table(("WINDOW", "PROCESSOR", "MODE", "OUTCOME", "TASKS", "RETRIES"), rows)
    quiet = sum(not report.tasks for report in page.reports)
    if quiet:
        output.say(f"Nothing finished in {quiet} of these {len(page.reports)} minutes.")
    if page.next_before:
        output.say(f"There are more: --before {page.next_before.isoformat()}")


def _draw(file: Path, profile: str | None) -> None:
    with calling(profile) as tandem:
        file.write_text(tandem.get_last_hour_picture(), encoding="utf-8")
    output.say(f"Written: {file}")
