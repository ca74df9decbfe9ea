"""The template's own schedule reports exactly what was processed, and the logs lead to it."""

import re
from collections import Counter
from collections.abc import Iterator
from datetime import datetime

import pytest

from tandem_tools.harness.stack import RECEIVER_ADDRESS, DeployedApp, Json, deployed_app, eventually
from tests.factories.queries import Query, saved_queries

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
TRACEPARENT = f"00-{TRACE}-00f067aa0ba902b7-01"
NOBODY = f"https://{RECEIVER_ADDRESS}:9/"
"""A callback's URL that is allowed, and at which nobody answers."""

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


def submit_followed(app: DeployedApp) -> str:
    """Submit a task in the caller's own trace; no other test has its kind on this stack."""
    answer = app.machine.post(
        "/process-offline",
        json={"processor": "telling", "input": {"text": "hello", "ending": "success"}},
        headers={"traceparent": TRACEPARENT},
    )
    task_id: str = answer.raise_for_status().json()["task_id"]
    return task_id


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DeployedApp]:
    """A stack of its own: tasks that other tests delete are counted, and listed no more."""
    with deployed_app(tmp_path_factory.mktemp("schedule")) as running:
        yield running


@pytest.fixture(scope="module")
def followed(app: DeployedApp) -> str:
    """A task that the caller traced, after the minute of its end was closed; others beside it."""
    task_id = submit_followed(app)
    for number in range(3):
        app.submit("echo", {"message": number})
    app.submit("unreliable", {"bad_attempts": 1})
    app.submit("unreliable", {"ending": "permanent", "bad_attempts": 9})
    body = {"processor": "echo", "input": {"message": "now"}}
    app.machine.post("/process-online", json=body | {"callback_url": NOBODY}).raise_for_status()
    last = max(datetime.fromisoformat(task["finished_at"]) for task in all_finished(app))

    def closed() -> bool | None:
        latest = app.operator.get("/reports/latest")
        if latest.status_code == 404:
            return None
        start = datetime.fromisoformat(latest.json()["window"])
        return True if (last - start).total_seconds() < 60 else None

    eventually(closed, 150)
    return task_id


def all_finished(app: DeployedApp) -> list[Json]:
    return [app.finished(task["task_id"], within_seconds=90) for task in all_tasks(app)]


def test_the_schedules_reports_count_exactly_what_was_processed(
    app: DeployedApp, followed: str
) -> None:
    finished = all_finished(app)
    window, counts = reported(app)
    assert counts == Counter((task["processor"], task["mode"], task["state"]) for task in finished)
    latest = app.operator.get("/reports/latest").json()
    assert datetime.fromisoformat(latest["window"]) >= window
    metrics = [entry for entry in app.log_entries("report") if "_aws" in entry]
    assert sum(int(entry["WindowsClosed"][0]) for entry in metrics if "WindowsClosed" in entry) > 0
    succeeded = sum(n for (_, _, state), n in counts.items() if state == "succeeded")
    for whole in (True, False):  # the whole window's metric, and those by processor
        lines = [entry for entry in metrics if ("processor" not in entry) is whole]
        assert sum(int(entry.get("TasksSucceeded", [0])[0]) for entry in lines) == succeeded


def test_reports_are_for_operators(app: DeployedApp) -> None:
    assert app.machine.get("/reports").status_code == 403
    assert app.machine.get("/reports/latest").status_code == 403


def test_one_trace_leads_from_the_request_to_the_report_that_counts_its_task(
    app: DeployedApp, followed: str
) -> None:
    def lines(function: str) -> list[Json]:
        return [one for one in app.log_entries(function) if one.get("correlation_id") == TRACE]

    (request,) = lines("api")
    assert (request["message"], request["route"]) == ("request", "/process-offline")
    ended = next(one for one in lines("worker") if one["message"] == "attempt ended")
    assert (ended["task_id"], ended["state"]) == (followed, "succeeded")
    (counted,) = lines("report")
    assert counted["message"] == "counted"
    assert (counted["task_id"], counted["window"]) == (followed, ended["window"])
    report = next(
        one
        for one in app.log_entries("report")
        if one.get("message") == "report" and one["window"] == ended["window"]
    )
    assert report["succeeded"] >= counted["tasks"] == 1
    page = app.operator.get("/reports", params={"limit": "100"}).raise_for_status().json()
    start = datetime.fromisoformat(ended["window"])
    (kind,) = [
        series
        for one in page["reports"]
        if datetime.fromisoformat(one["window"]) == start
        for series in one["counts"]
        if series["processor"] == "telling"
    ]
    assert (kind["longest"]["task_id"], kind["longest"]["trace_id"]) == (followed, TRACE)


SYSTEM_FIELDS = {"@timestamp", "@logStream"}
WORDS = {
    *("fields", "filter", "stats", "sort", "by", "as", "and", "or", "in", "asc", "desc"),
    *("bin", "count", "count_distinct", "ispresent", "max", "pct"),
}
TEXT = r'"([^"]*)"'


def named_fields(query: Query) -> set[str]:
    """Return the fields of log lines that a query names."""
    text = re.sub(TEXT, "", query.text)
    aliases = set(re.findall(r"\bas (\w+)", text))
    words = set(re.findall(r"(?<![\w@])@?[A-Za-z_]\w*", text))
    return words - aliases - WORDS - SYSTEM_FIELDS


@pytest.mark.parametrize("query", saved_queries(), ids=lambda query: query.title)
def test_every_field_of_a_documented_query_is_in_the_lines_that_it_looks_at(
    app: DeployedApp, followed: str, query: Query
) -> None:
    lines = [one for group in query.groups for one in app.log_entries(group)]
    messages = re.findall(rf"message = {TEXT}", query.text)
    assert set(messages) <= {one.get("message") for one in lines}
    if len(messages) == 1 and " or " not in query.text:
        lines = [one for one in lines if one.get("message") == messages[0]]
    for state in re.findall(rf"state = {TEXT}", query.text):
        lines = [one for one in lines if one.get("state") == state]
    assert named_fields(query)
    assert named_fields(query) - {name for one in lines for name in one} == set()
