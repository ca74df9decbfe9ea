import json
from dataclasses import asdict, replace

from tandem.reports.counts import NUMBERS, Count, Series
from tandem.reports.histogram import Histogram
from tandem.reports.report import Levels
from tandem.tasks.task import Mode, State
from tests.unit.http.conftest import Api


def test_reports_are_read_newest_first_and_page_by_window(api: Api) -> None:
    assert api("GET", "/reports/latest").problem == "not-found"
    assert api("GET", "/reports").json == {"reports": [], "next_before": None}
    api("POST", "/process-online", {"processor": "echo", "input": {"message": 1}})
    api.wiring.clock.advance(70)
    list(api.wiring.reports.close_due())
    latest = api("GET", "/reports/latest").json
    assert latest["window"] == "2026-01-01T12:00:00Z"
    assert latest["tasks"] == 1
    (series,) = latest["counts"]
    about = {"processor": "echo", "mode": "online", "outcome": "succeeded", "tasks": 1}
    assert (
        series.items()
        >= (about | {"attempts": 1, "retries": 0, "faults": 0, "bytes_in": 13}).items()
    )
    assert (series["run"]["count"], series["run"]["sum_seconds"]) == (1, 0.0)
    assert latest["tenants"] == [{"tenant": "acme", "tasks": 1, "overcount": 0}]
    assert latest["levels"] is None
    assert latest["durations"][0]["run_seconds"] == {"p50": 0, "p95": 0, "p99": 0}
    page = api("GET", "/reports", query="limit=2").json
    assert [one["window"] for one in page["reports"]] == [
        "2026-01-01T12:00:00Z",
        "2026-01-01T11:59:00Z",
    ]
    older = api("GET", "/reports", query=f"limit=10&before={page['next_before']}").json
    assert older["reports"][0]["window"] == "2026-01-01T11:58:00Z"
    assert older["next_before"] is None


def test_an_answer_holds_as_many_windows_as_lambda_can_answer_with(api: Api) -> None:
    count = Count.of([10**9] * len(NUMBERS), Histogram((10**9,) * 17), Histogram((10**9,) * 17))
    counts = {
        Series(f"processor-number-{number:04d}", mode, outcome): count
        for number in range(300)
        for mode in Mode
        for outcome in (State.SUCCEEDED, State.FAILED, State.CANCELLED)
    }
    api.wiring.clock.advance(600)
    list(api.wiring.reports.close_due())
    windows = api.wiring.report_store.windows
    for window in windows:
        windows[window] = replace(windows[window], counts=counts)
    seen: list[str] = []
    pages = 0
    query = "limit=100"
    while query:
        answer = api("GET", "/reports", query=query)
        assert len(json.dumps({"body": answer.text})) < 6 * 1024 * 1024
        seen += [one["window"] for one in answer.json["reports"]]
        pages += 1
        before = answer.json["next_before"]
        query = before and f"limit=100&before={before}"
    assert (
        seen
        == [window.start.isoformat().replace("+00:00", "Z") for window in sorted(windows)][::-1]
    )
    assert 1 < pages < len(windows)


def test_levels_that_are_not_known_are_null(api: Api) -> None:
    levels = Levels(
        waiting=None,
        delayed=None,
        in_flight=None,
        dead_letters=None,
        oldest_waiting_seconds=None,
        swept=2,
    )
    api.wiring.clock.advance(70)
    list(api.wiring.reports.close_due(levels))
    assert api("GET", "/reports/latest").json["levels"] == asdict(levels)


def test_a_time_without_a_zone_is_refused(api: Api) -> None:
    assert api("GET", "/reports", query="before=2026-01-01T12:00:00").status == 422
