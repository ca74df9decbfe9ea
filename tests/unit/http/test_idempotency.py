from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from tandem.tasks.task import State
from tandem.testing import FakeClock
from tests.unit.http.conftest import Answer, Api

ECHO = {"processor": "echo", "input": {"message": "hello"}}
KEY = {"Idempotency-Key": "order-4711"}


def post(api: Api, path: str, body: Any = ECHO, **options: Any) -> Answer:
    return api("POST", path, body, **({"headers": KEY} | options))


def test_an_offline_submit_again_is_the_same_task(api: Api) -> None:
    first, second = post(api, "/process-offline"), post(api, "/process-offline")
    assert (first.status, second.status) == (202, 202)
    assert first.json["task_id"] == second.json["task_id"]
    assert "idempotency-replayed" not in first.headers
    assert second.headers["idempotency-replayed"] == "true"
    assert second.headers["location"] == first.headers["location"]
    assert len(api.wiring.store.tasks) == len(api.wiring.queue.messages) == 1


@pytest.mark.parametrize("path", ["/process-offline", "/process-offline/batch"])
def test_a_task_that_was_recorded_and_not_sent_is_sent_when_it_is_asked_for_again(
    api: Api, path: str
) -> None:
    body = ECHO if path == "/process-offline" else {"tasks": [ECHO]}
    post(api, path, body)
    api.wiring.queue.messages.clear()
    clock = api.wiring.clock
    assert isinstance(clock, FakeClock)
    clock.advance(3)
    post(api, path, body)
    assert len(api.wiring.store.tasks) == len(api.wiring.queue.messages) == 1


def test_an_online_submit_again_is_the_same_answer_and_runs_once(api: Api) -> None:
    first, second = post(api, "/process-online"), post(api, "/process-online")
    assert (first.status, second.status) == (200, 200)
    assert first.json == second.json
    assert second.headers["idempotency-replayed"] == "true"
    assert len(api.wiring.store.tasks) == 1


def test_a_failed_online_submit_again_is_the_same_problem(api: Api) -> None:
    body = {"processor": "hash-files", "input": {"uploads": ["none"]}}
    first, second = (post(api, "/process-online", body) for _ in range(2))
    assert first.problem == second.problem == "task-failed"
    assert first.json["task_id"] == second.json["task_id"]


def test_an_online_submit_in_flight_is_a_conflict(api: Api) -> None:
    task_id = post(api, "/process-online").json["task_id"]
    tasks = api.wiring.store.tasks
    lease_until = api.wiring.clock.now() + timedelta(seconds=1)
    tasks[task_id] = replace(tasks[task_id], state=State.RUNNING, lease_until=lease_until)
    answer = post(api, "/process-online")
    assert (answer.status, answer.problem) == (409, "idempotency-key-in-flight")
    assert answer.headers["retry-after"] == "1"


def test_a_promoted_online_submit_again_is_its_place(api: Api) -> None:
    api.context.remaining_seconds = 3.0
    first, second = post(api, "/process-online"), post(api, "/process-online")
    assert (first.status, second.status) == (202, 202)
    assert first.json["task_id"] == second.json["task_id"]


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/process-offline", {"processor": "echo", "input": {"message": "other"}}),
        ("/process-online", ECHO),
    ],
)
def test_the_same_key_for_another_request_is_a_mistake(
    api: Api, path: str, body: dict[str, Any]
) -> None:
    post(api, "/process-offline")
    answer = post(api, path, body)
    assert (answer.status, answer.problem) == (422, "idempotency-key-reused")
    assert len(api.wiring.store.tasks) == 1


def test_keys_of_two_tenants_have_nothing_to_do_with_each_other(api: Api) -> None:
    first = post(api, "/process-offline")
    second = post(api, "/process-offline", tenant="other")
    assert first.json["task_id"] != second.json["task_id"]


def test_a_key_is_forgotten_after_a_day(api: Api) -> None:
    first = post(api, "/process-offline")
    api.wiring.clock.advance(24 * 60 * 60)
    assert post(api, "/process-offline").json["task_id"] != first.json["task_id"]


@pytest.mark.parametrize("key", ["", "x" * 256, "a b", "ü"])
def test_a_key_that_is_not_one_is_refused(api: Api, key: str) -> None:
    answer = post(api, "/process-offline", headers={"Idempotency-Key": key})
    assert answer.problem == "invalid-request"


def test_an_upload_again_has_the_same_id(api: Api) -> None:
    body = {"filename": "orders.csv", "content_type": "text/csv", "size": 10}
    first, second = post(api, "/uploads", body), post(api, "/uploads", body)
    assert first.json["upload_id"] == second.json["upload_id"]
    assert second.headers["idempotency-replayed"] == "true"
    assert post(api, "/uploads", body | {"size": 11}).problem == "idempotency-key-reused"


def test_a_retry_again_makes_one_new_task(api: Api) -> None:
    task_id = api("POST", "/process-online", ECHO).json["task_id"]
    first, second = (post(api, f"/tasks/{task_id}/retry", None) for _ in range(2))
    assert first.json["task_id"] == second.json["task_id"] != task_id
    assert len(api.wiring.store.tasks) == 2
