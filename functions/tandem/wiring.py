"""The services over AWS, each made on first use."""

from datetime import timedelta
from functools import cached_property

from tandem.adapters import aws
from tandem.adapters.dynamodb_reports import DynamoDBReportStore
from tandem.adapters.dynamodb_tasks import DynamoDBTaskStore
from tandem.adapters.s3 import S3BlobStore
from tandem.adapters.sqs import SQSInbox, SQSTaskQueue
from tandem.domain.clock import Clock, SystemClock
from tandem.ports import BlobStore, Inbox, ReportStore, TaskQueue, TaskStore
from tandem.processing.catalogue import Catalogue, installed
from tandem.processing.pool import BoundedPool
from tandem.services.deliver import Deliveries
from tandem.services.execute import Execution
from tandem.services.online import Online
from tandem.services.payloads import Payloads
from tandem.services.report import Reports
from tandem.services.submit import Submissions
from tandem.settings import Settings
from tandem.telemetry import logger


class Wiring:
    """What a function's handler calls. A function pays only for the parts that it touches."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.clock: Clock = SystemClock()
        self.pool = BoundedPool(settings.thread_pool_size)

    @cached_property
    def catalogue(self) -> Catalogue:
        """The processors there are."""
        return installed()

    @cached_property
    def store(self) -> TaskStore:
        """Where tasks are kept."""
        return DynamoDBTaskStore(
            aws.dynamodb(), self.settings.need("table_name"), shards=self.settings.index_shards
        )

    @cached_property
    def report_store(self) -> ReportStore:
        """Where reports are kept."""
        return DynamoDBReportStore(
            aws.dynamodb(), self.settings.need("table_name"), shards=self.settings.index_shards
        )

    @cached_property
    def blobs(self) -> BlobStore:
        """Where documents and files are kept."""
        return S3BlobStore(aws.s3(), self.settings.need("bucket_name"))

    @cached_property
    def queue(self) -> TaskQueue:
        """What carries tasks to the worker."""
        return SQSTaskQueue(aws.sqs(), self.settings.need("queue_url"))

    @cached_property
    def inbox(self) -> Inbox:
        """What becomes of the worker's messages."""
        return SQSInbox(
            aws.sqs(),
            self.settings.need("queue_url"),
            self.settings.need("dead_letter_queue_url"),
        )

    @cached_property
    def payloads(self) -> Payloads:
        """Inputs and outputs."""
        return Payloads(self.blobs)

    @cached_property
    def submissions(self) -> Submissions:
        """Accepts tasks."""
        retention = timedelta(days=self.settings.task_retention_days)
        return Submissions(self.store, self.queue, self.payloads, self.clock, retention=retention)

    @cached_property
    def execution(self) -> Execution:
        """Runs attempts."""
        return Execution(
            self.store,
            self.blobs,
            self.clock,
            catalogue=self.catalogue,
            pool=self.pool,
            logger=logger,
        )

    @cached_property
    def online(self) -> Online:
        """Runs tasks whose callers wait."""
        return Online(self.submissions, self.execution, self.pool, self.clock)

    @cached_property
    def deliveries(self) -> Deliveries:
        """Handles the worker's messages."""
        return Deliveries(self.execution, self.inbox, self.clock)

    @cached_property
    def reports(self) -> Reports:
        """Closes and reads report windows."""
        return Reports(self.report_store, self.clock)

    def close(self) -> None:
        """Wait for the threads, and end them."""
        self.pool.close()
