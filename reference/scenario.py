"""The scenario of the API reference: the least that shows every operation, and each kind of error.

A new operation needs one `Step` here, and one more for each of its answers worth showing. A test
names the operations that have none.
"""

from reference import deeds
from reference.deeds import TABLE
from reference.shortened import (
    echo_in_catalogue,
    echo_in_latest,
    echo_in_reports,
    has_echo,
    has_letter,
    letter_id,
    one_letter,
)
from reference.steps import Deed, Step, field_of, header

ECHO = {"processor": "echo", "input": {"message": "hello"}}
FILE = {"filename": TABLE.name, "content_type": "text/csv", "size": TABLE.stat().st_size}
KEY = "idempotency-key"
NOBODYS = "00000000-0000-7000-8000-000000000000"

SCENARIO: list[Step | Deed] = [
    Step("get_health", "The API is alive.", caller="anonymous"),
    Step("get_deep_health", "What the API stands on answers as well."),
    Step(
        "list_processors",
        "Each processor with its schemas, and the limits; here only `echo` is shown.",
        shown=echo_in_catalogue,
    ),
    # --- Online ----------------------------------------------------------------------------------
    Step("process_online", "A processor runs, and its output is the answer.", body=ECHO),
    # --- Offline ---------------------------------------------------------------------------------
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
    Deed(deeds.make_plans),
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
    # --- Tasks -----------------------------------------------------------------------------------
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
    Deed(deeds.cancel_other),
    Step(
        "list_tasks",
        "The newest task that was cancelled, and where the next page begins.",
        query={"state": "cancelled", "processor": "echo", "limit": "1"},
    ),
    # --- Uploads and files -----------------------------------------------------------------------
    Step(
        "create_upload",
        "The form that sends one file: POST the fields, then the file as `file`, to the URL.",
        201,
        body=FILE,
        keeps={"upload": field_of("upload_id"), "form": lambda given: given.text},
    ),
    Deed(deeds.send_file),
    Step("get_upload", "What is known of the file.", path={"upload_id": "$upload"}),
    Step(
        "process_online",
        "A file that was uploaded is the input.",
        headers={"Cache-Control": "no-cache"},
        body={
            "processor": "query-table",
            "input": {
                "upload": "$upload",
                "sql": "SELECT count(*) AS orders, sum(quantity) AS pieces FROM data",
            },
        },
    ),
    Step(
        "process_online",
        "The result is a file: `GET /tasks/{task_id}/result` leads to it.",
        headers={"Cache-Control": "no-cache"},
        body={"processor": "convert-table", "input": {"upload": "$upload", "to": "jsonl"}},
        keeps={"file_task": field_of("task_id")},
    ),
    Step(
        "get_task_result",
        "A large output, or a file, is downloaded from the URL in `Location`.",
        303,
        path={"task_id": "$file_task"},
    ),
    Step("delete_upload", "It is not needed any more.", 204, path={"upload_id": "$upload"}),
    # --- Errors ----------------------------------------------------------------------------------
    Step("list_tasks", "There is no valid access token.", 401, caller="anonymous"),
    Step("list_dead_letters", "The token lacks the scope.", 403),
    Step(
        "get_task",
        "There is no such task, or it is another tenant's.",
        404,
        path={"task_id": NOBODYS},
    ),
    Step("list_tasks", "The caller takes no JSON.", 406, headers={"Accept": "application/xml"}),
    Step("cancel_task", "The task has ended.", 409, path={"task_id": "$task"}),
    Step(
        "process_online",
        "The body is not JSON.",
        415,
        headers={"Content-Type": "text/csv"},
        body="city,amount",
    ),
    Step(
        "process_online",
        "The input is not valid; `errors` points at each part.",
        422,
        body={"processor": "checksum-files", "input": {"blocks": 0}},
    ),
    Step(
        "process_offline",
        "The `Idempotency-Key` was used with another body.",
        422,
        headers={"Idempotency-Key": "$key"},
        body=ECHO | {"input": {"message": "something else"}},
    ),
    Step(
        "process_offline",
        "The tenant's quota is used up.",
        429,
        body=ECHO,
        during=deeds.small_quota,
    ),
    # --- What operators see ----------------------------------------------------------------------
    Step(
        "process_offline",
        "The processor refuses the input for good; the task is in the dead letters.",
        422,
        headers={"Prefer": "wait=10"},
        body={
            "processor": "query-table",
            "input": {"rows": [{"city": "Oslo"}], "sql": "SELECT town FROM data"},
        },
    ),
    Step(
        "list_dead_letters",
        "The task that was given up above, and why.",
        caller="operator",
        query={"limit": "100"},
        until=has_letter,
        shown=one_letter,
        keeps={"letter": letter_id},
    ),
    Step(
        "redrive_dead_letters",
        "What would be done: nothing is.",
        caller="operator",
        body={"letter_ids": ["$letter"]},
    ),
    Step(
        "redrive_dead_letters",
        "It is done: a new task does the work again.",
        caller="operator",
        body={"letter_ids": ["$letter"], "dry_run": False},
    ),
    Step(
        "list_reports",
        "What finished in one minute; here only that of `echo` is shown.",
        caller="operator",
        query={"limit": "100"},
        until=has_echo,
        shown=echo_in_reports,
    ),
    Step(
        "get_latest_report",
        "The same, of the minute that was closed last.",
        caller="operator",
        shown=echo_in_latest,
    ),
]
"""In the order in which it is played; the page orders it by operation."""
