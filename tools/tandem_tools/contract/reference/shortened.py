"""Long answers cut to what a reader needs, and to what is the same on every stack.

A stack that other tests use as well holds more processors, letters and reports than a new one.
"""

from typing import TYPE_CHECKING

from tandem_tools.contract.reference.steps import Json

if TYPE_CHECKING:
    import httpx2

CUT = "…"
_HISTOGRAM = {"count": 6, "sum_seconds": 0.132, "buckets": [0, 3, 2, 1, CUT]}
_SAME = {
    "tenants": [{"tenant": "5u4cjm1q3s8v0b2e7k9d6h1f2g", "tasks": 9, "overcount": 0}],
    "levels": {
        "waiting": 2,
        "delayed": 1,
        "in_flight": 0,
        "dead_letters": 1,
        "oldest_waiting_seconds": 0.4,
        "swept": 0,
    },
}
"""What differs from minute to minute."""
_COMPLAINT = "nothing to write"


def echo_in_catalogue(body: Json) -> Json:
    """Return the catalogue with `echo` alone."""
    echo = [processor for processor in body["processors"] if processor["name"] == "echo"]
    return body | {"processors": [*echo, CUT]}


def made_up_keys(body: Json) -> Json:
    """Return another key in the place of the current one. After a rotation there are two."""
    return body | {"keys": [body["keys"][0] | {"key": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"}]}


def has_letter(body: Json) -> bool:
    """Whether the scenario's own letter is among the dead letters."""
    return bool(_letters(body))


def one_letter(body: Json) -> Json:
    """Return the list with the scenario's own letter alone."""
    return body | {"letters": _letters(body)[-1:]}


def failed_task_id(response: "httpx2.Response") -> str:
    """Return the id of the scenario's own failed task."""
    return str(_letters(response.json())[-1]["task_id"])


def _letters(body: Json) -> list[Json]:
    return [letter for letter in body["letters"] if _COMPLAINT in letter["error"]]


def has_echo(body: Json) -> bool:
    """Whether a report counts tasks of `echo`."""
    return any(_series(report) for report in body["reports"])


def echo_in_reports(body: Json) -> Json:
    """Return the list with `echo` alone, of one minute.

    How many tasks finished in it depends on where the minute began: the numbers are made stable.
    """
    report = next(report for report in body["reports"] if _series(report))
    took = next(duration for duration in report["durations"] if duration["processor"] == "echo")
    percentiles = next(
        duration for duration in (took["run_seconds"], took["queue_wait_seconds"]) if duration
    )
    numbers = {
        "mode": "offline",
        "tasks": 6,
        "attempts": 6,
        "retries": 0,
        "faults": 0,
        "cached": 0,
        "swept": 0,
        "bytes_in": 108,
        "bytes_out": 108,
        "queue_wait": _HISTOGRAM,
        "run": _HISTOGRAM,
        "longest": {"task_id": CUT, "trace_id": CUT, "run_seconds": 0.034},
    }
    took |= {"queue_wait_seconds": percentiles, "run_seconds": percentiles}
    shown = {
        "tasks": 9,
        "late": 0,
        "counts": [_series(report)[0] | numbers, CUT],
        "durations": [took, CUT],
        **_SAME,
    }
    return body | {"reports": [report | shown, CUT]}


def echo_in_latest(body: Json) -> Json:
    """Return the report without its series: whether there are any depends on the minute."""
    return body | {"tasks": 9, "late": 0, "counts": [CUT], "durations": [CUT]} | _SAME


def _series(report: Json) -> list[Json]:
    return [
        count
        for count in report["counts"]
        if count["processor"] == "echo" and count["outcome"] == "succeeded"
    ]


_COUNTER = "tandem_tasks_total"
_ECHO = '{mode="offline",outcome="succeeded",processor="echo"}'


def has_echo_counter(text: str) -> bool:
    """Whether the metrics count tasks of `echo`."""
    return f"{_COUNTER}{_ECHO}" in text


def echo_counter(text: str) -> str:
    """Return the metrics with one counter of `echo` alone."""
    about = [line for line in text.splitlines() if line.startswith("#") and f" {_COUNTER} " in line]
    return "\n".join([*about, f"{_COUNTER}{_ECHO} 6.0", CUT])


def picture_head(svg: str) -> str:
    """Return the beginning of a picture, with the hour of the other examples."""
    head, _, _ = svg.partition("<title")
    return f'{head}<title id="title">Tandem, 2026-01-15 08:30 to 09:30 UTC</title>{CUT}</svg>'
