"""The client against the real application, over a socket."""

import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx2
import pytest
from pydantic import BaseModel

from tandem_client import (
    ClientCredentials,
    RedriveRequest,
    State,
    StaticToken,
    Submission,
    Tandem,
    TandemError,
)
from tandem_client.models import Accepted, ProcessedOnline
from tests.client.service import CLIENTS, Service
from tests.factories.deliveries import deliver_all
from tests.factories.pages import python_blocks

HANG_UP = (0, {}, "")


def test_a_task_is_submitted_followed_and_read(working: Service, tandem: Tandem) -> None:
    task = tandem.submit("echo", {"message": "hello"})
    assert isinstance(task, Accepted)
    assert tandem.wait_for(task.task_id, timeout=10).state is State.succeeded
    assert tandem.result(task.task_id) == {"message": "hello"}


def test_waiting_gives_the_output_at_once(working: Service, tandem: Tandem) -> None:
    done = tandem.submit("echo", {"message": 1}, wait=10)
    assert isinstance(done, ProcessedOnline)
    assert done.output == {"message": 1}


def test_an_api_below_a_path_of_its_domain_is_used_as_any_other(
    pauses: list[float], tmp_path: Path
) -> None:
    service = Service(base_path="/v1")
    service.start()
    auth = ClientCredentials(service.token_url, "machine", CLIENTS["machine"][0])
    with Tandem(f"{service.url}/v1", auth) as tandem:
        done = tandem.run("copy-file", {"text": "a 1"})
        link = tandem.get_task(done.task_id).links.self
        file = tandem.download(done.task_id, tmp_path)
    service.stop()
    assert link == f"/v1/tasks/{done.task_id}"
    assert file.read_text().split() == ["a", "1"]


def test_a_model_of_the_callers_own_is_an_input(tandem: Tandem) -> None:
    class Greeting(BaseModel):
        message: str

    done = tandem.run("echo", Greeting(message="hello"))
    assert isinstance(done, ProcessedOnline)
    assert done.output == {"message": "hello"}


def test_a_task_that_does_not_end_in_time_is_a_timeout(tandem: Tandem, service: Service) -> None:
    task = tandem.submit("echo", {"message": 1})
    with pytest.raises(TimeoutError, match=task.task_id):
        tandem.wait_for(task.task_id, timeout=0.2)


def test_a_batch_says_what_became_of_each(tandem: Tandem) -> None:
    answer = tandem.submit_many([Submission("echo", {"message": n}) for n in range(3)])
    assert [one.task is not None for one in answer.items] == [True] * 3


def test_lists_go_on_over_their_pages(tandem: Tandem, monkeypatch: pytest.MonkeyPatch) -> None:
    ids = [tandem.submit("echo", {"message": n}).task_id for n in range(5)]
    list_tasks = tandem.list_tasks
    monkeypatch.setattr(tandem, "list_tasks", lambda **given: list_tasks(**given | {"limit": 2}))
    assert {task.task_id for task in tandem.tasks()} == set(ids)


def test_an_upload_is_sent_looked_at_and_deleted(
    tandem: Tandem, service: Service, tmp_path: Path
) -> None:
    file = tmp_path / "orders.csv"
    file.write_text("id\n1\n")
    upload_id = tandem.upload(file)
    assert tandem.get_upload(upload_id).filename == "orders.csv"
    ((_, _, headers),) = service.requests("/store")
    assert "authorization" not in headers
    tandem.delete_upload(upload_id)
    with pytest.raises(TandemError) as refused:
        tandem.get_upload(upload_id)
    assert refused.value.kind == "not-found"


def test_an_upload_that_its_processor_does_not_take_is_not_sent(
    tandem: Tandem, service: Service, tmp_path: Path
) -> None:
    file = tmp_path / "orders.csv"
    file.write_text("id\n1\n")
    with pytest.raises(TandemError) as refused:
        tandem.upload(file, processor="echo")
    assert (refused.value.status, refused.value.kind) == (413, "upload-too-large")
    assert service.requests("/store") == []


def test_a_large_result_comes_from_the_store_which_never_sees_the_token(
    working: Service, tandem: Tandem
) -> None:
    text = "x" * 300_000
    task = tandem.submit("echo", {"message": text})
    tandem.wait_for(task.task_id, timeout=10)
    assert tandem.result(task.task_id) == {"message": text}
    fetched = [headers for method, path, headers in working.seen if path.startswith("/store/")]
    assert fetched
    assert all("authorization" not in headers for headers in fetched)


def test_a_file_result_is_downloaded_under_its_name(
    working: Service, tandem: Tandem, tmp_path: Path
) -> None:
    task = tandem.submit("copy-file", {"text": "id 1", "filename": "o.csv"})
    assert tandem.wait_for(task.task_id, timeout=20).state is State.succeeded
    saved = tandem.download(task.task_id, tmp_path)
    assert saved.read_text().split() == ["id", "1"]
    with pytest.raises(TandemError, match="download it"):
        tandem.result(task.task_id)


def test_a_problem_says_what_is_wrong_and_what_to_quote(tandem: Tandem) -> None:
    with pytest.raises(TandemError) as refused:
        tandem.submit("hash-files", {"uploads": []})
    error = refused.value
    assert (error.status, error.kind, error.request_id) == (422, "invalid-request", "request-1")
    assert error.errors[0].pointer.endswith("/input/uploads")


@pytest.mark.parametrize(
    "fault",
    [HANG_UP, (503, {"retry-after": "2"}, ""), (502, {}, ""), (429, {"retry-after": "1"}, "")],
)
def test_what_is_made_is_made_once_however_often_it_is_sent(
    tandem: Tandem, service: Service, pauses: list[float], fault: tuple[int, dict[str, str], str]
) -> None:
    tandem.get_health()  # has the token
    service.faults = [fault, fault]
    tandem.submit("echo", {"message": 1})
    keys = {headers["idempotency-key"] for _, _, headers in service.requests("/process-offline")}
    assert (len(service.requests("/process-offline")), len(keys)) == (3, 1)
    assert len(list(tandem.tasks())) == 1
    asked = float(fault[1].get("retry-after", 0))
    assert len(pauses) == 2
    assert all(pause >= asked for pause in pauses)


def test_what_is_not_safe_to_repeat_is_sent_once(tandem: Tandem, service: Service) -> None:
    task = tandem.submit("echo", {"message": 1})
    service.faults = [(503, {}, "")]
    with pytest.raises(TandemError):
        tandem.cancel_task(task.task_id)
    assert len(service.requests(f"/tasks/{task.task_id}/cancel")) == 1


def test_a_finished_task_is_deleted(tandem: Tandem) -> None:
    task = tandem.run("echo", {"message": 1})
    tandem.delete_task(task.task_id)
    for call in (tandem.get_task, tandem.delete_task):
        with pytest.raises(TandemError) as refused:
            call(task.task_id)
        assert refused.value.status == 404


def test_a_deletion_whose_answer_was_lost_is_no_error(tandem: Tandem, service: Service) -> None:
    task = tandem.run("echo", {"message": 1})
    request, lost = tandem._connection._api.request, []

    def losing(method: str, *arguments: Any, **options: Any) -> Any:
        answer = request(method, *arguments, **options)
        if method == "DELETE" and not lost:
            lost.append(answer.status_code)
            raise httpx2.ReadError("connection reset")
        return answer

    tandem._connection._api.request = losing  # type: ignore[method-assign]
    tandem.delete_task(task.task_id)
    assert lost == [204]
    assert len(service.requests(f"/tasks/{task.task_id}")) == 2


def test_a_task_that_runs_is_not_deleted_and_not_asked_for_again(
    tandem: Tandem, service: Service
) -> None:
    task = tandem.submit("echo", {"message": 1})
    with pytest.raises(TandemError) as refused:
        tandem.delete_task(task.task_id)
    assert (refused.value.status, refused.value.kind) == (409, "task-not-finished")
    assert len(service.requests(f"/tasks/{task.task_id}")) == 1


def test_a_long_pause_that_is_asked_for_is_left_to_the_caller(
    tandem: Tandem, service: Service, pauses: list[float]
) -> None:
    tandem.get_health()
    service.faults = [(429, {"retry-after": "3600"}, "")]
    with pytest.raises(TandemError) as refused:
        tandem.list_tasks()
    assert (refused.value.retry_after_seconds, pauses) == (3600, [])


def test_one_token_serves_many_requests_and_is_renewed_before_it_ends(
    tandem: Tandem, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(3):
        tandem.list_tasks()
    assert len(service.requests("/oauth2/token")) == 1
    later = time.time() + service.token_lifetime_seconds - 30
    monkeypatch.setattr("tandem_client.auth.time.time", lambda: later)
    tandem.list_tasks()
    assert len(service.requests("/oauth2/token")) == 2


def test_a_token_that_was_revoked_is_fetched_again_once(tandem: Tandem, service: Service) -> None:
    tandem.list_tasks()
    service.revoke_tokens()
    tandem.list_tasks()
    assert len(service.requests("/oauth2/token")) == 2


def test_a_wrong_secret_is_one_clear_error(service: Service) -> None:
    auth = ClientCredentials(service.token_url, "machine", "wrong")
    with Tandem(service.url, auth) as tandem, pytest.raises(TandemError) as refused:
        tandem.list_tasks()
    assert (refused.value.kind, refused.value.status) == ("no-token", 401)
    assert "invalid_client" in refused.value.detail


def test_a_token_that_is_not_good_is_one_clear_error(service: Service) -> None:
    with Tandem(service.url, StaticToken("wrong")) as tandem, pytest.raises(TandemError) as refused:
        tandem.list_tasks()
    assert (refused.value.status, refused.value.detail) == (401, "Unauthorized")
    assert refused.value.request_id == "gateway-1"


def test_nobody_at_the_address_is_one_clear_error(pauses: list[float]) -> None:
    nobody = Tandem("http://127.0.0.1:1", StaticToken("x"))
    with nobody as tandem, pytest.raises(TandemError, match="does not answer"):
        tandem.get_health()
    assert len(pauses) == 3


def test_another_service_at_the_address_is_one_clear_error(service: Service) -> None:
    service.faults = [(200, {}, '{"hello": "world"}')]
    other = Tandem(service.url, StaticToken("x"))
    with other as tandem, pytest.raises(TandemError, match="is the URL right"):
        tandem.list_processors()


def test_operators_read_reports_and_redrive(service: Service, operator: Tandem) -> None:
    operator.run("echo", {"message": 1})
    service.wiring.clock.advance(70)
    list(service.wiring.reports.close_due())
    assert sum(report.tasks for report in operator.reports()) == 1
    assert operator.get_latest_report().window == next(operator.reports()).window
    service.wiring.queue.dead_letter(
        "{}", message_id="m1", reason="unparsable", error="not JSON", task_id=None
    )
    (letter,) = operator.list_dead_letters().letters
    (done,) = operator.redrive_dead_letters(RedriveRequest(letter_ids=[letter.letter_id])).letters
    assert (letter.reason, done.letter_id) == ("unparsable", letter.letter_id)


def test_operators_read_failed_tasks_page_by_page_and_do_them_again(
    service: Service, operator: Tandem
) -> None:
    data = {"uploads": ["019ab1c2-0000-7000-8000-000000000001"]}
    tasks = []
    for _ in range(2):
        tasks.append(operator.submit("hash-files", data).task_id)
        deliver_all(service.wiring)
        service.wiring.clock.advance(1)
    first = operator.list_dead_letters(limit=1)
    second = operator.list_dead_letters(cursor=first.next_cursor)
    assert [one.task_id for one in (*first.letters, *second.letters)] == tasks
    request = RedriveRequest(task_ids=tasks[:1], dry_run=False)
    (redriven,) = operator.redrive_dead_letters(request).letters
    assert redriven.done.value == "new-task"
    assert operator.get_task(str(redriven.task_id)).retry_of == tasks[0]


def test_a_tenant_is_no_operator(tandem: Tandem) -> None:
    with pytest.raises(TandemError) as refused:
        tandem.list_dead_letters()
    assert (refused.value.status, refused.value.kind) == (403, "insufficient-scope")


def test_a_callback_is_asked_for_and_its_keys_are_shown(tandem: Tandem, service: Service) -> None:
    task = tandem.submit("echo", {"message": 1}, callback_url="https://example.com/hook")
    callback = tandem.get_task(task.task_id).callback
    assert callback is not None
    assert callback.url == "https://example.com/hook"
    (key,) = tandem.list_callback_keys().keys
    assert key.key.startswith("whsec_")


def test_secrets_are_in_no_clients_words(service: Service) -> None:
    secret = CLIENTS["machine"][0]
    auth = ClientCredentials(service.token_url, "machine", secret)
    with Tandem(service.url, auth) as tandem:
        assert secret not in repr(tandem) + repr(auth)


def test_the_how_tos_snippet_runs_as_it_is_written(working: Service) -> None:
    (written,) = python_blocks("docs/how-to/use-the-client.md")
    names: dict[str, Any] = {}
    exec(compile(written, "how-to", "exec"), names)  # noqa: S102 - our own page
    secret = CLIENTS["machine"][0]
    assert names["word_of"](working.url, working.token_url, "machine", secret) == "hello"


def test_the_how_tos_lambda_submits_each_message_once(
    service: Service, tandem: Tandem, monkeypatch: pytest.MonkeyPatch
) -> None:
    (written,) = python_blocks("docs/how-to/call-from-another-lambda.md")
    for name, value in {
        "TANDEM_URL": service.url,
        "TANDEM_TOKEN_URL": service.token_url,
        "TANDEM_CLIENT_ID": "machine",
        "TANDEM_SECRET": "key-of-machine",
    }.items():
        monkeypatch.setenv(name, value)
    held = {"key-of-machine": {"SecretString": CLIENTS["machine"][0]}}
    asked = SimpleNamespace(get_secret_value=lambda SecretId: held[SecretId])  # noqa: N803
    monkeypatch.setattr("boto3.client", lambda _: asked)
    names: dict[str, Any] = {}
    exec(compile(written, "how-to", "exec"), names)  # noqa: S102 - our own page
    records = [{"messageId": f"m{number}", "body": str(number)} for number in range(2)]
    for _ in range(2):  # Lambda tries again
        names["handler"]({"Records": records}, None)
    names["tandem"].close()
    assert len(list(tandem.tasks())) == 2
