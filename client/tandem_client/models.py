"""The models of the API. Generated from docs/openapi.json: run `make client`."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, ConfigDict, Field
from tandem_client.document import Document


class Use(StrEnum):
    current = "current"
    previous = "previous"


class CallbackKey(Document):
    """A key that the tenant's callbacks are signed with."""

    use: Use
    key: Annotated[str, Field(description="As libraries for Standard Webhooks take it.")]


class CallbackKeys(Document):
    """The keys of the tenant: every callback is signed with each of them."""

    keys: list[CallbackKey]


class CallbackState(StrEnum):
    """
    Where a callback is.
    """

    pending = "pending"
    delivered = "delivered"
    failed = "failed"


class DeadQueue(StrEnum):
    """
    Whose dead letters.
    """

    tasks = "tasks"
    callbacks = "callbacks"


class Parts(StrEnum):
    ok = "ok"
    failing = "failing"


class DeepHealthView(Document):
    """What the API stands on answers."""

    status: Literal["ok"] = "ok"
    parts: dict[str, Parts]


class ErrorView(Document):
    """Why the latest attempt failed."""

    type: str
    message: str
    permanent: Annotated[bool, Field(description="Whether trying again cannot help.")]


class ExampleView(Document):
    """A task, and how to find what was logged of it."""

    task_id: str
    trace_id: Annotated[str | None, Field(description="The log lines' correlation_id.")]
    run_seconds: float


class GatewayMessage(Document):
    """What API Gateway itself answers with when a request does not reach the application."""

    message: Annotated[str, Field(examples=["Unauthorized"])]


class GivenUp(StrEnum):
    """
    Why a callback was given up.
    """

    attempts_exhausted = "attempts-exhausted"
    gone = "gone"
    forbidden_address = "forbidden-address"


class HealthView(Document):
    """The API is alive."""

    status: Literal["ok"] = "ok"


class HistogramView(Document):
    """How many durations were at most so long. Not cumulative."""

    count: int
    sum_seconds: float
    buckets: Annotated[
        list[int],
        Field(
            description="One for each bound in seconds (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600), and one for what is longer."
        ),
    ]


class InvalidPart(Document):
    """One part of a request that is not as it should be."""

    pointer: Annotated[
        str, Field(description="JSON Pointer (RFC 6901) to it.", examples=["/body/input"])
    ]
    detail: str


class LevelsView(Document):
    """
    What was in flight when the window was closed. Queue numbers are approximate.

    Null stands for what could not be read just then.
    """

    waiting: Annotated[int | None, Field(description="Messages that wait for the worker.")]
    delayed: Annotated[
        int | None, Field(description="Messages that the queue keeps back until later.")
    ]
    in_flight: Annotated[int | None, Field(description="Messages that the worker has.")]
    dead_letters: int | None
    oldest_waiting_seconds: Annotated[float | None, Field(description="0 when nothing waits.")]
    swept: Annotated[int | None, Field(description="Tasks that were found overdue just then.")]


class Limits(Document):
    """What a caller can meet."""

    body_bytes: int
    inline_bytes: int
    upload_bytes: Annotated[
        int, Field(description="Of one upload: the most that any processor takes.")
    ]
    online_budget_seconds: float
    page_tasks: int


class Mode(StrEnum):
    """
    How a task was asked for.
    """

    online = "online"
    offline = "offline"


class PercentilesView(Document):
    """Percentiles in seconds."""

    p50: float
    p95: float
    p99: float


class ProblemDocument(Document):
    """What every error answers with (RFC 9457)."""

    type: Annotated[str, Field(description="Stable name of the kind of problem.")]
    title: str
    status: int
    detail: str
    request_id: str
    errors: Annotated[list[InvalidPart] | None, Field(description="Of an invalid request.")] = None
    task_id: Annotated[str | None, Field(description="The task that it is about.")] = None


class ProcessedOnline(Document):
    """A task that ran while the caller waited."""

    message: str
    task_id: str
    processor: str
    duration_ms: int
    output: Annotated[Any, Field(description="The processor's output.")]


class Online(StrEnum):
    """
    What `POST /process-online` does with it.
    """

    promote = "promote"
    wait = "wait"
    never = "never"


class ProgressView(Document):
    """How far the running attempt is."""

    done: int
    total: int | None
    message: str


class Redrive(StrEnum):
    """
    What becomes of a letter.
    """

    new_task = "new-task"
    already_retried = "already-retried"
    sent_again = "sent-again"
    settled = "settled"
    kept = "kept"
    error = "error"
    left = "left"


class RedriveRequest(Document):
    """Which letters to redrive. With nothing named, the oldest ones."""

    model_config = ConfigDict(
        extra="forbid",
    )
    queue: DeadQueue = DeadQueue.tasks
    task_ids: Annotated[
        list[str] | None,
        Field(
            description="These tasks: failed, or with failed callbacks.",
            max_length=100,
            min_length=1,
        ),
    ] = None
    letter_ids: Annotated[
        list[str] | None, Field(description="These messages.", max_length=100, min_length=1)
    ] = None
    reason: str | None = None
    processor: str | None = None
    tenant: str | None = None
    own_fault: Annotated[
        bool | None,
        Field(
            description="Only failed tasks of which the processor or the deployment is at fault; false: the others."
        ),
    ] = None
    cursor: Annotated[
        str | None,
        Field(description="The `next_cursor` of the redrive before, to go on from there."),
    ] = None
    limit: Annotated[int, Field(ge=1, le=100)] = 100
    dry_run: Annotated[bool, Field(description="Say what would be done, and do nothing.")] = True


class RedrivenView(Document):
    """What became of a letter, or would."""

    failed_task_id: Annotated[str | None, Field(description="The letter's task.")]
    letter_id: Annotated[str | None, Field(description="Of a message; null for a task.")]
    done: Redrive
    task_id: Annotated[str | None, Field(description="The task that does the work now.")]


class RetryView(Document):
    """When a failed attempt is tried again."""

    attempts: int
    min_backoff_seconds: float
    max_backoff_seconds: float
    crashes: Annotated[
        int, Field(description="Ends with its process, beside others, that cost no attempt.")
    ]
    timeouts: Annotated[
        bool, Field(description="Whether an attempt that takes too long is tried again.")
    ]


class SinkView(Document):
    """How one of those that reports are sent to stood when the window was closed."""

    name: str
    published_through: Annotated[
        AwareDatetime, Field(description="The start of the last window that it took.")
    ]
    windows_behind: Annotated[int, Field(description="How many closed windows it has not got.")]
    failures: Annotated[int, Field(description="How often in a row it failed.")]
    failing_since: AwareDatetime | None
    error: Annotated[str | None, Field(description="Why it failed last; null when it did not.")]


class State(StrEnum):
    """
    Where a task is in its life.
    """

    queued = "queued"
    running = "running"
    succeeded = "succeeded"
    failed = "failed"
    cancelled = "cancelled"


class Type(StrEnum):
    task_succeeded = "task.succeeded"
    task_failed = "task.failed"
    task_cancelled = "task.cancelled"


class TaskLinks(Document):
    """Where a task's parts are."""

    self: str
    result: str
    cancel: str
    retry: str


class TaskView(Document):
    """A task as its owner sees it."""

    task_id: str
    processor: str
    mode: Mode
    state: State
    attempts: Annotated[int, Field(description="How many attempts were started.")]
    progress: ProgressView | None
    error: ErrorView | None
    created_at: AwareDatetime
    run_after: Annotated[AwareDatetime | None, Field(description="Until when a queued task waits.")]
    started_at: Annotated[
        AwareDatetime | None, Field(description="When the first attempt started.")
    ]
    finished_at: AwareDatetime | None
    expires_at: Annotated[
        AwareDatetime | None, Field(description="From when a finished task may be forgotten.")
    ]
    cancel_requested_at: Annotated[
        AwareDatetime | None, Field(description="When a running task was to stop.")
    ]
    retry_of: Annotated[
        str | None, Field(description="The finished task that this one does again.")
    ]
    requested_by: Annotated[str | None, Field(description="The operator who redrove it.")]
    cached_from: Annotated[
        str | None, Field(description="The task whose stored result it was given.")
    ]
    links: TaskLinks


class TenantView(Document):
    """A tenant among those with most tasks."""

    tenant: str
    tasks: int
    overcount: Annotated[int, Field(description="By how much `tasks` may be too high.")]


class UploadRequest(Document):
    """A file that is to be uploaded."""

    filename: Annotated[
        str,
        Field(
            examples=["orders.csv"],
            max_length=255,
            min_length=1,
            pattern="^[^\\x00-\\x1f\\x7f/\\\\]+$",
        ),
    ]
    content_type: Annotated[
        str, Field(examples=["text/csv"], pattern="^[a-z]+/[A-Za-z0-9][A-Za-z0-9.+-]{0,100}$")
    ]
    size: Annotated[int, Field(description="Its exact size in bytes.", examples=[1024], ge=1)]
    processor: Annotated[
        str | None,
        Field(
            description="Which processor is to read it: a file that it does not take is refused here."
        ),
    ] = None


class UploadTicket(Document):
    """How to upload the file: POST the fields, then the file as `file`, to the URL."""

    upload_id: Annotated[str, Field(description="What a processor's input names the upload by.")]
    url: str
    fields: dict[str, str]
    expires_at: Annotated[
        AwareDatetime,
        Field(
            description="Until when the form can be used. S3 answers `ExpiredToken` (400) sooner when the session that signed it has ended: then ask for another form."
        ),
    ]


class UploadView(Document):
    """A file that was uploaded."""

    upload_id: str
    filename: str
    content_type: str
    size: Annotated[int, Field(description="In bytes.")]
    uploaded_at: AwareDatetime
    expires_at: Annotated[AwareDatetime, Field(description="From when it may be deleted.")]


class UploadsTaken(Document):
    """
    How many bytes of uploads one task may read on this deployment, all of them together.

    Null where the processor does not say. 0 where it takes none.
    """

    online: Annotated[
        int | None,
        Field(
            description="By `POST /process-online`; where offline is more, the task goes on offline."
        ),
    ]
    offline: Annotated[int | None, Field(description="By `POST /process-offline`.")]


class Accepted(Document):
    """A task that runs offline."""

    message: str
    task_id: str
    task: TaskView


class AttemptView(Document):
    """One attempt as it went. Without an end it runs, or died without a word."""

    number: int
    started_at: AwareDatetime
    ended_at: AwareDatetime | None
    error: ErrorView | None


class BatchItem(Document):
    """What became of one task of a batch: it was recorded, or it says why not."""

    task: TaskView | None = None
    replayed: Annotated[bool, Field(description="It was recorded by an earlier request.")] = False
    error: str | None = None


class CallbackView(Document):
    """How far a task's callback is."""

    url: str
    state: CallbackState
    attempts: Annotated[int, Field(description="How often it was sent.")]
    delivered_at: AwareDatetime | None
    failed_at: Annotated[AwareDatetime | None, Field(description="When it was given up.")]
    reason: Annotated[GivenUp | None, Field(description="Why it was given up.")]
    error: Annotated[str | None, Field(description="Why the latest attempt did not deliver it.")]


class DurationsView(Document):
    """How long a processor's tasks waited and ran. Null where none did."""

    processor: str
    queue_wait_seconds: PercentilesView | None
    run_seconds: PercentilesView | None


class LetterView(Document):
    """A failed task, one whose callback failed, or a message that the queue gave up."""

    task_id: Annotated[
        str | None, Field(description="The task; null for a message that names none.")
    ]
    letter_id: Annotated[str | None, Field(description="Of a message; null for a task.")]
    reason: str
    error: str
    since: Annotated[
        AwareDatetime | None,
        Field(description="When the task or its callback failed, or the message was given up."),
    ]
    tenant: str | None
    processor: str | None
    mode: Mode | None
    state: Annotated[State | None, Field(description="Of the task, by now.")]
    own_fault: Annotated[
        bool | None,
        Field(
            description="Of a failed task: the processor or the deployment is at fault, not the caller."
        ),
    ]
    attempts: int | None
    created_at: AwareDatetime | None
    requested_by: Annotated[str | None, Field(description="The operator who redrove it before.")]
    retry_of: Annotated[str | None, Field(description="The finished task that it did again.")]
    body: Annotated[str | None, Field(description="Of a message, cut to 1,000 characters.")]


class ProcessorView(Document):
    """A processor as the catalogue shows it."""

    name: str
    summary: str
    time_limit_seconds: Annotated[
        float, Field(description="How long an attempt in the worker may take on this deployment.")
    ]
    online_time_limit_seconds: Annotated[
        float | None,
        Field(
            description="How long the API runs it on this deployment: its time limit, or the online budget, past which a task goes on offline. Null where only the worker runs it."
        ),
    ]
    online: Annotated[Online, Field(description="What `POST /process-online` does with it.")]
    upload_bytes: UploadsTaken
    retry: RetryView
    input_schema: dict[str, Any]
    output_schema: dict[str, Any]


class RedriveAnswer(Document):
    """What became of each letter, or would."""

    dry_run: bool
    letters: list[RedrivenView]
    next_cursor: Annotated[
        str | None,
        Field(
            description="The list goes on: give it as `cursor` to redrive more of it. Null at the list's end, and when letters were named."
        ),
    ]


class SeriesView(Document):
    """How many tasks of one kind ended in one way."""

    processor: str
    mode: Mode
    outcome: State
    tasks: int
    attempts: int
    retries: Annotated[
        int, Field(description="Of the attempts that counted, those after a task's first.")
    ]
    faults: Annotated[
        int,
        Field(description="Of the tasks, those that failed by a fault that is not their caller's."),
    ]
    cached: Annotated[int, Field(description="Answered from a kept result, with no run.")]
    swept: Annotated[int, Field(description="How often they were found overdue on their way.")]
    bytes_in: Annotated[int, Field(description="Of their inputs; uploads are not counted.")]
    bytes_out: Annotated[int, Field(description="Of their outputs and files.")]
    queue_wait: Annotated[HistogramView, Field(description="From submission to the first attempt.")]
    run: Annotated[HistogramView, Field(description="Of the last attempt.")]
    longest: Annotated[
        ExampleView | None,
        Field(
            description="The task that ran longest in the minute itself; null when none ran, and beyond the 100 kinds of tasks that ran longest."
        ),
    ]


class TaskDetail(Document):
    """A task with its attempts."""

    task_id: str
    processor: str
    mode: Mode
    state: State
    attempts: Annotated[int, Field(description="How many attempts were started.")]
    progress: ProgressView | None
    error: ErrorView | None
    created_at: AwareDatetime
    run_after: Annotated[AwareDatetime | None, Field(description="Until when a queued task waits.")]
    started_at: Annotated[
        AwareDatetime | None, Field(description="When the first attempt started.")
    ]
    finished_at: AwareDatetime | None
    expires_at: Annotated[
        AwareDatetime | None, Field(description="From when a finished task may be forgotten.")
    ]
    cancel_requested_at: Annotated[
        AwareDatetime | None, Field(description="When a running task was to stop.")
    ]
    retry_of: Annotated[
        str | None, Field(description="The finished task that this one does again.")
    ]
    requested_by: Annotated[str | None, Field(description="The operator who redrove it.")]
    cached_from: Annotated[
        str | None, Field(description="The task whose stored result it was given.")
    ]
    links: TaskLinks
    history: Annotated[list[AttemptView], Field(description="Its latest attempts, 20 at the most.")]
    callback: Annotated[
        CallbackView | None, Field(description="Whom its end is told; None when nobody.")
    ]


class TaskEvent(Document):
    """What a callback says: the task, without its input and output."""

    type: Type
    timestamp: Annotated[AwareDatetime, Field(description="When the task ended.")]
    data: TaskView


class TaskList(Document):
    """A page of tasks, newest first."""

    tasks: list[TaskView]
    next_cursor: Annotated[str | None, Field(description="Give it as `cursor` for the next page.")]


class BatchAnswer(Document):
    """What became of each task, in the order of the request."""

    items: list[BatchItem]


class LetterList(Document):
    """
    Failed tasks, or tasks whose callbacks failed, oldest first.

    The first page has messages that name none of them, too.
    """

    letters: list[LetterView]
    next_cursor: Annotated[
        str | None,
        Field(
            description="Give it as `cursor` for the next page. A page of some kind of letters can be short, or empty, and have a next one."
        ),
    ]


class ProcessorList(Document):
    """The catalogue."""

    processors: list[ProcessorView]
    limits: Limits


class ReportView(Document):
    """What finished in one UTC minute."""

    window: Annotated[
        AwareDatetime, Field(description="The minute's start; it ends 60 seconds later.")
    ]
    closed_at: AwareDatetime
    tasks: int
    late: Annotated[
        int,
        Field(
            description="How many of them finished in earlier windows and came too late for theirs."
        ),
    ]
    counts: list[SeriesView]
    durations: Annotated[
        list[DurationsView],
        Field(description="Of the minute itself; percentiles are right within 1%."),
    ]
    tenants: Annotated[
        list[TenantView], Field(description="Those with most tasks in the minute itself.")
    ]
    levels: Annotated[LevelsView | None, Field(description="Null when the window was closed late.")]
    sinks: Annotated[list[SinkView] | None, Field(description="Null where the levels are.")]


class ReportList(Document):
    """Closed windows, newest first."""

    reports: list[ReportView]
    next_before: Annotated[
        AwareDatetime | None, Field(description="Give it as `before` for older windows.")
    ]