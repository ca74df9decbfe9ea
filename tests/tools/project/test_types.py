"""What the pages show type-checks strictly, and `run` of a processor has its function's types."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tandem_tools.paths import PROJECT
from tests.factories.pages import python_blocks

CACHE = PROJECT / ".mypy_cache" / "pages"

EXACT = """
from pydantic import BaseModel
from tandem.processing import TaskContext, processor

class Input(BaseModel):
    text: str

class Output(BaseModel):
    words: int

@processor("sync")
def sync(data: Input, ctx: TaskContext) -> Output:
    return Output(words=1)

@processor("later")
async def later(data: Input, ctx: TaskContext) -> Output:
    return Output(words=1)
"""
ITS_TEST = """
from typing import assert_type

from pydantic import BaseModel
from tandem.testing import FakeContext

from processors.exact import Input, Output, later, sync

class Other(BaseModel):
    text: str

async def test() -> None:
    assert_type(sync.run(Input(text=""), FakeContext()), Output)
    assert_type(await later.run(Input(text=""), FakeContext()), Output)
    sync.run(Other(text=""), FakeContext())  # type: ignore[arg-type]
    later.run(Input(text=""), FakeContext())  # type: ignore[unused-coroutine]
"""


def of_processors() -> dict[str, str]:
    words, lines, rates, charge, charge_test, words_test = python_blocks(
        "docs/how-to/write-a-processor.md"
    )
    return {
        "processors/count_words.py": words,
        "processors/count_lines.py": lines,
        "processors/look_up_rate.py": rates,
        "processors/charge_customer.py": charge,
        "tests/test_charge_customer.py": charge_test,
        "tests/test_count_words.py": words_test,
        "processors/exact.py": EXACT,
        "tests/test_exact.py": ITS_TEST,
    }


def of_settings() -> dict[str, str]:
    charge, charge_test = python_blocks("docs/how-to/settings-and-secrets.md")
    return {"processors/charge_customer.py": charge, "tests/test_charge_customer.py": charge_test}


def of_tutorial() -> dict[str, str]:
    words, words_test, broken = python_blocks("docs/tutorial.md")
    return {
        "processors/count_words.py": words,
        "tests/test_count_words.py": words_test,
        "processors/broken.py": broken,
    }


@pytest.mark.timeout(300)
@pytest.mark.parametrize("shown", [of_processors, of_settings, of_tutorial])
def test_pages_and_run_type_check_strictly(
    tmp_path: Path, shown: Callable[[], dict[str, str]]
) -> None:
    for name, text in shown().items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    strictly = ["--strict", "--explicit-package-bases", "--cache-dir", str(CACHE)]
    done = subprocess.run(  # noqa: S603
        [sys.executable, "-m", "mypy", *strictly, *shown()],
        cwd=tmp_path,
        env=os.environ | {"MYPYPATH": f"{tmp_path}:{PROJECT / 'functions'}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
