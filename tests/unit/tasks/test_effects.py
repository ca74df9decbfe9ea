"""An outside effect happens at most once, wherever the process stops and whoever tries again."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta
from threading import Barrier, BrokenBarrierError, Event, Lock
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tandem.contended import Contended
from tandem.dead_letters.letters import LetterFilter, Request
from tandem.processing import EffectUnknown, TaskContext
from tandem.processing.catalogue import Catalogue
from tandem.processing.context import Abandoned
from tandem.tasks.attempt import Attempt
from tandem.tasks.effects import BadAnswer, Effect, Unknown
from tandem.tasks.outcomes import Succeeded
from tandem.tasks.store import ChangeRefused
from tandem.tasks.task import State, Task
from tandem.testing import FakeClock, MemoryWiring
from tests.factories.effects import Receiver
from tests.factories.faults import Fault, FaultyWiring, Kind, Stopped
from tests.factories.processors import Number, make_processor, new_work

TRACE = "00-1"


class World:
    """One task that charges once, and whoever runs it, retries it or stops it."""

    def __init__(self, *, unknown: Unknown = "fail", honours_keys: bool = False) -> None:
        self.clock = FakeClock()
        self.bank = Receiver(honours_keys=honours_keys)
        self.unknown = unknown
        self.answers: list[Any] = []
        self.call: Callable[[str], Any] = self.bank.charge
        catalogue = Catalogue([make_processor(self.charge)])
        self.wiring = MemoryWiring(clock=self.clock, catalogue=catalogue)
        self.task = self.wiring.submissions.offline(new_work(self.wiring))

    def charge(self, data: Number, ctx: TaskContext) -> Number:
        self.answers.append(ctx.once("charge", self.call, unknown=self.unknown))
        return data

    def claim(self, wiring: MemoryWiring | None = None) -> Attempt:
        """Start the task's next attempt."""
        until = self.clock.now() + timedelta(minutes=5)
        return (wiring or self.wiring).execution.claim(self.task.task_id, until=until, alone=True)

    def attempt(self, fault: Fault | None = None) -> State:
        """Run the next attempt, which the fault may stop, and let the recovery find it."""
        fault = fault or Fault()
        wiring = FaultyWiring(self.wiring, fault)
        self.call = fault.around("bank.charge", self.bank.charge)
        with suppress(Stopped, ChangeRefused):
            attempt = self.claim(wiring)
            wiring.settlement.settle(attempt, wiring.execution.run(attempt))
        self.recover()
        return self.now.state

    def recover(self) -> None:
        """Let so much time pass that the task's lease is over, or its wait."""
        self.clock.advance(timedelta(minutes=10))
        with suppress(ChangeRefused):
            self.wiring.recovery.recover(self.now)

    def do_again(self) -> None:
        """Submit the ended task again, as its owner does."""
        self.task = self.wiring.tasks.again(self.now, traceparent=TRACE)

    @property
    def now(self) -> Task:
        """The task as it is."""
        return self.wiring.store.tasks[self.task.task_id]

    @property
    def effects(self) -> list[Effect]:
        """What is recorded."""
        return list(self.wiring.store.effects.values())


def calls_of_a_run() -> list[str]:
    fault = Fault()
    World().attempt(fault)
    return fault.calls


CALLS = calls_of_a_run()
POINTS = [(number, after) for number in range(len(CALLS)) for after in (False, True)]


def label(point: tuple[int, bool]) -> str:
    number, after = point
    return f"{'after' if after else 'before'} {number} {CALLS[number]}"


def test_an_effect_is_recorded_before_its_call_and_after_it() -> None:
    assert CALLS == [
        "store.change",
        "effect_store.write",
        "bank.charge",
        "effect_store.write",
        "store.change",
    ]


def stopping(point: tuple[int, bool]) -> Fault:
    number, after = point
    return Fault(number, Kind.STOP_AFTER if after else Kind.STOP_BEFORE)


@pytest.mark.parametrize("point", POINTS, ids=label)
def test_a_process_that_stops_anywhere_charges_at_most_once(point: tuple[int, bool]) -> None:
    world = World()
    world.attempt(stopping(point))
    while not world.now.state.final:
        world.attempt()
    if world.now.state is State.SUCCEEDED:
        assert len(world.bank.keys) == 1
    else:
        assert world.now.error is not None
        assert world.now.error.type == "EffectUnknown"
        assert len(world.bank.calls) <= 1
    # Only what stopped between the two records leaves the effect unknown.
    assert (world.now.state is State.FAILED) == ((1, True) <= point <= (3, False))


@pytest.mark.parametrize("point", POINTS, ids=label)
def test_a_receiver_that_honours_keys_charges_exactly_once(point: tuple[int, bool]) -> None:
    world = World(unknown="again", honours_keys=True)
    world.attempt(stopping(point))
    while not world.now.state.final:
        world.attempt()
    assert world.now.state is State.SUCCEEDED
    assert len(world.bank.keys) == 1
    assert set(world.bank.calls) == set(world.bank.keys)


def test_an_unknown_effect_fails_its_task_for_good_and_not_by_its_callers_fault() -> None:
    world = World()
    assert world.attempt(Fault(before="bank.charge")) is State.QUEUED
    assert world.attempt() is State.FAILED
    error = world.now.error
    assert error is not None
    assert (error.permanent, error.callers) == (True, False)
    assert world.now.listed_at is not None
    (effect,) = world.effects
    for part in ("'charge'", "may have happened or not", "attempt 1 of task", world.task.task_id):
        assert part in error.message
    assert effect.idempotency_key in error.message
    assert "submit the input as a new task" in error.message


def test_an_attempt_that_fails_after_the_effect_does_not_repeat_it() -> None:
    world = World()
    attempt = world.claim()
    first = attempt.once("charge", world.bank.charge)
    world.recover()
    assert world.attempt() is State.SUCCEEDED
    assert world.answers == [first]
    assert len(world.bank.calls) == 1


@pytest.mark.parametrize("by", ["owner", "operator"])
def test_a_retry_and_a_redrive_find_the_answer_of_the_first_task(by: str) -> None:
    world = World()
    first = world.claim().once("charge", world.bank.charge)
    while not world.now.state.final:
        world.recover()
        with suppress(ChangeRefused):
            world.claim()
    assert world.now.state is State.FAILED
    for _ in range(2):
        if by == "owner":
            world.do_again()
        else:
            request = Request(limit=1, dry_run=False, requested_by="ops", traceparent=TRACE)
            world.wiring.dead_letters.redrive(LetterFilter(), request)
            world.task = max(world.wiring.store.tasks.values(), key=lambda task: task.created_at)
            by = "owner"
        assert world.attempt() is State.SUCCEEDED
    assert world.answers == [first, first]
    assert len(world.bank.calls) == 1


def test_a_retry_of_a_task_with_an_unknown_effect_makes_it_again_with_the_same_key() -> None:
    world = World()
    world.attempt(Fault(before="bank.charge"))
    assert world.attempt() is State.FAILED
    world.do_again()
    assert world.attempt() is State.FAILED
    (effect,) = world.effects
    world.unknown = "again"
    world.do_again()
    assert world.attempt() is State.SUCCEEDED
    assert world.bank.calls == [effect.idempotency_key]


def test_two_tasks_charge_twice() -> None:
    world = World()
    world.attempt()
    world.task = world.wiring.submissions.offline(new_work(world.wiring))
    world.attempt()
    assert len(set(world.bank.keys)) == 2


def test_a_call_that_raises_ends_the_attempt_and_leaves_the_effect_unknown() -> None:
    world = World()
    attempt = world.claim()
    with pytest.raises(ConnectionError) as raised:
        attempt.once("charge", break_down)
    with pytest.raises(EffectUnknown):
        attempt.once("charge", world.bank.charge)
    (key,) = raised.value.args
    assert attempt.once("charge", lambda key: key, unknown="again") == key


def test_an_answer_that_is_no_json_fails_the_task_for_good() -> None:
    world = World()
    attempt = world.claim()
    with pytest.raises(BadAnswer, match="'charge' may have happened"):
        attempt.once("charge", lambda key: {key: float("nan")})
    with pytest.raises(EffectUnknown):
        attempt.once("charge", world.bank.charge)


def test_one_key_in_one_attempt_is_one_effect_whose_answer_nobody_else_can_change() -> None:
    world = World()
    attempt = world.claim()
    first = attempt.once("charge", world.bank.charge)
    first["charge"] = "changed"
    assert attempt.once("charge", world.bank.charge) == {"charge": world.bank.keys[0][:8]}
    attempt.once("another", world.bank.charge)
    assert len(world.bank.calls) == 2
    assert world.bank.calls[0] != world.bank.calls[1]


def test_a_second_thread_waits_for_the_first_and_gets_its_answer() -> None:
    world = World()
    attempt = world.claim()
    called, go_on = Event(), Event()

    def charge(key: str) -> Any:
        called.set()
        assert go_on.wait(10)
        return world.bank.charge(key)

    with ThreadPoolExecutor(3) as threads:
        first = threads.submit(attempt.once, "charge", charge)
        assert called.wait(10)
        second = threads.submit(attempt.once, "charge", charge)
        # Another effect waits for neither.
        threads.submit(attempt.once, "another", world.bank.charge).result(10)
        assert not second.done()
        go_on.set()
        assert first.result(10) == second.result(10)
    assert len(world.bank.calls) == 2


def test_effects_of_one_attempt_do_not_refuse_each_other() -> None:
    world = World()
    store = world.wiring.effect_store
    written, writing, together = store.write, Lock(), Barrier(2)

    def write(*arguments: Any, **options: Any) -> Effect:
        # DynamoDB lets one transaction at a time look at an item.
        if not writing.acquire(blocking=False):
            raise Contended
        with suppress(BrokenBarrierError):
            together.wait(0.05)
        writing.release()
        return written(*arguments, **options)

    store.write = write  # type: ignore[method-assign]
    attempt = world.claim()
    with ThreadPoolExecutor(5) as pool:
        made = pool.map(lambda number: attempt.once(f"charge-{number}", world.call), range(5))
        assert len(list(made)) == 5
    assert [effect.answer is None for effect in world.effects] == [False] * 5
    assert len(world.bank.keys) == 5


def test_a_call_that_uses_its_own_key_is_refused_and_does_not_hang() -> None:
    world = World()
    attempt = world.claim()
    with pytest.raises(EffectUnknown):
        attempt.once("charge", lambda _: attempt.once("charge", world.bank.charge))
    assert world.bank.calls == []


def test_an_attempt_that_lost_its_task_begins_no_effect() -> None:
    world = World()
    zombie = world.claim()
    world.recover()
    world.claim()
    zombie.deadline = world.clock.now() + timedelta(minutes=1)
    with pytest.raises(Abandoned):
        zombie.once("charge", world.bank.charge)
    assert world.bank.calls == []
    assert world.effects == []
    assert not zombie.close()


def test_an_attempt_that_loses_its_task_in_the_call_records_no_answer() -> None:
    world = World()
    zombie = world.claim()

    def charge_slowly(key: str) -> Any:
        world.recover()
        world.claim()
        return world.bank.charge(key)

    with pytest.raises(Abandoned):
        zombie.once("charge", charge_slowly)
    (effect,) = world.effects
    assert (effect.attempt, effect.answer) == (1, None)
    with pytest.raises(EffectUnknown):
        successor(world).once("charge", world.bank.charge)
    assert len(world.bank.calls) == 1


def successor(world: World) -> Attempt:
    """Return the attempt that holds the task."""
    until = world.clock.now() + timedelta(minutes=1)
    return world.wiring.execution.begin(world.now, until=until)


def test_an_attempt_that_is_given_up_begins_no_effect() -> None:
    world = World()
    attempt = world.claim()
    attempt.close()
    with pytest.raises(Abandoned):
        attempt.once("charge", world.bank.charge)
    world.recover()
    late = world.claim()
    world.clock.advance(timedelta(minutes=2))
    with pytest.raises(Abandoned):
        late.once("charge", world.bank.charge)
    assert world.bank.calls == []


@pytest.mark.parametrize("earlier", [(), ("another",)])
def test_a_thread_that_outlives_its_attempt_begins_no_effect(earlier: tuple[str, ...]) -> None:
    world = World()
    attempt = world.claim()
    for key in earlier:
        attempt.once(key, world.bank.charge)
    world.wiring.settlement.settle(attempt, Succeeded(b"{}"))
    with pytest.raises(Abandoned):
        attempt.once("charge", world.bank.charge)
    assert len(world.bank.calls) == len(earlier)


def test_an_answer_is_recorded_while_the_attempt_that_is_given_up_holds_the_task() -> None:
    world = World()
    attempt = world.claim()

    def charge(key: str) -> Any:
        attempt.close()
        return world.bank.charge(key)

    answer = attempt.once("charge", charge)
    world.recover()
    assert world.attempt() is State.SUCCEEDED
    assert world.answers == [answer]
    assert len(world.bank.calls) == 1


def two_attempts_of_a_chain(world: World) -> tuple[Attempt, Attempt]:
    """Return attempts that run at once: of two tasks that retry the same failed one."""
    while not world.now.state.final:
        world.recover()
        with suppress(ChangeRefused):
            world.claim()
    failed, attempts = world.now, []
    for _ in range(2):
        world.task = world.wiring.tasks.again(failed, traceparent=TRACE)
        attempts.append(world.claim())
    return attempts[0], attempts[1]


def break_down(key: str) -> Any:
    raise ConnectionError(key)


def test_an_effect_that_another_task_of_the_chain_is_making_is_unknown() -> None:
    world = World()
    first, second = two_attempts_of_a_chain(world)
    answers: list[Any] = []

    def charge_beside(key: str) -> Any:
        with pytest.raises(EffectUnknown, match=f"attempt 1 of task {first.task_id}"):
            second.once("charge", world.bank.charge)
        answers.append(second.once("charge", world.bank.charge, unknown="again"))
        return "later"

    # The first answer that is recorded is the effect's for both.
    assert first.once("charge", charge_beside) == answers[0]
    assert second.once("charge", world.bank.charge) == answers[0]
    assert len(set(world.bank.calls)) == 1


def test_an_answer_counts_for_another_call_that_began_the_same_effect_meanwhile() -> None:
    world = World()
    first, second = two_attempts_of_a_chain(world)

    def charge_beside(key: str) -> Any:
        with pytest.raises(ConnectionError):
            second.once("charge", break_down, unknown="again")
        return world.bank.charge(key)

    answer = first.once("charge", charge_beside)
    assert second.once("charge", world.bank.charge) == answer
    assert len(world.bank.calls) == 1


def test_an_effect_is_kept_for_as_long_as_its_latest_task() -> None:
    world = World()
    period = world.wiring.retention.period
    world.attempt()
    (effect,) = world.effects
    assert effect.expires_at >= world.now.expires_at + timedelta(days=1)  # type: ignore[operator]
    world.clock.advance(period - timedelta(days=1))
    world.do_again()
    assert world.attempt() is State.SUCCEEDED
    (kept,) = world.effects
    assert kept.expires_at >= world.now.expires_at + timedelta(days=1)  # type: ignore[operator]
    assert kept.answer == effect.answer


def test_an_unknown_effect_is_kept_for_as_long_as_the_latest_task_that_meets_it() -> None:
    world = World()
    world.attempt(Fault(before="bank.charge"))
    assert world.attempt() is State.FAILED
    (effect,) = world.effects
    world.clock.advance(world.wiring.retention.period - timedelta(days=1))
    world.do_again()
    assert world.attempt() is State.FAILED
    (kept,) = world.effects
    assert kept.expires_at > effect.expires_at
    assert len(world.bank.calls) == 0


def test_an_attempt_that_is_tried_again_soon_reads_once_and_writes_nothing() -> None:
    world = World()
    world.claim().once("charge", world.bank.charge)
    world.recover()
    seen = Fault()
    world.attempt(seen)
    assert [name for name in seen.calls if "effect" in name] == ["effect_store.get"]


def test_a_task_that_uses_no_effect_makes_none_of_its_parts() -> None:
    world = World()
    attempt = world.claim()
    attempt.progress(1)
    assert attempt._effects is None
    assert "effect_store" not in vars(world.wiring)


@pytest.mark.parametrize("key", ["", "x" * 256])
def test_a_key_that_cannot_be_begins_nothing(key: str) -> None:
    world = World()
    attempt = world.claim()
    with pytest.raises(ValueError, match="1 to 255"):
        attempt.once(key, world.bank.charge)
    with pytest.raises(TypeError, match="plain function"):
        attempt.once("charge", None)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="'fail' or 'again'"):
        attempt.once("charge", world.bank.charge, unknown="ignore")  # type: ignore[arg-type]
    assert world.effects == []


def test_a_cancelled_task_begins_no_effect() -> None:
    world = World()
    attempt = world.claim()
    world.wiring.tasks.cancel(world.task.tenant, world.task.task_id)
    attempt.progress(1)
    with pytest.raises(Abandoned):
        attempt.once("charge", world.bank.charge)


STEPS = st.lists(st.none() | st.sampled_from(POINTS), min_size=1, max_size=12)


@pytest.mark.parametrize("unknown", ["fail", "again"])
@given(steps=STEPS)
def test_whatever_stops_and_whoever_retries_the_effect_is_counted_once(
    unknown: Unknown, steps: list[tuple[int, bool] | None]
) -> None:
    honours_keys = unknown == "again"
    world = World(unknown=unknown, honours_keys=honours_keys)
    for step in [*steps, None]:
        if world.now.state.final:
            world.do_again()
        world.attempt(stopping(step) if step else None)
    assert len(world.bank.keys) <= 1
    assert len(world.effects) <= 1
    assert len({str(answer) for answer in world.answers}) <= 1
    if world.answers:
        assert len(world.bank.keys) == 1
    if honours_keys:
        while world.now.state is not State.SUCCEEDED:
            if world.now.state.final:
                world.do_again()
            world.attempt()
        assert len(world.bank.keys) == 1
