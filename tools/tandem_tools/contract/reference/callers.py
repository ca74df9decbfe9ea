"""The scenario of callers: look around, submit work, follow it."""

from tandem_tools.contract.reference import actions
from tandem_tools.contract.reference.shortened import echo_in_catalogue, made_up_keys
from tandem_tools.contract.reference.steps import Action, Step, field_of, header

ECHO = {"processor": "echo", "input": {"message": "hello"}}
KEY = "idempotency-key"

PROCESSING: list[Step | Action] = [
    Step("get_health", "The API is alive.", caller="anonymous"),
    Step("get_deep_health", "What the API stands on answers as well."),
    Step(
        "list_processors",
        "Each processor with its schemas, and the limits; here only `echo` is shown.",
        shown=echo_in_catalogue,
    ),
    # Online
    Step("process_online", "A processor runs, and its output is the answer.", body=ECHO),
    # Offline
    Step(
        "process_offline",
        "A task is queued.",
        202,
        headers={"Idempotency-Key": "$new_key"},
        body=ECHO,
        keeps={"task": field_of("task_id"), "key": lambda sent: sent.request.headers[KEY]},
    ),
    Step(
        "process_offline",
        "The caller waits for the end of the task: the answer is its output.",
        headers={"Prefer": "wait=10"},
        body=ECHO,
    ),
    Action(actions.make_plans),
    Step(
        "process_offline",
        "A task for later.",
        202,
        body=ECHO | {"run_after": "$in_an_hour"},
        keeps={"later": field_of("task_id")},
    ),
    Step(
        "process_offline_batch",
        "Two tasks in one call.",
        202,
        body={"tasks": [ECHO, ECHO | {"run_after": "$in_an_hour"}]},
        keeps={"other": field_of("items", 1, "task", "task_id")},
    ),
    Step(
        "start_heavy_task",
        "A task that takes a while, to look at.",
        202,
        query={"blocks": "4", "block_mb": "1"},
    ),
    Step(
        "list_callback_keys",
        "What a receiver verifies callbacks with.",
        shown=made_up_keys,
    ),
    # Tasks
    Step(
        "get_task",
        "The caller waits for the task's end. The `ETag` is for the next question.",
        path={"task_id": "$task"},
        headers={"Prefer": "wait=10"},
        until=lambda body: body["state"] == "succeeded",
        keeps={"etag": header("etag")},
    ),
    Step(
        "get_task",
        "Nothing has changed since.",
        304,
        path={"task_id": "$task"},
        headers={"If-None-Match": "$etag"},
    ),
    Step(
        "process_offline",
        "The same key and body again, later: it is the same task, and nothing is queued.",
        202,
        headers={"Idempotency-Key": "$key"},
        body=ECHO,
    ),
    Step("get_task_result", "Its output, and nothing else.", path={"task_id": "$task"}),
    Step(
        "retry_task",
        "It is done again, as a new task.",
        202,
        path={"task_id": "$task"},
    ),
    Step("cancel_task", "A queued task is cancelled at once.", path={"task_id": "$later"}),
    Action(actions.cancel_other),
    Step(
        "list_tasks",
        "The newest task that was cancelled, and where the next page begins.",
        query={"state": "cancelled", "processor": "echo", "limit": "1"},
    ),
    Step(
        "delete_task",
        "It is deleted, with all that it kept.",
        204,
        path={"task_id": "$later"},
    ),
]
"""Keeps `task`, which has succeeded, and `key`, under which it was submitted."""
