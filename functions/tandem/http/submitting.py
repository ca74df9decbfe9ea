"""Steps shared by all routes that submit tasks."""

from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus

from fastapi import Request, Response

from tandem.callbacks.url import InvalidCallbackUrl, parse_callback_url
from tandem.contended import Contended
from tandem.files.blobs import BlobMissing, upload_key
from tandem.http import responses
from tandem.http.idempotency import REPLAYED, same_request
from tandem.http.identity import Caller
from tandem.http.problems import Problem, invalid
from tandem.http.services import Services
from tandem.http.submission import Submission
from tandem.ids import TaskId, TenantId, UploadId, moment_of, parse_uuid
from tandem.limits import RUN_AFTER, UPLOAD_RETENTION
from tandem.processing.processor import AnyProcessor
from tandem.processing.upload import uploads_in
from tandem.tasks.results import CachedResult
from tandem.tasks.store import IdempotencyKey, KeyUsed
from tandem.tasks.submit import NewTask
from tandem.tasks.task import Mode, Task
from tandem.telemetry import logger
from tandem.tenants.quota import MoreThanBurst, QuotaExceeded
from tandem.trace import described

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
