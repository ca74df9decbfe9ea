"""What becomes of failed tasks on the deployed stack, and who is told that they failed."""

from concurrent.futures import ThreadPoolExecutor

from tandem_tools.harness.stack import DeployedApp, Json


def test_a_redrive_is_a_dry_run_until_it_is_said_otherwise(app: DeployedApp) -> None:
    task_id = app.submit("unreliable", {"ending": "permanent", "bad_attempts": 9})
    failed = app.finished(task_id)
    letter = app.failed(task_id)
    assert letter is not None
    assert (letter["reason"], letter["tenant"]) == ("permanent", app.description.client_id)
    assert letter["error"] == "Permanent: nobody can do this"
    assert letter["since"] == failed["finished_at"]
    (dry,) = app.redrive(task_id, dry_run=True)
    assert (dry["failed_task_id"], dry["done"], dry["task_id"]) == (task_id, "new-task", None)
    assert app.failed(task_id) == letter
    (redriven,) = app.redrive(task_id)
    assert (redriven["failed_task_id"], redriven["letter_id"]) == (task_id, None)
    new = app.finished(redriven["task_id"])
    assert (new["retry_of"], new["requested_by"]) == (
        task_id,
        app.description.operator_client_id,
    )
    assert app.failed(task_id) is None
    assert app.failed(new["task_id"]) is not None


def test_a_redrive_that_is_asked_for_twice_at_once_makes_one_task(app: DeployedApp) -> None:
    task_id = app.submit("unreliable", {"ending": "permanent", "bad_attempts": 9})
    app.finished(task_id)
    with ThreadPoolExecutor(2) as threads:
        redriven = [one for (one,) in threads.map(app.redrive, [task_id] * 2)]
    redriven += app.redrive(task_id)
    assert sorted(one["done"] for one in redriven) == [
        "already-retried",
        "already-retried",
        "new-task",
    ]
    assert len({one["task_id"] for one in redriven}) == 1
    listed = app.machine.get("/tasks", params={"limit": 100}).json()["tasks"]
    assert [one["retry_of"] for one in listed].count(task_id) == 1


def test_an_owners_retry_takes_the_failed_task_off_the_list(app: DeployedApp) -> None:
    task_id = app.submit("unreliable", {"ending": "permanent", "bad_attempts": 9})
    app.finished(task_id)
    new = app.machine.post(f"/tasks/{task_id}/retry").raise_for_status().json()["task_id"]
    assert app.failed(task_id) is None
    (redriven,) = app.redrive(task_id)
    assert (redriven["done"], redriven["task_id"]) == ("already-retried", new)


def test_a_bad_input_is_its_callers_fault_however_it_is_asked_for(app: DeployedApp) -> None:
    body: Json = {"processor": "copy-file", "input": {}}
    online = app.machine.post("/process-online", json=body)
    waited = app.machine.post("/process-offline", json=body, headers={"Prefer": "wait=15"})
    for answer in (online, waited):
        assert answer.status_code == 422, answer.text
        assert answer.json()["type"] == "urn:tandem:problem:task-failed"
    task = app.finished(app.submit(body["processor"], body["input"]))
    assert (task["state"], task["attempts"]) == ("failed", 1)
    assert task["error"]["permanent"] is True


def test_a_caller_that_waits_is_answered_when_the_task_ends(app: DeployedApp) -> None:
    body = {"processor": "echo", "input": {"message": "hello"}}
    wait = {"Prefer": "wait=20"}
    answer = app.machine.post("/process-offline", json=body, headers=wait)
    assert (answer.status_code, answer.json()["output"]) == (200, {"message": "hello"})
    task_id = app.submit("unreliable", {"sleep_seconds": 2})
    task = app.machine.get(f"/tasks/{task_id}", headers=wait).json()
    assert task["state"] == "succeeded"
