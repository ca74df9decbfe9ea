import gc
import os
import random
import sys
import time
import warnings
from contextlib import redirect_stdout
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from threading import Barrier, Thread, current_thread
from typing import Any

import pytest
from botocore.awsrequest import AWSResponse
from botocore.errorfactory import ClientExceptionsFactory
from botocore.exceptions import ClientError

from tandem.aws import clients
from tandem.aws.network_stubbed import _Body
from tandem.processing.surroundings import Surroundings


@dataclass(eq=False)
class Attempt:
    overdue: bool = False


def nothing() -> None:
    pass


def test_a_mates_own_stream_and_filters_stay_until_nothing_else_runs() -> None:
    surroundings = Surroundings()
    own = StringIO()

    def mate() -> Any:
        with redirect_stdout(own), warnings.catch_warnings():
            warnings.simplefilter("error", UserWarning)
            surroundings.run(Attempt(), nothing)
            return sys.stdout, warnings.filters[0][0]

    assert surroundings.run(Attempt(), mate) == (own, "error")
    assert sys.stdout is not own


def test_what_ends_the_last_puts_back_what_another_left() -> None:
    surroundings = Surroundings()
    stdout = sys.stdout

    def leave() -> None:
        sys.stdout = StringIO()

    surroundings.run(Attempt(), lambda: surroundings.run(Attempt(), leave))
    assert sys.stdout is stdout


def test_an_attempt_that_was_left_behind_is_looked_after_by_the_next(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    surroundings = Surroundings()
    surroundings.run(Attempt(overdue=True), lambda: os.chdir("/"))
    assert Path.cwd() == Path("/"), "it may end at any time, and touches nothing then"
    assert surroundings.run(Attempt(), Path.cwd) == tmp_path


def test_what_raises_is_raised_and_its_changes_are_put_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("KEPT", "yes")

    def fail() -> None:
        os.environ.clear()
        raise GeneratorExit

    with pytest.raises(GeneratorExit):
        Surroundings().run(Attempt(), fail)
    assert os.environ["KEPT"] == "yes"


def test_the_runtimes_trace_is_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("_X_AMZN_TRACE_ID", "Root=1")
    surroundings = Surroundings()

    def next_invocation() -> None:
        os.environ["_X_AMZN_TRACE_ID"] = "Root=2"

    surroundings.run(Attempt(), next_invocation)
    assert os.environ["_X_AMZN_TRACE_ID"] == "Root=2"


def test_an_aws_client_is_made_while_the_environment_is_empty(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(clients, "_SET_AT_START", {"AWS_DEFAULT_REGION": "eu-north-1"})
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "x")
    del os.environ["AWS_DEFAULT_REGION"]
    clients._session.cache_clear()
    client = clients._OnFirstUse("sns", {}).made()
    clients._session.cache_clear()
    assert client.meta.region_name == "eu-north-1"


def test_threads_that_meet_their_first_error_at_once_all_catch_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    make: Any = ClientExceptionsFactory._create_client_exceptions

    def slowly(factory: ClientExceptionsFactory, model: object) -> object:
        classes = make(factory, model)
        time.sleep(0.1 if current_thread() is looking else 0.4)
        return classes

    def refuse(request: Any, **_: Any) -> AWSResponse:
        document = b'{"__type": "com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException"}'
        body: Any = _Body(document)
        return AWSResponse(request.url, 400, {}, body)

    def put_at_once() -> None:
        together.wait()
        with pytest.raises(ClientError):
            client.put_item(TableName="tasks", Item={"pk": {"S": "1"}})

    def look() -> None:
        together.wait()
        known.append(client.exceptions.ConditionalCheckFailedException)

    monkeypatch.setattr(ClientExceptionsFactory, "_create_client_exceptions", slowly)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-north-1")
    clients._session.cache_clear()
    client: Any = clients._OnFirstUse("dynamodb", {})
    client.meta.events.register("before-send", refuse)
    known: list[Any] = []
    together = Barrier(2)
    looking, putting = Thread(target=look), Thread(target=put_at_once)
    for thread in (looking, putting):
        thread.start()
    for thread in (looking, putting):
        thread.join()
    with pytest.raises(known[0]):
        client.put_item(TableName="tasks", Item={"pk": {"S": "1"}})
    clients._session.cache_clear()


def test_a_trivial_task_costs_next_to_nothing() -> None:
    surroundings, attempt, calls = Surroundings("tandem", "processors"), Attempt(), 500
    gc.disable()
    try:
        least = min(_seconds(surroundings, attempt, calls) for _ in range(10))
    finally:
        gc.enable()
    # Measured: 8 to 14 microseconds. The bound allows for a machine that is busy.
    assert least / calls < 100e-6


def _seconds(surroundings: Surroundings, attempt: Attempt, calls: int) -> float:
    began = time.process_time()
    for _ in range(calls):
        surroundings.run(attempt, nothing)
    return time.process_time() - began


def test_the_generator_of_random_is_not_put_back_and_says_so_in_the_docs() -> None:
    state = random.getstate()
    try:
        Surroundings().run(Attempt(), lambda: random.seed(1))
        assert random.getstate() == random.Random(1).getstate()  # noqa: S311
    finally:
        random.setstate(state)
    docs = Path(__file__).parents[3] / "docs" / "how-to" / "write-a-processor.md"
    assert "the default generator of `random`" in docs.read_text()
