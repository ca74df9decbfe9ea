from datetime import timedelta
from typing import Any

import pytest

from tandem.clock import to_text
from tandem.ids import TaskId
from tandem.messages import Envelope
from tandem.settings import Settings
from tandem.tasks.task import Task
from tandem.testing import FakeClock
from tests.factories.echoes import be_echo
from tests.unit.http.conftest import Api

ECHO = {"processor": "echo", "input": {"message": "hello"}}


def test_a_batch_queues_its_tasks_and_says_so_for_each(api: Api) -> None:
    answer = api("POST", "/process-offline/batch", {"tasks": [ECHO] * 1000})
    assert answer.status == 202
    ids = [item["task"]["task_id"] for item in answer.json["items"]]
    assert len(set(ids)) == len(api.wiring.queue.messages) == 1000


@pytest.mark.parametrize(
    ("tasks", "pointer"),
    [
        ([], "/body/tasks"),
        ([ECHO] * 1001, "/body/tasks"),
        ([ECHO, {"processor": "none", "input": {}}], "/body/tasks/1"),
        ([ECHO, {"processor": "echo", "input": {}}], "/body/tasks/1/echo/input/message"),
    ],
)
def test_a_batch_that_is_not_valid_queues_nothing(api: Api, tasks: Any, pointer: str) -> None:
    answer = api("POST", "/process-offline/batch", {"tasks": tasks})
    assert answer.problem == "invalid-request"
    assert [part["pointer"] for part in answer.json["errors"]] == [pointer]
    assert api.wiring.store.tasks == {}


def test_what_of_a_batch_could_not_be_recorded_says_so(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    put = api.wiring.store.put

    def put_one(task: Task, **_: Any) -> None:
        if api.wiring.store.tasks:
            raise OSError("SECRET-DETAIL")
        put(task)

    monkeypatch.setattr(api.wiring.store, "put", put_one)
    answer = api("POST", "/process-offline/batch", {"tasks": [ECHO, ECHO]})
    assert answer.status == 207
    assert sorted(item["task"] is None for item in answer.json["items"]) == [False, True]
    assert "SECRET-DETAIL" not in answer.text


def test_what_of_a_batch_there_is_no_time_for_says_so(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    put = api.wiring.store.put

    def put_slowly(task: Task, **options: Any) -> None:
        put(task, **options)
        clock = api.wiring.clock
        assert isinstance(clock, FakeClock)
        clock.advance(8)

    monkeypatch.setattr(api.wiring.store, "put", put_slowly)
    monkeypatch.setattr(api.wiring.pool, "size", 1)
    answer = api("POST", "/process-offline/batch", {"tasks": [ECHO] * 5})
    assert answer.status == 207
    recorded = [item["task"] is not None for item in answer.json["items"]]
    assert recorded == [True, True, True, False, False]
    assert len(api.wiring.queue.messages) == 3
    assert answer.json["items"][4]["error"].startswith("There was no time left")


def test_looking_inputs_up_leaves_time_to_answer_a_batch(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    be_echo(api.wiring, cache_seconds=60)
    looked_up: list[Any] = []

    def look_up_slowly(*arguments: Any) -> None:
        looked_up.append(arguments)
        clock = api.wiring.clock
        assert isinstance(clock, FakeClock)
        clock.advance(8)

    monkeypatch.setattr(api.wiring.results, "key_of", look_up_slowly)
    monkeypatch.setattr(api.wiring.pool, "size", 1)
    answer = api("POST", "/process-offline/batch", {"tasks": [ECHO] * 5})
    assert (answer.status, len(looked_up)) == (207, 3)
    assert all("no time left" in item["error"] for item in answer.json["items"])


def test_a_batch_again_under_its_key_makes_nothing_new(api: Api) -> None:
    headers = {"Idempotency-Key": "batch-1"}
    first, second = (
        api("POST", "/process-offline/batch", {"tasks": [ECHO, ECHO]}, headers=headers).json
        for _ in range(2)
    )
    assert [item["task"]["task_id"] for item in first["items"]] == [
        item["task"]["task_id"] for item in second["items"]
    ]
    assert [item["replayed"] for item in second["items"]] == [True, True]
    assert len(api.wiring.store.tasks) == 2


def test_a_batch_again_sends_what_was_not_sent_ten_to_a_call(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[int] = []
    healthy = api.wiring.queue.send

    def send_none(*_: Envelope) -> list[TaskId]:
        raise ConnectionError

    def send(*envelopes: Envelope) -> list[TaskId]:
        sent.append(len(envelopes))
        return healthy(*envelopes)

    batch = {"tasks": [ECHO] * 25}
    headers = {"Idempotency-Key": "batch-1"}
    monkeypatch.setattr(api.wiring.queue, "send", send_none)
    assert api("POST", "/process-offline/batch", batch, headers=headers).status == 202
    monkeypatch.setattr(api.wiring.queue, "send", send)
    api.wiring.clock.advance(timedelta(seconds=3))
    again = api("POST", "/process-offline/batch", batch, headers=headers)
    assert [item["replayed"] for item in again.json["items"]] == [True] * 25
    assert sorted(sent) == [5, 10, 10]


def test_a_slow_queue_leaves_time_to_answer_a_batch(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[Any] = []

    def send_slowly(*envelopes: Envelope) -> list[TaskId]:
        calls.append(envelopes)
        api.wiring.clock.advance(timedelta(seconds=8))
        return []

    monkeypatch.setattr(api.wiring.queue, "send", send_slowly)
    monkeypatch.setattr(api.wiring.pool, "size", 1)
    answer = api("POST", "/process-offline/batch", {"tasks": [ECHO] * 100})
    assert (answer.status, len(calls)) == (202, 4), "what is left is recorded, and swept"
    assert len(api.wiring.store.tasks) == 100


def test_looking_up_what_a_key_made_leaves_time_to_answer_a_batch(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    headers = {"Idempotency-Key": "batch-1"}
    batch = {"tasks": [ECHO] * 5}
    api("POST", "/process-offline/batch", batch, headers=headers)
    get = api.wiring.store.get

    def get_slowly(task_id: TaskId) -> Task | None:
        api.wiring.clock.advance(timedelta(seconds=8))
        return get(task_id)

    monkeypatch.setattr(api.wiring.store, "get", get_slowly)
    monkeypatch.setattr(api.wiring.pool, "size", 1)
    answer = api("POST", "/process-offline/batch", batch, headers=headers)
    assert answer.status == 207
    assert [item["replayed"] for item in answer.json["items"]] == [True] * 4 + [False]
    assert answer.json["items"][4]["error"].startswith("There was no time left")


def test_a_task_can_be_submitted_for_later(api: Api) -> None:
    at = api.wiring.clock.now() + timedelta(minutes=5)
    body = ECHO | {"run_after": to_text(at)}
    answer = api("POST", "/process-offline", body)
    assert answer.json["task"]["run_after"] == "2026-01-01T12:05:00Z"
    api.work()
    assert api("GET", answer.headers["location"]).json["state"] == "queued"
    api.wiring.clock.advance(timedelta(minutes=5))
    api.work()
    assert api("GET", answer.headers["location"]).json["state"] == "succeeded"


@pytest.mark.parametrize("path", ["/process-offline", "/process-offline/batch"])
def test_a_task_for_too_late_is_refused(api: Api, path: str) -> None:
    at = api.wiring.clock.now() + timedelta(days=6)
    body: dict[str, Any] = ECHO | {"run_after": to_text(at)}
    if path.endswith("batch"):
        body = {"tasks": [ECHO, body]}
    answer = api("POST", path, body)
    assert answer.problem == "invalid-request"
    assert answer.json["errors"][0]["pointer"].endswith("/run_after")
    assert api.wiring.store.tasks == {}


def test_an_online_task_is_never_for_later(api: Api) -> None:
    body = ECHO | {"run_after": to_text(api.wiring.clock.now())}
    assert api("POST", "/process-online", body).problem == "invalid-request"


@pytest.fixture
def limited(api: Api) -> Api:
    api.wiring.settings = Settings(tenant_tasks_per_second=0.5, tenant_tasks_burst=2)
    return api


@pytest.mark.parametrize("path", ["/process-offline", "/process-online"])
def test_a_tenant_over_its_quota_is_told_when_to_come_again(limited: Api, path: str) -> None:
    assert [limited("POST", path, ECHO).status for _ in range(2)] != [429, 429]
    answer = limited("POST", path, ECHO)
    assert (answer.status, answer.problem) == (429, "quota-exceeded")
    assert answer.headers["retry-after"] == "2"
    assert limited("POST", path, ECHO, tenant="other").status in {200, 202}
    limited.wiring.clock.advance(2)
    assert limited("POST", path, ECHO).status in {200, 202}


def test_a_batch_counts_each_of_its_tasks(limited: Api) -> None:
    assert limited("POST", "/process-offline", ECHO).status == 202
    answer = limited("POST", "/process-offline/batch", {"tasks": [ECHO] * 2})
    assert answer.problem == "quota-exceeded"
    assert len(limited.wiring.store.tasks) == 1


def test_a_batch_that_no_wait_lets_through_is_refused_and_told_the_burst(limited: Api) -> None:
    answer = limited("POST", "/process-offline/batch", {"tasks": [ECHO] * 3})
    assert (answer.status, answer.problem) == (413, "batch-above-burst")
    assert "retry-after" not in answer.headers
    assert answer.json["burst"] == 2
    assert answer.json["detail"] == (
        "The tenant may submit 2 tasks at once, and these are 3. Submit them in smaller batches."
    )
    assert limited.wiring.store.tasks == {}
    assert limited("POST", "/process-offline/batch", {"tasks": [ECHO] * 2}).status == 202


def test_without_a_quota_nothing_is_counted(api: Api) -> None:
    assert all(api("POST", "/process-offline", ECHO).status == 202 for _ in range(150))


def test_a_queued_task_is_cancelled_and_a_finished_one_is_not(api: Api) -> None:
    location = api("POST", "/process-offline", ECHO).headers["location"]
    answer = api("POST", f"{location}/cancel")
    assert (answer.status, answer.json["state"]) == (200, "cancelled")
    assert api("POST", f"{location}/cancel").status == 200
    done = api("POST", "/process-online", ECHO).headers["location"]
    answer = api("POST", f"{done}/cancel")
    assert (answer.status, answer.problem) == (409, "task-finished")
    assert api("POST", f"{done}/cancel", tenant="other").problem == "not-found"


def test_a_finished_task_is_done_again_and_a_queued_one_is_not(api: Api) -> None:
    location = api("POST", "/process-online", ECHO).headers["location"]
    answer = api("POST", f"{location}/retry")
    assert answer.status == 202
    assert answer.json["task"]["retry_of"] == location.rpartition("/")[2]
    queued = api("POST", f"{answer.headers['location']}/retry")
    assert (queued.status, queued.problem) == (409, "task-not-finished")
    assert api("POST", f"{location}/retry", tenant="other").problem == "not-found"


def test_a_task_shows_its_attempts(api: Api) -> None:
    body = {"processor": "hash-files", "input": {"uploads": ["none"]}}
    location = api("POST", "/process-offline", body).headers["location"]
    api.work()
    (attempt,) = api("GET", location).json["history"]
    assert attempt["number"] == 1
    assert attempt["started_at"] == attempt["ended_at"] == "2026-01-01T12:00:00Z"
    assert attempt["error"]["type"] == "Permanent"


ADMIN = {"scopes": ("admin",), "tenant": "ops"}


def test_dead_letters_are_shown_and_redriven_by_administrators(api: Api) -> None:
    body = {"processor": "hash-files", "input": {"uploads": ["none"]}}
    task_id = api("POST", "/process-offline", body).json["task_id"]
    api.work()
    (letter,) = api("GET", "/dead-letters", **ADMIN).json["letters"]
    assert (letter["reason"], letter["tenant"]) == ("permanent", "acme")
    assert letter["task_id"] == task_id
    dry = api("POST", "/dead-letters/redrive", {}, **ADMIN).json
    assert dry == {
        "dry_run": True,
        "letters": [
            {
                "failed_task_id": task_id,
                "letter_id": None,
                "done": "new-task",
                "task_id": None,
            }
        ],
        "next_cursor": None,
    }
    done = api("POST", "/dead-letters/redrive", {"dry_run": False}, **ADMIN).json
    new = api("GET", f"/tasks/{done['letters'][0]['task_id']}").json
    assert (new["retry_of"], new["requested_by"]) == (task_id, "ops")
    assert api("GET", "/dead-letters", **ADMIN).json == {"letters": [], "next_cursor": None}


@pytest.mark.parametrize("named", ["task_ids", "letter_ids"])
def test_a_redrive_of_an_empty_list_is_refused_and_not_taken_for_all(api: Api, named: str) -> None:
    answer = api("POST", "/dead-letters/redrive", {named: [], "dry_run": False}, **ADMIN)
    assert (answer.status, answer.json["errors"][0]["pointer"]) == (422, f"/body/{named}")


@pytest.mark.parametrize("queue", ["tasks", "callbacks"])
def test_a_cursor_that_no_list_of_dead_letters_gave_is_refused(api: Api, queue: str) -> None:
    answer = api("GET", "/dead-letters", query=f"queue={queue}&cursor=abc", **ADMIN)
    assert (answer.status, answer.json["errors"][0]["pointer"]) == (422, "/query/cursor")
    redrive = {"queue": queue, "cursor": "abc"}
    answer = api("POST", "/dead-letters/redrive", redrive, **ADMIN)
    assert (answer.status, answer.json["errors"][0]["pointer"]) == (422, "/body/cursor")


def test_operators_find_the_failures_that_are_their_own(api: Api) -> None:
    body = {"processor": "hash-files", "input": {"uploads": ["none"]}}
    task_id = api("POST", "/process-offline", body).json["task_id"]
    api.work()
    for query, found in [
        ("own_fault=true", []),
        ("own_fault=false", [task_id]),
        ("reason=permanent&processor=hash-files&tenant=acme", [task_id]),
        ("processor=echo", []),
    ]:
        letters = api("GET", "/dead-letters", query=query, **ADMIN).json["letters"]
        assert [letter["task_id"] for letter in letters] == found
        assert all(letter["own_fault"] is False for letter in letters)


def test_a_misspelt_redrive_is_refused_and_not_taken_for_all(api: Api) -> None:
    answer = api("POST", "/dead-letters/redrive", {"dryrun": False, "reson": "x"}, **ADMIN)
    assert answer.problem == "invalid-request"
