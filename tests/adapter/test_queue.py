import json
import re
from datetime import timedelta
from typing import Any

import pytest

from tandem.ids import TaskId
from tandem.messages import Envelope, QueueDepth
from tandem_tools.harness.tasks import ACME, make_task
from tests.adapter.conftest import Ports

TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


def test_a_message_holds_the_id_and_the_trace_and_nothing_else(ports: Ports) -> None:
    task = make_task()
    ports.queue.send(Envelope(task_id=task.task_id, tenant=ACME, traceparent=TRACE))
    (message,) = ports.mailbox.receive()
    assert json.loads(message["Body"]) == {"task_id": task.task_id}
    attributes = message["MessageAttributes"]
    assert {name: value["StringValue"] for name, value in attributes.items()} == {
        "traceparent": TRACE
    }


def test_a_message_belongs_to_its_tenants_fair_queue_group(ports: Ports) -> None:
    ports.queue.send(Envelope(task_id=make_task().task_id, tenant=ACME, traceparent=None))
    (message,) = ports.mailbox.receive()
    assert message["Attributes"]["MessageGroupId"] == ACME


def test_waiting_messages_are_counted_and_received_ones_are_not(ports: Ports) -> None:
    assert ports.queue.depth() == QueueDepth(waiting=0, delayed=0, in_flight=0)
    for _ in range(3):
        ports.queue.send(Envelope(task_id=make_task().task_id, tenant=ACME))
    assert ports.queue.depth().waiting == 3
    received = ports.mailbox.receive()
    left = QueueDepth(waiting=3 - len(received), delayed=0, in_flight=len(received))
    assert ports.queue.depth() == left


def test_messages_that_are_kept_back_are_counted_apart(ports: Ports) -> None:
    envelope = Envelope(task_id=make_task().task_id, tenant=ACME, delay=timedelta(minutes=5))
    ports.queue.send(envelope)
    assert ports.queue.depth() == QueueDepth(waiting=0, delayed=1, in_flight=0)


def test_dead_letters_are_counted(ports: Ports) -> None:
    assert ports.letters.count() == 0
    ports.inbox.dead_letter("{}", message_id="m1", reason="permanent", error="-", task_id=None)
    assert ports.letters.count() == 1


def test_a_postponed_message_is_hidden_then_delivered_again(ports: Ports) -> None:
    ports.queue.send(Envelope(task_id=make_task().task_id, tenant=ACME, traceparent=None))
    (message,) = ports.mailbox.receive()
    ports.inbox.postpone(message["ReceiptHandle"], timedelta(seconds=60))
    assert ports.mailbox.receive() == []
    ports.inbox.postpone(message["ReceiptHandle"], timedelta(0))
    (again,) = ports.mailbox.receive()
    assert again["Attributes"]["ApproximateReceiveCount"] == "2"


def test_acknowledged_messages_are_gone(ports: Ports) -> None:
    for _ in range(12):
        ports.queue.send(Envelope(task_id=make_task().task_id, tenant=ACME))
    handles = []
    while messages := ports.mailbox.receive():
        handles += [message["ReceiptHandle"] for message in messages]
    assert ports.inbox.acknowledge(*handles[1:]) == 0
    assert ports.queue.depth() == QueueDepth(waiting=0, delayed=0, in_flight=1)
    assert ports.inbox.acknowledge(handles[0]) == 0
    assert ports.queue.depth() == QueueDepth(waiting=0, delayed=0, in_flight=0)


def test_a_dead_letter_says_why(ports: Ports) -> None:
    ports.inbox.dead_letter(
        '{"task_id": "1"}',
        message_id="m1",
        reason="permanent",
        error="Permanent: no such column",
        task_id=TaskId("1"),
    )
    (letter,) = ports.mailbox.dead_letters()
    assert letter.body == '{"task_id": "1"}'
    assert letter.attributes == {
        "reason": "permanent",
        "error": "Permanent: no such column",
        "message_id": "m1",
        "task_id": "1",
    }


def test_a_dead_letter_takes_any_error_text(on_moto: Ports) -> None:
    error = "bad \x00 bytes " + "x" * 5000
    on_moto.inbox.dead_letter("x", message_id="m", reason="unparsable", error=error, task_id=None)
    (letter,) = on_moto.mailbox.dead_letters()
    assert letter.attributes["error"].startswith("bad \ufffd bytes xxx")
    assert "task_id" not in letter.attributes


MESSAGE_BYTES = 256 * 1024
ILLEGAL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
HOSTILE = {
    "empty": "",
    "control characters": "".join(map(chr, range(32))),
    "halves of surrogate pairs": "\ud800\udfff",
    "noncharacters": "\ufffe\uffff",
    "four bytes each": "😀" * 200_000,
    "three bytes each": "\x00" * 300_000,
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_a_dead_letter_is_legal_and_bounded_whatever_it_says(on_moto: Ports, text: str) -> None:
    on_moto.inbox.dead_letter(
        text, message_id=text, reason=text, error=text, task_id=TaskId(text or "1")
    )
    (letter,) = on_moto.mailbox.dead_letters()
    parts = [letter.body, *letter.attributes.values(), *letter.attributes]
    assert all(parts)
    assert sum(len(part.encode()) for part in parts) <= MESSAGE_BYTES
    assert not any(ILLEGAL.search(part) for part in parts)


def test_a_letter_that_someone_else_sent_is_read_within_bounds(on_moto: Ports) -> None:
    assert on_moto.clients is not None
    attributes: Any = {
        "reason": {"DataType": "String", "StringValue": "r" * 50_000},
        "error": {"DataType": "Binary", "BinaryValue": b"\xff"},
        "task_id": {"DataType": "Number", "StringValue": "7"},
    }
    on_moto.clients.sqs.send_message(
        QueueUrl=on_moto.mailbox.dead_letter_url, MessageBody="?", MessageAttributes=attributes
    )
    (letter,) = on_moto.letters.look(1, hide=timedelta(0))
    assert (letter.reason, letter.error, letter.task_id) == ("r" * 1000, "", None)


def test_many_tasks_are_sent_in_few_calls_and_all_arrive(ports: Ports) -> None:
    ids = {make_task().task_id for _ in range(23)}
    assert ports.queue.send(*(Envelope(task_id=one, tenant=ACME) for one in ids)) == []
    arrived: set[str] = set()
    while messages := ports.mailbox.receive():
        arrived |= {json.loads(message["Body"])["task_id"] for message in messages}
    assert arrived == ids


def test_a_delayed_task_is_kept_back(ports: Ports) -> None:
    envelope = Envelope(task_id=make_task().task_id, tenant=ACME, delay=timedelta(seconds=30))
    ports.queue.send(envelope)
    assert ports.mailbox.receive() == []


def test_dead_letters_are_looked_at_without_taking_them(ports: Ports) -> None:
    for number in range(12):
        ports.inbox.dead_letter(
            f"{number}", message_id="m", reason="unparsable", error="", task_id=None
        )
    for _ in range(2):
        bodies = {one.body for one in ports.letters.look(100, hide=timedelta(0))}
        assert bodies == {f"{number}" for number in range(12)}


def test_a_dead_letter_is_hidden_put_back_and_removed(ports: Ports) -> None:
    task_id = make_task().task_id
    ports.inbox.dead_letter("x", message_id="m", reason="permanent", error="E: e", task_id=task_id)
    (letter,) = ports.letters.look(10, hide=timedelta(seconds=30))
    assert (letter.body, letter.reason, letter.task_id) == ("x", "permanent", task_id)
    assert ports.letters.look(10, hide=timedelta(0)) == []
    ports.letters.put_back(letter)
    (again,) = ports.letters.look(10, hide=timedelta(seconds=30))
    assert again.letter_id == letter.letter_id
    ports.letters.remove(again)
    assert ports.letters.look(10, hide=timedelta(0)) == []
