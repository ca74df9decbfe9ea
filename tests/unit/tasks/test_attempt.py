import shutil
from datetime import timedelta
from itertools import count
from pathlib import Path

import pytest

from tandem.files.blobs import upload_key
from tandem.files.capacity import TooLarge
from tandem.ids import TaskId, TenantId, new_upload_id
from tandem.limits import LEASE, LEASE_MARGIN
from tandem.processing import Permanent
from tandem.processing.context import Abandoned
from tandem.tasks.attempt import Attempt
from tandem.tasks.outcomes import NoRoomHere
from tandem.tasks.task import Progress, State, StoredPayload, Task
from tandem.tasks.transitions import Change
from tandem.testing import FakeClock, MemoryWiring
from tandem_tools.harness.tasks import make_task, start
from tests.factories.processors import double, make_wiring, new_work


@pytest.fixture
def wiring() -> MemoryWiring:
    return make_wiring(double)


@pytest.fixture
def attempt(wiring: MemoryWiring) -> Attempt:
    now = wiring.clock.now()
    task = make_task(now, processor="work")
    wiring.store.put(task)
    return wiring.execution.claim(task.task_id, until=now + timedelta(seconds=30))


def put_upload(
    wiring: MemoryWiring, tenant: str, content: bytes, filename: str = "orders.csv"
) -> str:
    upload_id = new_upload_id(wiring.clock.now())
    key = upload_key(TenantId(tenant), upload_id)
    wiring.blobs.put(key, content, content_type="text/csv", filename=filename)
    return upload_id


def test_the_deadline_is_the_earlier_of_the_limit_and_the_functions_end(
    wiring: MemoryWiring, attempt: Attempt
) -> None:
    assert attempt.deadline == wiring.clock.now() + timedelta(seconds=30)
    later = wiring.execution.begin(attempt.task, until=wiring.clock.now() + timedelta(minutes=9))
    assert later.deadline == wiring.clock.now() + timedelta(seconds=60)


def test_progress_is_written_at_most_once_a_second(wiring: MemoryWiring, attempt: Attempt) -> None:
    clock = wiring.clock
    assert isinstance(clock, FakeClock)
    seen = []
    for done in range(5):
        attempt.progress(done, 5, "reading")
        seen.append(wiring.store.tasks[attempt.task.task_id].progress)
        clock.advance(0.5)
    assert seen == [Progress(n, 5, "reading") for n in (0, 0, 2, 2, 4)]


def test_progress_of_an_attempt_that_lost_its_task_stops_the_work(
    wiring: MemoryWiring, attempt: Attempt
) -> None:
    later = attempt.task.lease_until
    assert later is not None
    assert isinstance(wiring.clock, FakeClock)
    wiring.clock.advance(later - wiring.clock.now())
    wiring.recovery.recover(attempt.task)
    lease_until = later + timedelta(minutes=1)
    wiring.store.change(attempt.task.task_id, start(now=later, lease_until=lease_until))
    wiring.clock.advance(-timedelta(minutes=1))
    with pytest.raises(Abandoned):
        attempt.progress(1)
    with pytest.raises(Abandoned):
        attempt.check_cancelled()


def test_progress_that_cannot_be_written_fails_no_work(
    wiring: MemoryWiring, attempt: Attempt, monkeypatch: pytest.MonkeyPatch
) -> None:
    def throttled(*_: object) -> None:
        raise ConnectionError

    monkeypatch.setattr(wiring.store, "change", throttled)
    monkeypatch.setattr(wiring.store, "get", throttled)
    assert isinstance(wiring.clock, FakeClock)
    wiring.clock.advance(2)
    attempt.progress(1)
    attempt.check_cancelled()


def test_a_long_attempt_holds_its_task_until_its_deadline_before_it_starts() -> None:
    wiring = make_wiring(double, time_limit=600)
    task = wiring.submissions.offline(new_work(wiring))
    now = wiring.clock.now()
    attempt = wiring.execution.claim(task.task_id, until=now + timedelta(seconds=890))
    held = wiring.store.tasks[task.task_id]
    assert attempt.deadline == now + timedelta(seconds=600)
    assert held.lease_until == held.due_at == attempt.deadline + LEASE_MARGIN


def test_an_attempt_whose_time_cannot_be_recorded_is_let_go_at_no_cost(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    wiring = make_wiring(double, time_limit=600)
    task = wiring.submissions.offline(new_work(wiring))
    healthy, calls = wiring.store.change, count()

    def fails_twice(task_id: TaskId, change: Change) -> Task:
        if change.to is State.RUNNING and next(calls) in (1, 2):
            raise ConnectionError
        return healthy(task_id, change)

    monkeypatch.setattr(wiring.store, "change", fails_twice)
    with pytest.raises(ConnectionError):
        wiring.execution.claim(
            task.task_id, until=wiring.clock.now() + timedelta(seconds=890), alone=True
        )
    waiting = wiring.store.tasks[task.task_id]
    assert (waiting.state, waiting.attempts, waiting.uncounted) == (State.QUEUED, 1, 1)


def test_a_usual_attempt_is_held_by_its_claim_alone(wiring: MemoryWiring, attempt: Attempt) -> None:
    assert attempt.task.lease_until == wiring.clock.now() + LEASE
    assert attempt.deadline + LEASE_MARGIN <= attempt.task.lease_until


def test_an_attempt_past_its_deadline_should_stop(wiring: MemoryWiring, attempt: Attempt) -> None:
    attempt.check_cancelled()
    clock = wiring.clock
    assert isinstance(clock, FakeClock)
    clock.advance(30)
    with pytest.raises(Abandoned):
        attempt.check_cancelled()


def test_an_upload_is_read_as_a_stream_and_as_a_file(
    wiring: MemoryWiring, attempt: Attempt
) -> None:
    upload_id = put_upload(wiring, "acme", b"id\n1\n", "my orders.csv.gz")
    with attempt.open_upload(upload_id) as stream:
        assert stream.read() == b"id\n1\n"
    with attempt.fetch_upload(upload_id) as path:
        assert (path.read_bytes(), path.name) == (b"id\n1\n", "upload.csv.gz")
    assert not path.exists()


def test_another_tenants_upload_is_as_if_it_were_not_there(
    wiring: MemoryWiring, attempt: Attempt
) -> None:
    foreign = put_upload(wiring, "other", b"secret")
    for upload_id in (foreign, "../other/x", f"../other/{foreign}", ""):
        with pytest.raises(Permanent, match="there is no upload"), attempt.open_upload(upload_id):
            pass
        with pytest.raises(Permanent, match="there is no upload"), attempt.fetch_upload(upload_id):
            pass


def test_an_error_in_the_block_that_reads_an_upload_is_not_hidden(
    wiring: MemoryWiring, attempt: Attempt
) -> None:
    upload_id = put_upload(wiring, "acme", b"x")
    with pytest.raises(KeyError), attempt.open_upload(upload_id):
        raise KeyError


def test_a_saved_file_lies_under_the_attempt_and_only_there(
    wiring: MemoryWiring, attempt: Attempt, tmp_path: Path
) -> None:
    source = tmp_path / "out.csv"
    source.write_bytes(b"a\n")
    saved = attempt.save_file("../../evil/out.csv", source, content_type="text/csv")
    assert (saved.name, saved.size_bytes) == ("out.csv", 2)
    key = f"tasks/{attempt.task.task_id}/1/files/out.csv"
    assert attempt.files.saved == StoredPayload(key, 2)
    assert wiring.blobs.get(key) == b"a\n"


def test_of_two_that_would_end_an_attempt_the_first_does(attempt: Attempt) -> None:
    assert [attempt.close(), attempt.close()] == [True, False]
    with pytest.raises(Abandoned):
        attempt.check_cancelled()


def test_copying_an_upload_stops_with_its_attempt(wiring: MemoryWiring, attempt: Attempt) -> None:
    upload_id = put_upload(wiring, "acme", b"x", "orders." + "y" * 200)
    with attempt.fetch_upload(upload_id) as path:
        assert path.name == "upload"
    attempt.close()
    with pytest.raises(Abandoned), attempt.fetch_upload(upload_id):
        pass


def begin(wiring: MemoryWiring, *, in_api: bool = False) -> Attempt:
    now = wiring.clock.now()
    task = make_task(now, processor="work")
    return wiring.execution.begin(task, until=now + timedelta(seconds=30), in_api=in_api)


def in_all(mib: float) -> MemoryWiring:
    return make_wiring(double, upload_mib=mib)


@pytest.mark.parametrize("way", ["open_upload", "fetch_upload"])
def test_uploads_above_what_the_processor_takes_are_refused_before_a_byte_is_read(way: str) -> None:
    wiring = in_all(10 / 1024**2)
    attempt = begin(wiring)
    with getattr(attempt, way)(put_upload(wiring, "acme", b"0123456789")):
        pass
    with (
        pytest.raises(TooLarge, match="work takes uploads of 10 bytes in all at most, and not 11"),
        getattr(attempt, way)(put_upload(wiring, "acme", b"x")),
    ):
        pytest.fail("it was read")


def test_an_upload_that_is_read_again_counts_once() -> None:
    wiring = in_all(10 / 1024**2)
    attempt = begin(wiring)
    upload_id = put_upload(wiring, "acme", b"0123456789")
    for _ in range(3):
        with attempt.open_upload(upload_id) as stream:
            assert stream.read() == b"0123456789"


def test_a_processor_that_takes_no_uploads_reads_none() -> None:
    wiring = in_all(0)
    with (
        pytest.raises(TooLarge),
        begin(wiring).open_upload(put_upload(wiring, "acme", b"x")),
    ):
        pytest.fail("it was read")


def test_what_the_disk_of_the_api_cannot_hold_may_go_to_the_worker(
    wiring: MemoryWiring, monkeypatch: pytest.MonkeyPatch
) -> None:
    upload_id = put_upload(wiring, "acme", b"0123456789")
    disk = shutil.disk_usage("/")._replace(total=9)
    monkeypatch.setattr("shutil.disk_usage", lambda _: disk)
    with (
        pytest.raises(NoRoomHere),
        begin(wiring, in_api=True).fetch_upload(upload_id),
    ):
        pytest.fail("it was copied")


def test_an_upload_larger_than_the_disk_is_refused_before_it_is_copied(
    wiring: MemoryWiring, attempt: Attempt, monkeypatch: pytest.MonkeyPatch
) -> None:
    upload_id = put_upload(wiring, "acme", b"0123456789")
    disk = shutil.disk_usage("/")._replace(total=9)
    monkeypatch.setattr("shutil.disk_usage", lambda _: disk)
    with (
        pytest.raises(Permanent, match="has 10 bytes, and the function's disk 9"),
        attempt.fetch_upload(upload_id),
    ):
        pytest.fail("it was copied")
