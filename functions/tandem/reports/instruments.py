"""The instruments of finished tasks, with the same names wherever they are shown.

Names are OpenTelemetry's (https://opentelemetry.io/docs/specs/semconv/general/metrics/). Prometheus
has them with underscores, and with the unit and `_total` at their end.
"""

from collections.abc import Callable
from dataclasses import dataclass

from tandem.reports.counts import Count
from tandem.reports.histogram import Histogram


@dataclass(frozen=True, slots=True)
class CounterInstrument:
    """A number that only grows."""

    name: str
    unit: str
    """As UCUM has it: `By` is bytes. In braces is what is counted."""
    text: str
    value_of: Callable[[Count], int]


@dataclass(frozen=True, slots=True)
class HistogramInstrument:
    """A distribution of durations in seconds."""

    name: str
    text: str
    value_of: Callable[[Count], Histogram]


COUNTERS = (
    CounterInstrument("tandem.tasks", "{task}", "Tasks that ended.", lambda count: count.tasks),
    CounterInstrument(
        "tandem.task.attempts",
        "{attempt}",
        "Attempts of tasks that ended.",
        lambda count: count.attempts,
    ),
    CounterInstrument(
        "tandem.task.retries",
        "{attempt}",
        "Attempts of tasks that ended, without each task's first and those that do not count.",
        lambda count: count.retries,
    ),
    CounterInstrument(
        "tandem.tasks.faulted",
        "{task}",
        "Tasks that failed by a fault that is not their caller's.",
        lambda count: count.faults,
    ),
    CounterInstrument(
        "tandem.tasks.cached",
        "{task}",
        "Tasks that a kept result answered, with no run.",
        lambda count: count.cached,
    ),
    CounterInstrument(
        "tandem.task.sweeps",
        "{sweep}",
        "How often tasks that ended had been found overdue.",
        lambda count: count.sweeps,
    ),
    CounterInstrument(
        "tandem.task.input",
        "By",
        "Inputs of tasks that ended, without uploads.",
        lambda count: count.bytes_in,
    ),
    CounterInstrument(
        "tandem.task.output",
        "By",
        "Outputs and files of tasks that ended.",
        lambda count: count.bytes_out,
    ),
)

HISTOGRAMS = (
    HistogramInstrument(
        "tandem.task.queue_wait",
        "From a task's submission to its first attempt.",
        lambda count: count.queue_wait,
    ),
    HistogramInstrument(
        "tandem.task.run", "How long a task's last attempt ran.", lambda count: count.run
    ),
)
