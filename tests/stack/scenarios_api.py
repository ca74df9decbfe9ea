"""What the API does with each of its permissions."""

import json
from datetime import timedelta

import httpx2

from tandem.aws.dynamodb_results import DynamoDBResultCache
from tandem.tasks.results import CachedResult
from tandem.tasks.task import InlinePayload, StoredPayload, Task
from tandem_tools.harness.tasks import finish_at, make_task
from tests.factories.ended import ended_task
from tests.stack.ground import now
from tests.stack.scene import Scene
from tests.stack.tasks import (
    ECHO,
    LARGE,
    NOBODY,
    TABLE,
    ended_with,
    failed,
    unheard,
    uploaded,
)


def one_is_submitted(scene: Scene) -> None:
    made = scene.api("POST", "/process-offline", ECHO, status=202)
    assert scene.tasks_in("TaskQueue") == [made["task_id"]]


def one_makes_an_effect(scene: Scene) -> None:
    answer = scene.api("POST", "/process-online", {"processor": "charging", "input": {}})
    assert scene.item(f"effect#{answer['output']['idempotency_key']}")


def settings_are_read(scene: Scene) -> None:
    answer = scene.api("POST", "/process-online", {"processor": "knowing", "input": {}})
    assert answer["output"]["characters"] == len("friend")


def many_are_submitted(scene: Scene) -> None:
    made = scene.api("POST", "/process-offline/batch", {"tasks": [ECHO, ECHO]}, status=202)
    ids = [item["task"]["task_id"] for item in made["items"]]
    assert sorted(scene.tasks_in("TaskQueue")) == sorted(ids)


def a_large_one_is_submitted(scene: Scene) -> None:
    body = ECHO | {"input": json.loads(LARGE)}
    made = scene.api("POST", "/process-offline", body, status=202)
    assert scene.kept(made["task_id"]) == ["input.json"]


def one_is_read(scene: Scene) -> None:
    scene.store.put(task := make_task(now()))
    assert scene.api("GET", f"/tasks/{task.task_id}")["state"] == "queued"


def one_is_cancelled(scene: Scene) -> None:
    scene.store.put(task := make_task(now()))
    assert scene.api("POST", f"/tasks/{task.task_id}/cancel")["state"] == "cancelled"


def one_with_a_callback_is_cancelled(scene: Scene) -> None:
    scene.store.put(task := make_task(now(), callback=NOBODY))
    scene.api("POST", f"/tasks/{task.task_id}/cancel")
    assert scene.tasks_in("CallbackQueue") == [task.task_id]


def kept_for_the_same_input(scene: Scene, task: Task) -> None:
    result = CachedResult(
        task_id=task.task_id,
        output=InlinePayload("{}"),
        file=None,
        made_at=now(),
        expires_at=now() + timedelta(hours=1),
    )
    DynamoDBResultCache(scene.aws.dynamodb, scene.resources.table).put("key", result)


def a_kept_result_is_deleted_with_its_task(scene: Scene) -> None:
    scene.store.put(task := ended_task(now(), cache_key="key"))
    kept_for_the_same_input(scene, task)
    scene.answer("DELETE", f"/tasks/{task.task_id}")
    assert scene.store.get(task.task_id) is None
    assert not scene.item("cache#key")


def objects_are_deleted_with_their_task(scene: Scene) -> None:
    scene.store.put(task := ended_task(now()))
    for name in ("input.json", "1/output.json", "2/files/a.csv"):
        scene.keep(f"tasks/{task.task_id}/{name}", TABLE)
    scene.answer("DELETE", f"/tasks/{task.task_id}")
    assert scene.store.get(task.task_id) is None
    assert scene.kept(task.task_id) == []


def they_are_listed(scene: Scene) -> None:
    scene.store.put(task := make_task(now()))
    [listed] = scene.api("GET", "/tasks")["tasks"]
    assert listed["task_id"] == task.task_id


def a_large_result_is_downloaded(scene: Scene) -> None:
    task = make_task(now())
    key = f"tasks/{task.task_id}/1/output.json"
    scene.keep(key, TABLE)
    ended_with(scene, task, StoredPayload(key, len(TABLE)))
    answer = scene.answer("GET", f"/tasks/{task.task_id}/result")
    download = httpx2.get(answer["headers"]["location"])
    assert download.content == TABLE, download.text


def a_file_is_uploaded(scene: Scene) -> None:
    asked = {"filename": "a.csv", "content_type": "text/csv", "size": len(TABLE)}
    form = scene.api("POST", "/uploads", asked, status=201)
    sent = httpx2.post(form["url"], data=form["fields"], files={"file": ("a.csv", TABLE)})
    assert sent.is_success, sent.text


def an_upload_is_looked_at(scene: Scene) -> None:
    assert scene.api("GET", f"/uploads/{uploaded(scene)}")["size"] == len(TABLE)


def an_upload_is_deleted(scene: Scene) -> None:
    scene.api("DELETE", f"/uploads/{uploaded(scene)}", status=204)


def reports_are_read(scene: Scene) -> None:
    closed = scene.tick()["closed"]
    assert len(scene.api("GET", "/reports")["reports"]) == len(closed) > 0


def health_is_looked_into(scene: Scene) -> None:
    assert scene.api("GET", "/health/deep")["parts"]["queue"] == "ok"


def keys_are_shown(scene: Scene) -> None:
    assert len(scene.api("GET", "/callback-keys")["keys"]) == 1


def failed_tasks_are_listed(scene: Scene) -> None:
    task = failed(scene)
    [letter] = scene.api("GET", "/dead-letters")["letters"]
    assert (letter["task_id"], letter["state"]) == (task.task_id, "failed")


def failed_callbacks_are_listed(scene: Scene) -> None:
    task = unheard(scene)
    [letter] = scene.api("GET", "/dead-letters?queue=callbacks")["letters"]
    assert (letter["task_id"], letter["reason"]) == (task.task_id, "gone")


def letters_are_looked_at(scene: Scene, kind: str, queue: str) -> None:
    scene.send(queue, "not ours", reason="unparsable")
    shown = scene.api("GET", f"/dead-letters?queue={kind}")["letters"]
    assert [one["reason"] for one in shown] == ["unparsable"]


def letters_are_redriven(scene: Scene, kind: str, queue: str) -> None:
    task = finish_at(scene.store, make_task(now(), callback=NOBODY), now())
    scene.send(queue, json.dumps({"task_id": task.task_id}), reason="unhandled")
    asked = {"queue": kind, "dry_run": False}
    [redriven] = scene.api("POST", "/dead-letters/redrive", asked)["letters"]
    assert redriven["done"] != "kept"
    assert scene.count(queue) == 0
