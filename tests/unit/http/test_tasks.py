from dataclasses import replace
from datetime import timedelta

import pytest

from tandem.tasks.task import State, StoredPayload
from tandem_tools.harness.tasks import make_task
from tests.unit.http.conftest import Api

ECHO = {"processor": "echo", "input": {"message": 1}}


def test_a_task_reads_as_the_contract_says(api: Api) -> None:
    location = api("POST", "/process-offline", ECHO).headers["location"]
    task = api("GET", location).json
    assert task.keys() == {
        "task_id",
        "processor",
        "mode",
        "state",
        "attempts",
        "progress",
        "error",
        "created_at",
        "run_after",
        "cancel_requested_at",
        "requested_by",
        "cached_from",
        "history",
        "callback",
        "started_at",
        "finished_at",
        "expires_at",
        "retry_of",
        "links",
    }
    assert task["links"] == {
        "self": location,
        "result": f"{location}/result",
        "cancel": f"{location}/cancel",
        "retry": f"{location}/retry",
    }


def test_pages_are_followed_by_their_cursor(api: Api) -> None:
    ids = []
    for n in range(5):
        ids.append(api("POST", "/process-offline", ECHO).json["task_id"])
        api.wiring.clock.advance(timedelta(seconds=n + 1))
    seen, query = [], "limit=2"
    while True:
        page = api("GET", "/tasks", query=query).json
        seen += [task["task_id"] for task in page["tasks"]]
        if page["next_cursor"] is None:
            break
        query = f"limit=2&cursor={page['next_cursor']}"
    assert seen == ids[::-1]


def test_a_listing_is_filtered(api: Api) -> None:
    api("POST", "/process-online", ECHO)
    api("POST", "/process-offline", ECHO)
    page = api("GET", "/tasks", query="state=queued&processor=echo").json
    assert [task["state"] for task in page["tasks"]] == ["queued"]


@pytest.mark.parametrize(
    "cursor",
    [
        "",
        "x",
        "%ff",
        "%00",
        "////",
        "IA",
        "MjAyNi0wMS0wMVQxMjowMDowMC4wMDBa",
        "=" * 8,
        "%F0%9F%98%80",
    ],
)
def test_a_cursor_that_is_none_is_refused_and_named(api: Api, cursor: str) -> None:
    api("POST", "/process-offline", ECHO)
    answer = api("GET", "/tasks", query=f"cursor={cursor}")
    assert (answer.status, answer.problem) == (422, "invalid-request")
    assert [error["pointer"] for error in answer.json["errors"]] == ["/query/cursor"]


@pytest.mark.parametrize("query", ["state=lost", "limit=0", "limit=101", "cursor=" + "x" * 300])
def test_a_listing_that_makes_no_sense_is_refused(api: Api, query: str) -> None:
    assert api("GET", "/tasks", query=query).problem == "invalid-request"


def test_another_tenants_task_is_not_there(api: Api) -> None:
    location = api("POST", "/process-online", ECHO).headers["location"]
    for path in (location, f"{location}/result"):
        answer = api("GET", path, tenant="other")
        assert (answer.status, answer.problem) == (404, "not-found")
    assert api("GET", "/tasks", tenant="other").json["tasks"] == []


@pytest.mark.parametrize("name", ["x", "0", "019b796d-d600-7454-b51c-c9c0a1b1ac50", "%00"])
def test_an_unknown_task_is_not_there(api: Api, name: str) -> None:
    assert api("GET", f"/tasks/{name}").problem == "not-found"


def test_a_task_that_is_not_finished_has_no_result_yet(api: Api) -> None:
    location = api("POST", "/process-offline", ECHO).headers["location"]
    answer = api("GET", f"{location}/result")
    assert (answer.status, answer.problem) == (409, "task-not-finished")
    assert int(answer.headers["retry-after"]) > 0


def test_a_failed_task_has_no_result_and_says_why(api: Api) -> None:
    body = {"processor": "hash-files", "input": {"uploads": ["none"]}}
    location = api("POST", "/process-offline", body).headers["location"]
    api.work()
    answer = api("GET", f"{location}/result")
    assert (answer.status, answer.problem) == (409, "task-has-no-result")
    assert "there is no upload" in answer.json["detail"]


@pytest.mark.parametrize("part", ["output", "file"])
def test_a_large_output_or_a_file_is_a_redirect_to_its_download(api: Api, part: str) -> None:
    stored = StoredPayload("tasks/1/1/files/out.csv", 10)
    task = replace(make_task(), state=State.SUCCEEDED, **{part: stored})
    api.wiring.store.put(task)
    answer = api("GET", f"/tasks/{task.task_id}/result")
    assert (answer.status, answer.headers["location"]) == (303, f"memory:{stored.key}")
