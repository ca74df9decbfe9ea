"""Recording how an attempt ended."""

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial

from tandem.clock import Clock, whole_milliseconds
from tandem.limits import DUE_MARGIN
from tandem.processing.context import Logger
from tandem.reports.window import Window
from tandem.tasks.attempt import Attempt
from tandem.tasks.dispatch import due_at
from tandem.tasks.outcomes import CrowdedOut, Failed, Outcome, Postponed, Stopped, Succeeded
from tandem.tasks.payloads import Payloads
from tandem.tasks.results import Results
from tandem.tasks.store import ChangeRefused
from tandem.tasks.task import Retention, State, Task, TaskError
from tandem.tasks.transitions import Change, crowd_out, fail, hand_back, retry_later, stop, succeed
from tandem.trace import described


class OutcomeRecorder:
    """Records ends, each as one change that the attempt's fence guards."""

    def __init__(
        self,
        payloads: Payloads,
        clock: Clock,
        retention: Retention,
        *,
        results: Results,
        logger: Logger,
    ) -> None:
        self._payloads = payloads
        self._clock = clock
        self._retention = retention
        self._results = results
        self._logger = logger

    def settle(self, attempt: Attempt, outcome: Outcome) -> Task:
        """Record how an attempt ended, and return the task: final, or queued for another try.

        Raises:
            ChangeRefused: the attempt does not hold the task any more. Nothing was recorded.
        """
        now = self._clock.now()
        try:
            settled = attempt.write(self._ending(attempt, outcome, now))
        except ChangeRefused as refused:
            if not _asked_to_stop(attempt, refused.task):
                raise
            error = _error_of(outcome)
            settled = attempt.write(self._stop(now, error))
        self._log_end(attempt, outcome, settled, now)
        if settled.cache_key is not None:
            self._keep(settled, attempt)
        return settled

    def _keep(self, task: Task, attempt: Attempt) -> None:
        """Keep the task's result, or only log that it could not be: the task has ended."""
        try:
            self._results.keep(task, attempt.files.uploads_read)
        except Exception as error:  # noqa: BLE001 - a cache that fails must not bring back a task
            self._logger.error("result not kept", task_id=task.task_id, **described(error))

    def hand_back(self, attempt: Attempt, why: TaskError) -> Task:
        """Queue the task of an attempt that is given up at no cost to it, and return the task.

        It may run again at once.

        Raises:
            ChangeRefused: the attempt does not hold the task any more.
        """
        attempt.close()
        now = self._clock.now()
        try:
            return attempt.write(self._hand_back(now, why, timedelta(0)))
        except ChangeRefused as refused:
            if not _asked_to_stop(attempt, refused.task):
                raise
            return attempt.write(self._stop(now, why))

    def _hand_back(
        self, now: datetime, why: TaskError, wait: timedelta
    ) -> Callable[[Task], Change]:
        not_before = whole_milliseconds(now + wait)
        return partial(
            hand_back, now=now, not_before=not_before, due_at=due_at(not_before, now), why=why
        )

    def _ending(
        self, attempt: Attempt, outcome: Outcome, now: datetime
    ) -> Callable[[Task], Change]:
        task = attempt.task
        expires_at = self._retention.expiry(task, now)
        if isinstance(outcome, Stopped):
            return self._stop(now, None)
        if isinstance(outcome, Postponed):
            return self._hand_back(now, outcome.why, outcome.retry_in)
        if isinstance(outcome, CrowdedOut):
            return partial(crowd_out, now=now, due_at=now + DUE_MARGIN, why=outcome.why)
        if isinstance(outcome, Succeeded):
            output = self._payloads.keep_output(
                task.task_id, task.attempts, outcome.output, beside=task.input
            )
            return partial(
                succeed, now=now, expires_at=expires_at, output=output, file=attempt.files.saved
            )
        if outcome.retry_in is None or task.attempts >= task.max_attempts:
            return partial(fail, now=now, expires_at=expires_at, error=outcome.error)
        not_before = whole_milliseconds(now + outcome.retry_in)
        return partial(
            retry_later,
            now=now,
            not_before=not_before,
            due_at=due_at(not_before, now),
            error=outcome.error,
        )

    def _stop(self, now: datetime, error: TaskError | None) -> Callable[[Task], Change]:
        return lambda task: stop(
            task, now=now, expires_at=self._retention.expiry(task, now), error=error
        )

    def _log_end(self, attempt: Attempt, outcome: Outcome, settled: Task, now: datetime) -> None:
        started_at = attempt.task.attempt_started_at or now
        error = _error_of(outcome)
        self._logger.info(
            "attempt ended",
            task_id=settled.task_id,
            processor=settled.processor,
            attempt=attempt.attempt,
            state=settled.state,
            # The report of this minute counts the task, when it has ended.
            window=Window.holding(now).name,
            run_ms=round((now - started_at).total_seconds() * 1000),
            **({"error_type": error.type} if error else {}),
        )


def _error_of(outcome: Outcome) -> TaskError | None:
    if isinstance(outcome, Failed):
        return outcome.error
    return outcome.why if isinstance(outcome, Postponed | CrowdedOut) else None


def _asked_to_stop(attempt: Attempt, task: Task | None) -> bool:
    """Return whether the attempt holds the task still, and only must stop."""
    return (
        task is not None
        and task.state is State.RUNNING
        and task.fence == attempt.task.fence
        and task.cancel_requested_at is not None
    )
