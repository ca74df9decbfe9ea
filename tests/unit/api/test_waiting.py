import asyncio
from typing import Any

import pytest

from tests.unit.api.conftest import Api

ECHO = {"processor": "echo", "input": {"message": "hello"}}


@pytest.fixture
def working(api: Api, monkeypatch: pytest.MonkeyPatch) -> Api:
    """Return the API beside a worker that takes the queue whenever a caller waits."""
    sleep = asyncio.sleep

    async def work_meanwhile(seconds: float) -> None:
        await asyncio.to_thread(api.work)
        await sleep(min(seconds, 0.01))

    monkeypatch.setattr("api.prefer.asyncio.sleep", work_meanwhile)
    return api


def test_a_caller_that_waits_gets_the_output_of_an_offline_task(working: Api) -> None:
    answer = working("POST", "/process-offline", ECHO, headers={"Prefer": "wait=10"})
    assert answer.status == 200
    assert (answer.json["message"], answer.json["output"]) == ("Processed offline", ECHO["input"])
    assert answer.headers["preference-applied"] == "wait=10"


def test_a_failed_offline_task_is_a_problem_for_the_caller_that_waits(working: Api) -> None:
    body = {"processor": "checksum-files", "input": {"uploads": ["none"]}}
    answer = working("POST", "/process-offline", body, headers={"Prefer": "wait=10"})
    assert (answer.status, answer.problem) == (422, "task-failed")


def test_a_task_that_takes_longer_than_the_wait_is_accepted_as_ever(api: Api) -> None:
    answer = api("POST", "/process-offline", ECHO, headers={"Prefer": "wait=0"})
    assert (answer.status, "preference-applied" in answer.headers) == (202, False)
    api.context.remaining_seconds = 3.1
    answer = api("POST", "/process-offline", ECHO, headers={"Prefer": "respond-async, wait=5"})
    assert answer.status == 202
    assert answer.headers["preference-applied"].startswith("wait=0.1")


def test_a_read_of_a_task_waits_for_its_end(working: Api) -> None:
    location = working("POST", "/process-offline", ECHO).headers["location"]
    assert working("GET", location).json["state"] == "queued"
    answer = working("GET", location, headers={"Prefer": "wait=5"})
    assert answer.json["state"] == "succeeded"
    assert answer.headers["preference-applied"] == "wait=5"


@pytest.mark.parametrize("prefer", ["wait", "wait=x", "wait=-1", "waits=5", "handling=strict"])
def test_a_wish_that_is_not_known_is_passed_over(api: Api, prefer: str) -> None:
    answer = api("POST", "/process-offline", ECHO, headers={"Prefer": prefer})
    assert (answer.status, "preference-applied" in answer.headers) == (202, False)


def test_a_task_that_has_not_changed_is_not_sent_again(api: Api) -> None:
    location = api("POST", "/process-offline", ECHO).headers["location"]
    first = api("GET", location)
    etag = first.headers["etag"]
    for named in (etag, f"W/{etag}", f'"other", {etag}', "*"):
        again = api("GET", location, headers={"If-None-Match": named})
        assert (again.status, again.text, again.headers["etag"]) == (304, "", etag)
    api.work()
    changed: Any = api("GET", location, headers={"If-None-Match": etag})
    assert (changed.status, changed.json["state"]) == (200, "succeeded")
    assert changed.headers["etag"] != etag
