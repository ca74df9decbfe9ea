import json
from dataclasses import replace
from typing import Any

import pytest

from tandem.processing.catalogue import Catalogue
from tests.unit.http.conftest import Api

ECHO = {"processor": "echo", "input": {"message": "hello"}}
KEY = {"Idempotency-Key": "order-4711"}


def ended(api: Api, body: Any = ECHO, **options: Any) -> str:
    return api("POST", "/process-online", body, **options).headers["location"]


def test_a_finished_task_is_deleted_and_reads_as_one_that_never_was(api: Api) -> None:
    location, other = ended(api), ended(api)
    answer = api("DELETE", location)
    assert (answer.status, answer.text) == (204, "")
    assert answer.headers["x-request-id"]
    for method, path in (
        ("GET", location),
        ("HEAD", location),
        ("GET", f"{location}/result"),
        ("POST", f"{location}/cancel"),
        ("POST", f"{location}/retry"),
        ("DELETE", location),
    ):
        assert api(method, path).status == 404, (method, path)
    listed = [task["links"]["self"] for task in api("GET", "/tasks").json["tasks"]]
    assert listed == [other]


@pytest.mark.parametrize("name", ["x", "019b796d-d600-7454-b51c-c9c0a1b1ac50"])
def test_what_is_not_there_is_not_deleted(api: Api, name: str) -> None:
    answer = api("DELETE", f"/tasks/{name}")
    assert (answer.status, answer.problem) == (404, "not-found")


def test_another_tenants_task_is_not_deleted(api: Api) -> None:
    location = ended(api)
    assert api("DELETE", location, tenant="other").status == 404
    assert api("GET", location).status == 200


def test_a_task_that_has_not_finished_is_not_deleted(api: Api) -> None:
    location = api("POST", "/process-offline", ECHO).headers["location"]
    answer = api("DELETE", location)
    assert (answer.status, answer.problem) == (409, "task-not-finished")
    assert answer.json["task_id"] == location.rpartition("/")[2]
    api("POST", f"{location}/cancel")
    assert api("DELETE", location).status == 204


def test_a_client_that_only_reads_deletes_nothing(api: Api) -> None:
    location = ended(api)
    assert api("DELETE", location, scopes=("tasks:read",)).status == 403
    assert api("GET", location).status == 200


@pytest.mark.parametrize("path", ["/process-online", "/process-offline"])
def test_the_key_of_a_deleted_task_answers_as_that_of_an_expired_one(api: Api, path: str) -> None:
    location = api("POST", path, ECHO, headers=KEY).headers["location"]
    api.work()
    assert api("DELETE", location).status == 204
    again = api("POST", path, ECHO, headers=KEY)
    assert (again.status, again.problem) == (410, "task-expired")


def test_the_key_of_a_deleted_repetition_answers_so_too(api: Api) -> None:
    first = ended(api)
    second = api("POST", f"{first}/retry", headers=KEY).headers["location"]
    api.work()
    assert api("DELETE", second).status == 204
    again = api("POST", f"{first}/retry", headers=KEY)
    assert (again.status, again.problem) == (410, "task-expired")


def test_a_kept_result_does_not_outlive_its_task(api: Api) -> None:
    pure = [replace(one, cache_seconds=60) for one in api.wiring.catalogue.values()]
    api.wiring.catalogue = Catalogue(pure)
    first = ended(api)
    assert "age" in api("POST", "/process-online", ECHO).headers
    assert api("DELETE", first).status == 204
    fresh = api("POST", "/process-online", ECHO)
    assert "age" not in fresh.headers
    assert api("GET", fresh.headers["location"]).json["attempts"] == 1
    assert api("POST", "/process-online", ECHO).headers["age"] == "0"


def test_a_result_that_is_kept_after_the_deletion_answers_nobody(api: Api) -> None:
    """The worker keeps a result after the write that ends its task."""
    pure = [replace(one, cache_seconds=60) for one in api.wiring.catalogue.values()]
    api.wiring.catalogue = Catalogue(pure)
    location = ended(api)
    task = next(iter(api.wiring.store.tasks.values()))
    assert api("DELETE", location).status == 204
    api.wiring.results.keep(task, {})
    assert "age" not in api("POST", "/process-online", ECHO).headers


def deleted_meanwhile(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """Cancel and delete the task that a request waits for, in its first pause."""

    async def pause(_: float) -> None:
        for task in list(api.wiring.store.tasks.values()):
            api.wiring.deletions.delete(api.wiring.tasks.cancel(task.tenant, task.task_id))

    monkeypatch.setattr("tandem.http.submission.asyncio.sleep", pause)


def test_a_reader_that_waits_for_a_deleted_task_is_told_so(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    location = api("POST", "/process-offline", ECHO).headers["location"]
    deleted_meanwhile(api, monkeypatch)
    assert api("GET", location, headers={"Prefer": "wait=5"}).status == 404


def test_a_submitter_that_waits_for_a_deleted_task_is_told_so(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    deleted_meanwhile(api, monkeypatch)
    answer = api("POST", "/process-offline", ECHO, headers={"Prefer": "wait=5"})
    assert (answer.status, answer.problem) == (410, "task-expired")


def test_a_deletion_logs_no_content(api: Api, log: Any) -> None:
    body = {"processor": "echo", "input": {"message": "SECRET-CONTENT"}}
    api("DELETE", ended(api, body))
    assert "SECRET-CONTENT" not in log.getvalue()
    assert json.loads(log.getvalue().splitlines()[-1])["status"] == 204
