"""The wiring of everything: ports over AWS, and the services over them, each made on first use."""

from collections.abc import Iterator
from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING

from tandem.aws import clients
from tandem.clock import Clock, SystemClock
from tandem.limits import (
    CALLBACK_CONNECT_SECONDS,
    CALLBACK_SECONDS,
    SETTLE_SECONDS,
    SINK_CONNECT_SECONDS,
    SINK_POST_SECONDS,
)
from tandem.settings import Settings
from tandem.telemetry import hear, logger

if TYPE_CHECKING:
    from tandem.callbacks.deliveries import CallbackDeliveries
    from tandem.callbacks.dispatch import Callbacks
    from tandem.callbacks.letters import CallbackLetters
    from tandem.callbacks.ports import CallbackSender, CallbackStore
    from tandem.callbacks.signing import WebhookKeys
    from tandem.dead_letters.dead_letters import DeadLetters
    from tandem.files.blobs import BlobStore
    from tandem.files.capacity import Capacity
    from tandem.health import Health
    from tandem.messages import DeadLetterBox, Inbox, TaskQueue
    from tandem.processing.catalogue import Catalogue
    from tandem.processing.pool import BoundedPool
    from tandem.processing.surroundings import Surroundings
    from tandem.reports.closing import Reports
    from tandem.reports.levels import LevelReader
    from tandem.reports.ports import Poster, ReportSink, ReportStore, SinkStore, Topic
    from tandem.reports.publish import Publishing
    from tandem.secrets import SecretStore
    from tandem.tasks.actions import Tasks
    from tandem.tasks.deletions import Deletions, Purge
    from tandem.tasks.dispatch import Dispatch
    from tandem.tasks.effects import Effects, EffectStore
    from tandem.tasks.execute import Execution
    from tandem.tasks.online import Online
    from tandem.tasks.payloads import Payloads
    from tandem.tasks.recovery import Recovery
    from tandem.tasks.results import ResultCache, Results
    from tandem.tasks.settings import ProcessorSettings
    from tandem.tasks.settle import OutcomeRecorder
    from tandem.tasks.store import TaskStore, TaskWriter
    from tandem.tasks.submit import Submissions
    from tandem.tasks.sweep import Sweep
    from tandem.tasks.task import Retention, Task
    from tandem.tenants.quota import Quota, QuotaStore
    from tandem.worker.deliver import TaskMessages


class Wiring:
    """What a function's handler calls. A function pays only for the parts that it touches."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.clock: Clock = SystemClock()
        hear(settings.processors)  # before any of them is imported

    def prepare(self, *parts: str) -> None:
        """Make parts that the first invocation will need, and the AWS client that nearly all need.

        Lambda gives a start a whole processor, and an invocation a share of one. Does nothing
        unless the setting `prepare_at_init` is set.
        """
        if not self.settings.prepare_at_init:
            return
        for part in parts:
            getattr(self, part)
        clients.prepare(clients.dynamodb())

    @cached_property
    def store(self) -> "TaskStore":
        """Where tasks are kept."""
        from tandem.aws.dynamodb_tasks import DynamoDBTaskStore

        return DynamoDBTaskStore(
            clients.dynamodb(), self.settings.need("table_name"), shards=self.settings.index_shards
        )

    @cached_property
    def effect_store(self) -> "EffectStore":
        """Where outside effects of tasks are recorded."""
        from tandem.aws.dynamodb_effects import DynamoDBEffectStore

        return DynamoDBEffectStore(clients.dynamodb(), self.settings.need("table_name"))

    @cached_property
    def report_store(self) -> "ReportStore":
        """Where reports are kept."""
        from tandem.aws.dynamodb_reports import DynamoDBReportStore

        return DynamoDBReportStore(
            clients.dynamodb(), self.settings.need("table_name"), shards=self.settings.index_shards
        )

    @cached_property
    def sink_store(self) -> "SinkStore":
        """Where it is kept how far sinks are."""
        from tandem.aws.dynamodb_sinks import DynamoDBSinkStore

        return DynamoDBSinkStore(clients.dynamodb(), self.settings.need("table_name"))

    @cached_property
    def report_topic(self) -> "Topic":
        """Where reports are told to subscribers."""
        from tandem.aws.sns import SNSTopic

        return SNSTopic(clients.sns(), self.settings.need("report_topic_arn"))

    @cached_property
    def poster(self) -> "Poster":
        """What posts reports to the operator's URLs."""
        from tandem.posting import OperatorPoster

        return OperatorPoster(connect_seconds=SINK_CONNECT_SECONDS, total_seconds=SINK_POST_SECONDS)

    @cached_property
    def blobs(self) -> "BlobStore":
        """Where documents and files are kept."""
        from tandem.aws.s3 import S3BlobStore

        bucket = self.settings.need("bucket_name")
        return S3BlobStore(clients.s3(), bucket, session_ends_at=clients.session_ends_at)

    @cached_property
    def queue(self) -> "TaskQueue":
        """What carries tasks to the worker."""
        from tandem.aws.sqs import SQSTaskQueue

        return SQSTaskQueue(clients.sqs(), self.settings.need("queue_url"))

    @cached_property
    def inbox(self) -> "Inbox":
        """What becomes of the worker's messages."""
        from tandem.aws.sqs import SQSInbox

        return SQSInbox(
            clients.sqs(),
            self.settings.need("queue_url"),
            self.settings.need("dead_letter_queue_url"),
        )

    @cached_property
    def result_cache(self) -> "ResultCache":
        """Where results are kept."""
        from tandem.aws.dynamodb_results import DynamoDBResultCache

        return DynamoDBResultCache(clients.dynamodb(), self.settings.need("table_name"))

    @cached_property
    def quota_store(self) -> "QuotaStore":
        """Where quotas are kept."""
        from tandem.aws.dynamodb_quotas import DynamoDBQuotaStore

        return DynamoDBQuotaStore(clients.dynamodb(), self.settings.need("table_name"))

    @cached_property
    def dead_letter_box(self) -> "DeadLetterBox":
        """Where dead letters are."""
        from tandem.aws.sqs_dead_letters import SQSDeadLetterBox

        return SQSDeadLetterBox(clients.sqs(), self.settings.need("dead_letter_queue_url"))

    @cached_property
    def callback_store(self) -> "CallbackStore":
        """Where it is kept how far callbacks are."""
        from tandem.aws.dynamodb_callbacks import DynamoDBCallbackStore

        return DynamoDBCallbackStore(
            clients.dynamodb(), self.settings.need("table_name"), shards=self.settings.index_shards
        )

    @cached_property
    def callback_queue(self) -> "TaskQueue":
        """What carries callbacks to the function that sends them."""
        from tandem.aws.sqs import SQSTaskQueue

        return SQSTaskQueue(clients.sqs(), self.settings.need("callback_queue_url"))

    @cached_property
    def callback_inbox(self) -> "Inbox":
        """What becomes of that function's messages."""
        from tandem.aws.sqs import SQSInbox

        return SQSInbox(
            clients.sqs(),
            self.settings.need("callback_queue_url"),
            self.settings.need("callback_dead_letter_queue_url"),
        )

    @cached_property
    def callback_dead_letter_box(self) -> "DeadLetterBox":
        """Where callbacks are that were given up."""
        from tandem.aws.sqs_dead_letters import SQSDeadLetterBox

        return SQSDeadLetterBox(clients.sqs(), self.settings.need("callback_dead_letter_queue_url"))

    @cached_property
    def callback_sender(self) -> "CallbackSender":
        """What sends callbacks."""
        # One function alone speaks HTTP to others: the rest do not import its client.
        from tandem.posting import HttpsSender

        return HttpsSender(
            allowed=self.settings.callback_allowed_networks,
            connect_seconds=CALLBACK_CONNECT_SECONDS,
            total_seconds=CALLBACK_SECONDS,
        )

    @cached_property
    def secrets(self) -> "SecretStore":
        """Where secrets are kept."""
        # Powertools' provider imports boto3: a function that needs no secret does not pay for it.
        from tandem.aws.secrets import ParametersSecretStore

        return ParametersSecretStore(clients.secrets_manager())

    @cached_property
    def pool(self) -> "BoundedPool":
        """The threads of this environment."""
        from tandem.processing.pool import BoundedPool

        return BoundedPool(self.settings.thread_pool_size)

    @cached_property
    def health(self) -> "Health":
        """Looks whether the parts can be reached."""
        from tandem.health import Health

        return Health(self.store, self.queue, self.blobs, pool=self.pool, logger=logger)

    @cached_property
    def levels(self) -> "LevelReader":
        """Reads what is in flight."""
        from tandem.reports.levels import LevelReader

        return LevelReader(
            self.store,
            self.queue,
            self.dead_letter_box,
            self.clock,
            pool=self.pool,
            logger=logger,
        )

    @cached_property
    def reports(self) -> "Reports":
        """Closes and reads report windows."""
        from tandem.reports.closing import Reports

        return Reports(self.report_store, self.clock, pool=self.pool)

    @cached_property
    def publishing(self) -> "Publishing":
        """Sends closed windows."""
        from tandem.reports.publish import Publishing

        return Publishing(
            self.sinks,
            self.sink_store,
            self.report_store,
            self.clock,
            pool=self.sink_pool,
            logger=logger,
        )

    @cached_property
    def sink_pool(self) -> "BoundedPool":
        """A thread for each sink."""
        from tandem.processing.pool import BoundedPool

        return BoundedPool(len(self.sinks))

    @cached_property
    def sinks(self) -> "tuple[ReportSink, ...]":
        """To whom windows are sent: always the log, and whom the settings name."""
        return (self.cloudwatch_sink, *self._configured_sinks())

    @cached_property
    def cloudwatch_sink(self) -> "ReportSink":
        """The log, with or without metrics in it."""
        from tandem.reports.cloudwatch import CloudWatchSink

        return CloudWatchSink(self.clock, metrics=self.settings.report_to_cloudwatch)

    def _configured_sinks(self) -> "Iterator[ReportSink]":
        settings = self.settings
        if settings.report_topic_arn:
            from tandem.reports.sinks import TopicSink

            yield TopicSink(self.report_topic, stack=settings.stack_name)
        if settings.report_webhook_url:
            from tandem.reports.sinks import WebhookSink

            yield WebhookSink(
                self.poster,
                self.secrets,
                self.clock,
                url=settings.report_webhook_url,
                secret=settings.need("report_webhook_secret"),
                stack=settings.stack_name,
            )
        if settings.otlp_endpoint:
            from tandem.reports.sinks import OtlpSink

            yield OtlpSink(
                self.poster,
                self.secrets,
                endpoint=settings.otlp_endpoint,
                headers_secret=settings.otlp_headers_secret,
                stack=settings.stack_name,
                environment=settings.environment,
            )

    @cached_property
    def callbacks(self) -> "Callbacks":
        """Gives the callbacks of tasks that ended to their queue."""
        from tandem.callbacks.dispatch import Callbacks

        return Callbacks(
            self.callback_store, self.callback_queue, self.clock, pool=self.pool, logger=logger
        )

    @cached_property
    def callback_deliveries(self) -> "CallbackDeliveries":
        """Sends callbacks."""
        from tandem.callbacks.deliveries import CallbackDeliveries, Redelivery

        waits = self.settings.callback_retry_seconds
        return CallbackDeliveries(
            self.store,
            self.callback_store,
            self.callback_inbox,
            self.callback_sender,
            self.webhook_keys,
            clock=self.clock,
            redelivery=Redelivery(tuple(timedelta(seconds=wait) for wait in waits)),
            allowed=self.settings.callback_allowed_networks,
            logger=logger,
        )

    @cached_property
    def webhook_keys(self) -> "WebhookKeys":
        """What callbacks are signed with."""
        from tandem.callbacks.signing import WebhookKeys

        return WebhookKeys(self.secrets, self.settings.need("callback_secret"))

    @cached_property
    def callback_letters(self) -> "CallbackLetters":
        """Shows and redrives callbacks that were given up."""
        from tandem.callbacks.letters import CallbackLetters

        return CallbackLetters(
            self.callback_dead_letter_box,
            self.store,
            self.callback_store,
            self.callbacks,
            logger=logger,
        )

    @cached_property
    def catalogue(self) -> "Catalogue":
        """The processors there are."""
        from tandem.processing.catalogue import installed
        from tandem.trace import described

        catalogue = installed()
        for module, error in catalogue.not_loaded.items():
            logger.error("processor not loaded", processor_module=module, **described(error))
        return catalogue

    @cached_property
    def payloads(self) -> "Payloads":
        """Inputs and outputs."""
        from tandem.tasks.payloads import Payloads

        return Payloads(self.blobs)

    @cached_property
    def task_writer(self) -> "TaskWriter":
        """What records tasks and their ends, and hands over their callbacks."""
        from tandem.callbacks.announcing import AnnouncingWriter

        return AnnouncingWriter(self.store, self.callbacks)

    @cached_property
    def dispatch(self) -> "Dispatch":
        """Sends tasks to the worker."""
        from tandem.tasks.dispatch import Dispatch

        return Dispatch(self.queue, self.clock, logger)

    @cached_property
    def submissions(self) -> "Submissions":
        """Accepts tasks."""
        from tandem.tasks.submit import Submissions

        return Submissions(
            self.task_writer,
            self.dispatch,
            self.payloads,
            self.clock,
            pool=self.pool,
            retention=self.retention,
        )

    @cached_property
    def retention(self) -> "Retention":
        """How long finished tasks are kept."""
        from tandem.tasks.task import Retention

        return Retention(timedelta(days=self.settings.task_retention_days))

    @cached_property
    def tasks(self) -> "Tasks":
        """Reads, cancels and repeats tasks."""
        from tandem.tasks.actions import Tasks

        return Tasks(
            self.store,
            self.task_writer,
            self.submissions,
            self.payloads,
            self.clock,
            catalogue=self.catalogue,
            retention=self.retention,
        )

    @cached_property
    def deletions(self) -> "Deletions":
        """Deletes tasks."""
        from tandem.tasks.deletions import Deletions

        return Deletions(
            self.store, self.result_cache, lambda: self.blobs, self.clock, logger=logger
        )

    @cached_property
    def purge(self) -> "Purge":
        """Purges what is left of deleted tasks."""
        from tandem.tasks.deletions import Purge

        return Purge(
            self.store,
            self.deletions,
            self.report_store,
            self.clock,
            pool=self.pool,
            logger=logger,
        )

    @cached_property
    def sweep(self) -> "Sweep":
        """Moves overdue tasks on."""
        from tandem.tasks.sweep import Sweep

        return Sweep(
            self.store,
            self.task_writer,
            self.dispatch,
            self.recovery,
            self.clock,
            pool=self.pool,
            retention=self.retention,
            logger=logger,
        )

    @cached_property
    def recovery(self) -> "Recovery":
        """Moves on tasks whose attempts died."""
        from tandem.tasks.recovery import Recovery

        return Recovery(self.task_writer, self.clock, self.retention)

    @cached_property
    def execution(self) -> "Execution":
        """Runs attempts."""
        from tandem.tasks.execute import Execution

        return Execution(
            self.store,
            self.task_writer,
            self.blobs,
            self.clock,
            catalogue=self.catalogue,
            pool=self.pool,
            effects=self.effects,
            capacity=lambda: self.capacity,
            surroundings=self.surroundings,
            settings=lambda: self.processor_settings,
            logger=logger,
        )

    def effects(self, task: "Task") -> "Effects":
        """Return what records the outside effects of the attempt that holds a task."""
        from tandem.tasks.effects import Effects

        return Effects(self.effect_store, self.clock, self.retention, task)

    @cached_property
    def processor_settings(self) -> "ProcessorSettings":
        """Makes the settings of processors: never asked for where none declares any."""
        from tandem.tasks.settings import ProcessorSettings

        return ProcessorSettings(
            self.secrets,
            self.settings.need("processor_settings_secret"),
            max_age_seconds=self.settings.settings_max_age_seconds,
            logger=logger,
        )

    @cached_property
    def capacity(self) -> "Capacity":
        """How much of uploads tasks may read."""
        from tandem.files.capacity import Capacity
        from tandem.processing.processor import Resources

        has = self.settings
        return Capacity(
            api=Resources(
                memory_mib=has.api_memory_mb,
                disk_mib=has.api_storage_mb,
                seconds=has.online_budget_seconds,
            ),
            worker=Resources(
                memory_mib=has.worker_memory_mb,
                disk_mib=has.worker_storage_mb,
                seconds=has.worker_timeout_seconds - SETTLE_SECONDS,
            ),
        )

    @cached_property
    def surroundings(self) -> "Surroundings":
        """Puts back what processors changed of the process."""
        from tandem.processing.surroundings import Surroundings

        return Surroundings(logger.name, *self.settings.processors)

    @cached_property
    def results(self) -> "Results":
        """Answers the same input again."""
        from tandem.tasks.results import Results

        return Results(
            self.result_cache,
            self.store,
            self.blobs,
            self.clock,
            catalogue=self.catalogue,
            logger=logger,
        )

    @cached_property
    def settlement(self) -> "OutcomeRecorder":
        """Records how attempts ended."""
        from tandem.tasks.settle import OutcomeRecorder

        return OutcomeRecorder(
            self.payloads,
            self.clock,
            self.retention,
            results=self.results,
            logger=logger,
        )

    @cached_property
    def online(self) -> "Online":
        """Runs tasks whose callers wait."""
        from tandem.tasks.online import Online

        return Online(
            self.submissions,
            self.dispatch,
            self.execution,
            self.settlement,
            pool=self.pool,
            clock=self.clock,
            named=lambda task: logger.thread_safe_append_keys(task_id=task.task_id),
            logger=logger,
        )

    @cached_property
    def deliveries(self) -> "TaskMessages":
        """Handles the worker's messages."""
        from tandem.worker.deliver import TaskMessages

        return TaskMessages(
            self.execution,
            self.settlement,
            self.recovery,
            find=self.store.get,
            inbox=self.inbox,
            dispatch=self.dispatch,
            max_receives=self.settings.max_receive_count,
            clock=self.clock,
            logger=logger,
        )

    @cached_property
    def quota(self) -> "Quota":
        """How much a tenant may submit."""
        from tandem.tenants.quota import Quota

        return Quota(
            self.quota_store,
            self.clock,
            per_second=self.settings.tenant_tasks_per_second,
            burst=self.settings.tenant_tasks_burst,
            logger=logger,
        )

    @cached_property
    def dead_letters(self) -> "DeadLetters":
        """Shows and redrives dead letters."""
        from tandem.dead_letters.dead_letters import DeadLetters

        return DeadLetters(
            self.store, self.dead_letter_box, self.tasks, self.dispatch, logger=logger
        )

    def close(self) -> None:
        """Wait for the threads, and end them, if there are any."""
        # A pool that was never made is not made here: at the end of a process Python takes no new
        # exit hook, and the module of thread pools registers one.
        if "pool" in vars(self):
            self.pool.close()
