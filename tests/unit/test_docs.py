"""What the documentation shows is run."""

import re
import sys
from pathlib import Path
from types import ModuleType

import pytest

from local.template import load_template
from tandem.domain.clock import SystemClock
from tandem.domain.webhook import key_text
from tandem.ports import Answered
from tests.factories.deliveries import deliver_all, deliver_callbacks
from tests.factories.processors import double, make_wiring, new_work

PROJECT = Path(__file__).resolve().parents[2]


def python_blocks(page: str) -> list[str]:
    return re.findall(r"```python\n(.*?)```", (PROJECT / page).read_text(), re.DOTALL)


def run_as_module(name: str, source: str) -> ModuleType:
    module = ModuleType(name)
    exec(compile(source, name, "exec"), module.__dict__)  # noqa: S102 - our own page
    return module


def test_the_how_to_on_processors_runs_as_it_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    written, its_test = python_blocks("docs/how-to/write-a-processor.md")
    name = "processors.count_words"
    monkeypatch.setitem(sys.modules, name, ModuleType(name))
    module = sys.modules[name]
    exec(compile(written, name, "exec"), module.__dict__)  # noqa: S102 - our own page
    run_as_module("its_test", its_test).test_words_are_counted()


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
    locked = (PROJECT / "local" / "requirements-ministack.txt").read_text()
    version = re.search(r"^ministack==(\S+)", locked, re.MULTILINE)
    assert version is not None
    assert version[1] in (PROJECT / "docs" / "emulator.md").read_text()
