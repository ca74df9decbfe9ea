import json
from typing import Any

import pytest

from tandem.ids import TaskId
from tandem.limits import BODY_BYTES
from tandem.tasks.task import Mode, State
from tests.unit.http.conftest import Api

ECHO = {"processor": "echo", "input": {"message": {"a": [1, None, "ü"]}}}


def test_online_answers_with_the_output(api: Api) -> None:
    answer = api("POST", "/process-online", ECHO)
    assert answer.status == 200
    document = answer.json
    assert document["message"] == "Processed online"
    assert document["output"] == ECHO["input"]
    assert answer.headers["location"] == f"/tasks/{document['task_id']}"
    task = api.wiring.store.get(TaskId(document["task_id"]))
    assert task is not None
    assert (task.state, task.mode, task.tenant) == (State.SUCCEEDED, Mode.ONLINE, "acme")


def test_offline_answers_with_where_to_follow_the_task(api: Api) -> None:
    answer = api("POST", "/process-offline", ECHO)
    assert answer.status == 202
    document = answer.json
    assert document["message"] == "Task enqueued for offline processing"
    assert document["task"]["state"] == "queued"
    assert answer.headers["location"] == f"/tasks/{document['task_id']}"
    assert int(answer.headers["retry-after"]) > 0
    api.work()
    assert api("GET", answer.headers["location"]).json["state"] == "succeeded"
    assert api("GET", answer.headers["location"] + "/result").json == ECHO["input"]


def test_the_heavy_task_is_tracked_like_any_other(api: Api) -> None:
    answer = api("GET", "/heavy-task", query="blocks=3&block_mb=1")
    assert (answer.status, answer.json["message"]) == (202, "Task is running")
    api.work()
    result = api("GET", answer.headers["location"] + "/result").json
    assert api("GET", answer.headers["location"]).json["state"] == "succeeded"
    assert len(json.dumps(result)) > 3 * 64


@pytest.mark.parametrize("query", ["blocks=0", "blocks=257", "block_mb=17", "blocks=x"])
def test_the_heavy_task_is_bounded(api: Api, query: str) -> None:
    assert api("GET", "/heavy-task", query=query).problem == "invalid-request"


@pytest.mark.parametrize("path", ["/process-online", "/process-offline"])
@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"processor": "none", "input": {}}, "/body"),
        ({"input": {}}, "/body"),
        ({"processor": "echo"}, "/body/echo/input"),
        ({"processor": "echo", "input": {}}, "/body/echo/input/message"),
        ({"processor": "echo", "input": 1}, "/body/echo/input"),
        ([], "/body"),
        ("{", "/body"),
        (None, "/body"),
    ],
)
def test_a_body_that_does_not_fit_is_refused_with_where(
    api: Api, path: str, body: Any, pointer: str
) -> None:
    answer = api("POST", path, body)
    assert (answer.status, answer.problem) == (422, "invalid-request")
    assert [part["pointer"] for part in answer.json["errors"]] == [pointer]
    assert api.wiring.store.tasks == {}


def test_a_body_over_the_limit_is_refused_before_it_is_parsed(api: Api) -> None:
    body = json.dumps({"processor": "echo", "input": {"message": "x" * BODY_BYTES}})
    answer = api("POST", "/process-offline", body)
    assert answer.status == 413
    assert answer.problem == "content-too-large"
    assert api.wiring.store.tasks == {}


def test_a_task_that_fails_online_is_a_problem_that_names_it(api: Api) -> None:
    body = {"processor": "hash-files", "input": {"uploads": ["none"]}}
    answer = api("POST", "/process-online", body)
    assert (answer.status, answer.problem) == (422, "task-failed")
    assert answer.json["detail"].startswith("Permanent: there is no upload")
    assert api("GET", f"/tasks/{answer.json['task_id']}").json["state"] == "failed"


def test_the_budget_never_exceeds_what_the_function_has_left(api: Api) -> None:
    api.context.remaining_seconds = 3.0
    answer = api("POST", "/process-online", ECHO)
    assert (answer.status, answer.json["message"]) == (202, "Task continues offline")
    assert answer.json["task"]["state"] == "queued"


def test_the_trace_of_a_request_goes_with_its_task(api: Api) -> None:
    trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    api("POST", "/process-offline", ECHO, headers={"traceparent": trace})
    (message,) = api.wiring.queue.messages.values()
    assert message.attributes["traceparent"].split("-")[1] == trace.split("-")[1]
