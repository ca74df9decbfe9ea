"""Dead letters: what was given up, and another chance for it."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, ConfigDict, Field

from api.identity import Administrator
from api.negotiation import JSON_SPOKEN
from api.services import Services
from api.strict_json import StrictJsonRoute
from tandem.domain.ids import TenantId
from tandem.limits import PAGE_LETTERS
from tandem.processing import WholeNumber
from tandem.services.dead_letters import DeadLetters, Letter, LetterFilter, Redrive
from tandem.services.views import TaskView
from tandem.telemetry import logger

router = APIRouter(
    prefix="/dead-letters",
    tags=["dead letters"],
    route_class=StrictJsonRoute,
    dependencies=[JSON_SPOKEN],
)


class DeadQueue(StrEnum):
    """Whose dead letters."""

    TASKS = "tasks"
    CALLBACKS = "callbacks"


class LetterView(BaseModel):
    """A dead letter, and the task that it names."""

    letter_id: str
    reason: str
    error: str
    sent_at: datetime
    body: str = Field(description="The message as it was, cut to 1,000 characters.")
    tenant: str | None
    task: TaskView | None

    @staticmethod
    def of(one: Letter) -> "LetterView":
        """Return the view of a letter."""
        return LetterView(
            letter_id=one.letter.letter_id,
            reason=one.letter.reason,
            error=one.letter.error,
            sent_at=one.letter.sent_at,
            body=one.letter.body[:1000],
            tenant=one.task.tenant if one.task else None,
            task=TaskView.of(one.task) if one.task else None,
        )


class LetterList(BaseModel):
    """Some of the dead letters, oldest first. The queue shows a sample when there are many."""

    letters: list[LetterView]


class RedriveRequest(BaseModel):
    """Which letters to redrive; all that the queue shows when nothing is named."""

    model_config = ConfigDict(extra="forbid")

    queue: DeadQueue = DeadQueue.TASKS
    letter_ids: list[str] = Field(default=[], max_length=PAGE_LETTERS)
    reason: str | None = None
    processor: str | None = None
    tenant: str | None = None
    limit: WholeNumber = Field(default=PAGE_LETTERS, ge=1, le=PAGE_LETTERS)
    dry_run: bool = Field(
        default=True, strict=True, description="Say what would be done, and do nothing."
    )


class RedrivenView(BaseModel):
    """What became of a letter, or would."""

    letter_id: str
    done: Redrive
    task_id: str | None = Field(description="The task that does the work now.")


class RedriveAnswer(BaseModel):
    """What became of each letter, or would."""

    dry_run: bool
    letters: list[RedrivenView]


@router.get("", operation_id="list_dead_letters")
async def list_dead_letters(
    caller: Administrator,
    services: Services,
    limit: Annotated[int, Query(ge=1, le=PAGE_LETTERS)] = 20,
    queue: DeadQueue = DeadQueue.TASKS,
) -> LetterList:
    """Answer with dead letters; none is taken from the queue."""
    del caller
    letters = _letters_of(services, queue).peek(limit)
    return LetterList(letters=[LetterView.of(one) for one in letters])


@router.post("/redrive", operation_id="redrive_dead_letters")
async def redrive_dead_letters(
    body: RedriveRequest, caller: Administrator, services: Services, request: Request
) -> RedriveAnswer:
    """Give the tasks of dead letters another chance: a dry run unless `dry_run` is false."""
    redriven = _letters_of(services, body.queue).redrive(
        LetterFilter(
            letter_ids=frozenset(body.letter_ids),
            reason=body.reason,
            processor=body.processor,
            tenant=TenantId(body.tenant) if body.tenant else None,
        ),
        limit=body.limit,
        dry_run=body.dry_run,
        requested_by=caller.tenant,
        traceparent=request.state.traceparent,
    )
    if not body.dry_run:
        logger.info("redriven", queue=body.queue, requested_by=caller.tenant, letters=len(redriven))
    return RedriveAnswer(
        dry_run=body.dry_run,
        letters=[
            RedrivenView(letter_id=one.letter.letter_id, done=one.done, task_id=one.task_id)
            for one in redriven
        ],
    )


def _letters_of(services: Services, queue: DeadQueue) -> DeadLetters:
    return services.callback_letters if queue is DeadQueue.CALLBACKS else services.dead_letters
