"""One run of the report, each of whose steps ends by itself."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from tandem.aws.wiring import Wiring
from tandem.reports.cloudwatch import emit_run
from tandem.reports.report import Levels
from tandem.reports.sink import SinkState
from tandem.tasks.sweep import Found, found_overdue
from tandem.telemetry import logger
from tandem.trace import described

if TYPE_CHECKING:
    from tandem.reports.closing import Reports


class RunFailed(Exception):
    """Some steps of a run failed, and all others were taken. The message names those."""


class Steps:
    """Takes steps, whatever becomes of those before."""

    def __init__(self, wiring: Wiring) -> None:
        self._wiring = wiring
        self._failed: list[str] = []

    def take[T](self, name: str, step: Callable[[Wiring], T]) -> T | None:
        """Return what a step returns. None when it failed, which is logged."""
        try:
            return step(self._wiring)
        except Exception as error:  # noqa: BLE001 - raised by `end`, by the step's name
            logger.error("step failed", step=name, **described(error))
            self.fail(name)
            return None

    def fail(self, name: str) -> None:
        """Let a step count as failed."""
        self._failed.append(name)

    def end(self) -> None:
        """Raise RunFailed when a step failed."""
        if self._failed:
            message = f"failed: {', '.join(self._failed)}"
            raise RunFailed(message)


def run(wiring: Wiring) -> dict[str, Any]:
    """Move on what is overdue, close and send the windows that are over, and purge.

    Raises:
        RunFailed: some of it failed, so that Lambda counts an error. The rest is done.
    """
    steps = Steps(wiring)
    swept = steps.take("sweep", lambda parts: parts.sweep.run())
    complete = swept is not None and not swept[Found.LEFT]
    if swept is not None and not complete:
        steps.fail("sweep")
    overdue = found_overdue(swept) if swept is not None and complete else None
    if overdue:
        logger.warning("swept", counts=dict(swept or {}))
    sinks = steps.take("sinks", lambda parts: parts.publishing.begin(parts.reports.before_next()))
    levels = steps.take("levels", lambda parts: parts.levels.read(swept=overdue))
    if levels is not None and not levels.complete:
        steps.fail("levels")
    closed: list[str] = []
    steps.take("reports", lambda parts: _close(parts.reports, levels, sinks, closed))
    states = steps.take("publishing", lambda parts: parts.publishing.run())
    steps.take("metrics", lambda _: emit_run(overdue, states))
    callbacks = steps.take("callbacks", lambda parts: parts.callbacks.sweep())
    purged = steps.take("purge", lambda parts: parts.purge.run())
    steps.end()
    done = {"closed": closed, "swept": dict(swept or {})}
    return done | {"callbacks": callbacks, "purged": purged}


def _close(
    reports: "Reports",
    levels: Levels | None,
    sinks: tuple[SinkState, ...] | None,
    closed: list[str],
) -> None:
    """Close what is due, and name each window as soon as it is closed."""
    for report in reports.close_due(levels, sinks):
        closed.append(report.window.name)  # noqa: PERF401 - a later one may fail
