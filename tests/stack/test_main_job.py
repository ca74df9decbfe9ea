"""The main job over real HTTP, on the deployed template's own queue, authorizer and worker."""

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from itertools import pairwise
from statistics import mean
from uuid import uuid4

from tandem_tools.harness.stack import DeployedApp, Json, eventually


def send(app: DeployedApp, body: str) -> None:
    app.aws.sqs.send_message(QueueUrl=app.description.queue_url, MessageBody=body)


def runs(app: DeployedApp, task_id: str) -> list[Json]:
    """Return the log lines that the test's processor wrote for a task, oldest first."""
    entries = app.log_entries("worker")
    lines = [
        entry
        for entry in entries
        if entry.get("message") == "unreliable runs" and entry.get("task_id") == task_id
    ]
    return sorted(lines, key=lambda entry: str(entry["timestamp"]))


def test_a_processor_that_was_only_dropped_in_is_served(app: DeployedApp) -> None:
    names = [one["name"] for one in app.machine.get("/processors").json()["processors"]]
    assert "unreliable" in names
    answer = app.machine.post("/process-online", json={"processor": "unreliable", "input": {}})
    assert answer.json()["output"] == {"attempt": 1}


def test_the_heavy_task_runs_on_the_worker(app: DeployedApp) -> None:
    accepted = app.machine.get("/heavy-task", params={"blocks": 4, "block_mb": 1})
    assert (accepted.status_code, accepted.json()["message"]) == (202, "Task is running")
    assert app.finished(accepted.json()["task_id"])["state"] == "succeeded"


def test_a_poison_message_is_in_the_dead_letter_queue_as_it_was_and_says_why(
    app: DeployedApp,
) -> None:
    poison = json.dumps({"poison": str(uuid4())})
    send(app, poison)
    letter = app.dead_letter(poison)
    assert letter["Body"] == poison
    assert letter["MessageAttributes"]["reason"]["StringValue"] == "unparsable"


def reason(app: DeployedApp, task_id: str) -> str:
    """Return why a failed task is on the operators' list."""
    cursor: str | None = None
    while True:
        page = app.operator.get(
            "/dead-letters", params={"limit": 100} | ({"cursor": cursor} if cursor else {})
        )
        for letter in page.json()["letters"]:
            if letter["task_id"] == task_id:
                return str(letter["reason"])
        cursor = page.json()["next_cursor"]
        assert cursor is not None, task_id


def test_a_permanent_error_fails_at_once_with_its_reason(app: DeployedApp) -> None:
    task_id = app.submit("unreliable", {"ending": "permanent", "bad_attempts": 9})
    task = app.finished(task_id)
    assert (task["state"], task["attempts"]) == ("failed", 1)
    assert task["error"] == {
        "type": "Permanent",
        "message": "nobody can do this",
        "permanent": True,
    }
    assert reason(app, task_id) == "permanent"


def test_a_failing_task_is_retried_with_growing_delays_and_then_fails(app: DeployedApp) -> None:
    """One delay is drawn from zero to its ceiling: it is the means of many that must grow."""
    task_ids = [app.submit("unreliable", {"bad_attempts": 9}) for _ in range(20)]
    for task_id in task_ids:
        task = app.finished(task_id, within_seconds=90)
        assert (task["state"], task["attempts"]) == ("failed", 4)
        assert task["error"] == {
            "type": "ConnectionError",
            "message": "try later",
            "permanent": False,
        }
    delays = []
    for task_id in task_ids:
        started = [datetime.fromisoformat(str(line["timestamp"])) for line in runs(app, task_id)]
        assert len(started) == 4
        delays.append([(b - a).total_seconds() for a, b in pairwise(started)])
    first, _, last = (mean(delay[n] for delay in delays) for n in range(3))
    assert last > first
    assert reason(app, task_ids[0]) == "attempts-exhausted"


def test_a_transient_error_is_overcome(app: DeployedApp) -> None:
    task_id = app.submit("unreliable", {"bad_attempts": 2})
    assert app.finished(task_id)["attempts"] == 3
    result = app.machine.get(f"/tasks/{task_id}/result").json()
    assert result == {"attempt": 3}


def test_a_worker_that_dies_mid_run_loses_nothing(app: DeployedApp) -> None:
    task_id = app.submit("unreliable", {"ending": "exit", "bad_attempts": 1})
    # Its lease of a minute must end, and the sweep come by.
    task = app.finished(task_id, within_seconds=150)
    assert (task["state"], task["attempts"]) == ("succeeded", 2)


def test_a_hanging_attempt_is_timed_out_and_the_next_one_succeeds(app: DeployedApp) -> None:
    task_id = app.submit("unreliable", {"ending": "hang", "bad_attempts": 1})
    task = app.finished(task_id, within_seconds=90)
    assert (task["state"], task["attempts"]) == ("succeeded", 2)


def test_the_same_message_again_runs_the_task_once(app: DeployedApp) -> None:
    task_id = app.submit("unreliable", {})
    app.finished(task_id)
    send(app, json.dumps({"task_id": task_id}))
    app.finished(app.submit("unreliable", {}))
    assert app.machine.get(f"/tasks/{task_id}").json()["attempts"] == 1
    assert len(runs(app, task_id)) == 1


def test_the_same_message_many_times_at_the_same_moment_runs_the_task_once(
    app: DeployedApp,
) -> None:
    task_id = app.submit("unreliable", {"sleep_seconds": 1})
    body = json.dumps({"task_id": task_id})
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda _: send(app, body), range(30)))
    task = app.finished(task_id)

    def drained() -> bool | None:
        attributes = app.aws.sqs.get_queue_attributes(
            QueueUrl=app.description.queue_url, AttributeNames=["All"]
        )["Attributes"]
        waiting = int(attributes["ApproximateNumberOfMessages"])
        hidden = int(attributes["ApproximateNumberOfMessagesNotVisible"])
        return True if waiting + hidden == 0 else None

    eventually(drained, 90)
    assert (task["state"], task["attempts"]) == ("succeeded", 1)
    assert app.machine.get(f"/tasks/{task_id}").json() == task
    assert len(runs(app, task_id)) == 1


def test_the_trace_of_a_request_is_in_the_workers_lines(app: DeployedApp) -> None:
    trace = uuid4().hex
    body = {"processor": "unreliable", "input": {}}
    headers = {"traceparent": f"00-{trace}-00f067aa0ba902b7-01"}
    task_id = app.machine.post("/process-offline", json=body, headers=headers).json()["task_id"]
    app.finished(task_id)
    assert [line["correlation_id"] for line in runs(app, task_id)] == [trace]
