from dataclasses import asdict

from tandem.domain.report import Levels
from tests.unit.api.conftest import Api


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
