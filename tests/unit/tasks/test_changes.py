from dataclasses import replace
from datetime import timedelta

import pytest

from tandem.tasks.task import LEGAL_TRANSITIONS, InlinePayload, Progress, State, TaskError
from tandem.tasks.transitions import Change, Guard, succeed
from tandem_tools.harness.tasks import NOON, make_task, start


def test_final_states_are_those_without_a_way_out() -> None:
    final = {state for state in State if state.final}
    assert final == {State.SUCCEEDED, State.FAILED, State.CANCELLED}


@pytest.mark.parametrize(
    ("start", "end"),
    [(a, b) for a in State for b in State if b not in LEGAL_TRANSITIONS[a]],
)
def test_a_change_that_the_state_machine_does_not_know_cannot_be_made(
    start: State, end: State
) -> None:
    with pytest.raises(ValueError, match=f"never goes from {start} to {end}"):
        Change(guards=(Guard(state=start),), to=end)


def test_an_unheld_task_has_no_fence() -> None:
    with pytest.raises(ValueError, match="not held"):
        _ = make_task().fence


def test_a_second_attempt_keeps_when_the_first_started() -> None:
    first = start(now=NOON, lease_until=NOON + timedelta(seconds=1)).apply(make_task())
    later = NOON + timedelta(seconds=10)
    second = start(now=later, lease_until=later).apply(first)
    assert (second.started_at, second.attempt_started_at, second.attempts) == (NOON, later, 2)


def test_a_success_forgets_the_error_and_the_progress_of_the_way_there() -> None:
    held = start(now=NOON, lease_until=NOON).apply(make_task())
    held = replace(held, error=TaskError("E", "why"), progress=Progress(1, 8, "hashed"))
    done = succeed(held, now=NOON, expires_at=NOON, output=InlinePayload("{}")).apply(held)
    assert (done.error, done.progress) == (None, None)
