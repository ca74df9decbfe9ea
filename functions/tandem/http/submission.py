"""Submissions: their headers, their body, and the steps of all routes that submit tasks.

- `Idempotency-Key`: what a caller makes under a key is made once.
  https://datatracker.ietf.org/doc/draft-ietf-httpapi-idempotency-key-header/
- `Prefer: wait=N`: how long a caller would wait for a task to end (RFC 7240).
- The body has one arm for each processor, told apart by its name.
"""

import asyncio
import hashlib
import re
from dataclasses import dataclass, replace
from datetime import datetime
from functools import reduce
from http import HTTPStatus
from operator import or_
from typing import Annotated, Any, Literal, cast

from fastapi import Depends, Header, Request, Response
from pydantic import BaseModel, Field, GetCoreSchemaHandler, GetJsonSchemaHandler, create_model
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from tandem.callbacks.url import URL_CHARACTERS, InvalidCallbackUrl, parse_callback_url
from tandem.contended import Contended
from tandem.files.blobs import BlobMissing, upload_key
from tandem.http import responses
from tandem.http.dependencies import Caller, Services, Writer, within_time_left
from tandem.http.problems import Problem, invalid
from tandem.http.strict_json import Instant
from tandem.ids import TaskId, TenantId, UploadId, moment_of, parse_uuid
from tandem.limits import (
    KEY_CHARACTERS,
    KEY_LIFETIME,
    PREFER_WAIT_SECONDS,
    RUN_AFTER,
    UPLOAD_RETENTION,
)
from tandem.processing.catalogue import Catalogue, installed
from tandem.processing.processor import AnyProcessor, OnlineMode
from tandem.processing.upload import uploads_in
from tandem.settings import settings
from tandem.tasks.actions import NoSuchTask
from tandem.tasks.results import CachedResult
from tandem.tasks.store import IdempotencyKey, KeyUsed, PriorUse
from tandem.tasks.submit import NewTask
from tandem.tasks.task import Mode, Task
from tandem.telemetry import logger
from tandem.tenants.quota import MoreThanBurst, QuotaExceeded
from tandem.trace import described

REPLAYED = {"Idempotency-Replayed": "true"}


async def _once(
    request: Request,
    caller: Writer,
    services: Services,
    idempotency_key: Annotated[
        str | None,
        Header(
            max_length=KEY_CHARACTERS,
            pattern=r"^[\x21-\x7e]+$",
            description="The same key with the same request gives the same task, for 24 hours.",
        ),
    ] = None,
) -> IdempotencyKey | None:
    """Return the caller's key, bound to the tenant and to this very request."""
    if idempotency_key is None:
        return None
    body = await request.body()
    asked = b"\0".join([request.method.encode(), request.url.path.encode(), body])
    now = services.clock.now()
    return IdempotencyKey(
        key=_digest(f"{caller.tenant}\0{idempotency_key}".encode()),
        fingerprint=_digest(asked),
        now=now,
        expires_at=now + KEY_LIFETIME,
    )


IdempotencyHeader = Annotated[IdempotencyKey | None, Depends(_once)]


def part_of(once: IdempotencyKey | None, index: int) -> IdempotencyKey | None:
    """Return the key of one part of a request that makes several things."""
    return once and replace(once, key=_digest(f"{once.key}\0{index}".encode()))


def same_request(once: IdempotencyKey | None, before: PriorUse) -> str:
    """Return the id of what the key made before.

    Raises:
        Problem: it was made by another request.
    """
    if once is None or once.fingerprint != before.fingerprint:
        raise Problem(
            HTTPStatus.UNPROCESSABLE_ENTITY,
            "idempotency-key-reused",
            "The Idempotency-Key was used for another request.",
        )
    return before.made


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


_WORD = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_QUOTED = r'"(?:[^"\\]|\\.)*+"'
_ELEMENT = re.compile(rf'(?:[^",]|{_QUOTED}|")++')
"""What stands between commas. A comma in a quoted text parts nothing."""
_PREFERENCE = re.compile(rf"\s*({_WORD})\s*(?:=\s*({_WORD}|{_QUOTED})?\s*)?(?:;.*)?")
"""A name, its value, and parameters, which belong to that preference alone."""
_PREFER_CHARACTERS = 1024
_SECONDS_DIGITS = 9
_FIRST_LOOK_SECONDS = 0.02
_LONGEST_PAUSE_SECONDS = 1.0


async def _wait_seconds(
    request: Request,
    prefer: Annotated[
        str | None,
        Header(max_length=256, description="`wait=N`: wait up to N seconds for the task's end."),
    ] = None,
) -> float:
    """Return how long to wait: what is asked for, at most what the function has time for."""
    del prefer  # it is the first header of that name, and here to be documented
    asked = wait_of(",".join(request.headers.getlist("prefer")))
    return within_time_left(request, min(asked, PREFER_WAIT_SECONDS)) if asked else 0


def wait_of(prefer: str) -> int:
    """Return how many seconds a Prefer header asks to wait. 0 when it asks for nothing or for 0.

    Of several `wait` the first counts (RFC 7240, section 2), and one that is no number is passed
    over, like all that is not known. More seconds than 999,999,999 are as many as these.
    """
    for element in _ELEMENT.findall(prefer) if len(prefer) <= _PREFER_CHARACTERS else ():
        preference = _PREFERENCE.fullmatch(element)
        if preference and preference[1].lower() == "wait":
            return _seconds(preference[2] or "")
    return 0


def _seconds(value: str) -> int:
    digits = re.sub(r"\\(.)", r"\1", value[1:-1]) if value.startswith('"') else value
    if not (digits.isascii() and digits.isdigit()):
        return 0
    significant = digits.lstrip("0")
    return int(significant or "0") if len(significant) <= _SECONDS_DIGITS else 999_999_999


WaitSeconds = Annotated[float, Depends(_wait_seconds)]


def applied(wait_seconds: float) -> dict[str, str]:
    """Return the header that says that the wish was granted. Nothing without one."""
    return {"Preference-Applied": f"wait={wait_seconds:g}"} if wait_seconds else {}


async def ended(services: Services, task: Task, wait_seconds: float) -> Task:
    """Return the task as soon as it is final, or as it is after the wait.

    Raises:
        NoSuchTask: it was deleted meanwhile.
    """
    clock = asyncio.get_running_loop()
    until = clock.time() + wait_seconds
    pause = _FIRST_LOOK_SECONDS
    while not task.state.final and (left := until - clock.time()) > 0:
        await asyncio.sleep(min(pause, left))
        pause = min(pause * 2, _LONGEST_PAUSE_SECONDS)
        task = _looked_at(services, task)
    return task


def _looked_at(services: Services, task: Task) -> Task:
    """Return the task as it is now or, when that cannot be read, as it was.

    Raises:
        NoSuchTask: it was deleted.
    """
    try:
        seen = services.store.get(task.task_id)
    except Exception as error:  # noqa: BLE001 - the task is recorded: its caller waits on
        logger.warning("task not looked at", task_id=task.task_id, **described(error))
        return task
    if seen is None:
        raise NoSuchTask
    return seen


_ONLINE: dict[OnlineMode, str] = {
    "promote": "",
    "wait": "\n\nOnline, the request waits while the worker runs it.",
    "never": "\n\nIt runs offline only: `POST /process-online` answers 422.",
}
"""What an arm says of its processor beside the summary."""


class Submission(BaseModel):
    """A processor's name and its input."""

    processor: str
    input: BaseModel
    run_after: Instant | None = Field(
        None, description="Offline only: not before this time, up to 5 days ahead."
    )
    callback_url: str | None = Field(
        None,
        max_length=URL_CHARACTERS,
        description="Where the task's end is told: an https URL, at a public address.",
        examples=["https://example.com/hooks/tandem"],
        json_schema_extra={"format": "uri", "pattern": "^https://"},
    )

    def document(self) -> bytes:
        """Return the input as JSON, with what the caller left out still left out."""
        # Pydantic's warnings quote the input, and would be logged.
        return self.input.model_dump_json(
            exclude_unset=True, by_alias=True, warnings="none"
        ).encode()


class _OneOfTheInstalled:
    """Makes the type of a submission a union over the installed processors.

    Its JSON schema and its errors leave out the hidden ones: they run, and callers are not told of
    them.
    """

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        schema = handler.generate_schema(union_over(installed()))
        if schema["type"] != "tagged-union":
            return schema
        shown = ", ".join(installed().shown(settings().hidden_processors))
        message = f"processor must be one of: {shown}" if shown else "There is no such processor."
        named = {"custom_error_type": "no_such_processor", "custom_error_message": message}
        return cast("CoreSchema", {**schema, **named})

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        if schema["type"] == "tagged-union":
            shown = installed().shown(settings().hidden_processors)
            arms = {name: arm for name, arm in schema["choices"].items() if name in shown}
            if not arms:
                return handler(Submission.__pydantic_core_schema__)
            return handler(cast("CoreSchema", {**schema, "choices": arms}))
        return handler(schema)


def union_over(catalogue: Catalogue) -> Any:
    """Return the discriminated union of a catalogue's submissions."""
    arms = [_arm(processor) for processor in catalogue.values()]
    if len(arms) == 1:
        return arms[0]
    return Annotated[reduce(or_, arms), Field(discriminator="processor")]


def _arm(processor: AnyProcessor) -> type[Submission]:
    name = "".join(word.capitalize() for word in processor.name.split("-"))
    arm: type[Submission] = create_model(
        f"{name}Submission",
        __base__=Submission,
        __doc__=f"{processor.summary}{_ONLINE[processor.online]}",
        processor=(Literal[processor.name], ...),  # type: ignore[arg-type]  # a type made here
        input=(processor.input, ...),
    )
    return arm


AnySubmission = Annotated[Submission, _OneOfTheInstalled()]


KEPT = "Task answered from a kept result"


def new_task(
    body: Submission,
    caller: Caller,
    services: Services,
    request: Request,
    once: IdempotencyKey | None,
    *,
    online: bool = False,
) -> NewTask:
    """Return what a submission asks for. 413 when its uploads are known to be too large.

    They are known where the key of a kept result needs them. Else the attempt finds that out.
    """
    processor = services.catalogue[body.processor]
    sizes: dict[UploadId, int] = {}
    cache_key = services.results.key_of(caller.tenant, processor, body.input, sizes)
    if sizes:
        _check_sizes(processor, sum(sizes.values()), services, online=online)
    return NewTask(
        tenant=caller.tenant,
        processor=processor,
        document=body.document(),
        traceparent=request.state.traceparent,
        once=once,
        run_after=body.run_after,
        callback_url=body.callback_url,
        cache_key=cache_key,
    )


def _check_sizes(
    processor: AnyProcessor, size_bytes: int, services: Services, *, online: bool
) -> None:
    taken = services.capacity.most(processor) if online else services.capacity.offline(processor)
    if taken is not None and size_bytes > taken:
        raise upload_too_large(taken, services.capacity.refusal(processor, taken, size_bytes))


def upload_too_large(taken_bytes: int, detail: str) -> Problem:
    """Return the problem of uploads that are larger than this deployment takes."""
    return Problem(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        "upload-too-large",
        detail,
        upload_bytes=taken_bytes,
    )


def kept_result(new: NewTask, services: Services, request: Request) -> CachedResult | None:
    """Return the kept result that answers a submission, unless its caller wants a fresh run."""
    directives = request.headers.get("cache-control", "").lower()
    if new.cache_key is None or new.run_after is not None or "no-cache" in directives:
        return None
    return services.results.find(new.cache_key)


def kept_output(
    new: NewTask, services: Services, request: Request
) -> tuple[CachedResult, bytes] | None:
    """Return the kept result that answers a submission with its output, as `kept_result`.

    One whose output cannot be read answers nothing: the processor runs.
    """
    kept = kept_result(new, services, request)
    if kept is None:
        return None
    try:
        return kept, services.payloads.read(kept.output)
    except Exception as error:  # noqa: BLE001 - a cache that fails must not refuse a task
        logger.error("kept result not read", task_id=kept.task_id, **described(error))
        return None


@dataclass(frozen=True, slots=True)
class Enqueued:
    """A task that was recorded, by this request or by an earlier one of the same key."""

    task: Task
    message: str
    headers: dict[str, str]

    def accepted(self) -> Response:
        """Return where to follow it."""
        return responses.accepted(self.task, self.message, self.headers)


def enqueue(
    new: NewTask, services: Services, message: str, kept: CachedResult | None = None
) -> Enqueued:
    """Queue a task, or find the one that its key made before.

    With a kept result there is nothing to queue: the task has succeeded.
    """
    take_quota(services, new.tenant)
    try:
        task = answered(new, Mode.OFFLINE, kept, services)
        if kept is None or task is None:
            return Enqueued(services.submissions.offline(new), message, {})
        return Enqueued(task, KEPT, responses.age_of(kept, services.clock.now()))
    except KeyUsed as used:
        task = made_before(services, same_request(new.once, used.before))
        services.submissions.found(task)
        return Enqueued(task, message, REPLAYED)
    except Contended:
        raise key_in_flight() from None


def answered(
    new: NewTask, mode: Mode, kept: CachedResult | None, services: Services
) -> Task | None:
    """Return the task that a kept result answers. None without one, or when it is gone by now."""
    if kept is None:
        return None
    try:
        return services.submissions.answered(new, mode, kept)
    except BlobMissing:
        return None


def key_in_flight(**members: str) -> Problem:
    """Return the problem of a key whose request is being processed at this moment."""
    return Problem(
        HTTPStatus.CONFLICT,
        "idempotency-key-in-flight",
        "The request with this Idempotency-Key is being processed.",
        headers={"Retry-After": "1"},
        **members,
    )


def take_quota(services: Services, tenant: TenantId, tasks: int = 1) -> None:
    """Count what a tenant submits, or answer 429. 413 when it is more than may ever be at once."""
    try:
        services.quota.take(tenant, tasks)
    except MoreThanBurst as more:
        raise Problem(
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
            "batch-above-burst",
            f"The tenant may submit {more.burst} tasks at once, and these are {tasks}. "
            "Submit them in smaller batches.",
            burst=more.burst,
        ) from None
    except QuotaExceeded as exceeded:
        raise responses.over_quota(exceeded) from None


def made_before(services: Services, task_id: str) -> Task:
    """Return the task that a key made before, or answer 410."""
    task = services.store.get(TaskId(task_id))
    if task is None:
        raise gone("The task made under the key has expired, or was deleted.")
    return task


def gone(detail: str) -> Problem:
    """Return the problem of a task that is not there any more."""
    return Problem(HTTPStatus.GONE, "task-expired", detail)


def check_run_after(run_after: datetime | None, pointer: str, services: Services) -> None:
    """Answer 422 when a task shall wait for too long."""
    if run_after is not None and run_after > services.clock.now() + RUN_AFTER:
        raise invalid(pointer, f"It is more than {RUN_AFTER.days} days ahead.")


def check_uploads_last(body: Submission, caller: Caller, pointer: str, services: Services) -> None:
    """Answer 422 when an upload that the input declares will be gone when the task may run."""
    if body.run_after is None:
        return
    for upload in uploads_in(body.input):
        known = parse_uuid(upload)
        # An upload is stored after its id was made: most need not be asked for.
        if known is None or body.run_after < moment_of(known) + UPLOAD_RETENTION:
            continue
        try:
            stored_at = services.blobs.info(upload_key(caller.tenant, UploadId(known))).stored_at
        except BlobMissing:
            continue
        except Exception as error:  # noqa: BLE001 - a look that fails must not refuse the task
            logger.warning("upload not looked at", **described(error))
            continue
        if body.run_after >= stored_at + UPLOAD_RETENTION:
            days = UPLOAD_RETENTION.days
            raise invalid(pointer, f"Upload {known} is gone then: it is kept for {days} days.")


def check_callback_url(url: str | None, pointer: str, services: Services) -> None:
    """Answer 422 when a callback must not be sent there, as far as the URL itself says."""
    if url is None:
        return
    try:
        parse_callback_url(url, services.settings.callback_allowed_networks)
    except InvalidCallbackUrl as error:
        raise invalid(pointer, str(error)) from None
