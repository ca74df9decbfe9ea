import gc
import importlib
import os
import subprocess
import sys

import pytest

from tandem.startup import gc_frozen, pretend_missing


def test_no_garbage_is_looked_for_while_a_function_starts() -> None:
    with gc_frozen():
        assert not gc.isenabled()
        made = gc.get_count()[0]
    assert gc.isenabled()
    assert gc.get_freeze_count() > 0
    assert made >= 0
    gc.unfreeze()


def test_garbage_is_looked_for_again_after_a_start_that_failed() -> None:
    with pytest.raises(ZeroDivisionError), gc_frozen():
        raise ZeroDivisionError
    assert gc.isenabled()
    gc.unfreeze()


def test_a_module_is_as_if_it_were_not_installed_within_the_block_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delitem(sys.modules, "this", raising=False)
    with pretend_missing("wave"), pytest.raises(ModuleNotFoundError):
        importlib.import_module("wave")
    assert importlib.import_module("wave")


def test_a_module_that_is_imported_already_stays() -> None:
    with pretend_missing("json"):
        import json
    assert sys.modules["json"] is json


def test_a_process_that_made_no_pool_ends_without_a_word() -> None:
    program = (
        "from tandem.handlers.api import handler\n"
        "from tandem.lambda_events import LambdaContextStub, http_event\n"
        "assert handler(http_event('GET', '/health'), LambdaContextStub())['statusCode'] == 200\n"
    )
    done = subprocess.run(  # noqa: S603 - our own interpreter and program
        [sys.executable, "-c", program],
        env={"PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr == ""
