"""The `tandem` command against the real application, over a socket."""

import json
import re
import stat
from collections.abc import Callable, Iterator
from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import Any

import httpx2
import pytest
from click.testing import Result
from rich.console import Console
from typer.testing import CliRunner

from tandem.ids import TaskId
from tandem_client.cli.app import app
from tandem_client.cli.submitting import usual_member
from tandem_client.models import TaskDetail
from tests.client.service import CLIENTS, Service
from tests.factories.deliveries import deliver_all

type Command = Callable[..., Result]

SECRET = CLIENTS["machine"][0]


@pytest.fixture(autouse=True)
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home of its own, and nothing of the environment's."""
    folder = tmp_path / "config"
    monkeypatch.setenv("TANDEM_CONFIG_DIR", str(folder))
    monkeypatch.setenv("NO_COLOR", "1")
    for name in ("URL", "TOKEN", "TOKEN_URL", "CLIENT_ID", "CLIENT_SECRET", "SCOPE", "PROFILE"):
        monkeypatch.delenv(f"TANDEM_{name}", raising=False)
    monkeypatch.chdir(tmp_path)
    return folder


def tandem(*arguments: str, typed: str | None = None) -> Result:
    return CliRunner().invoke(app, arguments, input=typed, catch_exceptions=False)


def log_in(service: Service, who: str = "machine", *more: str) -> Result:
    return tandem(
        *("login", "--url", service.url, "--token-url", service.token_url),
        *("--client-id", who, "--client-secret", CLIENTS[who][0], *more),
    )


@pytest.fixture
def service(service: Service) -> Service:
    """The service, with its machine logged in."""
    assert log_in(service).exit_code == 0
    return service


def answer(result: Result) -> Any:
    """Return the one JSON value that stdout is."""
    assert result.exit_code == 0, result.stderr
    return json.loads(result.stdout)


def test_what_is_not_given_is_asked_for_and_the_secret_is_not_shown(
    service: Service, config: Path
) -> None:
    done = tandem("login", typed=f"{service.url}\n{service.token_url}\nmachine\n{SECRET}\n")
    assert done.exit_code == 0
    assert "Processors: " in done.stderr
    assert SECRET not in done.output
    (file,) = (config / "profiles").iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert answer(tandem("list", "--json")) == {"tasks": [], "next_cursor": None}


def test_a_wrong_secret_keeps_nothing(service: Service, config: Path) -> None:
    tandem("logout")
    done = tandem(
        *("login", "--url", service.url, "--token-url", service.token_url),
        *("--client-id", "machine", "--client-secret", "wrong"),
    )
    assert (done.exit_code, list((config / "profiles").iterdir())) == (1, [])
    assert done.stderr.startswith("Error: The token endpoint gives no token")
    assert "Traceback" not in done.output


def test_a_secret_is_not_sent_in_the_clear() -> None:
    done = tandem(
        *("login", "--url", "http://api.example.com", "--token-url", "https://a/oauth2/token"),
        *("--client-id", "x", "--client-secret", "y"),
    )
    assert done.exit_code == 2
    assert "use https://" in done.stderr


def test_the_local_stack_says_who_to_be(service: Service, tmp_path: Path) -> None:
    stack = {
        "url": service.url,
        "token_url": service.token_url,
        "client_id": "machine",
        "client_secret": SECRET,
        "operator_client_id": "operator",
        "operator_client_secret": CLIENTS["operator"][0],
    }
    (tmp_path / ".local").mkdir()
    (tmp_path / ".local" / "stack.json").write_text(json.dumps(stack))
    assert tandem("login", "--local").exit_code == 0
    assert tandem("login", "--local", "--operator", "-p", "ops").exit_code == 0
    listed = answer(tandem("dead-letters", "-p", "ops", "--json"))
    assert listed == {"letters": [], "next_cursor": None}


def test_a_local_profile_survives_a_restart_of_the_stack(service: Service, tmp_path: Path) -> None:
    stack = {
        "url": service.url,
        "token_url": service.token_url,
        "client_id": "machine",
        "client_secret": SECRET,
    }
    file = tmp_path / ".local" / "stack.json"
    file.parent.mkdir()
    file.write_text(json.dumps(stack))
    assert tandem("login", "--local").exit_code == 0
    assert tandem("dead-letters", "--json").exit_code == 1  # it is no operator
    secret = CLIENTS["operator"][0]
    file.write_text(json.dumps(stack | {"client_id": "operator", "client_secret": secret}))
    assert answer(tandem("dead-letters", "--json")) == {"letters": [], "next_cursor": None}
    file.unlink()
    done = tandem("dead-letters", "--json")
    assert done.exit_code == 1
    assert "is the stack running (make run)?" in done.output


def test_without_a_login_the_command_says_how(service: Service) -> None:
    tandem("logout")
    done = tandem("list")
    assert (done.exit_code, done.stdout) == (1, "")
    assert "tandem login" in done.stderr


def test_a_result_goes_to_stdout_and_words_to_stderr(working: Service) -> None:
    log_in(working)
    done = tandem("submit", "echo", "-i", '{"message": "hello"}', "--wait")
    assert json.loads(done.stdout) == {"message": "hello"}
    assert "Task " in done.stderr


def test_a_task_is_submitted_watched_and_read(service: Service, working: Service) -> None:
    task_id = tandem("submit", "echo", "-i", '{"message": 1}').stdout.strip()
    watched = tandem("status", task_id, "--watch")
    assert watched.exit_code == 0
    assert "succeeded" in watched.stderr
    assert task_id in watched.stdout
    assert answer(tandem("result", task_id, "--json")) == {"message": 1}


@pytest.mark.parametrize("given", ["-", "@input.json"])
def test_an_input_comes_from_a_file_or_from_stdin(
    service: Service, tmp_path: Path, given: str
) -> None:
    (tmp_path / "input.json").write_text('{"message": 2}')
    done = tandem("submit", "echo", "--online", "-i", given, "--json", typed='{"message": 2}')
    assert answer(done)["output"] == {"message": 2}


@pytest.mark.parametrize("given", ["{", "[1]", "@none.json"])
def test_an_input_that_is_none_is_wrong_usage(service: Service, given: str) -> None:
    done = tandem("submit", "echo", "-i", given)
    assert (done.exit_code, done.stdout) == (2, "")


def test_a_file_is_sent_and_named_in_the_input(service: Service, tmp_path: Path) -> None:
    (tmp_path / "orders.csv").write_text("id,amount\n1,2.5\n")
    done = tandem("submit", "copy-file", "--upload", "orders.csv", "--online", "--json")
    assert answer(done)["output"]["file"]["size_bytes"] == 16


def test_a_file_is_named_in_the_member_that_is_said(service: Service, tmp_path: Path) -> None:
    (tmp_path / "a=b.csv").write_text("id\n1\n")
    named = tandem("submit", "copy-file", "--upload", "upload=a=b.csv", "--online", "--json")
    assert answer(named)["output"]["file"]["size_bytes"] == 5
    assert answer(tandem("submit", "copy-file", "--upload", "a=b.csv", "--online", "--json"))
    other = tandem("submit", "copy-file", "--upload", "text=a=b.csv", "--online", "--json")
    assert answer(other)["output"]["file"]["size_bytes"] == 36  # the upload's id, as the text


@pytest.mark.parametrize(
    ("processor", "files", "said"),
    [
        ("echo", ["a.csv"], "echo has no member upload. Write MEMBER=FILE"),
        ("copy-file", ["a.csv", "upload=a.csv"], "upload names one file."),
        ("copy-file", ["none.csv"], "There is no file none.csv."),
        ("copy-fil", ["a.csv"], "There is only"),
    ],
)
def test_a_file_that_no_member_can_name_is_wrong_usage(
    service: Service, tmp_path: Path, processor: str, files: list[str], said: str
) -> None:
    (tmp_path / "a.csv").write_text("id\n1\n")
    options = [word for file in files for word in ("--upload", file)]
    done = tandem("submit", processor, *options)
    assert done.exit_code == 2
    assert said in " ".join(done.stderr.replace("│", " ").split())
    assert not service.wiring.store.tasks


def test_one_file_is_no_table_by_name_where_both_can_be_given() -> None:
    by_name = {"anyOf": [{"type": "object"}, {"type": "null"}]}
    either = {"upload": {"type": "string"}, "uploads": {"type": "array"}}
    assert usual_member("query", {"upload": {"type": "string"}, "uploads": by_name}, 1) == "upload"
    assert [usual_member("hash", either, files) for files in (1, 2)] == ["upload", "uploads"]


def test_json_is_exactly_the_apis_document(service: Service) -> None:
    accepted = answer(tandem("submit", "echo", "-i", '{"message": 1}', "--json"))
    shown = answer(tandem("status", accepted["task_id"], "--json"))
    bearer = {"authorization": f"Bearer {next(iter(service.tokens))}"}
    sent = httpx2.get(f"{service.url}/tasks/{accepted['task_id']}", headers=bearer)
    assert shown == sent.json()


def test_a_task_that_failed_ends_the_command_with_3(service: Service, working: Service) -> None:
    done = tandem("submit", "copy-file", "-i", "{}", "--wait")
    assert (done.exit_code, done.stdout) == (3, "")
    assert "failed" in done.stderr


def test_of_an_error_it_is_said_whether_trying_again_can_help(service: Service) -> None:
    failed = fail(service)
    assert answer(tandem("status", failed, "--json"))["error"]["permanent"] is True
    assert "(permanent)" in tandem("status", failed).stdout
    assert "(permanent)" in tandem("status", failed, "--watch").stderr
    task = service.wiring.store.tasks[TaskId(failed)]
    assert task.error is not None
    error = replace(task.error, permanent=False)
    service.wiring.store.tasks[task.task_id] = replace(task, error=error)
    assert "(permanent)" not in tandem("status", failed).stdout


def test_a_problem_is_one_line_with_the_request_to_quote(service: Service) -> None:
    done = tandem("status", "no-such-task")
    assert done.exit_code == 1
    assert done.stderr == "Error: There is no such task. (request request-1)\n"
    problem = tandem("status", "no-such-task", "--json")
    assert (problem.stdout, json.loads(problem.stderr)["status"]) == ("", 404)


def test_waiting_too_long_ends_with_4_and_leaves_the_task(service: Service) -> None:
    task_id = tandem("submit", "echo", "-i", '{"message": 1}').stdout.strip()
    watched = tandem("status", task_id, "--watch", "--timeout", "0.1", "--json")
    assert (watched.exit_code, json.loads(watched.stdout)["task_id"]) == (4, task_id)
    assert answer(tandem("status", task_id, "--json"))["state"] == "queued"


def test_ctrl_c_leaves_the_task_running_and_says_so(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    task_id = tandem("submit", "echo", "-i", '{"message": 1}').stdout.strip()

    def interrupted(*_: Any, **__: Any) -> Any:
        raise KeyboardInterrupt

    monkeypatch.setattr("tandem_client.client.Tandem.changes", interrupted)
    done = tandem("status", task_id, "--watch")
    assert done.exit_code == 130
    assert f"tandem status {task_id}" in done.stderr


def test_an_online_task_that_failed_is_named(service: Service) -> None:
    body = '{"uploads": ["019ab1c2-0000-7000-8000-000000000001"]}'
    done = tandem("submit", "hash-files", "--online", "-i", body)
    assert done.exit_code == 3
    (task_id,) = map(str, service.wiring.store.tasks)
    assert f"(task {task_id}, request " in done.stderr


def test_a_task_is_cancelled_and_done_again(service: Service) -> None:
    task_id = tandem("submit", "echo", "-i", '{"message": 1}').stdout.strip()
    assert "is cancelled" in tandem("cancel", task_id).stderr
    again = tandem("retry", task_id)
    assert again.stdout.strip() not in {"", task_id}
    assert task_id in tandem("list").stdout


def test_a_finished_task_is_deleted(service: Service) -> None:
    task_id = tandem("submit", "echo", "-i", '{"message": 1}').stdout.strip()
    refused = tandem("delete", task_id)
    assert (refused.exit_code, "queued" in refused.stderr) == (1, True)
    tandem("cancel", task_id)
    assert f"Task {task_id} is deleted." in tandem("delete", task_id).stderr
    assert task_id not in tandem("list").stdout
    assert tandem("delete", task_id).exit_code == 1


def test_a_callback_is_asked_for(service: Service) -> None:
    url = "https://example.com/hook"
    task_id = tandem("submit", "echo", "-i", '{"message": 1}', "--callback-url", url).stdout.strip()
    assert answer(tandem("status", task_id, "--json"))["callback"]["url"] == url
    assert f"pending, {url}" in tandem("status", task_id).stdout


def test_operators_see_reports_and_redrive_when_they_say_yes(service: Service) -> None:
    log_in(service, "operator", "-p", "ops")
    tandem("submit", "echo", "--online", "-i", '{"message": 1}')
    service.wiring.clock.advance(70)
    list(service.wiring.reports.close_due())
    assert "succeeded" in tandem("reports", "-p", "ops").stdout
    service.wiring.queue.dead_letter(
        "{}", message_id="m1", reason="unparsable", error="not JSON", task_id=None
    )
    assert "unparsable" in tandem("dead-letters", "-p", "ops").stdout
    assert "add --yes" in tandem("dead-letters", "redrive", "-p", "ops").stderr
    assert answer(tandem("dead-letters", "redrive", "--yes", "-p", "ops", "--json"))["letters"]
    refused = tandem("reports")
    assert (refused.exit_code, "reports:read" in refused.stderr) == (1, True)
    assert "tandem login" in refused.stderr, "it says what to do"


def test_operators_keep_a_picture_of_the_last_hour(service: Service, tmp_path: Path) -> None:
    log_in(service, "operator", "-p", "ops")
    file = tmp_path / "hour.svg"
    early = tandem("reports", "--svg", str(file), "-p", "ops")
    assert (early.exit_code, file.exists()) == (1, False)
    service.wiring.clock.advance(70)
    list(service.wiring.reports.close_due())
    drawn = tandem("reports", "--svg", str(file), "-p", "ops")
    assert (drawn.exit_code, drawn.stdout) == (0, "")
    assert file.read_text().startswith("<svg ")
    assert tandem("reports", "--svg", str(file), "--json", "-p", "ops").exit_code == 2


def fail(service: Service) -> str:
    """Let a task fail by its caller's fault, and return its id."""
    body = '{"uploads": ["019ab1c2-0000-7000-8000-000000000001"]}'
    task_id = tandem("submit", "hash-files", "-i", body).stdout.strip()
    deliver_all(service.wiring)
    return task_id


def test_failed_tasks_are_listed_page_by_page_and_done_again_by_their_ids(
    service: Service,
) -> None:
    log_in(service, "operator", "-p", "ops")
    first = fail(service)
    service.wiring.clock.advance(1)
    second = fail(service)
    page = tandem("dead-letters", "-p", "ops", "--limit", "1")
    assert (first in page.stdout, second in page.stdout) == (True, False)
    cursor = page.stderr.rpartition("--cursor ")[2].strip()
    rest = answer(tandem("dead-letters", "-p", "ops", "--cursor", cursor, "--json"))
    assert [letter["task_id"] for letter in rest["letters"]] == [second]
    done = tandem("dead-letters", "redrive", "--task", second, "--yes", "-p", "ops", "--json")
    (redriven,) = answer(done)["letters"]
    assert (redriven["failed_task_id"], redriven["done"]) == (second, "new-task")
    left = answer(tandem("dead-letters", "-p", "ops", "--json"))["letters"]
    assert [letter["task_id"] for letter in left] == [first]


def test_failed_tasks_of_a_kind_are_listed_and_redriven(service: Service) -> None:
    log_in(service, "operator", "-p", "ops")
    for _ in range(2):
        fail(service)
        service.wiring.clock.advance(1)
    shown = answer(tandem("dead-letters", "--callers-fault", "-p", "ops", "--json"))["letters"]
    assert [letter["own_fault"] for letter in shown] == [False, False]
    for option in ("--own-fault", "--processor=echo", "--tenant=x", "--reason=x"):
        assert answer(tandem("dead-letters", option, "-p", "ops", "--json"))["letters"] == []
    first = tandem("dead-letters", "redrive", "--callers-fault", "--limit", "1", "-p", "ops")
    cursor = first.stderr.partition("--cursor ")[2].split()[0]
    rest = tandem("dead-letters", "redrive", "--cursor", cursor, "-p", "ops", "--json")
    assert [one["failed_task_id"] for one in answer(rest)["letters"]] == [shown[1]["task_id"]]


def test_a_message_is_redriven_by_its_own_id(service: Service) -> None:
    log_in(service, "operator", "-p", "ops")
    fail(service)
    service.wiring.queue.dead_letter(
        "{}", message_id="m1", reason="unparsable", error="not JSON", task_id=None
    )
    listed = answer(tandem("dead-letters", "-p", "ops", "--json"))["letters"]
    (letter_id,) = (one["letter_id"] for one in listed if one["letter_id"])
    shown = tandem("dead-letters", "redrive", "--letter", letter_id, "-p", "ops", "--json")
    assert [one["done"] for one in answer(shown)["letters"]] == ["kept"]


def test_dead_letters_of_callbacks_are_a_queue_of_their_own(service: Service) -> None:
    log_in(service, "operator", "-p", "ops")
    service.wiring.queue.dead_letter(
        "{}", message_id="m1", reason="unparsable", error="not JSON", task_id=None
    )
    of_callbacks = tandem("dead-letters", "-p", "ops", "--queue", "callbacks", "--json")
    assert answer(of_callbacks)["letters"] == []
    assert answer(tandem("dead-letters", "-p", "ops", "--queue", "tasks", "--json"))["letters"]


def test_an_option_that_redrive_would_not_see_is_wrong_usage(service: Service) -> None:
    service.seen.clear()
    done = tandem("dead-letters", "--queue", "callbacks", "redrive", "--yes")
    assert (done.exit_code, service.seen) == (2, [])
    assert "behind redrive" in done.stderr


def test_health_processors_and_keys_are_shown(service: Service) -> None:
    assert tandem("health").stdout == "ok\n"
    assert answer(tandem("health", "--deep", "--json"))["parts"]["table"] == "ok"
    assert "echo" in tandem("processors").stdout
    assert "whsec_" in tandem("callback-keys").stdout


def test_what_a_caller_wrote_is_not_taken_for_markup(service: Service) -> None:
    log_in(service, "operator", "-p", "ops")
    service.wiring.queue.dead_letter(
        "{}", message_id="m1", reason="permanent", error="[red]x[/red]", task_id=None
    )
    assert "[red]x[/red]" in tandem("dead-letters", "-p", "ops").stdout


def test_what_a_caller_wrote_does_not_command_the_terminal(service: Service) -> None:
    log_in(service, "operator", "-p", "ops")
    service.wiring.queue.dead_letter(
        "{}", message_id="m1", reason="permanent", error="\x1b]0;x\x07", task_id=None
    )
    shown = tandem("dead-letters", "-p", "ops").stdout
    assert "\x1b" not in shown
    assert r"\x1b]0;x\x07" in shown


def test_progress_is_a_bar_on_a_terminal(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    shown = StringIO()
    monkeypatch.setattr(
        "tandem_client.cli.output.messages",
        lambda: Console(file=shown, force_terminal=True, width=100),
    )
    task_id = tandem("submit", "echo", "-i", '{"message": 1}').stdout.strip()
    queued = json.loads(tandem("status", task_id, "--json").stdout)
    halfway = {"progress": {"done": 3, "total": 6, "message": "of\x1b[2J it"}}
    steps = [
        TaskDetail.model_validate(queued | change)
        for change in ({}, {"state": "running"} | halfway, {"state": "succeeded"})
    ]
    frames: list[str] = []

    def changes(*_: Any, **__: Any) -> Iterator[TaskDetail]:
        for step in steps:
            yield step
            frames.append(re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", shown.getvalue()))

    monkeypatch.setattr("tandem_client.client.Tandem.changes", changes)
    assert tandem("status", task_id, "--watch").exit_code == 0
    assert "50%" not in frames[0]
    assert "━" in frames[1]
    assert re.search(r"running .* 50%.* 3/6 of\\x1b\[2J it", frames[1])


def test_nobody_at_the_address_is_one_line(service: Service, pauses: list[float]) -> None:
    service.faults = [(0, {}, "")] * 9
    done = tandem("list")
    assert (done.exit_code, done.stdout) == (1, "")
    assert re.fullmatch(r"Error: 127\.0\.0\.1:\d+ does not answer: .+\n", done.stderr)


def test_a_token_that_was_kept_and_revoked_is_renewed_and_kept(
    service: Service, config: Path
) -> None:
    tandem("list")
    (file,) = (config / "tokens").iterdir()
    before = file.read_text()
    service.revoke_tokens()
    assert tandem("list").exit_code == 0
    assert file.read_text() != before
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_a_token_of_the_environment_is_not_sent_in_the_clear(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TANDEM_URL", "http://api.example.com")
    monkeypatch.setenv("TANDEM_TOKEN", "token")
    done = tandem("list")
    assert (done.exit_code, "use https://" in done.stderr) == (1, True)


def test_the_environment_is_an_identity_too(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    tandem("logout")
    monkeypatch.setenv("TANDEM_URL", service.url)
    monkeypatch.setenv("TANDEM_TOKEN", "revoked")
    done = tandem("list")
    assert (done.exit_code, "Unauthorized" in done.stderr) == (1, True)
    monkeypatch.setenv("TANDEM_TOKEN", next(iter(service.tokens)))
    assert tandem("list").exit_code == 0
