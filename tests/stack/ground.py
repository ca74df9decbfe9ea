"""The table, the queues and the bucket, empty, and what a test does with them by its own rights."""

import json
from contextlib import ExitStack
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tandem.aws.dynamodb_callbacks import DynamoDBCallbackStore
from tandem.aws.dynamodb_sinks import DynamoDBSinkStore
from tandem.aws.dynamodb_tasks import DynamoDBTaskStore
from tandem.clock import whole_milliseconds
from tandem.ids import TaskId
from tandem.lambda_events import sqs_record
from tandem.tasks.task import Task
from tandem_tools.environment import REGION
from tandem_tools.harness.resources import Resources
from tests.stack.permissions import Roles

type Json = dict[str, Any]


HEADERS = "headers"
"""The secret with the headers of a collector of reports."""

PARAMETERS = {
    # One shard, so that what is overdue at once is sent in one call.
    "IndexShards": "1",
    # All sinks of reports; nobody answers at the two that are addresses.
    "ReportTopic": "true",
    "ReportWebhookUrl": "https://127.0.0.1:9/",
    "OtlpEndpoint": "http://127.0.0.1:9",
    "OtlpHeadersSecret": f"arn:aws:secretsmanager:{REGION}:000000000000:secret:{HEADERS}-??????",
}


class Ground:
    """What scenarios stand on, for as long as the `with` block runs."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.stack = ExitStack()
        self.resources = Resources(folder, parameters=PARAMETERS, roles=True)

    def __enter__(self) -> Self:
        """Make the resources."""
        self.stack.enter_context(self.resources)
        self.aws = self.resources.aws
        self.roles = Roles(self.resources)
        self._ids = self.resources.physical_ids()
        self.store = DynamoDBTaskStore(self.aws.dynamodb, self.resources.table, shards=1)
        self.callbacks = DynamoDBCallbackStore(self.aws.dynamodb, self.resources.table, shards=1)
        self.sinks = DynamoDBSinkStore(self.aws.dynamodb, self.resources.table)
        self._close_topic()
        self.aws.secrets_manager.create_secret(Name=HEADERS, SecretString='{"x-key": "1"}')
        self.aws.secrets_manager.put_secret_value(
            SecretId=self.resources.function("WorkerFunction").environment[
                "PROCESSOR_SETTINGS_SECRET"
            ],
            SecretString='{"KNOWN_WORD": "friend"}',
        )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop the emulator, and what was started since."""
        self.stack.close()

    def _close_topic(self) -> None:
        """Give the topic a policy that allows nothing, as it has where TLS is required.

        The policy that a topic is made with lets the whole account publish.
        """
        topic = self._ids["ReportsTopic"]
        refused = {
            "Effect": "Deny",
            "Principal": "*",
            "Action": "sns:Publish",
            "Resource": topic,
            "Condition": {"Bool": {"aws:SecureTransport": "true"}},
        }
        policy = {"Version": "2012-10-17", "Statement": [refused]}
        self.aws.sns.set_topic_attributes(
            TopicArn=topic, AttributeName="Policy", AttributeValue=json.dumps(policy)
        )

    def clear(self) -> None:
        """Empty the table and the queues."""
        table = self.resources.table
        pages = self.aws.dynamodb.get_paginator("scan").paginate(
            TableName=table, ProjectionExpression="pk"
        )
        for item in [item for page in pages for item in page["Items"]]:
            self.aws.dynamodb.delete_item(TableName=table, Key=item)
        for url in self._queues.values():
            self.aws.sqs.purge_queue(QueueUrl=url)

    @cached_property
    def _queues(self) -> dict[str, str]:
        return {name: one for name, one in self._ids.items() if name.endswith("Queue")}

    def item(self, key: str) -> bool:
        """Return whether the table has an item."""
        found = self.aws.dynamodb.get_item(
            TableName=self.resources.table, Key={"pk": {"S": key}}, ConsistentRead=True
        )
        return "Item" in found

    def keep(self, key: str, content: bytes) -> None:
        """Put an object into the bucket."""
        self.aws.s3.put_object(Bucket=self._ids["TaskBucket"], Key=key, Body=content)

    def kept(self, task_id: str) -> list[str]:
        """Return the names of a task's objects in the bucket."""
        prefix = f"tasks/{task_id}/"
        found = self.aws.s3.list_objects_v2(Bucket=self._ids["TaskBucket"], Prefix=prefix)
        return [one["Key"].removeprefix(prefix) for one in found.get("Contents", [])]

    def task(self, task_id: str) -> Task:
        """Return a task as it is."""
        task = self.store.get(TaskId(task_id))
        assert task is not None
        return task

    def send(self, queue: str, body: str, **attributes: str) -> None:
        """Put a message into a queue."""
        self.aws.sqs.send_message(
            QueueUrl=self._queues[queue],
            MessageBody=body,
            MessageAttributes={
                name: {"DataType": "String", "StringValue": text}
                for name, text in attributes.items()
            },
        )

    def received(self, queue: str, wait_seconds: int = 0) -> list[Json]:
        """Return the messages of a queue as events hold them, hidden from now on."""
        found = self.aws.sqs.receive_message(
            QueueUrl=self._queues[queue], MaxNumberOfMessages=10, WaitTimeSeconds=wait_seconds
        )
        return [
            sqs_record(one["Body"], message_id=one["MessageId"])
            | {"receiptHandle": one["ReceiptHandle"]}
            for one in found.get("Messages", [])
        ]

    def count(self, queue: str) -> int:
        """Return how many messages a queue has, hidden ones too."""
        names = ("ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible")
        found = self.aws.sqs.get_queue_attributes(
            QueueUrl=self._queues[queue], AttributeNames=names
        )
        return sum(int(found["Attributes"][name]) for name in names)

    def tasks_in(self, queue: str) -> list[str]:
        """Return the ids of the tasks whose messages are in a queue."""
        return [json.loads(one["body"])["task_id"] for one in self.received(queue)]


def message(task_id: str) -> Json:
    """Return a task's message, in no queue."""
    return sqs_record(json.dumps({"task_id": task_id}))


def now() -> datetime:
    """Return the time as tasks hold it."""
    return whole_milliseconds(datetime.now(UTC))
