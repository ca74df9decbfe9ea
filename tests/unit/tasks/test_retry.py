from datetime import timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from tandem.processing import EffectUnknown, RetryAfter, TaskContext
from tandem.tasks.attempt import Attempt
from tandem.tasks.outcomes import Failed
from tandem.tasks.retry import MAX_ATTEMPTS, Permanent, Retry
from tandem.tasks.task import State
from tandem.testing import FakeClock, MemoryWiring
from tests.factories.deliveries import deliver_all
from tests.factories.processors import Number, double, make_wiring, new_work


def test_the_longest_wait_doubles_up_to_its_maximum() -> None:
    retry = Retry(attempts=6, min_backoff_seconds=2, max_backoff_seconds=20)
    waits = [retry.ceiling(attempt).total_seconds() for attempt in range(1, 7)]
    assert waits == [2, 4, 8, 16, 20, 20]


def test_a_wait_is_drawn_from_zero_to_its_ceiling() -> None:
    retry = Retry(min_backoff_seconds=8)
    assert retry.delay(2, fraction=lambda: 0.0) == timedelta(0)
    assert retry.delay(2, fraction=lambda: 0.25) == timedelta(seconds=4)
    drawn = {retry.delay(2) for _ in range(100)}
    assert len(drawn) > 90
    assert max(drawn) <= timedelta(seconds=16)


def test_permanent_and_named_errors_are_not_retried() -> None:
    retry = Retry(throws=(KeyError,))
    assert not retry.allows(Permanent("no"))
    assert not retry.allows(KeyError("x"))
    assert retry.allows(ConnectionError())


@pytest.mark.parametrize(
    "fields",
    [
        {"attempts": 0},
        {"attempts": MAX_ATTEMPTS + 1},
        {"min_backoff_seconds": -1},
        {"min_backoff_seconds": 10, "max_backoff_seconds": 5},
        {"max_backoff_seconds": 4000},
        {"max_backoff_seconds": float("nan")},
        {"attempts": 2.5},
        {"attempts": True},
        {"crashes": 1.0},
        {"timeouts": 0},
        {"throws": KeyError},
        {"throws": [KeyError]},
        {"throws": ("KeyError",)},
        {"throws": (KeyError("x"),)},
        {"throws": (RetryAfter,)},
        {"throws": (ExceptionGroup,)},
        {"retry_on": ConnectionError},
        {"retry_on": [ConnectionError]},
        {"retry_on": (int,)},
        {"retry_on": (OSError, BaseExceptionGroup)},
        {"retry_on": (Permanent,)},
        {"retry_on": (OSError, EffectUnknown)},
        {"retry_on": (ValidationError,)},
        {"retry_on": (FileNotFoundError,), "throws": (OSError,)},
    ],
)
def test_a_policy_that_could_not_be_carried_out_is_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="must"):
        Retry(**fields)


def test_only_the_errors_that_are_named_are_retried() -> None:
    retry = Retry(retry_on=(OSError,), throws=(FileNotFoundError,))
    assert retry.allows(ConnectionError())
    assert not retry.allows(FileNotFoundError())
    assert not retry.allows(KeyError("x"))
    assert retry.allows(RetryAfter(1))
    assert not Retry(retry_on=()).allows(OSError())
    assert Retry(retry_on=(SystemExit,)).allows(SystemExit())


def test_an_error_that_is_not_named_is_not_its_callers_fault() -> None:
    retry = Retry(retry_on=(OSError,), throws=(FileNotFoundError,))
    assert retry.leaves_out(KeyError("x"))
    for error in (ConnectionError(), FileNotFoundError(), Permanent("no"), RetryAfter(1)):
        assert not retry.leaves_out(error)
    assert not Retry().leaves_out(KeyError("x"))


def wiring_of(error: BaseException, **fields: Any) -> MemoryWiring:
    def run(data: Number, ctx: TaskContext) -> Number:
        raise error

    return make_wiring(run, retry=Retry(**fields))


def invalid() -> ValidationError:
    with pytest.raises(ValidationError) as raised:
        Number.model_validate({"value": "no number"})
    return raised.value


@pytest.mark.parametrize(
    ("error", "state", "own_fault"),
    [
        (ConnectionError(), State.QUEUED, False),
        (KeyError("x"), State.FAILED, True),
        (SystemExit(), State.FAILED, True),
        (FileNotFoundError(), State.FAILED, False),
        (Permanent("no"), State.FAILED, False),
        (invalid(), State.FAILED, False),
    ],
)
def test_a_task_ends_by_the_errors_that_its_processor_names(
    error: BaseException, state: State, *, own_fault: bool
) -> None:
    wiring = wiring_of(error, retry_on=(OSError,), throws=(FileNotFoundError,))
    wiring.submissions.offline(new_work(wiring))
    deliver_all(wiring)
    (task,) = wiring.store.tasks.values()
    assert (task.state, task.own_fault) == (state, own_fault)
    assert task.error is not None
    assert task.error.permanent == task.state.final


def test_an_input_that_cannot_be_read_this_time_is_read_again_whatever_is_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    wiring = make_wiring(double, retry=Retry(retry_on=(), throws=(Exception,)))
    wiring.submissions.offline(new_work(wiring, b'{"text":"%s"}' % (b"x" * 300_000)))
    with monkeypatch.context() as patch:
        patch.setattr(wiring.blobs, "get", throttled)
        deliver_all(wiring)
    (task,) = wiring.store.tasks.values()
    assert (task.state, task.error and task.error.type) == (State.QUEUED, "ConnectionError")
    assert isinstance(wiring.clock, FakeClock)
    wiring.clock.advance(10)
    deliver_all(wiring)
    (task,) = wiring.store.tasks.values()
    assert task.state is State.SUCCEEDED


def throttled(*_: object, **__: object) -> Any:
    raise ConnectionError


def timed_out(retry: Retry, *, begun: bool = True) -> Failed:
    wiring = make_wiring(double, retry=retry)
    task = wiring.submissions.offline(new_work(wiring))
    until = wiring.clock.now() + timedelta(minutes=1)
    attempt: Attempt = wiring.execution.claim(task.task_id, until=until)
    attempt.begun = begun
    outcome = wiring.execution.timed_out(attempt)
    assert isinstance(outcome, Failed)
    return outcome


def test_a_time_out_is_tried_again_unless_the_policy_says_that_it_is_not() -> None:
    again = timed_out(Retry(retry_on=(), throws=(Exception,)))
    assert again.retry_in is not None
    assert not again.error.permanent
    ended = timed_out(Retry(timeouts=False))
    assert ended.retry_in is None
    assert (ended.error.permanent, ended.error.callers) == (True, False)


def test_a_processor_that_had_not_begun_has_not_taken_too_long() -> None:
    ended = timed_out(Retry(timeouts=False), begun=False)
    assert ended.retry_in is not None
    assert not ended.error.permanent
    assert ended.error.message == "to read its input and settings took longer than its 60 s"
