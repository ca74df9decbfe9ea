"""Every port's implementations: the doubles, the adapters on moto, the adapters on MiniStack."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import boto3
import pytest
from moto import mock_aws

from tandem.aws.dynamodb_callbacks import DynamoDBCallbackStore
from tandem.aws.dynamodb_effects import DynamoDBEffectStore
from tandem.aws.dynamodb_quotas import DynamoDBQuotaStore
from tandem.aws.dynamodb_reports import DynamoDBReportStore
from tandem.aws.dynamodb_results import DynamoDBResultCache
from tandem.aws.dynamodb_sinks import DynamoDBSinkStore
from tandem.aws.dynamodb_tasks import DynamoDBTaskStore
from tandem.aws.s3 import S3BlobStore
from tandem.aws.secrets import ParametersSecretStore
from tandem.aws.sqs import SQSInbox, SQSTaskQueue
from tandem.aws.sqs_dead_letters import SQSDeadLetterBox
from tandem.callbacks.ports import CallbackStore
from tandem.files.blobs import BlobStore
from tandem.messages import DeadLetterBox, Inbox, TaskQueue
from tandem.reports.ports import ReportStore, SinkStore
from tandem.secrets import SecretStore
from tandem.tasks.effects import EffectStore
from tandem.tasks.results import ResultCache
from tandem.tasks.store import TaskStore
from tandem.tenants.quota import QuotaStore
from tandem.testing import (
    FakeClock,
    MemoryBlobStore,
    MemoryCallbackStore,
    MemoryEffectStore,
    MemoryQueue,
    MemoryQuotaStore,
    MemoryReportStore,
    MemoryResultCache,
    MemorySecretStore,
    MemorySinkStore,
    MemoryTaskStore,
)
from tandem_tools.ports import free_port
from tandem_tools.run.aws import Aws, owner
from tandem_tools.run.emulator import Emulator
from tests.factories.template import table_schema

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_secretsmanager import SecretsManagerClient
    from mypy_boto3_sqs import SQSClient

REGION = "us-east-1"
SHARDS = 2
ON_MOTO = boto3.Session("testing", "testing", region_name=REGION)
ON_MINISTACK = owner()
"""Sessions for all tests: each reads the services' models anew, a quarter of a second. Clients are
made for each test: what one registers with its client is not another's."""


@dataclass(frozen=True)
class Clients:
    dynamodb: "DynamoDBClient"
    sqs: "SQSClient"
    s3: "S3Client"
    secrets: "SecretsManagerClient"


@dataclass(frozen=True)
class Letter:
    body: str
    attributes: dict[str, str]


class SQSMailbox:
    """Reads the queues as the worker and the operator do."""

    def __init__(self, client: "SQSClient") -> None:
        self._client = client
        self.dead_letter_url = client.create_queue(QueueName=f"dead-{uuid4()}")["QueueUrl"]
        self.queue_url = client.create_queue(
            QueueName=f"tasks-{uuid4()}", Attributes={"VisibilityTimeout": "600"}
        )["QueueUrl"]

    def receive(self) -> list[Any]:
        return self._client.receive_message(
            QueueUrl=self.queue_url,
            MaxNumberOfMessages=10,
            MessageAttributeNames=["All"],
            MessageSystemAttributeNames=["All"],
        ).get("Messages", [])

    def dead_letters(self) -> list[Letter]:
        found = self._client.receive_message(
            QueueUrl=self.dead_letter_url, MaxNumberOfMessages=10, MessageAttributeNames=["All"]
        ).get("Messages", [])
        return [
            Letter(
                message["Body"],
                {
                    name: value["StringValue"]
                    for name, value in message.get("MessageAttributes", {}).items()
                },
            )
            for message in found
        ]


class Vault:
    """Makes and rotates secrets, as an operator does."""

    def __init__(self, client: "SecretsManagerClient") -> None:
        self._client = client

    def create(self, value: str) -> str:
        return self._client.create_secret(Name=f"secret-{uuid4()}", SecretString=value)["ARN"]

    def rotate(self, name: str, value: str) -> None:
        self._client.put_secret_value(SecretId=name, SecretString=value)


class MemoryVault:
    def __init__(self, secrets: MemorySecretStore) -> None:
        self._secrets = secrets

    def create(self, value: str) -> str:
        self._secrets.rotate("secret", value)
        return "secret"

    def rotate(self, name: str, value: str) -> None:
        self._secrets.rotate(name, value)


@dataclass(frozen=True)
class Ports:
    """One implementation of everything, and what tests need around it."""

    tasks: TaskStore
    reports: ReportStore
    blobs: BlobStore
    queue: TaskQueue
    inbox: Inbox
    letters: DeadLetterBox
    quotas: QuotaStore
    results: ResultCache
    callbacks: CallbackStore
    sinks: SinkStore
    effects: EffectStore
    secrets: SecretStore
    vault: Any
    mailbox: Any
    clients: Clients | None = None


class MemoryMailbox:
    def __init__(self, queue: MemoryQueue) -> None:
        self._queue = queue

    def receive(self) -> list[Any]:
        return [
            {
                "Body": message.body,
                "ReceiptHandle": message.receipt_handle,
                "MessageAttributes": {
                    name: {"StringValue": value}
                    for name, value in message.attributes.items()
                    if name == "traceparent"
                },
                "Attributes": {
                    "MessageGroupId": message.attributes["tenant"],
                    "ApproximateReceiveCount": str(message.receive_count),
                },
            }
            for message in self._queue.receive()
        ]

    def dead_letters(self) -> list[Letter]:
        return [Letter(letter.body, letter.attributes) for letter in self._queue.dead_letters]


def in_memory() -> Ports:
    clock = FakeClock()
    tasks, queue = MemoryTaskStore(), MemoryQueue(clock, visibility=timedelta(seconds=600))
    secrets = MemorySecretStore()
    return Ports(
        tasks,
        MemoryReportStore(tasks),
        MemoryBlobStore(clock),
        queue,
        queue,
        queue,
        MemoryQuotaStore(),
        MemoryResultCache(),
        MemoryCallbackStore(tasks),
        MemorySinkStore(),
        MemoryEffectStore(tasks),
        secrets,
        MemoryVault(secrets),
        MemoryMailbox(queue),
    )


def over(clients: Clients) -> Ports:
    table, bucket = f"tasks-{uuid4()}", f"bucket-{uuid4()}"
    clients.dynamodb.create_table(TableName=table, **table_schema())
    clients.s3.create_bucket(Bucket=bucket)
    mailbox = SQSMailbox(clients.sqs)
    return Ports(
        DynamoDBTaskStore(clients.dynamodb, table, shards=SHARDS),
        DynamoDBReportStore(clients.dynamodb, table, shards=SHARDS),
        S3BlobStore(clients.s3, bucket),
        SQSTaskQueue(clients.sqs, mailbox.queue_url),
        SQSInbox(clients.sqs, mailbox.queue_url, mailbox.dead_letter_url),
        SQSDeadLetterBox(clients.sqs, mailbox.dead_letter_url),
        DynamoDBQuotaStore(clients.dynamodb, table),
        DynamoDBResultCache(clients.dynamodb, table),
        DynamoDBCallbackStore(clients.dynamodb, table, shards=SHARDS),
        DynamoDBSinkStore(clients.dynamodb, table),
        DynamoDBEffectStore(clients.dynamodb, table),
        ParametersSecretStore(clients.secrets),
        Vault(clients.secrets),
        mailbox,
        clients,
    )


@pytest.fixture
def on_moto(monkeypatch: pytest.MonkeyPatch) -> Iterator[Ports]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    with mock_aws():
        names = ("dynamodb", "sqs", "s3", "secretsmanager")
        yield over(Clients(*map(ON_MOTO.client, names)))


@pytest.fixture(scope="session")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    running = Emulator(tmp_path_factory.mktemp("ministack"), free_port())
    running.start()
    yield running
    running.stop()


@pytest.fixture
def on_ministack(emulator: Emulator) -> Ports:
    aws = Aws(emulator.endpoint_url, ON_MINISTACK)
    return over(Clients(aws.dynamodb, aws.sqs, aws.s3, aws.secrets_manager))


@pytest.fixture(params=["memory", "moto", "ministack"])
def ports(request: pytest.FixtureRequest) -> Ports:
    if request.param == "memory":
        return in_memory()
    implementation: Ports = request.getfixturevalue(f"on_{request.param}")
    return implementation


@pytest.fixture(params=["memory", "ministack"])
def concurrent_ports(request: pytest.FixtureRequest) -> Ports:
    """Return the implementations that are right under threads: moto is not (see docs)."""
    if request.param == "memory":
        return in_memory()
    implementation: Ports = request.getfixturevalue("on_ministack")
    return implementation


@pytest.fixture
def small_file(tmp_path: Path) -> Path:
    path = tmp_path / "small.csv"
    path.write_bytes(b"id\n1\n")
    return path
