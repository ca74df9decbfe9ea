"""The fault proxy changes nothing but what its plan says, before a real emulator and real clients.

The emulator verifies the caller's signatures: a request that was changed on the way is refused.
"""

import socket
import time
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx2
import pytest
from botocore.exceptions import BotoCoreError, ClientError

from tandem.aws.clients import DamagedAnswer, refuse_damaged
from tandem_tools.bench.fault_plan import Fault, Plan
from tandem_tools.bench.fault_proxy import FaultProxy
from tandem_tools.ports import LOOPBACK
from tandem_tools.run.emulator import Emulator
from tests.tools.bench.conftest import Caller, OneFault

LARGE = bytes(range(256)) * 48 * 1024
ATTEMPTS = 3
TASK_ID = "019ace00-0000-7000-8000-000000000000"


@pytest.fixture
def bucket(emulator: Emulator, caller: Caller) -> str:
    name = f"bucket-{uuid4()}"
    caller.client("s3", emulator.endpoint_url).create_bucket(Bucket=name)
    return name


@pytest.fixture
def table(emulator: Emulator, caller: Caller) -> str:
    name = f"table-{uuid4()}"
    caller.client("dynamodb", emulator.endpoint_url).create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
    )
    return name


@pytest.fixture
def queue_url(emulator: Emulator, caller: Caller) -> str:
    sqs = caller.client("sqs", emulator.endpoint_url)
    url: str = sqs.create_queue(QueueName=f"queue-{uuid4()}")["QueueUrl"]
    return url


@pytest.fixture
def put(proxy: FaultProxy, caller: Caller, table: str) -> Callable[..., Any]:
    def put_item(attempts: int = 1) -> Any:
        client = caller.client("dynamodb", proxy.url, attempts=attempts)
        return client.put_item(TableName=table, Item={"pk": {"S": f"task#{TASK_ID}"}})

    return put_item


@pytest.fixture
def items(emulator: Emulator, caller: Caller, table: str) -> Callable[[], int]:
    client = caller.client("dynamodb", emulator.endpoint_url)
    return lambda: int(client.scan(TableName=table, ConsistentRead=True)["Count"])


def test_large_bodies_and_awkward_keys_pass_unchanged_in_both_directions(
    proxy: FaultProxy, caller: Caller, bucket: str, tmp_path: Path
) -> None:
    proxy.arm(Plan(1, rate=0))
    s3 = caller.client("s3", proxy.url)
    source = tmp_path / "large"
    source.write_bytes(LARGE)
    key = "a folder/ü+%2F=&.bin"
    s3.upload_file(str(source), bucket, key)  # in parts
    s3.put_object(Bucket=bucket, Key="small", Body=LARGE[:3000])
    assert s3.get_object(Bucket=bucket, Key=key)["Body"].read() == LARGE
    assert s3.head_object(Bucket=bucket, Key="small")["ContentLength"] == 3000
    assert [one["Key"] for one in s3.list_objects_v2(Bucket=bucket)["Contents"]] == [key, "small"]
    with pytest.raises(ClientError, match="404"):
        s3.head_object(Bucket=bucket, Key="none")
    s3.delete_object(Bucket=bucket, Key="small")
    operations = {call.operation for call in proxy.calls.made}
    assert operations >= {
        "s3.CreateMultipartUpload",
        "s3.UploadPart",
        "s3.CompleteMultipartUpload",
        "s3.PutObject",
        "s3.GetObject",
        "s3.HeadObject",
        "s3.GetBucket",
        "s3.DeleteObject",
    }
    assert proxy.calls.broken == 0


def test_a_presigned_url_is_a_clients_and_meets_no_fault(
    proxy: FaultProxy, caller: Caller, bucket: str
) -> None:
    proxy.arm(Plan(1, rate=1))
    s3 = caller.client("s3", proxy.url)
    url = s3.generate_presigned_url("put_object", Params={"Bucket": bucket, "Key": "a"})
    assert httpx2.put(url, content=b"content").status_code == 200
    assert proxy.calls.made == []


def test_a_connection_is_kept_and_a_call_is_not_delayed(proxy: FaultProxy) -> None:
    ask = b"GET /_ministack/health HTTP/1.1\r\nhost: localhost\r\n\r\n"
    port = int(proxy.url.rpartition(":")[2])
    with socket.create_connection((LOOPBACK, port)) as connection:
        took = []
        for _ in range(20):
            began = time.monotonic()
            connection.sendall(ask)
            assert connection.recv(65536).startswith(b"HTTP/1.1 200")
            took.append(time.monotonic() - began)
    assert sorted(took)[len(took) // 2] < 0.03, "an acknowledgement is waited for"


@pytest.mark.parametrize(
    ("fault", "carried_out"),
    [
        (Fault.RESET, 0),
        (Fault.LOST, 1),
        (Fault.THROTTLE, 0),
        (Fault.ERROR, 0),
        (Fault.ERROR_AFTER, 1),
        (Fault.CONFLICT, 0),
    ],
)
@pytest.mark.parametrize("choice", [0.1, 0.9])
def test_a_write_that_meets_a_fault_fails_and_is_carried_out_or_not(
    put: Callable[..., Any],
    items: Callable[[], int],
    proxy: FaultProxy,
    *,
    fault: Fault,
    carried_out: int,
    choice: float,
) -> None:
    proxy.arm(OneFault("dynamodb.PutItem", fault, choice=choice))
    with pytest.raises((ClientError, BotoCoreError)):
        put()
    assert items() == carried_out
    (call,) = proxy.calls.made
    assert (call.operation, call.number, call.fault) == ("dynamodb.PutItem", 1, fault)
    assert call.status == (200 if carried_out else None)
    assert proxy.calls.of_task(TASK_ID) == [call]
    assert proxy.calls.injected() == {("dynamodb.PutItem", fault): 1}


def test_half_of_an_answer_comes_and_then_the_connection_ends(
    proxy: FaultProxy, caller: Caller, bucket: str
) -> None:
    s3 = caller.client("s3", proxy.url)
    s3.put_object(Bucket=bucket, Key="large", Body=LARGE)
    proxy.arm(OneFault("s3.GetObject", Fault.HALF))
    stream = s3.get_object(Bucket=bucket, Key="large")["Body"]
    assert stream.read(len(LARGE) // 2) == LARGE[: len(LARGE) // 2]
    with pytest.raises(BotoCoreError):
        stream.read()


@pytest.mark.parametrize("attempts", [1, 3])
def test_half_of_a_tables_answer_is_not_taken_for_an_empty_one(
    proxy: FaultProxy, put: Callable[..., Any], caller: Caller, table: str, attempts: int
) -> None:
    proxy.arm(Plan(1, rate=0))
    put()
    client = caller.client("dynamodb", proxy.url, attempts=attempts)
    client.meta.events.register_last("after-call.dynamodb", refuse_damaged)
    (item,) = client.scan(TableName=table)["Items"]
    proxy.arm(OneFault("dynamodb.GetItem", Fault.HALF))
    refused = pytest.raises(DamagedAnswer) if attempts == 1 else nullcontext()
    with refused:
        assert client.get_item(TableName=table, Key={"pk": item["pk"]})["Item"] == item


def test_a_late_answer_is_late_and_right(
    proxy: FaultProxy, put: Callable[..., Any], items: Callable[[], int]
) -> None:
    proxy.arm(OneFault("dynamodb.PutItem", Fault.LATE, seconds=0.4))
    began = time.monotonic()
    put()
    assert time.monotonic() - began >= 0.4
    assert items() == 1


@pytest.mark.parametrize(
    "fault", [Fault.RESET, Fault.LOST, Fault.HALF, Fault.THROTTLE, Fault.ERROR, Fault.ERROR_AFTER]
)
def test_the_sdk_tries_again_under_the_number_of_its_call(
    proxy: FaultProxy, put: Callable[..., Any], items: Callable[[], int], fault: Fault
) -> None:
    proxy.arm(OneFault("dynamodb.PutItem", fault))
    put(attempts=ATTEMPTS)
    assert items() == 1
    assert [(call.number, call.attempt, call.fault) for call in proxy.calls.made] == [
        (1, 1, fault),
        (1, 2, None),
    ]


def test_a_stubborn_fault_meets_every_attempt_of_the_sdk(
    proxy: FaultProxy, put: Callable[..., Any], items: Callable[[], int]
) -> None:
    proxy.arm(OneFault("dynamodb.PutItem", Fault.LOST, stubborn=True))
    with pytest.raises(BotoCoreError):
        put(attempts=ATTEMPTS)
    assert [call.fault for call in proxy.calls.made] == [Fault.LOST] * ATTEMPTS
    assert items() == 1


@pytest.mark.parametrize(("fault", "carried_out"), [(Fault.CONFLICT, 0), (Fault.CONFLICT_AFTER, 2)])
def test_a_transaction_that_meets_another_has_a_reason_for_each_of_its_items(
    proxy: FaultProxy,
    caller: Caller,
    table: str,
    items: Callable[[], int],
    *,
    fault: Fault,
    carried_out: int,
) -> None:
    proxy.arm(OneFault("dynamodb.TransactWriteItems", fault, choice=0.9))
    client = caller.client("dynamodb", proxy.url, attempts=ATTEMPTS)
    puts = [{"Put": {"TableName": table, "Item": {"pk": {"S": one}}}} for one in ("a", "b")]
    with pytest.raises(client.exceptions.TransactionCanceledException) as raised:
        client.transact_write_items(TransactItems=puts)
    codes = [one["Code"] for one in raised.value.response["CancellationReasons"]]
    assert codes == ["None", "TransactionConflict"]
    assert items() == carried_out
    assert len(proxy.calls.made) == 1, "the SDK leaves it to its caller to try again"


@pytest.mark.parametrize(
    ("fault", "sent"), [(Fault.PARTIAL, {"0", "2"}), (Fault.PARTIAL_AFTER, {"0", "1", "2"})]
)
def test_one_entry_of_a_batch_is_reported_as_failed_and_was_sent_or_not(
    proxy: FaultProxy,
    emulator: Emulator,
    caller: Caller,
    queue_url: str,
    *,
    fault: Fault,
    sent: set[str],
) -> None:
    proxy.arm(OneFault("sqs.SendMessageBatch", fault, choice=0.5))
    entries = [{"Id": str(one), "MessageBody": str(one)} for one in range(3)]
    answer = caller.client("sqs", proxy.url).send_message_batch(QueueUrl=queue_url, Entries=entries)
    assert [one["Id"] for one in answer["Failed"]] == ["1"]
    assert [one["Id"] for one in answer["Successful"]] == ["0", "2"]
    assert bodies(emulator, caller, queue_url) == sent


def test_a_batch_of_one_entry_can_fail_whole(
    proxy: FaultProxy, emulator: Emulator, caller: Caller, queue_url: str
) -> None:
    proxy.arm(OneFault("sqs.SendMessageBatch", Fault.PARTIAL))
    answer = caller.client("sqs", proxy.url).send_message_batch(
        QueueUrl=queue_url, Entries=[{"Id": "0", "MessageBody": "0"}]
    )
    assert ([one["Id"] for one in answer["Failed"]], answer["Successful"]) == (["0"], [])
    assert bodies(emulator, caller, queue_url) == set()


def bodies(emulator: Emulator, caller: Caller, queue_url: str) -> set[str]:
    sqs = caller.client("sqs", emulator.endpoint_url)
    found = sqs.receive_message(QueueUrl=queue_url, MaxNumberOfMessages=10)
    return {one["Body"] for one in found.get("Messages", [])}


@pytest.mark.parametrize(
    ("service", "operation", "call", "codes"),
    [
        (
            "sqs",
            "sqs.ListQueues",
            lambda sqs: sqs.list_queues(),
            ("RequestThrottled", "InternalFailure"),
        ),
        ("s3", "s3.HeadBucket", lambda s3: s3.head_bucket(Bucket="any"), ("503", "500")),
        (
            "s3",
            "s3.GetBucket",
            lambda s3: s3.list_objects(Bucket="any"),
            ("SlowDown", "InternalError"),
        ),
        (
            "secretsmanager",
            "secretsmanager.ListSecrets",
            lambda secrets: secrets.list_secrets(),
            ("ThrottlingException", "InternalFailure"),
        ),
        ("sns", "sns.ListTopics", lambda sns: sns.list_topics(), ("Throttling", "InternalFailure")),
    ],
)
def test_each_service_refuses_and_fails_in_its_own_words(
    proxy: FaultProxy,
    caller: Caller,
    *,
    service: str,
    operation: str,
    call: Callable[[Any], Any],
    codes: tuple[str, str],
) -> None:
    for fault, code in zip((Fault.THROTTLE, Fault.ERROR), codes, strict=True):
        proxy.arm(OneFault(operation, fault))
        with pytest.raises(ClientError) as raised:
            call(caller.client(service, proxy.url))
        assert raised.value.response["Error"]["Code"] == code


def test_nothing_is_injected_or_noted_before_a_plan_is_armed_and_after_it_is_disarmed(
    proxy: FaultProxy, put: Callable[..., Any]
) -> None:
    put()
    proxy.arm(OneFault("dynamodb.PutItem", Fault.ERROR))
    proxy.disarm()
    put()
    assert proxy.calls.made == []
