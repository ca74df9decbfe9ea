"""The template's own schedule reports exactly what was processed."""

from collections import Counter
from datetime import datetime

from tests.stack.stack import DeployedApp, Json, eventually

type Counts = Counter[tuple[str, str, str]]


def all_tasks(app: DeployedApp) -> list[Json]:
    tasks: list[Json] = []
    parameters = {"limit": "100"}
    while True:
        page = app.machine.get("/tasks", params=parameters).raise_for_status().json()
        tasks += page["tasks"]
        if page["next_cursor"] is None:
            return tasks
        parameters["cursor"] = page["next_cursor"]


def reported(app: DeployedApp) -> tuple[datetime, Counts]:
    """Return the start of the last closed window, and what all windows counted."""
    reports: list[Json] = []
    parameters = {"limit": "100"}
    while True:
        page = app.operator.get("/reports", params=parameters).raise_for_status().json()
        reports += page["reports"]
        if page["next_before"] is None:
            break
        parameters["before"] = page["next_before"]
    counts: Counts = Counter()
    for report in reports:
        assert report["tasks"] == sum(series["tasks"] for series in report["counts"])
        for series in report["counts"]:
            kind = (series["processor"], series["mode"], series["outcome"])
            counts[kind] += series["tasks"]
    return datetime.fromisoformat(reports[0]["window"]), counts


def test_the_schedules_reports_count_exactly_what_was_processed(app: DeployedApp) -> None:
    for number in range(3):
        app.submit("echo", {"message": number})
    app.submit("unreliable", {"ending": "permanent", "bad_attempts": 9})
    body = {"processor": "echo", "input": {"message": "now"}}
    app.machine.post("/process-online", json=body).raise_for_status()
    finished = [app.finished(task["task_id"], within_seconds=90) for task in all_tasks(app)]
    last = max(datetime.fromisoformat(task["finished_at"]) for task in finished)

    def closed() -> bool | None:
        latest = app.operator.get("/reports/latest")
        if latest.status_code == 404:
            return None
        start = datetime.fromisoformat(latest.json()["window"])
        return True if (last - start).total_seconds() < 60 else None

    eventually(closed, 150)
    window, counts = reported(app)
    assert counts == Counter((task["processor"], task["mode"], task["state"]) for task in finished)
    latest = app.operator.get("/reports/latest").json()
    assert datetime.fromisoformat(latest["window"]) >= window
    metrics = [entry for entry in app.log_entries("report") if "_aws" in entry]
    assert sum(int(entry["WindowsClosed"][0]) for entry in metrics if "WindowsClosed" in entry) > 0
    emitted = sum(int(entry.get("TasksSucceeded", [0])[0]) for entry in metrics)
    assert emitted == sum(n for (_, _, state), n in counts.items() if state == "succeeded")


def test_reports_are_for_operators(app: DeployedApp) -> None:
    assert app.machine.get("/reports").status_code == 403
    assert app.machine.get("/reports/latest").status_code == 403
