"""What a task costs: the AWS calls from its submission to its result, counted as they are made.

The event source mapping's calls (receive, delete) are not a function's, and not counted.
"""

import asyncio
import json
import re
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest

from tandem.aws.wiring import Wiring
from tandem.callbacks import batch as callback_batch
from tandem.files.blobs import upload_key
from tandem.files.capacity import Capacity
from tandem.http.app import create_app
from tandem.http.lambda_handler import LambdaHandler
from tandem.ids import TenantId, new_upload_id
from tandem.lambda_events import LambdaContextStub, http_event, sqs_record
from tandem.limits import LEASE
from tandem.processing import RetryAfter, TaskContext
from tandem.processing.catalogue import Catalogue, installed
from tandem.processing.processor import Resources
from tandem.settings import Settings
from tandem.tasks.online import Promoted
from tandem.testing import FakeClock, MemorySecretStore, MemorySender
from tandem.worker.batch import run_batch
from tandem_tools.harness.tasks import start
from tandem_tools.paths import PROJECT
from tests.adapter.conftest import Ports
from tests.factories.processors import Number, break_down, make_processor, new_work

ECHO = {"processor": "echo", "input": {"message": "hello"}}
LARGE = {"processor": "echo", "input": {"message": "x" * 300_000}}
KEY = {"Idempotency-Key": "order-4711"}
type Json = dict[str, Any]

STARTED, ENDED = "UpdateItem", "UpdateItem"
PAGE = PROJECT / "docs" / "performance.md"


class Costs:
    """The whole application on moto, and the calls that it has made."""

    def __init__(
        self,
        ports: Ports,
        *,
        per_second: float = 0,
        process: Callable[[Number, TaskContext], Any] = break_down,
    ) -> None:
        self.clock = FakeClock()
        self.wiring = Wiring(Settings(tenant_tasks_per_second=per_second, callback_secret="secret"))
        self.wiring.clock = self.clock
        self.wiring.catalogue = Catalogue([*installed().values(), make_processor(process)])
        self.wiring.store = ports.tasks
        self.wiring.effect_store = ports.effects
        self.wiring.blobs = ports.blobs
        self.wiring.queue = ports.queue
        self.wiring.inbox = ports.inbox
        self.wiring.dead_letter_box = ports.letters
        self.wiring.quota_store = ports.quotas
        self.wiring.result_cache = ports.results
        self.wiring.callback_store = ports.callbacks
        self.wiring.callback_queue = ports.queue
        self.wiring.callback_inbox = ports.inbox
        self.wiring.callback_sender = MemorySender()
        self.wiring.secrets = MemorySecretStore(secret="value")
        self.handler = LambdaHandler(create_app(self.wiring))
        self._mailbox = ports.mailbox
        self._calls: list[str] = []
        assert ports.clients is not None
        for client in (ports.clients.dynamodb, ports.clients.sqs, ports.clients.s3):
            client.meta.events.register("before-call", self._note)

    def _note(self, model: Any, **_: Any) -> None:
        self._calls.append(model.name)

    def taken(self) -> list[str]:
        """Return the calls since the last time."""
        taken, self._calls = self._calls, []
        return taken

    def ask(self, method: str, path: str, body: Any = None, **options: Any) -> Any:
        """Return the answer to a request."""
        answer = self.handler(http_event(method, path, body, **options), LambdaContextStub())  # type: ignore[arg-type]
        assert answer["statusCode"] < 400, answer["body"]
        return json.loads(answer["body"] or "null")

    def receive(self) -> Any:
        """Take a message from the queue, as the event source mapping does, at no cost."""
        before = self.taken()
        (message,) = self._mailbox.receive()
        self._calls = before
        return message

    def deliver(self, message: Any, *, receive_count: int = 1, minutes: int = 1) -> int:
        """Run the worker on a message, and return how many it hands back."""
        record = sqs_record(message["Body"], receive_count=receive_count)
        record["receiptHandle"] = message["ReceiptHandle"]
        until = self.clock.now() + timedelta(minutes=minutes)
        answer = run_batch({"Records": [record]}, self.wiring, until=until)
        return len(answer["batchItemFailures"])


@pytest.fixture
def costs(on_moto: Ports) -> Iterator[Costs]:
    running = Costs(on_moto)
    yield running
    running.handler.stop()


def stated(what: str) -> list[str]:
    """Return what the page says that something costs."""
    (calls,) = re.findall(rf"^\| {re.escape(what)} \| (.*?) \|", PAGE.read_text(), re.MULTILINE)
    named: list[str] = re.findall(r"`(\w+)`", calls)
    return named


def test_an_offline_task_costs_four_writes_and_its_result_one_read(costs: Costs) -> None:
    task_id = costs.ask("POST", "/process-offline", ECHO)["task_id"]
    assert costs.taken() == ["PutItem", "SendMessage"] == stated("offline: submit")
    assert costs.deliver(costs.receive()) == 0
    assert costs.taken() == [STARTED, ENDED] == stated("offline: run")
    costs.ask("GET", f"/tasks/{task_id}/result")
    assert costs.taken() == ["GetItem"] == stated("read the task, or its result")
    costs.ask("GET", f"/tasks/{task_id}")
    assert costs.taken() == ["GetItem"]


def test_an_online_task_costs_two_writes(costs: Costs) -> None:
    costs.ask("POST", "/process-online", ECHO)
    assert costs.taken() == ["PutItem", "UpdateItem"] == stated("online")


def upload(costs: Costs, processor: str) -> Json:
    """Return a task over an upload of 1 KiB."""
    upload_id = new_upload_id(costs.clock.now())
    key = upload_key(TenantId("acme"), upload_id)
    costs.wiring.blobs.put(key, b"a\n" + b"1\n" * 511, content_type="text/csv")
    costs.taken()
    given = {"uploads": [upload_id]} if processor == "hash-files" else {"upload": upload_id}
    return {"processor": processor, "input": given}


def test_the_size_of_an_upload_costs_no_call(costs: Costs) -> None:
    costs.ask("POST", "/process-offline", upload(costs, "copy-file"))
    assert costs.taken() == ["PutItem", "SendMessage"] == stated("offline: submit")
    costs.ask("POST", "/process-offline", upload(costs, "hash-files"))
    kept = ["HeadObject", "GetItem", "PutItem", "SendMessage"]
    assert costs.taken() == kept == stated("offline: submit, of a pure processor, with an upload")


def test_an_online_task_whose_upload_only_the_worker_takes_costs_a_promotion_and_its_look(
    costs: Costs,
) -> None:
    small, large = (Resources(memory_mib=1024, disk_mib=disk, seconds=20) for disk in (0, 193))
    costs.wiring.capacity = Capacity(api=small, worker=large)
    costs.ask("POST", "/process-online", upload(costs, "copy-file"))
    promoted = ["PutItem", "GetObject", "UpdateItem", "SendMessage"]
    assert costs.taken() == promoted == stated("online, its upload too large for the API")


def test_an_attempt_that_is_tried_again_costs_its_start_its_end_and_a_postponement(
    costs: Costs,
) -> None:
    costs.wiring.submissions.offline(new_work(costs.wiring))
    message = costs.receive()
    costs.taken()
    assert costs.deliver(message) == 1
    postponed = [STARTED, ENDED, "ChangeMessageVisibility"]
    assert costs.taken() == postponed == stated("each attempt that is tried again")
    costs.clock.advance(timedelta(minutes=5))
    costs.deliver(message, receive_count=7)
    assert costs.taken() == postponed


def test_a_message_that_is_replaced_costs_no_more_than_one_that_is_postponed(costs: Costs) -> None:
    costs.wiring.submissions.offline(new_work(costs.wiring))
    message = costs.receive()
    costs.taken()
    assert costs.deliver(message, receive_count=8) == 0
    replaced = [STARTED, ENDED, "SendMessage"]
    assert costs.taken() == replaced == stated("the same, by a message that was received 8 times")


def fail(costs: Costs) -> str:
    """Submit a task and return it when the worker has failed it for good."""
    body = {"processor": "hash-files", "input": {"uploads": ["none"]}}
    task_id: str = costs.ask("POST", "/process-offline", body)["task_id"]
    message = costs.receive()
    costs.taken()
    assert costs.deliver(message) == 0
    return task_id


def test_an_attempt_that_fails_for_good_costs_as_much_as_one_that_succeeds(costs: Costs) -> None:
    fail(costs)
    assert costs.taken() == [STARTED, ENDED] == stated("the attempt that fails it")


def test_a_redrive_costs_two_reads_a_transaction_and_a_message(costs: Costs) -> None:
    wanted = {"task_ids": [fail(costs)], "dry_run": False}
    costs.taken()
    costs.ask("POST", "/dead-letters/redrive", wanted, scopes=("admin",))
    redriven = ["GetItem", "GetItem", "TransactWriteItems", "SendMessage"]
    assert costs.taken() == redriven == stated("a redrive of a failed task, by its id")


def test_an_owners_retry_costs_a_read_a_transaction_and_a_message(costs: Costs) -> None:
    task_id = fail(costs)
    costs.taken()
    costs.ask("POST", f"/tasks/{task_id}/retry")
    again = ["GetItem", "TransactWriteItems", "SendMessage"]
    assert costs.taken() == again == stated("a retry of a failed task by its owner")


def test_a_promotion_costs_a_message_more_than_an_answer(on_moto: Ports) -> None:
    def outlast(data: Number, ctx: TaskContext) -> Number:
        costs.clock.advance(timedelta(minutes=1))
        ctx.check_cancelled()
        return data

    costs = Costs(on_moto, process=outlast)
    online = costs.wiring.online.process(new_work(costs.wiring), Number(), budget_seconds=30)
    assert isinstance(asyncio.run(online), Promoted)
    promoted = ["PutItem", "UpdateItem", "SendMessage"]
    assert costs.taken() == promoted == stated("online, promoted to offline")
    costs.handler.stop()


def test_an_attempt_that_died_costs_a_refusal_a_recovery_and_a_postponement(costs: Costs) -> None:
    task = costs.wiring.submissions.offline(new_work(costs.wiring))
    message = costs.receive()
    now = costs.clock.now()
    costs.wiring.store.change(task.task_id, start(now=now, lease_until=now + LEASE))
    costs.taken()
    costs.clock.advance(LEASE)
    assert costs.deliver(message, receive_count=2) == 1
    recovered = ["UpdateItem", "UpdateItem", "ChangeMessageVisibility"]
    assert costs.taken() == recovered == stated("an attempt that died, found by its message")


def test_a_long_time_limit_costs_one_more_write(costs: Costs) -> None:
    costs.ask("POST", "/process-offline", {"processor": "hash-blocks", "input": {"blocks": 1}})
    message = costs.receive()
    costs.taken()
    costs.deliver(message, minutes=10)
    assert costs.taken()[:3] == [STARTED, "UpdateItem", ENDED]


def test_a_callback_costs_two_calls_at_the_end_of_its_task_and_two_when_it_is_sent(
    costs: Costs,
) -> None:
    body = {**ECHO, "callback_url": "https://hooks.example.com/"}
    costs.ask("POST", "/process-online", body)
    handed_over = ["SendMessage", "UpdateItem"]
    assert costs.taken() == ["PutItem", "UpdateItem", *handed_over]
    assert handed_over == stated("a callback, at its task's end")
    record = sqs_record(costs.receive()["Body"])
    costs.taken()
    assert callback_batch.run_batch({"Records": [record]}, costs.wiring)["batchItemFailures"] == []
    assert costs.taken() == ["GetItem", "UpdateItem"] == stated("a callback, sent")


def test_a_duplicate_costs_one_refused_write(costs: Costs) -> None:
    costs.ask("POST", "/process-offline", ECHO)
    message = costs.receive()
    costs.deliver(message)
    costs.taken()
    assert costs.deliver(message, receive_count=2) == 0
    assert costs.taken() == ["UpdateItem"] == stated("a duplicate delivery")


def test_an_idempotency_key_makes_the_put_a_transaction_and_its_replay_reads(
    costs: Costs,
) -> None:
    costs.ask("POST", "/process-offline", ECHO, headers=KEY)
    with_key = ["TransactWriteItems", "SendMessage"]
    assert costs.taken() == with_key == stated("offline: submit, with `Idempotency-Key`")
    costs.ask("POST", "/process-offline", ECHO, headers=KEY)
    replayed = ["TransactWriteItems", "GetItem"]
    assert costs.taken() == replayed == stated("the same `Idempotency-Key` again")


def test_a_batch_costs_one_put_for_each_task_and_one_send_for_ten(costs: Costs) -> None:
    costs.ask("POST", "/process-offline/batch", {"tasks": [ECHO] * 20})
    assert Counter(costs.taken()) == Counter({"PutItem": 20, "SendMessageBatch": 2})


def test_a_large_input_or_output_costs_one_more_call_each(costs: Costs) -> None:
    costs.ask("POST", "/process-offline", LARGE)
    assert costs.taken() == ["PutObject", "PutItem", "SendMessage"]
    costs.deliver(costs.receive())
    assert costs.taken() == [STARTED, "GetObject", "PutObject", ENDED]


def test_a_quota_costs_one_more_write(on_moto: Ports) -> None:
    costs = Costs(on_moto, per_second=10)
    costs.ask("POST", "/process-offline", ECHO)
    costs.handler.stop()
    assert costs.taken() == ["UpdateItem", "PutItem", "SendMessage"]


def charge_and_fail(data: Number, ctx: TaskContext) -> Number:
    """Make an effect and then, but in the second attempt, fail."""
    ctx.once("charge", lambda key: {"charge": key})
    if ctx.attempt != 2:
        raise ConnectionError
    return data


def test_an_effect_costs_two_transactions_and_one_read_in_a_later_attempt(on_moto: Ports) -> None:
    costs = Costs(on_moto, process=charge_and_fail)
    costs.wiring.submissions.offline(new_work(costs.wiring))
    message = costs.receive()
    costs.taken()
    assert costs.deliver(message) == 1
    recorded = ["TransactWriteItems", "TransactWriteItems"]
    assert costs.taken() == [STARTED, *recorded, ENDED, "ChangeMessageVisibility"]
    assert recorded == stated("`ctx.once`, the first time")
    costs.clock.advance(timedelta(minutes=5))
    assert costs.deliver(message, receive_count=2) == 0
    assert costs.taken() == [STARTED, "GetItem", ENDED]
    assert stated("`ctx.once` in a later attempt, retry or redrive") == ["GetItem"]
    costs.handler.stop()


def ask_again(wait: timedelta) -> Callable[[Number, TaskContext], Number]:
    def run(data: Number, ctx: TaskContext) -> Number:
        if ctx.attempt == 1:
            raise RetryAfter(wait)
        return data

    return run


def test_a_retry_at_a_time_costs_what_any_other_does(on_moto: Ports) -> None:
    costs = Costs(on_moto, process=ask_again(timedelta(minutes=15)))
    costs.wiring.submissions.offline(new_work(costs.wiring))
    message = costs.receive()
    costs.taken()
    assert costs.deliver(message) == 1
    assert costs.taken() == stated("each attempt that is tried again")
    costs.handler.stop()


def test_a_retry_beyond_the_queues_delay_costs_a_write_and_a_message_of_the_sweep(
    on_moto: Ports,
) -> None:
    costs = Costs(on_moto, process=ask_again(timedelta(hours=1)))
    costs.wiring.submissions.offline(new_work(costs.wiring))
    message = costs.receive()
    costs.taken()
    assert costs.deliver(message) == 0
    ran = costs.taken()
    costs.clock.advance(timedelta(hours=1))
    costs.wiring.sweep.run()
    swept = [call for call in costs.taken() if call != "Query"]
    assert ran + swept == stated("each attempt that is tried again after more than 15 minutes")
    assert ran == [STARTED, ENDED]
    costs.handler.stop()


def test_an_online_retry_at_a_time_costs_as_a_promotion(on_moto: Ports) -> None:
    costs = Costs(on_moto, process=ask_again(timedelta(seconds=30)))
    online = costs.wiring.online.process(new_work(costs.wiring), Number(), budget_seconds=30)
    assert isinstance(asyncio.run(online), Promoted)
    assert costs.taken() == stated("online, tried again offline: `RetryAfter`")
    costs.handler.stop()
