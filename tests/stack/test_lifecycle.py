"""Cancel, repeat, delay, sweep and redrive on the deployed stack."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

from tandem.aws.dynamodb_tasks import DynamoDBTaskStore
from tandem.aws.items import task_key
from tandem.clock import SystemClock, to_text
from tandem.ids import TaskId, TenantId
from tandem.tasks.task import Task
from tandem_tools.harness.stack import DeployedApp, Json, eventually
from tandem_tools.harness.tasks import make_task

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


def limited(seconds: float) -> Json:
    return {"ending": "limited", "bad_attempts": 1, "retry_after_seconds": seconds}


def between_attempts(task: Json) -> float:
    """Return how many seconds the second attempt came after the first."""
    first, second = task["history"]
    began, ended = (datetime.fromisoformat(at) for at in (second["started_at"], first["ended_at"]))
    assert first["error"]["type"] == "RetryAfter"
    return (began - ended).total_seconds()


def test_the_next_attempt_comes_when_the_processor_says(app: DeployedApp) -> None:
    task = app.finished(app.submit("unreliable", limited(4)))
    assert (task["state"], task["attempts"]) == ("succeeded", 2)
    assert 3.999 <= between_attempts(task) < 15


def test_an_online_task_goes_on_offline_when_its_processor_says(app: DeployedApp) -> None:
    body = {"processor": "unreliable", "input": limited(4)}
    answer = app.machine.post("/process-online", json=body)
    assert (answer.status_code, answer.headers["retry-after"]) == (202, "4")
    assert answer.json()["task"]["error"]["message"] == "the service takes no more"
    task = app.finished(answer.json()["task_id"])
    assert (task["state"], task["mode"], task["attempts"]) == ("succeeded", "online", 2)
    assert 3.999 <= between_attempts(task) < 15


def test_a_retry_beyond_the_queues_delay_is_sent_by_the_sweep(app: DeployedApp) -> None:
    store = DynamoDBTaskStore(app.aws.dynamodb, app.description.table, shards=4)
    task_id = TaskId(app.submit("unreliable", limited(3600)))

    def waiting() -> Task | None:
        task = store.get(task_id)
        return task if task is not None and task.waits_for_sweep else None

    task = eventually(waiting, 30)
    app.invoke("report", TICK)
    assert store.get(task_id) == task
    come = to_text(SystemClock().now() - timedelta(seconds=1))
    app.aws.dynamodb.update_item(
        TableName=app.description.table,
        Key=task_key(task_id),
        UpdateExpression="SET not_before = :come, due_at = :come",
        ConditionExpression="begins_with(due_shard, :later)",
        ExpressionAttributeValues={":come": {"S": come}, ":later": {"S": "later#"}},
    )
    app.invoke("report", TICK)
    ended = app.finished(task_id)
    assert (ended["state"], ended["attempts"]) == ("succeeded", 2)
    found = store.get(task_id)
    assert found is not None
    assert found.sweeps == 0


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
