"""How an attempt ends that finds no more room on the disk."""

import asyncio
import errno
import shutil
from collections.abc import Callable
from datetime import timedelta

import pytest

from tandem.files.blobs import upload_key
from tandem.processing import Retry, TaskContext
from tandem.tasks.attempt import Attempt
from tandem.tasks.online import Answered, Promoted
from tandem.tasks.outcomes import CrowdedOut, Failed, Outcome
from tandem.tasks.task import State
from tandem.testing import MemoryWiring
from tests.factories.deliveries import deliver_all
from tests.factories.processors import Number, make_wiring, new_work

UPLOAD = "019ab1e0-7c1d-7a52-8d3e-0b5a4c1f2e3d"


def fill_disk(data: Number, ctx: TaskContext) -> Number:
    raise OSError(errno.ENOSPC, "No space left on device")


def in_use(share: float) -> Callable[[str], object]:
    """Return what says of any disk that so much of it is in use."""
    used = int(1000 * share)
    disk = shutil.disk_usage("/")._replace(total=1000, used=used, free=1000 - used)
    return lambda _: disk


def ended(*, in_company: bool, retry: Retry) -> Outcome:
    wiring = make_wiring(fill_disk, retry=retry)
    task = wiring.submissions.offline(new_work(wiring))
    until = wiring.clock.now() + timedelta(minutes=1)
    attempt: Attempt = wiring.execution.claim(task.task_id, until=until, in_company=in_company)
    return wiring.execution.run(attempt)


def test_a_task_that_fills_an_empty_disk_alone_fails_for_good(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("shutil.disk_usage", in_use(0.01))
    outcome = ended(in_company=False, retry=Retry(attempts=3))
    assert isinstance(outcome, Failed)
    assert (outcome.error.type, outcome.error.callers) == ("DiskTooSmall", True)
    assert outcome.error.message == "the task needs more than the 1000 bytes of the function's disk"


def test_a_task_that_finds_a_disk_that_others_left_full_is_tried_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("shutil.disk_usage", in_use(0.6))
    outcome = ended(in_company=False, retry=Retry(attempts=3))
    assert isinstance(outcome, Failed)
    assert (outcome.error.permanent, outcome.retry_in is None) == (False, False)


def test_a_task_whose_neighbours_may_have_filled_the_disk_is_started_again_at_no_cost(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("shutil.disk_usage", in_use(0.01))
    assert isinstance(ended(in_company=True, retry=Retry(attempts=3)), CrowdedOut)
    counted = ended(in_company=True, retry=Retry(attempts=3, crashes=0))
    assert isinstance(counted, Failed)
    assert not counted.error.permanent


def test_another_error_of_the_system_is_no_full_disk() -> None:
    def read(data: Number, ctx: TaskContext) -> Number:
        raise FileNotFoundError(errno.ENOENT, "none")

    wiring = make_wiring(read)
    task = wiring.submissions.offline(new_work(wiring))
    attempt = wiring.execution.claim(task.task_id, until=wiring.clock.now() + timedelta(minutes=1))
    outcome = wiring.execution.run(attempt)
    assert isinstance(outcome, Failed)
    assert outcome.error.type == "FileNotFoundError"


def online(wiring: MemoryWiring) -> Answered | Promoted:
    run = wiring.online.process(new_work(wiring), Number(), budget_seconds=10)
    return asyncio.run(run)


def test_an_online_task_that_fills_the_disk_of_the_api_goes_on_offline_at_no_cost() -> None:
    full = [True, False]

    def fill_once(data: Number, ctx: TaskContext) -> Number:
        return fill_disk(data, ctx) if full.pop(0) else data

    wiring = make_wiring(fill_once, retry=Retry(attempts=1))
    answer = online(wiring)
    assert isinstance(answer, Promoted)
    assert (answer.task.state, answer.task.uncounted) == (State.QUEUED, 1)
    assert answer.task.history[0].error is not None
    assert answer.task.history[0].error.type == "NoRoom"
    assert deliver_all(wiring) == [True]
    task = wiring.store.get(answer.task.task_id)
    assert task is not None
    assert task.state is State.SUCCEEDED


@pytest.mark.parametrize(("size", "state"), [(10, "succeeded"), (20, "queued"), (21, "failed")])
def test_an_online_task_whose_upload_only_the_worker_takes_goes_on_offline(
    size: int, state: str
) -> None:
    def read(data: Number, ctx: TaskContext) -> Number:
        with ctx.open_upload(UPLOAD) as stream:
            return Number(value=len(stream.read()))

    byte_mib = 1 / 1024**2
    wiring = make_wiring(
        read, upload_mib=lambda has: byte_mib * (20 if has.disk_mib == 2048 else 10)
    )
    new = new_work(wiring)
    key = upload_key(new.tenant, UPLOAD)  # type: ignore[arg-type]  # it is one
    wiring.blobs.put(key, b"x" * size, content_type="text/csv")
    assert online(wiring).task.state == state
    (task,) = wiring.store.tasks.values()
    deliver_all(wiring)
    task = wiring.store.tasks[task.task_id]
    assert task.state is (State.FAILED if state == "failed" else State.SUCCEEDED)
    if task.error is not None:
        assert (task.error.type, task.error.callers) == ("TooLarge", True)
