from collections.abc import Callable
from datetime import timedelta
from io import StringIO
from threading import Barrier
from typing import Any

import pytest

from tandem.callbacks.batch import run_batch
from tandem.callbacks.callback import CallbackState
from tandem.callbacks.ports import Answered, Unreachable
from tandem.ids import TaskId
from tandem.lambda_events import sqs_record
from tandem.testing import FakeClock, MemoryWiring
from tests.factories.deliveries import deliver_all
from tests.factories.processors import double, make_wiring, new_work

HOOK = "https://hooks.example.com/"


@pytest.fixture
def wiring() -> MemoryWiring:
    return make_wiring(double)


def ended(wiring: MemoryWiring) -> TaskId:
    task = wiring.submissions.offline(new_work(wiring, callback_url=HOOK))
    deliver_all(wiring)
    return task.task_id


def run(wiring: MemoryWiring) -> list[str]:
    """Send all that waits as one batch; return the ids of the messages to be delivered again."""
    records = [
        sqs_record(
            message.body,
            message_id=message.message_id,
            receive_count=message.receive_count,
            traceparent=message.attributes.get("traceparent"),
        )
        for message in wiring.callback_queue.receive()
    ]
    answer = run_batch({"Records": records}, wiring)
    return sorted(item["itemIdentifier"] for item in answer["batchItemFailures"])


def state(wiring: MemoryWiring, task_id: TaskId) -> CallbackState:
    callback = wiring.store.tasks[task_id].callback
    assert callback is not None
    return callback.state


def test_one_receiver_that_fails_brings_back_its_own_message_only(wiring: MemoryWiring) -> None:
    for _ in range(3):
        ended(wiring)
    wiring.callback_sender.answers = [Answered(204), Unreachable("no answer"), Answered(200)]
    assert len(run(wiring)) == 1
    states = sorted(state(wiring, task_id) for task_id in wiring.store.tasks)
    assert states == ["delivered", "delivered", "pending"]


def test_a_batch_is_sent_at_once(wiring: MemoryWiring, monkeypatch: pytest.MonkeyPatch) -> None:
    together = Barrier(5, timeout=10)

    def post(*_: Any) -> Answered:
        together.wait()
        return Answered(204)

    monkeypatch.setattr(wiring.callback_sender, "post", post)
    for _ in range(5):
        ended(wiring)
    assert run(wiring) == []


def test_a_batch_without_its_key_comes_back_and_says_which_is_missing(
    wiring: MemoryWiring, log: StringIO
) -> None:
    ended(wiring)
    wiring.secrets._versions.clear()
    assert len(run(wiring)) == 1
    assert "the secret callback-key cannot be read: there is none of that name" in log.getvalue()


def test_a_bug_is_logged_without_what_it_says(
    wiring: MemoryWiring, log: StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended(wiring)

    def post(*_: Any) -> Answered:
        raise KeyError("hunter2")

    monkeypatch.setattr(wiring.callback_sender, "post", post)
    assert len(run(wiring)) == 1
    assert "KeyError" in log.getvalue()
    assert "hunter2" not in log.getvalue()


def test_a_line_carries_the_trace_of_the_task(wiring: MemoryWiring, log: StringIO) -> None:
    ended(wiring)
    log.truncate(0)
    run(wiring)
    assert '"correlation_id":"4bf92f3577b34da6a3ce929d0e0e4736"' in log.getvalue()


def refuse(wiring: MemoryWiring) -> None:
    wiring.callback_sender.answers = [Answered(503)] * 2


def lose_the_key(wiring: MemoryWiring) -> None:
    wiring.secrets._versions.clear()


def lose_the_table(wiring: MemoryWiring) -> None:
    wiring.store.get = fails  # type: ignore[method-assign]


def lose_the_record(wiring: MemoryWiring) -> None:
    wiring.callback_store.record = fails  # type: ignore[method-assign]


def fails(*_: Any, **__: Any) -> Any:
    raise ConnectionError


@pytest.mark.parametrize("trouble", [refuse, lose_the_key, lose_the_table, lose_the_record])
def test_a_callback_that_is_not_done_with_comes_again_soon_and_then_later(
    wiring: MemoryWiring, trouble: Callable[[MemoryWiring], None]
) -> None:
    assert isinstance(wiring.clock, FakeClock)
    ended(wiring)
    trouble(wiring)
    waits = []
    for _ in range(2):
        assert len(run(wiring)) == 1
        (message,) = wiring.callback_queue.messages.values()
        waits.append(message.visible_at - wiring.clock.now())
        wiring.clock.advance(waits[-1] + timedelta(seconds=1))
    assert timedelta(0) < waits[0] < waits[1] <= timedelta(minutes=6)
