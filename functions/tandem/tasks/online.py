"""Running a task while its caller waits."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial

from pydantic import BaseModel

from tandem.clock import Clock
from tandem.limits import LEASE_MARGIN
from tandem.processing.context import Logger
from tandem.processing.pool import BoundedPool
from tandem.tasks.attempt import Attempt
from tandem.tasks.dispatch import Dispatch
from tandem.tasks.execute import Execution
from tandem.tasks.outcomes import Failed, Outcome, Postponed
from tandem.tasks.settle import OutcomeRecorder
from tandem.tasks.store import ChangeRefused
from tandem.tasks.submit import NewTask, Submissions
from tandem.tasks.task import State, Task, TaskError
from tandem.trace import described

OUT_OF_BUDGET = TaskError("OutOfBudget", "the caller's time ran out; the task goes on offline")


@dataclass(frozen=True, slots=True)
class Answered:
    """The task ended while the caller waited."""

    task: Task
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class Promoted:
    """This process does not run the task any more: it goes on offline, or has ended elsewhere.

    The budget ran out, this function had no room for it, or its processor said when to try again.
    Or another attempt has taken it, or its end could not be recorded.
    """

    task: Task


class Online:
    """Runs tasks whose callers wait for the answer.

    An attempt that fails ends the task: its caller is there to try again. A task that runs out of
    the caller's time, needs more than this function has, says when it is to be tried again, or
    whose process dies, goes on offline.
    """

    def __init__(
        self,
        submissions: Submissions,
        dispatch: Dispatch,
        execution: Execution,
        settlement: OutcomeRecorder,
        *,
        pool: BoundedPool,
        clock: Clock,
        named: Callable[[Task], None],
        logger: Logger,
    ) -> None:
        self._submissions = submissions
        self._dispatch = dispatch
        self._execution = execution
        self._settlement = settlement
        self._pool = pool
        self._clock = clock
        self._named = named
        self._logger = logger

    async def process(
        self,
        new: NewTask,
        data: BaseModel,
        *,
        budget_seconds: float,
    ) -> Answered | Promoted:
        """Run the processor on the input and return how that ended.

        Args:
            new: the task.
            data: its input.
            budget_seconds: how long the caller waits.

        Raises:
            KeyUsed: the task's key was used before. Nothing was recorded.
        """
        until = self._clock.now() + timedelta(seconds=budget_seconds)
        task = self._submissions.online(new, lease_until=until + LEASE_MARGIN)
        attempt = self._execution.begin(task, until=until, in_api=True)
        outcome = await self._run(attempt, data)
        try:
            if _out_of_time(outcome) and (attempt.deadline == until or not attempt.begun):
                return self._promoted(attempt, OUT_OF_BUDGET)
            if isinstance(outcome, Postponed):
                return self._promoted(attempt, outcome.why)
            if isinstance(outcome, Failed) and not outcome.asked:
                outcome = replace(outcome, retry_in=None)
            task = self._settlement.settle(attempt, outcome)
            if task.state is State.QUEUED:
                self._dispatch.send(task)
                return Promoted(task)
            return Answered(task, outcome)
        except ChangeRefused as refused:
            # The lease ended before this process could write: the task goes on without it.
            return Promoted(refused.task or task)
        except Exception as error:  # noqa: BLE001 - the task is recorded: the sweep finds it
            self._logger.error("end not recorded", task_id=task.task_id, **described(error))
            return Promoted(attempt.task)

    def _promoted(self, attempt: Attempt, why: TaskError) -> Promoted:
        task = self._settlement.hand_back(attempt, why)
        if task.state is State.QUEUED:
            self._dispatch.send(task)
        return Promoted(task)

    async def _run(self, attempt: Attempt, data: BaseModel) -> Outcome:
        future = self._pool.submit(partial(self._run_named, attempt, data))
        left = attempt.deadline - self._clock.now()
        try:
            return await asyncio.wait_for(asyncio.wrap_future(future), left.total_seconds())
        except TimeoutError:
            # Its thread cannot be stopped; the next request must not wait for it.
            self._pool.replace()
            return self._execution.timed_out(attempt)

    def _run_named(self, attempt: Attempt, data: BaseModel) -> Outcome:
        self._named(attempt.task)
        return self._execution.run(attempt, data)


def _out_of_time(outcome: Outcome) -> bool:
    return isinstance(outcome, Failed) and outcome.timed_out
