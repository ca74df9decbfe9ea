"""A processor that says when its next attempt comes."""

import asyncio
import math
import pickle
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tandem.limits import RUN_AFTER
from tandem.messages import MAX_DELAY
from tandem.processing import Permanent, Retry, RetryAfter, TaskContext
from tandem.tasks.online import Answered, Promoted
from tandem.tasks.retry import RetryTooLate, wait_asked_by
from tandem.tasks.sweep import Found
from tandem.tasks.task import State, Task
from tandem.testing import FakeClock, MemoryWiring
from tests.factories.deliveries import deliver_all
from tests.factories.processors import Number, make_wiring, new_work

HOUR = timedelta(hours=1)


class World:
    """One task of a processor that raises, until its last allowed attempt."""

    def __init__(self, make: Callable[[datetime], BaseException], **options: Any) -> None:
        def run(data: Number, ctx: TaskContext) -> Number:
            if ctx.attempt < self.succeeds_at:
                raise make(self.clock.now())
            return data

        self.succeeds_at = 2
        self.wiring: MemoryWiring = make_wiring(run, **options)
        assert isinstance(self.wiring.clock, FakeClock)
        self.clock = self.wiring.clock

    def submit_and_run(self) -> Task:
        self.wiring.submissions.offline(new_work(self.wiring))
        deliver_all(self.wiring)
        return self.task

    @property
    def task(self) -> Task:
        (task,) = self.wiring.store.tasks.values()
        return task

    @property
    def wait(self) -> timedelta:
        assert self.task.not_before is not None
        return self.task.not_before - self.clock.now()


def failure(make: Callable[[datetime], BaseException], **options: Any) -> Task:
    return World(make, **options).submit_and_run()


@pytest.mark.parametrize(
    ("asked", "wait"),
    [
        (90, timedelta(seconds=90)),
        (0.25, timedelta(seconds=0.25)),
        (timedelta(minutes=2), timedelta(minutes=2)),
        (lambda now: now + HOUR, HOUR),
        (lambda now: (now + HOUR).astimezone(timezone(timedelta(hours=-5))), HOUR),
        (RUN_AFTER, RUN_AFTER),
        (0, timedelta(0)),
        (-1e300, timedelta(0)),
        (timedelta(days=-1), timedelta(0)),
        (lambda now: now - HOUR, timedelta(0)),
        (datetime.min.replace(tzinfo=UTC), timedelta(0)),
    ],
)
def test_the_next_attempt_comes_when_the_processor_says(asked: Any, wait: timedelta) -> None:
    retry = Retry(min_backoff_seconds=500, max_backoff_seconds=600)
    world = World(lambda now: RetryAfter(asked(now) if callable(asked) else asked), retry=retry)
    task = world.submit_and_run()
    assert (task.state, task.attempts, task.uncounted) == (State.QUEUED, 1, 0)
    assert world.wait == wait
    assert task.error is not None
    assert (task.error.type, task.error.permanent) == ("RetryAfter", False)
    world.clock.advance(wait)
    world.wiring.sweep.run()
    deliver_all(world.wiring)
    assert (world.task.state, world.task.attempts) == (State.SUCCEEDED, 2)


def test_a_wait_that_the_queue_can_keep_is_kept_by_the_message() -> None:
    world = World(lambda _: RetryAfter(MAX_DELAY))
    world.submit_and_run()
    (message,) = world.wiring.queue.messages.values()
    assert message.visible_at == world.task.not_before
    assert not world.task.waits_for_sweep


def test_a_longer_wait_holds_no_message_and_the_sweep_sends_it_in_time() -> None:
    world = World(lambda _: RetryAfter(MAX_DELAY + timedelta(milliseconds=1)))
    world.submit_and_run()
    assert world.wiring.queue.messages == {}
    assert world.task.waits_for_sweep
    world.clock.advance(MAX_DELAY)
    assert world.wiring.sweep.run() == {}
    world.clock.advance(0.001)
    assert world.wiring.sweep.run() == {Found.CAME_DUE: 1}
    assert world.task.sweeps == 0
    deliver_all(world.wiring)
    assert (world.task.state, world.task.attempts) == (State.SUCCEEDED, 2)


def test_a_long_backoff_holds_no_message_either() -> None:
    retry = Retry(min_backoff_seconds=3600, max_backoff_seconds=3600)
    world = World(lambda _: ConnectionError(), retry=retry)
    while True:  # the wait is drawn
        world.wiring.store.tasks.clear()
        world.submit_and_run()
        if world.wait > MAX_DELAY:
            break
        world.wiring.queue.messages.clear()
    assert world.wiring.queue.messages == {}
    assert world.task.waits_for_sweep


def test_a_second_message_of_a_task_that_waits_for_the_sweep_is_done_with() -> None:
    world = World(lambda _: RetryAfter(HOUR))
    task = world.submit_and_run()
    world.wiring.dispatch.send_after(timedelta(0), task)
    assert deliver_all(world.wiring) == [True]
    assert world.task == task


def test_it_uses_the_attempts_as_any_failure() -> None:
    world = World(lambda _: RetryAfter(10, "slow down"), retry=Retry(attempts=2))
    world.succeeds_at = 9
    world.submit_and_run()
    world.clock.advance(10)
    deliver_all(world.wiring)
    task = world.task
    assert (task.state, task.attempts, task.own_fault) == (State.FAILED, 2, True)
    assert task.error is not None
    assert (task.error.message, task.error.permanent) == ("slow down", False)


@pytest.mark.parametrize(
    "when",
    [RUN_AFTER + timedelta(seconds=1), 1.7e9, 1e300, 10**400, datetime(9999, 12, 31, tzinfo=UTC)],
)
def test_what_is_too_far_ahead_fails_the_task_and_says_how_far_it_may_be(when: Any) -> None:
    task = failure(lambda _: RetryAfter(when))
    assert (task.state, task.attempts, task.own_fault) == (State.FAILED, 1, True)
    assert task.error is not None
    assert (task.error.type, task.error.permanent) == ("RetryTooLate", True)
    assert "within 432000 s (5 days)" in task.error.message


class Nowhere(tzinfo):
    def utcoffset(self, when: datetime | None) -> None:
        return None


@pytest.mark.parametrize(
    ("when", "error", "said"),
    [
        (math.nan, ValueError, "finite"),
        (math.inf, ValueError, "finite"),
        (-math.inf, ValueError, "finite"),
        (datetime(2027, 1, 1), ValueError, "time zone"),  # noqa: DTZ001 - what is refused
        (datetime(2027, 1, 1, tzinfo=Nowhere()), ValueError, "time zone"),
        ("30", TypeError, "not str"),
        (None, TypeError, "not NoneType"),
        (True, TypeError, "not bool"),
    ],
)
def test_what_is_no_moment_is_a_mistake_of_the_processor(
    when: Any, error: type[Exception], said: str
) -> None:
    with pytest.raises(error, match=said):
        RetryAfter(when)
    task = failure(lambda _: RetryAfter(when))
    assert (task.state, task.error and task.error.type) == (State.QUEUED, error.__name__)


@given(
    st.one_of(
        st.floats(allow_nan=False, allow_infinity=False),
        st.integers(),
        st.timedeltas(),
        st.datetimes(timezones=st.timezones()),
    )
)
def test_any_moment_is_a_wait_within_the_bound_or_too_late(when: Any) -> None:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    try:
        wait = wait_asked_by(RetryAfter(when), now)
    except RetryTooLate:
        return
    assert timedelta(0) <= wait <= RUN_AFTER


def test_it_says_why_or_when() -> None:
    assert str(RetryAfter(1.5)) == "the processor asks for another attempt in 1.5 s"
    moment = datetime(2027, 1, 1, tzinfo=UTC)
    assert str(RetryAfter(moment)).endswith("attempt at 2027-01-01T00:00:00+00:00")
    assert str(RetryAfter(moment, "no quota")) == "no quota"


def test_it_crosses_a_process() -> None:
    there = pickle.loads(pickle.dumps(RetryAfter(30, "no quota")))  # noqa: S301 - made here
    assert (there.when, there.reason) == (30, "no quota")


class Forgetful(RetryAfter):
    def __init__(self) -> None:
        """Call nothing of the base class."""


class Lying(RetryAfter):
    def __init__(self) -> None:
        super().__init__(1)
        self.when = "soon"  # type: ignore[assignment]


class Raising(RetryAfter):
    @property
    def when(self) -> float:  # type: ignore[override]
        raise LookupError

    @when.setter
    def when(self, value: object) -> None: ...


@pytest.mark.parametrize(
    ("error", "shown"),
    [(Forgetful(), "Forgetful"), (Lying(), "TypeError"), (Raising(1), "LookupError")],
)
def test_a_class_of_the_processors_own_ends_its_attempt_and_no_more(
    error: RetryAfter, shown: str
) -> None:
    task = failure(lambda _: error)
    assert (task.state, task.error and task.error.type) == (State.QUEUED, shown)


class Greedy(float):
    """Says that it is small, and is not."""

    def __gt__(self, other: object) -> bool:
        return False

    def __float__(self) -> float:
        raise SystemExit


class NoTime(datetime):
    """As pandas.NaT: a datetime that is none."""

    def __sub__(self, other: Any) -> Any:
        return self

    def total_seconds(self) -> float:
        return math.nan


@pytest.mark.parametrize(
    ("when", "shown"),
    [
        (Greedy(1e12), "SystemExit"),
        (NoTime(2026, 1, 1, tzinfo=UTC), "ValueError"),
    ],
)
def test_a_moment_of_the_processors_own_ends_its_attempt_and_no_more(when: Any, shown: str) -> None:
    for make in (lambda _: RetryAfter(when), group(RetryAfter(when), RetryAfter(5))):
        task = failure(make)
        assert (task.state, task.error and task.error.type) == (State.QUEUED, shown)


class Disguised(Exception):
    """Is asked for its class, and ends the process."""

    @property
    def __class__(self) -> type:  # type: ignore[override]
        raise SystemExit

    @__class__.setter
    def __class__(self, value: type) -> None: ...


class Meta(type):
    def __instancecheck__(cls, instance: object) -> bool:
        raise SystemExit


class Unasked(Exception, metaclass=Meta):
    pass


@pytest.mark.parametrize(
    ("kind", "retry"), [(Disguised, Retry()), (ValueError, Retry(throws=(Unasked,)))]
)
def test_an_error_that_cannot_be_looked_at_ends_its_attempt_and_no_more(
    kind: type[Exception], retry: Retry
) -> None:
    task = failure(lambda _: kind(), retry=retry)
    assert (task.state, task.attempts) == (State.QUEUED, 1)
    assert task.error is not None
    assert task.error.type == kind.__name__


def test_any_reason_is_shown_as_text() -> None:
    task = failure(lambda _: RetryAfter(5, ValueError("no quota")))  # type: ignore[arg-type]
    assert task.error is not None
    assert task.error.message == "no quota"


def test_it_comes_through_the_pool_and_an_event_loop() -> None:
    def map_it(data: Number, ctx: TaskContext) -> Number:
        def limited(_: int) -> int:
            raise RetryAfter(60)

        return Number(value=sum(ctx.pool.map(limited, range(4))))

    async def gather_it(data: Number, ctx: TaskContext) -> Number:
        async def limited(seconds: float) -> None:
            raise RetryAfter(seconds)

        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(limited(60))
            tasks.create_task(limited(30))
        return data

    for run in (map_it, gather_it):
        wiring = make_wiring(run)
        wiring.submissions.offline(new_work(wiring))
        deliver_all(wiring)
        (task,) = wiring.store.tasks.values()
        assert task.not_before == wiring.clock.now() + timedelta(seconds=60)


def test_what_is_permanent_as_well_is_permanent() -> None:
    class Both(RetryAfter, Permanent):
        pass

    task = failure(lambda _: Both(10))
    assert (task.state, task.error and task.error.permanent) == (State.FAILED, True)


def test_no_list_of_errors_keeps_it_from_being_tried_again() -> None:
    for retry in (Retry(throws=(Exception,)), Retry(retry_on=())):
        world = World(lambda _: RetryAfter(60), retry=retry)
        assert world.submit_and_run().state is State.QUEUED


def test_a_task_that_was_asked_to_stop_does_not_wait() -> None:
    def cancel_then_ask(now: datetime) -> RetryAfter:
        task = world.task
        world.wiring.tasks.cancel(task.tenant, task.task_id)
        return RetryAfter(60)

    world = World(cancel_then_ask)
    assert world.submit_and_run().state is State.CANCELLED


def test_a_task_that_waits_for_the_sweep_is_cancelled_at_once() -> None:
    world = World(lambda _: RetryAfter(HOUR))
    task = world.submit_and_run()
    world.wiring.tasks.cancel(task.tenant, task.task_id)
    world.clock.advance(2 * HOUR)
    assert world.wiring.sweep.run() == {}
    assert world.task.state is State.CANCELLED


def online(world: World) -> Answered | Promoted:
    new = new_work(world.wiring)
    return asyncio.run(world.wiring.online.process(new, Number(value=21), budget_seconds=10))


@pytest.mark.parametrize("wait", [timedelta(seconds=30), HOUR])
def test_an_online_task_goes_on_offline_then(wait: timedelta) -> None:
    world = World(lambda _: RetryAfter(wait))
    assert isinstance(online(world), Promoted)
    task = world.task
    assert (task.state, task.attempts, task.uncounted) == (State.QUEUED, 1, 0)
    assert world.wait == wait
    assert deliver_all(world.wiring) == [], "it is not sent before its time"
    world.clock.advance(wait)
    world.wiring.sweep.run()
    deliver_all(world.wiring)
    assert (world.task.state, world.task.attempts) == (State.SUCCEEDED, 2)


def test_an_online_task_of_one_attempt_fails() -> None:
    answer = online(World(lambda _: RetryAfter(30), retry=Retry(attempts=1)))
    assert isinstance(answer, Answered)
    assert answer.task.state is State.FAILED


def group(*errors: Exception) -> Callable[[datetime], BaseException]:
    return lambda _: ExceptionGroup("a task group", [ExceptionGroup("within", errors)])


def test_of_a_group_the_longest_wait_counts() -> None:
    world = World(group(RetryAfter(10), ConnectionError(), RetryAfter(HOUR), RetryAfter(20)))
    task = world.submit_and_run()
    assert (task.error and task.error.type, world.wait) == ("RetryAfter", HOUR)


@pytest.mark.parametrize(
    ("errors", "retry", "state", "shown"),
    [
        ([RetryAfter(10), Permanent("no")], Retry(), State.FAILED, "Permanent"),
        ([ValueError("a"), KeyError("b")], Retry(), State.QUEUED, "ValueError"),
        ([ValueError(), KeyError("b")], Retry(throws=(KeyError,)), State.FAILED, "KeyError"),
        ([OSError()], Retry(retry_on=(OSError,)), State.QUEUED, "OSError"),
        ([OSError(), KeyError()], Retry(retry_on=(OSError,)), State.FAILED, "KeyError"),
        ([RetryAfter(1), RetryAfter(1e9)], Retry(), State.FAILED, "RetryTooLate"),
    ],
)
def test_of_a_group_the_most_final_error_decides(
    errors: list[Exception], retry: Retry, state: State, shown: str
) -> None:
    task = failure(group(*errors), retry=retry)
    assert (task.state, task.error and task.error.type) == (state, shown)


def test_a_group_that_holds_the_wish_to_stop_is_obeyed() -> None:
    def run(data: Number, ctx: TaskContext) -> Number:
        (task_id,) = wiring.store.tasks
        wiring.tasks.cancel(wiring.store.tasks[task_id].tenant, task_id)
        assert isinstance(wiring.clock, FakeClock)
        wiring.clock.advance(2)

        async def look() -> None:
            ctx.check_cancelled()

        async def beside() -> None:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(look())

        asyncio.run(beside())
        return data

    wiring = make_wiring(run)
    wiring.submissions.offline(new_work(wiring))
    deliver_all(wiring)
    (task,) = wiring.store.tasks.values()
    assert (task.state, task.error) == (State.CANCELLED, None)


def test_a_group_that_names_itself_as_its_member_ends() -> None:
    class Endless(ExceptionGroup[Exception]):
        @property
        def exceptions(self) -> tuple[Exception, ...]:  # type: ignore[override]
            return (self,)

    task = failure(lambda _: Endless("without end", [ValueError()]))
    assert (task.state, task.error and task.error.type) == (State.QUEUED, "ValueError")
