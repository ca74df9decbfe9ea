"""A report as text for people."""

from collections import Counter
from collections.abc import Iterator

from tandem.reports.report import Levels, Report
from tandem.tasks.task import State

SUBJECT_CHARACTERS = 100
"""What Amazon SNS takes as the subject of a mail: less than 100 characters of ASCII."""

_OUTCOMES = (State.SUCCEEDED, State.FAILED, State.CANCELLED)


def report_subject(report: Report, stack: str) -> str:
    """Return a report's title in ASCII, of less than `SUBJECT_CHARACTERS`."""
    said = f"{_number(report.tasks, 'task')}, {outcomes(report)[State.FAILED]} failed"
    text = f"{said} at {report.window.start:%H:%M} UTC: {stack}"
    return text.encode("ascii", "replace").decode()[: SUBJECT_CHARACTERS - 1]


def report_text(report: Report, stack: str) -> str:
    """Return a report as a few lines."""
    return "\n".join(_lines(report, stack)) + "\n"


def outcomes(report: Report) -> "Counter[State]":
    """Return how many of a report's tasks ended how."""
    ended: Counter[State] = Counter()
    for series, count in report.counts.items():
        ended[series.outcome] += count.tasks
    return ended


def _lines(report: Report, stack: str) -> Iterator[str]:
    ended = outcomes(report)
    yield f"{stack}: {report.window.start:%Y-%m-%d %H:%M} UTC, one minute"
    yield ""
    yield f"{_number(report.tasks, 'task')} ended: {_each(ended)}."
    if report.late_tasks:
        yield f"{report.late_tasks} of them ended earlier, and came late."
    for processor in sorted({series.processor for series in report.counts}):
        yield f"- {processor}: {_each(_of_processor(report, processor))}{_run(report, processor)}"
    if report.levels is not None:
        yield ""
        yield _in_flight(report.levels)
    failing = [sink for sink in report.sinks or () if sink.error is not None]
    for sink in failing:
        yield f"Reports to {sink.name} are {sink.windows_behind} behind: {sink.error}."


def _of_processor(report: Report, processor: str) -> "Counter[State]":
    ended: Counter[State] = Counter()
    for series, count in report.counts.items():
        if series.processor == processor:
            ended[series.outcome] += count.tasks
    return ended


def _each(ended: "Counter[State]") -> str:
    return ", ".join(f"{ended[state]} {state.value}" for state in _OUTCOMES)


def _run(report: Report, processor: str) -> str:
    durations = report.durations.get(processor)
    if durations is None or durations.run is None:
        return ""
    return f"; 95 of 100 ran within {durations.run.p95:.3g} s"


def _in_flight(levels: Levels) -> str:
    oldest = levels.oldest_waiting_seconds
    waits = f", the oldest for {oldest:.0f} s" if oldest else ""
    queue = "It is not known how much waits"
    if levels.waiting is not None:
        queue = (
            f"About {levels.waiting} wait{waits}; {levels.in_flight} are worked on, "
            f"{levels.delayed} are for later"
        )
    letters = "it is not known how many dead letters there are"
    if levels.dead_letters is not None:
        letters = _number(levels.dead_letters, "dead letter")
    return f"{queue}; {letters}."


def _number(number: int, of_what: str) -> str:
    return f"{number} {of_what}" + ("" if number == 1 else "s")
