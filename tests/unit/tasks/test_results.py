import asyncio
from io import StringIO
from typing import Any

import pytest
from pydantic import BaseModel

from tandem.files.blobs import upload_key
from tandem.ids import TenantId, new_upload_id
from tandem.processing import TaskContext, Upload, processor
from tandem.processing.catalogue import Catalogue
from tandem.reports.tally import Tally
from tandem.reports.window import Window
from tandem.tasks.submit import NewTask
from tandem.tasks.task import Mode, State
from tandem.testing import FakeClock, MemoryWiring

ACME = TenantId("acme")


class Question(BaseModel):
    numbers: dict[str, int] = {}
    uploads: list[Upload] = []


class Answer(BaseModel):
    total: int


def make(*, version: int = 1, cache_for: float = 60) -> MemoryWiring:
    @processor("work", cache_for=cache_for, version=version)
    def work(data: Question, ctx: TaskContext) -> Answer:
        return Answer(total=sum(data.numbers.values()))

    return MemoryWiring(catalogue=Catalogue([work]))


def key(wiring: MemoryWiring, question: Question, tenant: str = ACME) -> str | None:
    return wiring.results.key_of(TenantId(tenant), wiring.catalogue["work"], question)


def upload(wiring: MemoryWiring, content: bytes, tenant: str = ACME) -> Upload:
    upload_id = new_upload_id(wiring.clock.now())
    place = upload_key(TenantId(tenant), upload_id)
    wiring.blobs.put(place, content, content_type="text/csv", filename="orders.csv")
    return Upload(upload_id)


def run(wiring: MemoryWiring, question: Question) -> Any:
    new = NewTask(
        tenant=ACME,
        processor=wiring.catalogue["work"],
        document=question.model_dump_json().encode(),
        traceparent="00-1",
        cache_key=key(wiring, question),
    )
    return asyncio.run(wiring.online.process(new, question, budget_seconds=10)), new


def test_the_same_input_has_the_same_key_whatever_its_order() -> None:
    wiring = make()
    one, other = Question(numbers={"a": 1, "b": 2}), Question(numbers={"b": 2, "a": 1})
    assert key(wiring, one) == key(wiring, other)
    assert key(wiring, one) != key(wiring, Question(numbers={"a": 1, "b": 3}))


def test_a_key_is_of_one_tenant_and_one_version() -> None:
    question = Question(numbers={"a": 1})
    assert key(make(), question) != key(make(), question, "other")
    assert key(make(), question) != key(make(version=2), question)


def test_a_processor_that_is_not_pure_has_no_key() -> None:
    assert key(make(cache_for=0), Question()) is None


def test_uploads_count_by_their_content() -> None:
    wiring = make()
    one, same, other = (upload(wiring, content) for content in (b"a", b"a", b"b"))
    assert one != same
    assert key(wiring, Question(uploads=[one])) == key(wiring, Question(uploads=[same]))
    assert key(wiring, Question(uploads=[one])) != key(wiring, Question(uploads=[other]))
    foreign = upload(wiring, b"a", "other")
    assert key(wiring, Question(uploads=[foreign])) is None
    assert key(wiring, Question(uploads=[Upload("none")])) is None


def test_a_result_is_found_until_it_expires() -> None:
    wiring = make()
    question = Question(numbers={"a": 40, "b": 2})
    answer, new = run(wiring, question)
    found = wiring.results.find(new.cache_key)
    assert found is not None
    assert (found.task_id, wiring.payloads.read(found.output)) == (
        answer.task.task_id,
        b'{"total":42}',
    )
    assert wiring.results.find(None) is None
    clock = wiring.clock
    assert isinstance(clock, FakeClock)
    clock.advance(60)
    assert wiring.results.find(new.cache_key) is None


def test_an_answered_task_has_succeeded_without_an_attempt_and_is_counted_so() -> None:
    wiring = make()
    _, new = run(wiring, Question(numbers={"a": 1}))
    kept = wiring.results.find(new.cache_key)
    assert kept is not None
    task = wiring.submissions.answered(new, Mode.OFFLINE, kept)
    assert (task.state, task.attempts, task.cached_from) == (State.SUCCEEDED, 0, kept.task_id)
    assert wiring.queue.messages == {}
    window = Window.holding(wiring.clock.now())
    shards = range(wiring.report_store.shards)
    finished = [one for shard in shards for one in wiring.report_store.finished_in(window, shard)]
    counted = {series.mode: count for series, count in Tally.of(finished).counts().items()}
    assert (counted[Mode.OFFLINE].tasks, counted[Mode.OFFLINE].cached) == (1, 1)
    assert (counted[Mode.ONLINE].tasks, counted[Mode.ONLINE].cached) == (1, 0)


@pytest.mark.parametrize("seconds", [-1, 90_000])
def test_a_cache_time_that_outlives_tasks_is_refused(seconds: float) -> None:
    with pytest.raises(TypeError, match="cache_for"):
        make(cache_for=seconds)


def test_a_cache_that_fails_does_not_undo_the_run(
    monkeypatch: pytest.MonkeyPatch, log: StringIO
) -> None:
    wiring = make()

    def broken(*_: object) -> None:
        raise OSError("SECRET-DETAIL")

    monkeypatch.setattr(wiring.result_cache, "put", broken)
    answer, _ = run(wiring, Question(numbers={"a": 1}))
    assert answer.task.state is State.SUCCEEDED
    assert "result not kept" in log.getvalue()
    assert "SECRET-DETAIL" not in log.getvalue()
