"""A task with all that its parts may hold is one item still: DynamoDB takes 400 KB."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from tandem.aws.items import to_item
from tandem.callbacks.callback import Callback, CallbackState, GivenUp
from tandem.callbacks.url import URL_CHARACTERS
from tandem.files.filename import FILENAME_BYTES
from tandem.ids import TenantId
from tandem.limits import ERROR_CHARACTERS, INLINE_BYTES
from tandem.tasks.attempt import PROGRESS_CHARACTERS
from tandem.tasks.payloads import Payloads
from tandem.tasks.task import (
    HISTORY_RECORDS,
    AttemptRecord,
    InlinePayload,
    Payload,
    Progress,
    State,
    StoredPayload,
    Task,
    TaskError,
)
from tandem.tasks.transitions import fail, retry_later, succeed
from tandem.testing import FakeClock, MemoryBlobStore
from tandem_tools.harness.tasks import NOON, make_task, start
from tests.adapter.conftest import Ports

ITEM_BYTES = 400 * 1024
WIDE = "\U0001f600"
"""A character of four bytes."""

EXPIRY = NOON + timedelta(days=30)
ERROR = TaskError("\U00010400" * 100, WIDE * ERROR_CHARACTERS, permanent=True, own=True)
ID = "019b796d-d600-7105-a825-21d610a3f823"


def size_of(attribute: Any) -> int:
    """Return the bytes of a value as DynamoDB counts them.

    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html
    """
    ((kind, value),) = attribute.items()
    if kind == "S":
        return len(value.encode())
    if kind == "N":
        return len(value) // 2 + 2
    if kind == "M":
        return 3 + sum(len(name.encode()) + size_of(part) + 1 for name, part in value.items())
    if kind == "L":
        return 3 + sum(size_of(part) + 1 for part in value)
    assert kind == "BOOL"
    return 1


def item_bytes(task: Task) -> int:
    """Return the bytes of a task's item."""
    item = to_item(task, 4)
    return sum(len(name.encode()) + size_of(part) for name, part in item.items())


def text_of(size_bytes: int) -> bytes:
    return b'"' + b"x" * (size_bytes - 2) + b'"'


def full_history(task: Task) -> Task:
    """Return a running task whose latest attempts have all failed at great length."""
    for number in range(1, HISTORY_RECORDS + 2):
        held = replace(
            task, state=State.RUNNING, attempts=number, attempt_started_at=NOON, lease_until=EXPIRY
        )
        wait = retry_later(held, now=NOON, not_before=NOON, due_at=EXPIRY, error=ERROR)
        task = replace(wait.apply(held), state=State.QUEUED)
    return task


def largest(input_: Payload) -> Task:
    """Return a queued task with all that a caller and its attempts may give it."""
    callback = Callback(
        url="u" * URL_CHARACTERS,
        state=CallbackState.DELIVERED,
        attempts=10,
        delivered_at=NOON,
        failed_at=NOON,
        reason=GivenUp.ATTEMPTS_EXHAUSTED,
        error=WIDE * ERROR_CHARACTERS,
        write_id="0" * 16,
    )
    task = make_task(
        tenant=TenantId("t" * 128),
        processor="p" * 64,
        input=input_,
        max_attempts=99,
        progress=Progress(10**37, 10**37, WIDE * PROGRESS_CHARACTERS),
        cancel_requested_at=NOON,
        retry_of=ID,
        first_task=ID,
        requested_by="o" * 128,
        traceparent="0" * 55,
        cache_key="0" * 64,
        cached_from=ID,
        callback=callback,
        alone=True,
        in_company=True,
        own_fault=True,
        crashes=10,
        uncounted=10,
        sweeps=100,
    )
    return full_history(task)


@pytest.mark.parametrize(
    "input_bytes", [2, 100_000, INLINE_BYTES, INLINE_BYTES + 1], ids=lambda size: f"{size} in"
)
@pytest.mark.parametrize("output_bytes", [100_000, INLINE_BYTES], ids=lambda size: f"{size} out")
def test_an_item_at_all_its_limits_fits(
    on_ministack: Ports, input_bytes: int, output_bytes: int
) -> None:
    payloads = Payloads(MemoryBlobStore(FakeClock()))
    task = largest(payloads.keep_input(make_task().task_id, text_of(input_bytes)))
    store = on_ministack.tasks
    store.put(task)
    held = store.change(task.task_id, start(now=NOON, lease_until=EXPIRY))
    output = payloads.keep_output(
        task.task_id, held.attempts, text_of(output_bytes), beside=task.input
    )
    file = StoredPayload(f"tasks/{ID}/99/files/" + "f" * FILENAME_BYTES, 10**15)
    end = succeed(held, now=NOON, expires_at=EXPIRY, output=output, file=file)
    done = store.change(task.task_id, end)
    assert len(done.history) == HISTORY_RECORDS
    assert store.get(task.task_id) == done
    # What a success clears is counted, too: its progress and its error were there before.
    assert item_bytes(replace(done, progress=task.progress, error=ERROR)) < ITEM_BYTES


def test_a_task_that_fails_at_all_its_limits_fits_and_is_listed(on_ministack: Ports) -> None:
    task = largest(InlinePayload(text_of(INLINE_BYTES).decode()))
    store = on_ministack.tasks
    store.put(task)
    held = store.change(task.task_id, start(now=NOON, lease_until=EXPIRY))
    failed = store.change(task.task_id, fail(held, now=NOON, expires_at=EXPIRY, error=ERROR))
    assert item_bytes(replace(failed, retried_as=ID)) < ITEM_BYTES
    (listed,) = store.failed(limit=10).tasks
    assert listed == replace(failed, input=InlinePayload(""))


def test_a_history_holds_the_latest_records(on_ministack: Ports) -> None:
    task = largest(InlinePayload("{}"))
    assert [record.number for record in task.history] == list(range(2, HISTORY_RECORDS + 2))
    on_ministack.tasks.put(task)
    assert on_ministack.tasks.get(task.task_id) == task
    assert isinstance(task.history[0], AttemptRecord)
