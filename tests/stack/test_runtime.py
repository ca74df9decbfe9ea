"""The harness itself: what it refuses, as Lambda would."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tandem_tools.harness.function import Function
from tests.stack.runtime import FunctionRuntime, InvocationFailed

type Start = Callable[[str], FunctionRuntime]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    with ExitStack() as running:

        def start_handler(source: str) -> FunctionRuntime:
            folder = tmp_path / "artifact"
            folder.mkdir()
            (folder / "app.py").write_text(source)
            function = Function(folder=folder, handler="app.handler", timeout_seconds=1)
            return running.enter_context(FunctionRuntime(function, tmp_path))

        yield start_handler


def test_the_timeout_is_enforced_and_the_next_invocation_gets_a_fresh_process(start: Start) -> None:
    function = start(
        "import os, time\n"
        "def handler(event, context):\n"
        "    time.sleep(event['seconds'])\n"
        "    return os.getpid()\n"
    )
    first = function.invoke({"seconds": 0})
    assert function.invoke({"seconds": 0}) == first

    with pytest.raises(InvocationFailed, match="timed out after 1"):
        function.invoke({"seconds": 60})

    assert function.invoke({"seconds": 0}) != first


def test_a_function_finds_no_package_of_the_test_environment(start: Start) -> None:
    function = start("import pytest\n")

    with pytest.raises(InvocationFailed, match="No module named 'pytest'"):
        function.invoke({})


def test_a_function_sees_only_what_lambda_sets(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TANDEM_TEST_SECRET", "from this machine")
    function = start("import os\ndef handler(event, context): return dict(os.environ)\n")

    seen = function.invoke({})

    assert "TANDEM_TEST_SECRET" not in seen
    assert "HOME" not in seen
    assert seen["AWS_EXECUTION_ENV"] == "AWS_Lambda_python3.13"


def test_an_error_that_the_handler_raises_is_reported_with_its_type(start: Start) -> None:
    function = start("def handler(event, context): raise ValueError('no')\n")

    with pytest.raises(InvocationFailed, match="ValueError: no"):
        function.invoke({})


def test_stopping_leaves_no_process_behind(start: Start) -> None:
    function = start("import os\ndef handler(event, context): return os.getpid()\n")
    pid = function.invoke({})

    function.__exit__(None, None, None)

    assert not Path(f"/proc/{pid}").exists()
