"""What the documentation shows is run."""

import re
import sys
from pathlib import Path
from types import ModuleType

import pytest

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
