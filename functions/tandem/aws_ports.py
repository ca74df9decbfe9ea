"""The ports on AWS, each imported and made on first use."""

from functools import cached_property
from typing import TYPE_CHECKING

from tandem.adapters import aws
from tandem.domain.clock import Clock, SystemClock
from tandem.limits import (
    CALLBACK_CONNECT_SECONDS,
    CALLBACK_SECONDS,
    SINK_CONNECT_SECONDS,
    SINK_POST_SECONDS,
)
from tandem.settings import Settings

if TYPE_CHECKING:
    from tandem.ports import (
        BlobStore,
        CallbackSender,
        CallbackStore,
        DeadLetterBox,
        Inbox,
        Poster,
        QuotaStore,
        ReportStore,
        ResultCache,
        SecretStore,
        SinkStore,
        TaskQueue,
        TaskStore,
        Topic,
    )
    from tandem.ports.effects import EffectStore


class AwsPorts:
    """Every port, over AWS, as the settings name its resources."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.clock: Clock = SystemClock()

    def prepare(self, *parts: str) -> None:
        """Make parts that the first invocation will need, and the AWS client that nearly all need.

        Lambda gives a start a whole processor, and an invocation a share of one. Does nothing
        unless the setting `prepare_at_init` is set.
        """
        if not self.settings.prepare_at_init:
            return
        for part in parts:
            getattr(self, part)
        aws.prepare(aws.dynamodb())

    @cached_property
    def store(self) -> "TaskStore":
        """Where tasks are kept."""
        from tandem.adapters.dynamodb_tasks import DynamoDBTaskStore

        return DynamoDBTaskStore(
            aws.dynamodb(), self.settings.need("table_name"), shards=self.settings.index_shards
        )

    @cached_property
    def effect_store(self) -> "EffectStore":
        """Where outside effects of tasks are recorded."""
        from tandem.adapters.dynamodb_effects import DynamoDBEffectStore

        return DynamoDBEffectStore(aws.dynamodb(), self.settings.need("table_name"))

    @cached_property
    def report_store(self) -> "ReportStore":
        """Where reports are kept."""
        from tandem.adapters.dynamodb_reports import DynamoDBReportStore

        return DynamoDBReportStore(
            aws.dynamodb(), self.settings.need("table_name"), shards=self.settings.index_shards
        )

    @cached_property
    def sink_store(self) -> "SinkStore":
        """Where it is kept how far sinks are."""
        from tandem.adapters.dynamodb_sinks import DynamoDBSinkStore

        return DynamoDBSinkStore(aws.dynamodb(), self.settings.need("table_name"))

    @cached_property
    def report_topic(self) -> "Topic":
        """Where reports are told to subscribers."""
        from tandem.adapters.sns import SNSTopic

        return SNSTopic(aws.sns(), self.settings.need("report_topic_arn"))

    @cached_property
    def poster(self) -> "Poster":
        """What posts reports to the operator's URLs."""
        from tandem.adapters.operator_urls import OperatorPoster

        return OperatorPoster(connect_seconds=SINK_CONNECT_SECONDS, total_seconds=SINK_POST_SECONDS)

    @cached_property
    def blobs(self) -> "BlobStore":
        """Where documents and files are kept."""
        from tandem.adapters.s3 import S3BlobStore

        bucket = self.settings.need("bucket_name")
        return S3BlobStore(aws.s3(), bucket, session_ends_at=aws.session_ends_at)

    @cached_property
    def queue(self) -> "TaskQueue":
        """What carries tasks to the worker."""
        from tandem.adapters.sqs import SQSTaskQueue

        return SQSTaskQueue(aws.sqs(), self.settings.need("queue_url"))

    @cached_property
    def inbox(self) -> "Inbox":
        """What becomes of the worker's messages."""
        from tandem.adapters.sqs import SQSInbox

        return SQSInbox(
            aws.sqs(),
            self.settings.need("queue_url"),
            self.settings.need("dead_letter_queue_url"),
        )

    @cached_property
    def result_cache(self) -> "ResultCache":
        """Where results are kept."""
        from tandem.adapters.dynamodb_results import DynamoDBResultCache

        return DynamoDBResultCache(aws.dynamodb(), self.settings.need("table_name"))

    @cached_property
    def quota_store(self) -> "QuotaStore":
        """Where quotas are kept."""
        from tandem.adapters.dynamodb_quotas import DynamoDBQuotaStore

        return DynamoDBQuotaStore(aws.dynamodb(), self.settings.need("table_name"))

    @cached_property
    def dead_letter_box(self) -> "DeadLetterBox":
        """Where dead letters are."""
        from tandem.adapters.sqs_dead_letters import SQSDeadLetterBox

        return SQSDeadLetterBox(aws.sqs(), self.settings.need("dead_letter_queue_url"))

    @cached_property
    def callback_store(self) -> "CallbackStore":
        """Where it is kept how far callbacks are."""
        from tandem.adapters.dynamodb_callbacks import DynamoDBCallbackStore

        return DynamoDBCallbackStore(
            aws.dynamodb(), self.settings.need("table_name"), shards=self.settings.index_shards
        )

    @cached_property
    def callback_queue(self) -> "TaskQueue":
        """What carries callbacks to the function that sends them."""
        from tandem.adapters.sqs import SQSTaskQueue

        return SQSTaskQueue(aws.sqs(), self.settings.need("callback_queue_url"))

    @cached_property
    def callback_inbox(self) -> "Inbox":
        """What becomes of that function's messages."""
        from tandem.adapters.sqs import SQSInbox

        return SQSInbox(
            aws.sqs(),
            self.settings.need("callback_queue_url"),
            self.settings.need("callback_dead_letter_queue_url"),
        )

    @cached_property
    def callback_dead_letter_box(self) -> "DeadLetterBox":
        """Where callbacks are that were given up."""
        from tandem.adapters.sqs_dead_letters import SQSDeadLetterBox

        return SQSDeadLetterBox(aws.sqs(), self.settings.need("callback_dead_letter_queue_url"))

    @cached_property
    def callback_sender(self) -> "CallbackSender":
        """What sends callbacks."""
        # One function alone speaks HTTP to others: the rest do not import its client.
        from tandem.adapters.https_sender import HttpsSender

        return HttpsSender(
            allowed=self.settings.callback_allowed_networks,
            connect_seconds=CALLBACK_CONNECT_SECONDS,
            total_seconds=CALLBACK_SECONDS,
        )

    @cached_property
    def secrets(self) -> "SecretStore":
        """Where secrets are kept."""
        # Powertools' provider imports boto3: a function that needs no secret does not pay for it.
        from tandem.adapters.secrets import ParametersSecretStore

        return ParametersSecretStore(aws.secrets_manager())
