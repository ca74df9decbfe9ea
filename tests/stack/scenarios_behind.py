"""What the functions behind the API do with each of their permissions."""

import json
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from uuid import uuid4

from tandem.tasks.effects import idempotency_key
from tandem.tasks.task import InlinePayload, State, StoredPayload, Task
from tandem.tasks.transitions import request_cancel
from tandem_tools.harness.tasks import finish_at, make_task
from tests.factories.ended import ended_task
from tests.stack.ground import message, now
from tests.stack.scenarios_api import kept_for_the_same_input
from tests.stack.scene import Scene
from tests.stack.tasks import LARGE, NOBODY, ended_an_hour_ago, failed, overdue, uploaded

# --- The worker ---


def one_is_run(scene: Scene) -> None:
    scene.store.put(task := make_task(now()))
    scene.worker(message(task.task_id))
    assert scene.task(task.task_id).state is State.SUCCEEDED


def one_with_a_callback_is_run(scene: Scene) -> None:
    scene.store.put(task := make_task(now(), callback=NOBODY))
    scene.worker(message(task.task_id))
    assert scene.tasks_in("CallbackQueue") == [task.task_id]


def its_owner_cancels_it(scene: Scene) -> None:
    scene.store.put(task := make_task(now(), processor="patient", input=InlinePayload("{}")))
    with ThreadPoolExecutor(1) as beside:
        running = beside.submit(scene.worker, message(task.task_id))
        while scene.task(task.task_id).state is State.QUEUED and not running.done():
            time.sleep(0.05)
        scene.store.change(task.task_id, request_cancel(now=now()))
        running.result()
    assert scene.task(task.task_id).state is State.CANCELLED


def a_result_is_kept_for_the_same_input(scene: Scene) -> None:
    data = InlinePayload('{"n": 1}')
    task = make_task(now(), processor="constant", input=data, cache_key="key")
    scene.store.put(task)
    scene.worker(message(task.task_id))
    assert scene.item("cache#key")


def one_makes_an_effect(scene: Scene) -> None:
    scene.store.put(task := make_task(now(), processor="charging", input=InlinePayload("{}")))
    scene.worker(message(task.task_id))
    assert scene.task(task.task_id).state is State.SUCCEEDED
    assert scene.item(f"effect#{idempotency_key(task.task_id, 'charging', 'charge')}")


def settings_are_read(scene: Scene) -> None:
    scene.store.put(task := make_task(now(), processor="knowing", input=InlinePayload("{}")))
    scene.worker(message(task.task_id))
    assert scene.task(task.task_id).state is State.SUCCEEDED


def a_large_input_is_read(scene: Scene) -> None:
    task = make_task(now())
    key = f"tasks/{task.task_id}/input.json"
    scene.keep(key, b'{"message": "hello"}')
    scene.store.put(make_task(now(), task_id=task.task_id, input=StoredPayload(key, 20)))
    scene.worker(message(task.task_id))
    assert scene.task(task.task_id).state is State.SUCCEEDED


def a_large_output_is_kept(scene: Scene) -> None:
    task = make_task(now())
    key = f"tasks/{task.task_id}/input.json"
    scene.keep(key, LARGE.encode())
    scene.store.put(make_task(now(), task_id=task.task_id, input=StoredPayload(key, len(LARGE))))
    scene.worker(message(task.task_id))
    assert scene.kept(task.task_id) == ["1/output.json", "input.json"]


def an_upload_is_read(scene: Scene) -> None:
    data = InlinePayload(json.dumps({"uploads": [uploaded(scene)]}))
    scene.store.put(task := make_task(now(), processor="hash-files", input=data))
    scene.worker(message(task.task_id))
    assert scene.task(task.task_id).state is State.SUCCEEDED


def what_is_for_later_comes_back(scene: Scene) -> None:
    later = now() + timedelta(milliseconds=500)
    scene.store.put(task := make_task(now(), not_before=later))
    scene.send("TaskQueue", json.dumps({"task_id": task.task_id}))
    [received] = scene.received("TaskQueue")
    assert scene.worker(received)["batchItemFailures"]
    [again] = scene.received("TaskQueue", wait_seconds=3)
    assert again["messageId"] == received["messageId"]


def what_cannot_be_hidden_is_sent_again(scene: Scene) -> None:
    later = now() + timedelta(milliseconds=500)
    scene.store.put(task := make_task(now(), not_before=later))
    assert scene.worker(message(task.task_id))["batchItemFailures"]
    assert scene.received("TaskQueue", wait_seconds=3)


def a_slow_one_keeps_no_other_message(scene: Scene) -> None:
    wait = InlinePayload('{"sleep_seconds": 3}')
    for task in (make_task(now(), processor="unreliable", input=wait), make_task(now())):
        scene.store.put(task)
        scene.send("TaskQueue", json.dumps({"task_id": task.task_id}))
    both = scene.received("TaskQueue")
    assert len(both) == 2
    scene.worker(*both)
    assert scene.count("TaskQueue") == 1


def what_names_no_task_is_a_dead_letter(scene: Scene) -> None:
    scene.worker(message(str(uuid4())))
    assert len(scene.received("DeadLetterQueue")) == 1


# --- Callbacks ---


def a_callback_is_tried(scene: Scene) -> None:
    task = finish_at(scene.store, make_task(now(), callback=NOBODY), now())
    scene.send("CallbackQueue", json.dumps({"task_id": task.task_id}))
    scene.callback(*scene.received("CallbackQueue"))
    tried = scene.task(task.task_id).callback
    assert tried is not None
    assert tried.attempts == 1


def a_callback_is_tried_again(scene: Scene) -> None:
    a_callback_is_tried(scene)
    assert scene.received("CallbackQueue", wait_seconds=3)


def a_callback_of_no_task_is_a_dead_letter(scene: Scene) -> None:
    scene.callback(message(str(uuid4())))
    assert len(scene.received("CallbackDeadLetterQueue")) == 1


# --- The report ---


def windows_are_closed(scene: Scene) -> None:
    assert scene.tick()["closed"]


def one_is_swept(scene: Scene) -> None:
    scene.store.put(task := overdue())
    scene.tick()
    assert scene.tasks_in("TaskQueue") == [task.task_id]


def many_are_swept(scene: Scene) -> None:
    tasks = [overdue(), overdue()]
    for task in tasks:
        scene.store.put(task)
    scene.tick()
    assert sorted(scene.tasks_in("TaskQueue")) == sorted(task.task_id for task in tasks)


def failed_tasks_are_counted(scene: Scene) -> None:
    failed(scene)
    scene.tick()
    assert scene.api("GET", "/reports/latest")["levels"]["dead_letters"] == 1


def a_callback_is_swept(scene: Scene) -> None:
    task = ended_an_hour_ago(scene)
    scene.tick()
    assert scene.tasks_in("CallbackQueue") == [task.task_id]


def callbacks_are_swept(scene: Scene) -> None:
    tasks = [ended_an_hour_ago(scene), ended_an_hour_ago(scene)]
    scene.tick()
    assert sorted(scene.tasks_in("CallbackQueue")) == sorted(task.task_id for task in tasks)


def deleted_an_hour_ago(scene: Scene) -> Task:
    """Record a deleted task whose kept result and object could not be deleted then."""
    moment = now() - timedelta(hours=1)
    scene.store.put(task := ended_task(moment, cache_key="key"))
    kept_for_the_same_input(scene, task)
    scene.keep(f"tasks/{task.task_id}/input.json", b"{}")
    scene.store.delete(task, now=moment)
    return task


def a_deleted_one_is_purged(scene: Scene) -> None:
    task = deleted_an_hour_ago(scene)
    scene.tick()
    assert not scene.item("cache#key")
    assert scene.kept(task.task_id) == []
    left = scene.store.deletion(task.task_id)
    assert left is not None
    assert left.finished_at is None


def the_topic_is_told(scene: Scene) -> None:
    assert scene.tick()["closed"]
    assert scene.sinks.cursors(["sns"])["sns"].error is None


def a_report_is_about_to_be_sent(scene: Scene, sink: str) -> None:
    assert scene.tick()["closed"]
    error = scene.sinks.cursors([sink])[sink].error
    assert error == "the connection failed: Connection refused"
