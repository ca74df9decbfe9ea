from dataclasses import replace
from typing import Any

import pytest

from tandem.processing.catalogue import Catalogue
from tests.unit.http.conftest import Answer, Api

ECHO = {"processor": "echo", "input": {"message": {"b": 1, "a": 2}}}


@pytest.fixture
def cached(api: Api) -> Api:
    pure = [replace(one, cache_seconds=60) for one in api.wiring.catalogue.values()]
    api.wiring.catalogue = Catalogue(pure)
    return api


def online(api: Api, body: Any = ECHO, **options: Any) -> Answer:
    return api("POST", "/process-online", body, **options)


def test_the_same_input_is_answered_from_the_kept_result_with_its_age(cached: Api) -> None:
    first = online(cached)
    cached.wiring.clock.advance(7)
    second = online(cached, {"processor": "echo", "input": {"message": {"a": 2, "b": 1}}})
    assert "age" not in first.headers
    assert second.headers["age"] == "7"
    assert second.json["output"] == first.json["output"]
    task = cached("GET", second.headers["location"]).json
    assert (task["state"], task["attempts"], task["cached_from"]) == (
        "succeeded",
        0,
        first.json["task_id"],
    )


def test_offline_a_kept_result_means_that_there_is_nothing_to_wait_for(cached: Api) -> None:
    first = online(cached).json
    answer = cached("POST", "/process-offline", ECHO)
    assert (answer.status, answer.json["task"]["state"]) == (202, "succeeded")
    assert answer.headers["age"] == "0"
    assert cached.wiring.queue.messages == {}
    assert cached("GET", answer.headers["location"] + "/result").json == first["output"]


def test_what_ran_offline_answers_online(cached: Api) -> None:
    cached("POST", "/process-offline", ECHO)
    assert "age" not in online(cached, ECHO | {"input": {"message": "other"}}).headers
    cached.work()
    assert "age" in online(cached).headers


def test_a_caller_can_ask_for_a_fresh_run(cached: Api) -> None:
    online(cached)
    fresh = online(cached, headers={"Cache-Control": "no-cache"})
    assert "age" not in fresh.headers
    assert cached("GET", fresh.headers["location"]).json["attempts"] == 1


def test_a_kept_result_is_never_another_tenants(cached: Api) -> None:
    online(cached)
    assert "age" not in online(cached, tenant="other").headers


def test_a_kept_result_expires(cached: Api) -> None:
    online(cached)
    cached.wiring.clock.advance(60)
    assert "age" not in online(cached).headers


def test_a_failed_run_is_not_kept(cached: Api) -> None:
    body = {"processor": "hash-files", "input": {"uploads": ["none"]}}
    assert [online(cached, body).status for _ in range(2)] == [422, 422]
    assert len(cached.wiring.store.tasks) == 2
    assert all(task.attempts == 1 for task in cached.wiring.store.tasks.values())


def test_without_cache_for_everything_runs(api: Api) -> None:
    assert all("age" not in online(api).headers for _ in range(2))
