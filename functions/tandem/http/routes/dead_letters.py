"""Dead letters: what was given up, and another chance for it."""

from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Query, Request
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from tandem.cursor import CURSOR_CHARACTERS, CursorInvalid
from tandem.dead_letters.letters import Letter, LetterFilter, Redrive, Redriven
from tandem.dead_letters.letters import Request as RedriveHow
from tandem.http.dependencies import Administrator, Services, within_time_left
from tandem.http.headers import JSON_SPOKEN
from tandem.http.problems import invalid
from tandem.http.strict_json import StrictJsonRoute
from tandem.ids import TaskId, TenantId, parse_uuid
from tandem.limits import PAGE_LETTERS, REDRIVE_SECONDS
from tandem.processing import WholeNumber
from tandem.tasks.task import Mode, State
from tandem.telemetry import logger

if TYPE_CHECKING:
    from tandem.callbacks.letters import CallbackLetters
    from tandem.dead_letters.dead_letters import DeadLetters

router = APIRouter(
    prefix="/dead-letters",
    tags=["dead letters"],
    route_class=StrictJsonRoute,
    dependencies=[JSON_SPOKEN],
)


def _known(text: str) -> str:
    known = parse_uuid(text)
    if known is None:
        message = "It is no task id."
        raise ValueError(message)
    return known


TaskIdText = Annotated[str, Field(max_length=64), AfterValidator(_known)]


class DeadQueue(StrEnum):
    """Whose dead letters."""

    TASKS = "tasks"
    CALLBACKS = "callbacks"


_OWN_FAULT = (
    "Only failed tasks of which the processor or the deployment is at fault; false: the others."
)

_OF_TASK = (
    *("tenant", "processor", "mode", "state", "attempts"),
    *("created_at", "requested_by", "retry_of"),
)


class LetterView(BaseModel):
    """A failed task, one whose callback failed, or a message that the queue gave up."""

    task_id: str | None = Field(description="The task; null for a message that names none.")
    letter_id: str | None = Field(description="Of a message; null for a task.")
    reason: str
    error: str
    since: datetime | None = Field(
        description="When the task or its callback failed, or the message was given up."
    )
    tenant: str | None
    processor: str | None
    mode: Mode | None
    state: State | None = Field(description="Of the task, by now.")
    own_fault: bool | None = Field(
        description="Of a failed task: the processor or the deployment is at fault, not the caller."
    )
    attempts: int | None
    created_at: datetime | None
    requested_by: str | None = Field(description="The operator who redrove it before.")
    retry_of: str | None = Field(description="The finished task that it did again.")
    body: str | None = Field(description="Of a message, cut to 1,000 characters.")

    @staticmethod
    def of(letter: Letter) -> "LetterView":
        """Return the view of a letter."""
        message = letter.message
        return LetterView(
            task_id=letter.task_id,
            letter_id=message.letter_id if message else None,
            reason=letter.reason,
            error=letter.error,
            since=letter.since,
            own_fault=letter.own_fault,
            body=message.body[:1000] if message else None,
            **{name: getattr(letter.task, name, None) for name in _OF_TASK},
        )


class LetterList(BaseModel):
    """Failed tasks, or tasks whose callbacks failed, oldest first.

    The first page has messages that name none of them, too.
    """

    letters: list[LetterView]
    next_cursor: str | None = Field(
        description="Give it as `cursor` for the next page. "
        "A page of some kind of letters can be short, or empty, and have a next one."
    )


class RedriveRequest(BaseModel):
    """Which letters to redrive. With nothing named, the oldest ones."""

    model_config = ConfigDict(extra="forbid")

    queue: DeadQueue = DeadQueue.TASKS
    # An empty list is refused: it must not be taken for all.
    task_ids: list[TaskIdText] = Field(
        default_factory=list,
        min_length=1,
        max_length=PAGE_LETTERS,
        description="These tasks: failed, or with failed callbacks.",
    )
    letter_ids: list[Annotated[str, Field(max_length=128)]] = Field(
        default_factory=list,
        min_length=1,
        max_length=PAGE_LETTERS,
        description="These messages.",
    )
    reason: str | None = None
    processor: str | None = None
    tenant: str | None = None
    own_fault: bool | None = Field(default=None, strict=True, description=_OWN_FAULT)
    cursor: str | None = Field(
        default=None, description="The `next_cursor` of the redrive before, to go on from there."
    )
    limit: WholeNumber = Field(default=PAGE_LETTERS, ge=1, le=PAGE_LETTERS)
    dry_run: bool = Field(
        default=True, strict=True, description="Say what would be done, and do nothing."
    )


class RedrivenView(BaseModel):
    """What became of a letter, or would."""

    failed_task_id: str | None = Field(description="The letter's task.")
    letter_id: str | None = Field(description="Of a message; null for a task.")
    done: Redrive
    task_id: str | None = Field(description="The task that does the work now.")


class RedriveAnswer(BaseModel):
    """What became of each letter, or would."""

    dry_run: bool
    letters: list[RedrivenView]
    next_cursor: str | None = Field(
        description="The list goes on: give it as `cursor` to redrive more of it. "
        "Null at the list's end, and when letters were named."
    )


@router.get("", operation_id="list_dead_letters")
async def list_dead_letters(
    caller: Administrator,
    services: Services,
    limit: Annotated[int, Query(ge=1, le=PAGE_LETTERS)] = 20,
    cursor: Annotated[str | None, Query(max_length=CURSOR_CHARACTERS)] = None,
    queue: DeadQueue = DeadQueue.TASKS,
    reason: Annotated[str | None, Query(max_length=64)] = None,
    processor: Annotated[str | None, Query(max_length=64)] = None,
    tenant: Annotated[str | None, Query(max_length=256)] = None,
    own_fault: Annotated[bool | None, Query(description=_OWN_FAULT)] = None,
) -> LetterList:
    """Answer with failed tasks, or callbacks, that wait for a decision, and with messages."""
    del caller
    wanted = LetterFilter(
        reason=reason,
        processor=processor,
        tenant=TenantId(tenant) if tenant else None,
        own_fault=own_fault,
    )
    try:
        page = _letters_of(services, queue).peek(limit, cursor, wanted)
    except CursorInvalid:
        raise invalid("/query/cursor", "It is not the next_cursor of a page.") from None
    return LetterList(
        letters=[LetterView.of(letter) for letter in page.letters], next_cursor=page.next_cursor
    )


@router.post("/redrive", operation_id="redrive_dead_letters")
async def redrive_dead_letters(
    body: RedriveRequest, caller: Administrator, services: Services, request: Request
) -> RedriveAnswer:
    """Do failed tasks again, each once, or send failed callbacks: a dry run unless told."""
    wanted = LetterFilter(
        task_ids=tuple(TaskId(task_id) for task_id in dict.fromkeys(body.task_ids)),
        letter_ids=frozenset(body.letter_ids),
        reason=body.reason,
        processor=body.processor,
        tenant=TenantId(body.tenant) if body.tenant else None,
        own_fault=body.own_fault,
    )
    until = services.clock.now() + timedelta(seconds=within_time_left(request, REDRIVE_SECONDS))
    how = RedriveHow(
        limit=body.limit,
        dry_run=body.dry_run,
        requested_by=caller.tenant,
        traceparent=request.state.traceparent,
        cursor=body.cursor,
        over=lambda: services.clock.now() >= until,
    )
    try:
        page = _letters_of(services, body.queue).redrive(wanted, how)
    except CursorInvalid:
        raise invalid("/body/cursor", "It is not the next_cursor of a page.") from None
    if not body.dry_run:
        done = len(page.letters)
        logger.info("redriven", queue=body.queue, requested_by=caller.tenant, letters=done)
    letters = [_view(letter) for letter in page.letters]
    return RedriveAnswer(dry_run=body.dry_run, letters=letters, next_cursor=page.next_cursor)


def _view(redriven: Redriven) -> RedrivenView:
    letter = redriven.letter
    return RedrivenView(
        failed_task_id=letter.task_id,
        letter_id=letter.message.letter_id if letter.message else None,
        done=redriven.done,
        task_id=redriven.task_id,
    )


def _letters_of(services: Services, queue: DeadQueue) -> "DeadLetters | CallbackLetters":
    return services.callback_letters if queue is DeadQueue.CALLBACKS else services.dead_letters
