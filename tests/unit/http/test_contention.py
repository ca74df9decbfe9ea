"""Requests that meet others of their kind, and ports that do not answer."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import timedelta
from io import StringIO
from threading import Barrier, Lock
from typing import Any

import pytest

from tandem.clock import to_text
from tandem.contended import Contended
from tandem.http.app import create_app
from tandem.http.lambda_handler import LambdaHandler
from tandem.ids import TaskId
from tandem.lambda_events import LambdaContextStub, http_event
from tandem.processing.catalogue import Catalogue
from tandem.settings import Settings
from tandem.tasks.store import IdempotencyKey
from tandem.tenants.quota import QuotaStore
from tests.factories.echoes import ECHO, be_echo
from tests.unit.http.conftest import Answer, Api

KEY = {"Idempotency-Key": "order-4711"}
UPLOAD = {"filename": "orders.csv", "content_type": "text/csv", "size": 10}
SECRET = "SECRET-4711"


class Conflicts:
    """Lets a few of the writes of keys meet others' transactions for too long, as DynamoDB may."""

    def __init__(self, write: Callable[..., Any], parties: int) -> None:
        self._write = write
        self._together = Barrier(parties)
        self._lock = Lock()
        self._calls = 0

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        self._together.wait(10)
        with self._lock:
            self._calls += 1
            number = self._calls
        if number % 3 == 2:
            raise Contended
        return self._write(*arguments, **options)


def never(*_: Any, **__: Any) -> Any:
    raise Contended


def away(*_: Any, **__: Any) -> Any:
    raise ConnectionError(SECRET)


def at_once(api: Api, number: int, method: str, path: str, body: Any) -> list[Answer]:
    """Send a request so many times at the same instant, each to a process of its own."""

    def send(_: int) -> Answer:
        handler = LambdaHandler(create_app(api.wiring))
        event = http_event(method, path, body, headers=KEY)
        answer = handler(event, LambdaContextStub())  # type: ignore[arg-type]
        return Answer(answer["statusCode"], answer["headers"], answer["body"])

    with ThreadPoolExecutor(number) as threads:
        return list(threads.map(send, range(number)))


@dataclass(frozen=True)
class Creation:
    """A request that makes something under its key."""

    path: str
    body: Any
    write: str
    """What of the store records the key."""
    status: int


@pytest.mark.parametrize("number", [2, 8])
@pytest.mark.parametrize(
    "creation",
    [
        Creation("/process-online", ECHO, "put", 200),
        Creation("/process-offline", ECHO, "put", 202),
        Creation("/uploads", UPLOAD, "claim_key", 201),
    ],
)
def test_of_requests_with_one_key_at_the_same_instant_one_makes_it(
    api: Api, monkeypatch: pytest.MonkeyPatch, number: int, creation: Creation
) -> None:
    conflicts = Conflicts(getattr(api.wiring.store, creation.write), number)
    monkeypatch.setattr(api.wiring.store, creation.write, conflicts)
    answers = at_once(api, number, "POST", creation.path, creation.body)
    problems = [answer.problem for answer in answers if answer.status != creation.status]
    assert set(problems) == {"idempotency-key-in-flight"}
    assert {answer.status for answer in answers if answer.status >= 400} == {409}
    ids = [answer.json.get("task_id") or answer.json.get("upload_id") for answer in answers]
    assert len({one for one in ids if one}) == 1
    first = [
        one for one in answers if one.status < 400 and "idempotency-replayed" not in one.headers
    ]
    assert len(first) == 1
    assert len(api.wiring.store.tasks) == (0 if creation.write == "claim_key" else 1)


@pytest.mark.parametrize(
    ("path", "body"),
    [("/process-online", ECHO), ("/process-offline", ECHO), ("/uploads", UPLOAD)],
)
def test_a_key_that_others_hold_all_the_while_is_in_flight(
    api: Api, monkeypatch: pytest.MonkeyPatch, path: str, body: Any
) -> None:
    monkeypatch.setattr(api.wiring.store, "put", never)
    monkeypatch.setattr(api.wiring.store, "claim_key", never)
    answer = api("POST", path, body, headers=KEY)
    assert (answer.status, answer.problem) == (409, "idempotency-key-in-flight")
    assert answer.headers["retry-after"] == "1"


@pytest.mark.parametrize(
    ("headers", "problem"), [(KEY, "idempotency-key-in-flight"), ({}, "contended")]
)
def test_a_retry_that_meets_others_is_to_be_sent_again(
    api: Api, monkeypatch: pytest.MonkeyPatch, headers: dict[str, str], problem: str
) -> None:
    location = api("POST", "/process-online", ECHO).headers["location"]
    monkeypatch.setattr(api.wiring.store, "put", never)
    answer = api("POST", f"{location}/retry", headers=headers)
    assert (answer.status, answer.problem) == (409, problem)
    assert answer.headers["retry-after"] == "1"


def test_a_cancel_that_meets_others_is_to_be_sent_again(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    location = api("POST", "/process-offline", ECHO).headers["location"]
    with monkeypatch.context() as busy:
        busy.setattr(api.wiring.store, "change", never)
        answer = api("POST", f"{location}/cancel")
    assert (answer.status, answer.problem) == (409, "contended")
    assert answer.headers["retry-after"] == "1"
    assert api("POST", f"{location}/cancel").json["state"] == "cancelled"


def test_a_retry_of_a_task_that_was_deleted_meanwhile_is_of_none(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = {"processor": "hash-files", "input": {"uploads": ["none"]}}
    task_id = api("POST", "/process-online", body).json["task_id"]
    put = api.wiring.store.put

    def deleted_first(*arguments: Any, **options: Any) -> None:
        del api.wiring.store.tasks[task_id]
        put(*arguments, **options)

    monkeypatch.setattr(api.wiring.store, "put", deleted_first)
    answer = api("POST", f"/tasks/{task_id}/retry")
    assert (answer.status, answer.problem) == (404, "not-found")
    assert api.wiring.store.tasks == {}


def batch(api: Api, number: int, **options: Any) -> Answer:
    body = {"tasks": [ECHO | {"input": {"message": index}} for index in range(number)]}
    return api("POST", "/process-offline/batch", body, headers=KEY, **options)


def test_one_of_a_batch_whose_key_others_hold_says_so_for_itself(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    put = api.wiring.store.put

    def hold_the_third(task: Any, **options: Any) -> None:
        if '"message":2' in task.input.text:
            raise Contended
        put(task, **options)

    monkeypatch.setattr(api.wiring.store, "put", hold_the_third)
    answer = batch(api, 5)
    assert answer.status == 207
    assert [item["task"] is None for item in answer.json["items"]] == [
        index == 2 for index in range(5)
    ]
    assert "is being processed" in answer.json["items"][2]["error"]
    assert len(api.wiring.queue.messages) == 4


def test_one_of_a_batch_whose_key_cannot_be_read_says_so_for_itself(
    api: Api, monkeypatch: pytest.MonkeyPatch, log: StringIO
) -> None:
    third = TaskId(batch(api, 5).json["items"][2]["task"]["task_id"])
    get = api.wiring.store.get

    def get_another(task_id: TaskId) -> Any:
        return away() if task_id == third else get(task_id)

    monkeypatch.setattr(api.wiring.store, "get", get_another)
    answer = batch(api, 5)
    assert answer.status == 207
    assert [item["replayed"] for item in answer.json["items"]] == [True, True, False, True, True]
    assert answer.json["items"][2]["error"].endswith("submit it again.")
    assert SECRET not in answer.text + log.getvalue()


def test_one_of_a_batch_whose_key_was_used_otherwise_says_so_for_itself(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    put = api.wiring.store.put

    def used_before(task: Any, *, once: IdempotencyKey, **options: Any) -> None:
        if '"message":2' in task.input.text:
            once = replace(once, fingerprint="another")
            put(replace(task, task_id=TaskId("another")), once=once)
            once = replace(once, fingerprint="this")
        put(task, once=once, **options)

    monkeypatch.setattr(api.wiring.store, "put", used_before)
    items = batch(api, 4).json["items"]
    assert [item["task"] is None for item in items] == [False, False, True, False]
    assert "used for another request" in items[2]["error"]


@pytest.mark.parametrize("path", ["/process-online", "/process-offline", "/process-offline/batch"])
def test_a_cache_that_cannot_be_read_is_a_miss(
    api: Api, monkeypatch: pytest.MonkeyPatch, log: StringIO, path: str
) -> None:
    be_echo(api.wiring, cache_seconds=60)
    api("POST", "/process-online", ECHO)
    monkeypatch.setattr(api.wiring.result_cache, "get", away)
    body = {"tasks": [ECHO]} if path.endswith("batch") else ECHO
    answer = api("POST", path, body)
    assert answer.status in {200, 202}
    assert "age" not in answer.headers
    assert SECRET not in answer.text + log.getvalue()


def test_a_kept_result_whose_output_cannot_be_read_is_a_miss(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    large = {"processor": "echo", "input": {"message": "x" * 300_000}}
    be_echo(api.wiring, cache_seconds=60)
    first = api("POST", "/process-online", large)
    monkeypatch.setattr(api.wiring.blobs, "get", away)
    second = api("POST", "/process-online", large)
    assert (second.status, second.json["output"]) == (200, large["input"])
    assert second.json["task_id"] != first.json["task_id"]
    assert "age" not in second.headers


@pytest.mark.parametrize("path", ["/process-online", "/process-offline", "/process-offline/batch"])
def test_an_upload_that_cannot_be_looked_up_has_no_kept_result(
    api: Api, monkeypatch: pytest.MonkeyPatch, log: StringIO, path: str
) -> None:
    copies = replace(api.wiring.catalogue["copy-file"], cache_seconds=60)
    api.wiring.catalogue = Catalogue([copies, api.wiring.catalogue["echo"]])
    monkeypatch.setattr(api.wiring.blobs, "info", away)
    upload = "019ab1e0-7c1d-7a52-8d3e-0b5a4c1f2e3d"
    task = {"processor": "copy-file", "input": {"upload": upload}}
    body = {"tasks": [task, ECHO]} if path.endswith("batch") else task
    answer = api("POST", path, body)
    assert answer.status != 207
    assert '"type":"urn:tandem:problem:internal"' not in answer.text
    assert all(task.cache_key is None for task in api.wiring.store.tasks.values())
    assert len(api.wiring.store.tasks) == (2 if path.endswith("batch") else 1)
    assert "no key of a result" in log.getvalue()


@pytest.mark.parametrize("path", ["/process-offline", "/process-offline/batch"])
def test_a_look_at_an_old_upload_that_fails_refuses_no_task(
    api: Api, monkeypatch: pytest.MonkeyPatch, log: StringIO, path: str
) -> None:
    monkeypatch.setattr(api.wiring.blobs, "info", away)
    upload = "019b5a89-1c00-7a52-8d3e-0b5a4c1f2e3d"
    at = to_text(api.wiring.clock.now() + timedelta(days=5))
    task = {"processor": "copy-file", "input": {"upload": upload}, "run_after": at}
    many = path.endswith("batch")
    answer = api("POST", path, {"tasks": [task, ECHO]} if many else task)
    assert answer.status == 202
    assert len(api.wiring.store.tasks) == (2 if many else 1)
    assert "upload not looked at" in log.getvalue()
    assert SECRET not in answer.text + log.getvalue()


@pytest.mark.parametrize("path", ["/process-online", "/process-offline"])
def test_an_output_that_cannot_be_read_is_answered_by_its_place(
    api: Api, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    large = {"processor": "echo", "input": {"message": "x" * 300_000}}
    headers = KEY | {"Prefer": "wait=1"}
    api.context.remaining_seconds = 3.05 if path == "/process-offline" else 29
    first = api("POST", path, large, headers=headers)
    api.work()
    api.context.remaining_seconds = 29
    monkeypatch.setattr(api.wiring.blobs, "get", away)
    again = api("POST", path, large, headers=headers)
    assert again.status == 303
    task_id = first.json["task_id"]
    assert again.headers["location"] == f"/tasks/{task_id}/result"
    assert again.headers["idempotency-replayed"] == "true"


def test_a_task_that_cannot_be_looked_at_is_accepted_still(
    api: Api, monkeypatch: pytest.MonkeyPatch, log: StringIO
) -> None:
    monkeypatch.setattr(api.wiring.store, "get", away)
    api.context.remaining_seconds = 3.2
    answer = api("POST", "/process-offline", ECHO, headers={"Prefer": "wait=1"})
    assert answer.status == 202
    assert SECRET not in answer.text + log.getvalue()
    be_echo(api.wiring, online="wait")
    assert api("POST", "/process-online", ECHO).status == 202
    assert len(api.wiring.store.tasks) == 2


@pytest.mark.parametrize("path", ["/process-online", "/process-offline", "/process-offline/batch"])
def test_what_a_quota_cannot_count_is_let_through(
    api: Api, monkeypatch: pytest.MonkeyPatch, log: StringIO, path: str
) -> None:
    api.wiring.settings = Settings(tenant_tasks_per_second=0.5, tenant_tasks_burst=2)
    quotas: QuotaStore = api.wiring.quota_store
    body = {"tasks": [ECHO]} if path.endswith("batch") else ECHO
    with monkeypatch.context() as broken:
        broken.setattr(quotas, "take", away)
        assert all(api("POST", path, body).status < 300 for _ in range(3))
    assert "quota not counted" in log.getvalue()
    assert SECRET not in log.getvalue()
    assert [api("POST", path, body).status < 300 for _ in range(3)] == [True, True, False]


def test_levels_that_cannot_be_read_hide_no_totals(
    api: Api, monkeypatch: pytest.MonkeyPatch, log: StringIO
) -> None:
    api("POST", "/process-online", ECHO)
    list(api.wiring.reports.close_due())
    monkeypatch.setattr(api.wiring.report_store, "reports", away)
    answer = api("GET", "/metrics")
    assert answer.status == 200
    assert "tandem_tasks_total" in answer.text
    assert SECRET not in answer.text + log.getvalue()


def test_tasks_whose_processor_is_gone_are_read_as_ever(api: Api) -> None:
    ended = api("POST", "/process-online", ECHO, headers=KEY)
    place = ended.headers["location"]
    queued = api("POST", "/process-offline", ECHO).headers["location"]
    others = [one for one in api.wiring.catalogue.values() if one.name != "echo"]
    api.wiring.catalogue = Catalogue(others)
    api.context.remaining_seconds = 3.2
    assert len(api("GET", "/tasks", query="processor=echo").json["tasks"]) == 2
    waited = api("GET", queued, headers={"Prefer": "wait=1"})
    assert (waited.status, waited.json["state"]) == (200, "queued")
    assert api("GET", f"{place}/result").json == ECHO["input"]
    again = api("POST", f"{place}/retry")
    assert (again.status, again.problem) == (409, "processor-gone")
    assert again.json["task_id"] == ended.json["task_id"]
    assert api("POST", f"{queued}/cancel").json["state"] == "cancelled"


def test_heavy_work_without_its_processor_is_of_none(api: Api) -> None:
    api.wiring.catalogue = Catalogue([api.wiring.catalogue["echo"]])
    answer = api("GET", "/heavy-task")
    assert (answer.status, answer.problem) == (404, "not-found")
    assert api.wiring.store.tasks == {}
