"""What the documentation shows is run."""

import re
import sys
import tomllib
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.message import Message
from io import BytesIO
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.error import HTTPError

import pytest

from tandem.callbacks.ports import Answered
from tandem.callbacks.signing import key_text, signed_headers
from tandem.clock import SystemClock
from tandem.processing import Permanent
from tandem.processing.catalogue import Catalogue
from tandem.tasks.submit import NewTask
from tandem.tasks.task import InlinePayload
from tandem.testing import FakeClock, FakeContext, MemoryWiring
from tandem_tools.contract import configuration
from tandem_tools.deploy.environments import Environment
from tandem_tools.deploy.parameters import pairs
from tandem_tools.harness.tasks import ACME
from tandem_tools.settings import dotenv
from tandem_tools.template import TEMPLATE_FILE, load_template
from tests.factories.deliveries import deliver_all, deliver_callbacks
from tests.factories.pages import python_blocks
from tests.factories.processors import double, make_wiring, new_work

PROJECT = Path(__file__).resolve().parents[2]


def run_as_module(name: str, source: str) -> ModuleType:
    module = ModuleType(name)
    exec(compile(source, name, "exec"), module.__dict__)  # noqa: S102 - our own page
    return module


def test_the_how_to_on_processors_runs_as_it_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    written, *_, its_test = python_blocks("docs/how-to/write-a-processor.md")
    name = "processors.count_words"
    monkeypatch.setitem(sys.modules, name, ModuleType(name))
    module = sys.modules[name]
    exec(compile(written, name, "exec"), module.__dict__)  # noqa: S102 - our own page
    run_as_module("its_test", its_test).test_words_are_counted()


def test_the_how_to_on_uploads_takes_what_the_template_gives() -> None:
    _, written, *_ = python_blocks("docs/how-to/write-a-processor.md")
    count_lines = run_as_module("count_lines", written).count_lines
    capacity = MemoryWiring().capacity
    assert capacity.online(count_lines) == 1024 // 4 * 1024**2
    assert capacity.offline(count_lines) == int(1769 / 4 * 1024**2)
    context = FakeContext(uploads={"u": ("a.txt", b"1\n2\n")})
    assert count_lines.run(count_lines.input(upload="u"), context).lines == 2
    page = (PROJECT / "docs/how-to/write-a-processor.md").read_text()
    stated = re.findall(r"`(\w+)`(?: less 3)?, (\d+) (?=\|)", page)
    assert len(stated) == 6
    for parameter, value in stated:
        given = load_template()["Parameters"][parameter]["Default"]
        assert int(value) == given - 3 * (parameter == "WorkerTimeoutSeconds"), parameter


def test_the_how_to_on_rate_limits_comes_back_when_the_service_says() -> None:
    *_, written, _, _, _ = python_blocks("docs/how-to/write-a-processor.md")
    module = run_as_module("look_up_rate", written)
    answers: list[tuple[int, dict[str, str]]] = [
        (429, {"Retry-After": "90"}),
        (429, {"Retry-After": "Thu, 01 Jan 2026 14:00:00 GMT"}),
        (429, {}),
        (500, {}),
    ]

    def service(url: str, timeout: float) -> BytesIO:
        if not answers:
            return BytesIO(b'{"euros":0.9}')
        status, said = answers.pop(0)
        headers = Message()
        for name, value in said.items():
            headers[name] = value
        raise HTTPError(url, status, "no", headers, None)

    module.urlopen = service  # type: ignore[attr-defined]
    wiring = MemoryWiring(catalogue=Catalogue([module.look_up_rate]))
    assert isinstance(wiring.clock, FakeClock)
    task_id = wiring.submissions.offline(
        NewTask(
            tenant=ACME,
            processor=module.look_up_rate,
            document=b'{"currency":"USD"}',
            traceparent="00-1",
        )
    ).task_id
    came: list[datetime] = []
    while not (task := wiring.store.tasks[task_id]).state.final:
        came.append(task.not_before or wiring.clock.now())
        wiring.clock.advance(max(came[-1] - wiring.clock.now(), timedelta(0)))
        wiring.sweep.run()
        deliver_all(wiring)
    assert task.output == InlinePayload('{"euros":0.9}')
    assert came[1] - came[0] == timedelta(seconds=90)
    assert came[2] == datetime(2026, 1, 1, 14, tzinfo=UTC)
    assert came[3] - came[2] == timedelta(seconds=60)
    answers.append((404, {}))
    with pytest.raises(Permanent, match="404"):
        module.look_up_rate.run(module.Input(currency="EUR"), FakeContext())


def test_the_how_to_on_effects_charges_once(monkeypatch: pytest.MonkeyPatch) -> None:
    *_, written, its_tests, _ = python_blocks("docs/how-to/write-a-processor.md")
    name = "processors.charge_customer"
    monkeypatch.setitem(sys.modules, name, ModuleType(name))
    module = sys.modules[name]
    exec(compile(written, name, "exec"), module.__dict__)  # noqa: S102 - our own page
    tests = run_as_module("its_tests", its_tests)
    tests.test_a_customer_is_charged_once()
    tests.test_an_unknown_mail_is_not_sent_again()
    requests: list[Any] = []

    def bank(request: Any, timeout: float) -> BytesIO:
        requests.append(request)
        if len(requests) == 1:
            raise TimeoutError
        return BytesIO(b'{"id":"ch_1"}')

    module.urlopen = bank  # type: ignore[attr-defined]
    wiring = MemoryWiring(catalogue=Catalogue([module.charge_customer]))
    document = b'{"customer":"c_1","cents":100}'
    task = wiring.submissions.offline(
        NewTask(
            tenant=ACME, processor=module.charge_customer, document=document, traceparent="00-1"
        )
    )
    assert deliver_all(wiring) == [False]
    assert isinstance(wiring.clock, FakeClock)
    wiring.clock.advance(60)
    assert deliver_all(wiring) == [True]
    assert wiring.store.tasks[task.task_id].output == InlinePayload('{"charge_id":"ch_1"}')
    assert {request.data for request in requests} == {document}
    (key,) = {request.get_header("Idempotency-key") for request in requests}
    assert len(key) == 64


def test_the_how_to_on_settings_charges_with_the_key(monkeypatch: pytest.MonkeyPatch) -> None:
    page = "docs/how-to/settings-and-secrets.md"
    written, its_test = python_blocks(page)
    name = "processors.charge_customer"
    monkeypatch.setitem(sys.modules, name, ModuleType(name))
    module = sys.modules[name]
    exec(compile(written, name, "exec"), module.__dict__)  # noqa: S102 - our own page
    requests: list[Any] = []

    def bank(request: Any, timeout: float) -> BytesIO:
        requests.append(request)
        return BytesIO(b'{"id":"ch_1"}')

    module.urlopen = bank  # type: ignore[attr-defined]
    assert run_as_module("its_test", its_test).charge("https://sandbox.example.com/x") == "ch_1"

    (shown,) = re.findall(r"```text\n(.*?)```", (PROJECT / page).read_text(), re.DOTALL)
    wiring = MemoryWiring(
        catalogue=Catalogue([module.charge_customer]), processor_settings=dotenv.parse(shown)
    )
    new = NewTask(
        tenant=ACME,
        processor=module.charge_customer,
        document=b'{"customer":"c_1","cents":100}',
        traceparent="00-1",
    )
    task = wiring.submissions.offline(new)
    assert deliver_all(wiring) == [True]
    assert wiring.store.tasks[task.task_id].output == InlinePayload('{"charge_id":"ch_1"}')
    assert [one.get_header("Authorization") for one in requests] == [
        "Bearer sk_test",
        "Bearer sk_test_4711",
    ]
    assert [one.full_url for one in requests] == [
        "https://sandbox.example.com/x",
        "https://sandbox.example.com/charges",
    ]

    missing = MemoryWiring(catalogue=Catalogue([module.charge_customer]))
    failed = missing.submissions.offline(new)
    deliver_all(missing)
    error = missing.store.tasks[failed.task_id].error
    assert error is not None
    assert error.message in (PROJECT / page).read_text()


def test_the_how_to_on_callbacks_verifies_and_takes_each_once(
    capsys: pytest.CaptureFixture[str],
) -> None:
    (written,) = python_blocks("docs/how-to/receive-callbacks.md")
    page = run_as_module("receiver", written)
    wiring = make_wiring(double)
    task = wiring.submissions.offline(new_work(wiring, callback_url="https://example.com/hook"))
    deliver_all(wiring)
    wiring.callback_sender.answers = [Answered(500)]
    wiring.clock = SystemClock()
    deliver_callbacks(wiring)
    (post,) = wiring.callback_sender.posts
    assert page.receive(post.body, dict(post.headers)) == 401
    page.KEYS[:] = ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"]
    page.KEYS += [key_text(key) for key in wiring.webhook_keys.of(task.tenant)]
    for _ in range(2):
        assert page.receive(post.body, dict(post.headers)) == 204
    assert capsys.readouterr().out == f"task.succeeded {task.task_id}\n"


def test_the_how_to_on_callbacks_states_the_deployed_waits() -> None:
    waits = load_template()["Parameters"]["CallbackRetrySeconds"]["Default"].split(",")
    stated = "after 5 s, 5 min, 30 min, 2 h, 5 h and 10 h"
    assert stated in (PROJECT / "docs/how-to/receive-callbacks.md").read_text()
    units = {"s": 1, "min": 60, "h": 3600}
    found = re.findall(r"(\d+) (s|min|h)\b", stated)
    assert [int(number) * units[unit] for number, unit in found] == [int(wait) for wait in waits]


CONFIGURATIONS = [
    pytest.param(block, id=f"{page.stem}-{number}")
    for page in sorted((PROJECT / "docs").rglob("*.md"))
    for number, block in enumerate(re.findall(r"```toml\n(.*?)```", page.read_text(), re.DOTALL))
    if "parameter_overrides" in block
]


@pytest.mark.parametrize("block", CONFIGURATIONS)
def test_a_configuration_that_is_shown_deploys_all_that_its_environment_had(block: str) -> None:
    [(section, shown)] = tomllib.loads(block).items()
    environment = Environment.read(section)
    overrides = pairs(shown["deploy"]["parameters"]["parameter_overrides"])
    assert overrides.items() > environment.overrides.items()
    replace(environment, overrides=overrides).parameters({"AlarmEmail": "ops@example.com"})


def test_the_readmes_processor_is_the_how_tos() -> None:
    (shown,) = python_blocks("README.md")
    assert shown in python_blocks("docs/how-to/write-a-processor.md")[0]


def links(page: Path) -> list[str]:
    return [
        target
        for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text())
        if not target.startswith("http")
    ]


PAGES = [PROJECT / "README.md", *sorted((PROJECT / "docs").rglob("*.md"))]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(PROJECT)))
def test_every_link_leads_to_a_file(page: Path) -> None:
    missing = [target for target in links(page) if not (page.parent / target).exists()]
    assert missing == []


def test_the_emulator_named_in_the_docs_is_the_one_that_is_locked() -> None:
    locked = (PROJECT / "tools/tandem_tools/locks/ministack.txt").read_text()
    version = re.search(r"^ministack==(\S+)", locked, re.MULTILINE)
    assert version is not None
    assert version[1] in (PROJECT / "docs" / "emulator.md").read_text()


def test_the_configuration_page_is_the_templates() -> None:
    assert configuration.PAGE.read_text() == configuration.page(), "run: make docs"


def test_every_parameter_says_what_it_does_and_has_a_subject() -> None:
    parameters = load_template()["Parameters"]
    listed = [
        name for _, names in configuration.subjects(TEMPLATE_FILE.read_text()) for name in names
    ]
    assert listed == list(parameters)
    assert [name for name, about in parameters.items() if not about.get("Description")] == []


def messages() -> list[str]:
    page = (PROJECT / "docs" / "troubleshooting.md").read_text().partition("## Requests")[0]
    rows = [line.split(" | ")[0] for line in page.splitlines() if line.startswith("| `")]
    return [message for row in rows for message in re.findall(r"`([^`]+)`", row)]


@pytest.mark.parametrize("message", messages())
def test_each_message_that_is_explained_is_one_of_the_commands(message: str) -> None:
    folders = [PROJECT / "tools", PROJECT / "functions" / "tandem" / "processing"]
    files = [path for folder in folders for path in folder.rglob("*") if path.is_file()]
    sources = [path for path in files if path.suffix == ".py" or path.name == "find-python"]
    shown = message.replace("8000", "{port}").replace("127.0.0.1", "{LOOPBACK}")
    shown = shown.replace("500", "{response.status_code}")
    assert any(shown in path.read_text() for path in sources)


def test_the_how_to_on_reports_verifies_and_takes_each_once(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (written,) = python_blocks("docs/how-to/send-reports.md")
    page = run_as_module("reports_receiver", written)
    key = b"k" * 32
    monkeypatch.setenv("REPORT_KEY", key_text(key))
    body = b'{"data": {"window": "2026-01-01T12:00:00Z", "tasks": 4}}'
    headers = signed_headers([key], message_id="report-1", at=SystemClock().now(), body=body)
    for _ in range(2):
        assert page.receive(body, dict(headers)) == 204
    assert capsys.readouterr().out == "2026-01-01T12:00:00Z 4\n"


def test_the_tutorials_processor_counts_then_fails_as_it_says(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    written, its_test, broken = python_blocks("docs/tutorial.md")
    name = "processors.count_words"
    monkeypatch.setitem(sys.modules, name, ModuleType(name))
    module = sys.modules[name]
    exec(compile(written, name, "exec"), module.__dict__)  # noqa: S102 - our own page
    run_as_module("its_test", its_test).test_words_are_counted()
    failing = run_as_module("broken", broken)
    assert failing.count_words.run(failing.Input(text="to be"), FakeContext()).words == 2
    with pytest.raises(ConnectionError):
        failing.count_words.run(failing.Input(text="x" * 21), FakeContext())
    with pytest.raises(Permanent):
        failing.count_words.run(failing.Input(text=""), FakeContext())
