"""Cancel, repeat, delay, sweep and redrive on the deployed stack."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import httpx2

from tandem.aws.dynamodb_tasks import DynamoDBTaskStore
from tandem.clock import SystemClock
from tandem.ids import TenantId
from tandem_tools.harness.stack import DeployedApp, Json, eventually
from tandem_tools.harness.tasks import make_task
from tandem_tools.run import sample

TABLE = Path(sample.__file__).parent / "sample.csv"
TICK = {"source": "aws.events", "detail-type": "Scheduled Event", "detail": {}}


def test_a_batch_is_queued_in_one_call_and_all_of_it_succeeds(app: DeployedApp) -> None:
    body = {"tasks": [{"processor": "echo", "input": {"message": n}} for n in range(30)]}
    answer = app.machine.post("/process-offline/batch", json=body)
    assert answer.status_code == 202
    ids = [item["task"]["task_id"] for item in answer.json()["items"]]
    assert len(set(ids)) == 30
    assert {app.finished(task_id)["state"] for task_id in ids} == {"succeeded"}


def test_the_same_key_makes_one_task(app: DeployedApp) -> None:
    headers = {"Idempotency-Key": str(uuid4())}
    body = {"processor": "echo", "input": {"message": "once"}}
    first, second = (
        app.machine.post("/process-offline", json=body, headers=headers) for _ in range(2)
    )
    assert first.json()["task_id"] == second.json()["task_id"]
    assert second.headers["idempotency-replayed"] == "true"
    other = app.machine.post(
        "/process-offline", json=body | {"input": {"message": "other"}}, headers=headers
    )
    assert (other.status_code, other.json()["type"]) == (
        422,
        "urn:tandem:problem:idempotency-key-reused",
    )


def test_a_running_task_shows_its_progress_and_stops_when_asked(app: DeployedApp) -> None:
    task_id = app.submit("unreliable", {"ending": "wait", "bad_attempts": 9})

    def running() -> Json | None:
        task: Json = app.machine.get(f"/tasks/{task_id}").json()
        return task if task["progress"] else None

    eventually(running, 20)
    asked = app.machine.post(f"/tasks/{task_id}/cancel")
    assert asked.status_code == 202
    assert asked.json()["cancel_requested_at"] is not None
    task = app.finished(task_id, within_seconds=20)
    assert (task["state"], task["attempts"]) == ("cancelled", 1)
    assert task["history"][0]["ended_at"] is not None


def test_a_task_for_later_waits_and_can_be_cancelled(app: DeployedApp) -> None:
    at = datetime.now(UTC) + timedelta(seconds=3)
    body = {"processor": "echo", "input": {"message": 1}, "run_after": at.isoformat()}
    task_id = app.machine.post("/process-offline", json=body).json()["task_id"]
    started = datetime.fromisoformat(app.finished(task_id)["started_at"])
    assert started >= at - timedelta(milliseconds=1)
    body["run_after"] = (datetime.now(UTC) + timedelta(hours=2)).isoformat()
    task_id = app.machine.post("/process-offline", json=body).json()["task_id"]
    assert app.machine.post(f"/tasks/{task_id}/cancel").json()["state"] == "cancelled"


def test_a_task_that_was_recorded_and_never_sent_is_swept_and_runs(app: DeployedApp) -> None:
    store = DynamoDBTaskStore(app.aws.dynamodb, app.description.table, shards=4)
    long_ago = SystemClock().now() - timedelta(hours=1)
    task = make_task(long_ago, tenant=TenantId(app.description.client_id))
    store.put(task)
    app.invoke("report", TICK)
    assert app.finished(task.task_id)["state"] == "succeeded"
    found = store.get(task.task_id)
    assert found is not None
    assert found.sweeps == 1


def test_a_failed_task_is_listed_and_redriven_once_as_a_new_task(app: DeployedApp) -> None:
    task_id = app.submit("unreliable", {"ending": "permanent", "bad_attempts": 9})
    app.finished(task_id)

    def shown() -> Json | None:
        letters = app.operator.get("/dead-letters", params={"limit": 100}).json()["letters"]
        return next((one for one in letters if one["task_id"] == task_id), None)

    letter = eventually(shown, 30)
    assert (letter["reason"], letter["tenant"]) == ("permanent", app.description.client_id)
    wanted = {"task_ids": [task_id]}
    dry = app.operator.post("/dead-letters/redrive", json=wanted).json()
    assert [one["done"] for one in dry["letters"]] == ["new-task"]
    done = app.operator.post("/dead-letters/redrive", json=wanted | {"dry_run": False}).json()
    (redriven,) = done["letters"]
    new = app.finished(redriven["task_id"])
    assert (new["retry_of"], new["requested_by"]) == (
        task_id,
        app.description.operator_client_id,
    )
    again = app.operator.post("/dead-letters/redrive", json=wanted | {"dry_run": False}).json()
    assert again["letters"] == [redriven | {"done": "already-retried"}]
    assert shown() is None
    assert app.machine.get("/dead-letters").status_code == 403


def test_the_same_table_again_is_answered_from_the_kept_result(app: DeployedApp) -> None:
    body = {
        "processor": "summarize-table",
        "input": {"upload": sample.send_upload(app.machine, TABLE), "format": "csv"},
    }
    first = app.machine.post("/process-online", json=body)
    body["input"] = {"upload": sample.send_upload(app.machine, TABLE), "format": "csv"}
    second = app.machine.post("/process-online", json=body)
    assert first.json()["output"] == second.json()["output"]
    assert "age" not in first.headers
    assert int(second.headers["age"]) >= 0
    fresh = app.machine.post("/process-online", json=body, headers={"Cache-Control": "no-cache"})
    assert "age" not in fresh.headers


def test_untrusted_sql_runs_on_the_worker_and_cannot_leave_its_table(app: DeployedApp) -> None:
    upload_id = sample.send_upload(app.machine, TABLE)
    good = {"upload": upload_id, "sql": "SELECT count(*) AS n, sum(quantity) AS q FROM data"}
    task_id = app.submit("query-table", good)
    assert app.finished(task_id)["state"] == "succeeded"
    assert app.machine.get(f"/tasks/{task_id}/result").json()["rows"] == [[22, 374]]
    for sql in ("SELECT * FROM read_text('/proc/self/environ')", "ATTACH 'x.db'"):
        task = app.finished(app.submit("query-table", {"upload": upload_id, "sql": sql}))
        assert (task["state"], task["error"]["type"]) == ("failed", "Permanent")


def test_a_query_joins_uploads_into_a_file_and_cannot_leave_them(app: DeployedApp) -> None:
    tables = {name: sample.send_upload(app.machine, TABLE) for name in ("sales", "again")}
    joined = {
        "uploads": tables,
        "sql": "SELECT count(*) AS n FROM sales JOIN again USING (quantity); -- all",
        "to": "csv",
    }
    task_id = app.submit("query-table", joined)
    task = app.finished(task_id)
    assert task["state"] == "succeeded"
    answer = app.machine.get(f"/tasks/{task_id}/result")
    assert answer.status_code == 303
    name, count = httpx2.get(answer.headers["location"]).text.split()
    assert (name, int(count) >= 22) == ("n", True)
    for sql, reason in (
        ("FROM sales, read_blob('/proc/self/fd/4')", "may only read its tables"),
        ("FROM duckdb_settings()", "may only read its tables"),
        ("FROM data", 'there is no table "data": the query has "again" and "sales"'),
    ):
        task = app.finished(app.submit("query-table", {"uploads": tables, "sql": sql}))
        assert (task["state"], reason in task["error"]["message"]) == ("failed", True)


def test_a_file_result_is_downloaded_from_where_the_answer_points(app: DeployedApp) -> None:
    source = {"upload": sample.send_upload(app.machine, TABLE), "to": "jsonl"}
    task_id = app.submit("convert-table", source)
    assert app.finished(task_id)["state"] == "succeeded"
    answer = app.machine.get(f"/tasks/{task_id}/result")
    assert answer.status_code == 303
    lines = httpx2.get(answer.headers["location"]).text.splitlines()
    assert len(lines) == 22
    assert json.loads(lines[0]).keys() == set(TABLE.read_text().splitlines()[0].split(","))
