"""The sample processors on the deployed stack."""

import csv
import gzip
import json
from collections.abc import Callable
from pathlib import Path

import httpx2
import pytest

from tandem_tools.harness.stack import DeployedApp
from tandem_tools.paths import SAMPLE
from tandem_tools.run import sample


def typed(value: str) -> float | str | None:
    """Return what JSON would hold for a CSV value: a number, nothing, or the text."""
    try:
        return float(value) if value else None
    except ValueError:
        return value


def test_a_csv_is_uploaded_summarized_by_the_worker_and_its_result_is_right(
    app: DeployedApp,
) -> None:
    upload_id = sample.send_upload(app.machine, SAMPLE)
    body = {"processor": "summarize-table", "input": {"upload": upload_id}}
    # The stack has summarized this table before: a kept result would answer without the worker.
    fresh = {"Cache-Control": "no-cache"}
    accepted = app.machine.post("/process-offline", json=body, headers=fresh)
    assert accepted.status_code == 202
    location = accepted.headers["location"]
    assert location == f"/tasks/{accepted.json()['task_id']}"
    task = app.finished(accepted.json()["task_id"])
    assert (task["state"], task["attempts"]) == ("succeeded", 1)
    result = app.machine.get(f"{location}/result").json()
    columns = {column["name"]: column for column in result["columns"]}
    assert result["rows"] == 22
    assert (columns["quantity"]["min"], columns["quantity"]["max"]) == (1, 120)
    assert columns["quantity"]["mean"] == pytest.approx(374 / 22)


def test_the_same_table_gives_the_same_columns_online_and_offline(app: DeployedApp) -> None:
    with SAMPLE.open(newline="") as file:
        rows = [{name: typed(value) for name, value in row.items()} for row in csv.DictReader(file)]
    body = {"processor": "summarize-table", "input": {"rows": rows}}
    online = app.machine.post("/process-online", json=body).raise_for_status().json()["output"]
    uploaded = {"upload": sample.send_upload(app.machine, SAMPLE)}
    task = app.finished(app.submit("summarize-table", uploaded))
    offline = app.machine.get(f"/tasks/{task['task_id']}/result").raise_for_status().json()
    assert online["rows"] == offline["rows"] == 22
    for answer in (online, offline):
        columns = {column["name"]: column for column in answer["columns"]}
        assert columns["quantity"]["min"] == 1
        assert columns["quantity"]["max"] == 120
        assert columns["quantity"]["mean"] == pytest.approx(374 / 22)
        assert columns["shipped_at"]["nulls"] == 3


def test_the_same_table_again_is_answered_from_the_kept_result(app: DeployedApp) -> None:
    body = {
        "processor": "summarize-table",
        "input": {"upload": sample.send_upload(app.machine, SAMPLE), "format": "csv"},
    }
    first = app.machine.post("/process-online", json=body)
    body["input"] = {"upload": sample.send_upload(app.machine, SAMPLE), "format": "csv"}
    second = app.machine.post("/process-online", json=body)
    assert first.json()["output"] == second.json()["output"]
    assert "age" not in first.headers
    assert int(second.headers["age"]) >= 0
    fresh = app.machine.post("/process-online", json=body, headers={"Cache-Control": "no-cache"})
    assert "age" not in fresh.headers


def test_untrusted_sql_runs_on_the_worker_and_cannot_leave_its_table(app: DeployedApp) -> None:
    upload_id = sample.send_upload(app.machine, SAMPLE)
    good = {"upload": upload_id, "sql": "SELECT count(*) AS n, sum(quantity) AS q FROM data"}
    task_id = app.submit("query-table", good)
    assert app.finished(task_id)["state"] == "succeeded"
    assert app.machine.get(f"/tasks/{task_id}/result").json()["rows"] == [[22, 374]]
    for sql in ("SELECT * FROM read_text('/proc/self/environ')", "ATTACH 'x.db'"):
        task = app.finished(app.submit("query-table", {"upload": upload_id, "sql": sql}))
        assert (task["state"], task["error"]["type"]) == ("failed", "Permanent")


def test_a_query_joins_uploads_into_a_file_and_cannot_leave_them(app: DeployedApp) -> None:
    tables = {name: sample.send_upload(app.machine, SAMPLE) for name in ("sales", "again")}
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
    source = {"upload": sample.send_upload(app.machine, SAMPLE), "to": "jsonl"}
    task_id = app.submit("convert-table", source)
    assert app.finished(task_id)["state"] == "succeeded"
    answer = app.machine.get(f"/tasks/{task_id}/result")
    assert answer.status_code == 303
    lines = httpx2.get(answer.headers["location"]).text.splitlines()
    assert len(lines) == 22
    assert json.loads(lines[0]).keys() == set(SAMPLE.read_text().splitlines()[0].split(","))


def bomb() -> bytes:
    return gzip.compress(b"a\n" + b"0\n" * (150 << 20), 1)


def wide() -> bytes:
    return ",".join(f"c{number}" for number in range(100_000)).encode() + b"\n1\n"


TABLES: dict[str, tuple[Callable[[], bytes], str]] = {
    "a decompression bomb": (bomb, "holds more than 256 MiB"),
    "100,000 columns": (wide, "more than 500 columns"),
    "a row of 20 MB": (lambda: b"a\n" + b"x" * 20_000_000, "a line is too long"),
    "a gzip file cut short": (lambda: gzip.compress(b"a\n1\n" * 999)[:20], "cut short"),
    "another format": (lambda: b"PAR1\x00\xff\x00PAR1", "not of its format"),
    "no names": (lambda: b"\n\n", "must name the columns"),
}


@pytest.mark.parametrize(("content", "reason"), TABLES.values(), ids=TABLES)
def test_a_hostile_table_fails_its_task_once_with_the_reason(
    app: DeployedApp, tmp_path: Path, content: Callable[[], bytes], reason: str
) -> None:
    file = tmp_path / "t.csv"
    file.write_bytes(content())
    upload = sample.send_upload(app.machine, file)
    task = app.finished(app.submit("summarize-table", {"upload": upload}))
    assert (task["state"], task["attempts"]) == ("failed", 1)
    assert task["error"]["type"] in {"Permanent", "Unreadable"}
    assert reason in task["error"]["message"]
