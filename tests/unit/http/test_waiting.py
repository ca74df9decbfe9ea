import asyncio
from typing import Any

import pytest
from fastapi import Request
from hypothesis import given
from hypothesis import strategies as st

from tandem.http.submission import _wait_seconds, applied, wait_of
from tandem.processing import RetryAfter, TaskContext
from tests.factories.echoes import be_echo
from tests.unit.http.conftest import Api

ECHO = {"processor": "echo", "input": {"message": "hello"}}


@pytest.fixture
def working(api: Api, monkeypatch: pytest.MonkeyPatch) -> Api:
    """Return the API beside a worker that takes the queue whenever a caller waits."""
    sleep = asyncio.sleep

    async def work_meanwhile(seconds: float) -> None:
        await asyncio.to_thread(api.work)
        await sleep(min(seconds, 0.01))

    monkeypatch.setattr("tandem.http.submission.asyncio.sleep", work_meanwhile)
    return api


def test_a_caller_that_waits_gets_the_output_of_an_offline_task(working: Api) -> None:
    answer = working("POST", "/process-offline", ECHO, headers={"Prefer": "wait=10"})
    assert answer.status == 200
    assert (answer.json["message"], answer.json["output"]) == ("Processed offline", ECHO["input"])
    assert answer.headers["preference-applied"] == "wait=10"


def test_a_failed_offline_task_is_a_problem_for_the_caller_that_waits(working: Api) -> None:
    body = {"processor": "hash-files", "input": {"uploads": ["none"]}}
    answer = working("POST", "/process-offline", body, headers={"Prefer": "wait=10"})
    assert (answer.status, answer.problem) == (422, "task-failed")


def test_a_task_that_takes_longer_than_the_wait_is_accepted_as_ever(api: Api) -> None:
    answer = api("POST", "/process-offline", ECHO, headers={"Prefer": "wait=0"})
    assert (answer.status, "preference-applied" in answer.headers) == (202, False)
    api.context.remaining_seconds = 3.1
    answer = api("POST", "/process-offline", ECHO, headers={"Prefer": "respond-async, wait=5"})
    assert answer.status == 202
    assert answer.headers["preference-applied"].startswith("wait=0.1")


def test_a_caller_whose_wait_ends_sees_the_task_as_it_is_and_when_it_is_tried_again(
    working: Api,
) -> None:
    def limited(data: Any, ctx: TaskContext) -> Any:
        raise RetryAfter(90)

    be_echo(working.wiring, limited)
    working.context.remaining_seconds = 4
    answer = working("POST", "/process-offline", ECHO, headers={"Prefer": "wait=1"})
    assert (answer.status, answer.headers["retry-after"]) == (202, "90")
    task = answer.json["task"]
    assert (task["state"], task["attempts"]) == ("queued", 1)
    assert task["run_after"] is not None


def test_a_read_of_a_task_waits_for_its_end(working: Api) -> None:
    location = working("POST", "/process-offline", ECHO).headers["location"]
    assert working("GET", location).json["state"] == "queued"
    answer = working("GET", location, headers={"Prefer": "wait=5"})
    assert answer.json["state"] == "succeeded"
    assert answer.headers["preference-applied"] == "wait=5"


@pytest.mark.parametrize(
    "prefer",
    [
        "wait=10",
        "wait=0010",
        'wait="10"',
        'wait="1\\0"',
        "WAIT = 10",
        "wait\t=\t10",
        "wait=10; a=b; c",
        "respond-async, wait=10",
        "respond-async,wait=10,handling=lenient",
        'a="b, wait=5", wait=10',
        'a="b\\", wait=5", wait=10',
        'a; wait=5; b="c, wait=6", wait=10',
        "wait=10, wait=5",
        ", ,, wait=10 ,",
        "(), wait=10",
        '"wait=5", wait=10',
        "a=, wait=10",
    ],
)
def test_a_wait_is_read_as_rfc_7240_writes_it(prefer: str) -> None:
    assert wait_of(prefer) == 10


@pytest.mark.parametrize("digits", [7, 9, 10, 50, 240])
def test_any_number_of_seconds_is_as_many_as_there_may_be(working: Api, digits: int) -> None:
    headers = {"Prefer": f"wait={'9' * digits}"}
    answer = working("POST", "/process-offline", ECHO, headers=headers)
    assert (answer.status, answer.headers["preference-applied"]) == (200, "wait=20")


@pytest.mark.parametrize(
    "prefer",
    [
        "",
        ",",
        "wait=",
        'wait=""',
        "wait=0",
        "wait=000",
        "wait=1.5",
        "wait=+5",
        "wait=1e3",
        "wait=5 6",
        "wait=5x",
        'wait="5',
        "wait='5'",
        "wait==5",
        "=5",
        "a wait=5",
        "a; wait=5",
        'a="wait=5, wait=6"',
        "wait=x, wait=5",
        "wait=\u0665",
        "wait=\u00b2",
        "\x00wait=5",
        'wait="\\',
        '"' * 1024,
        '"\\' * 512,
        "," * 1024,
        "wait=5," + "x" * 1024,
    ],
    ids=lambda prefer: ascii(prefer[:20]),
)
def test_what_is_no_wait_is_passed_over(prefer: str) -> None:
    assert wait_of(prefer) == 0


@given(st.text(st.sampled_from('wait=0123456789",;\\ \t\x00é'), max_size=40))
def test_no_prefer_header_breaks_the_reader(prefer: str) -> None:
    assert 0 <= wait_of(prefer) <= 999_999_999


@pytest.mark.parametrize(
    ("several", "says"),
    [
        (["respond-async", "wait=7"], "wait=7"),
        (["wait=7", "wait=9"], "wait=7"),
        (["handling=strict"], None),
        (["wait=0", "wait=9"], None),
    ],
)
def test_several_prefer_headers_are_one_list(several: list[str], says: str | None) -> None:
    scope = {"type": "http", "headers": [(b"prefer", text.encode()) for text in several]}
    seconds = asyncio.run(_wait_seconds(Request(scope)))
    assert applied(seconds).get("Preference-Applied") == says


@pytest.mark.parametrize("prefer", ["wait", "wait=x", "wait=-1", "waits=5", "handling=strict"])
def test_a_wish_that_is_not_known_is_passed_over(api: Api, prefer: str) -> None:
    answer = api("POST", "/process-offline", ECHO, headers={"Prefer": prefer})
    assert (answer.status, "preference-applied" in answer.headers) == (202, False)


def test_a_task_that_has_not_changed_is_not_sent_again(api: Api) -> None:
    location = api("POST", "/process-offline", ECHO).headers["location"]
    first = api("GET", location)
    etag = first.headers["etag"]
    for named in (etag, f"W/{etag}", f'"other", {etag}', "*"):
        again = api("GET", location, headers={"If-None-Match": named})
        assert (again.status, again.text, again.headers["etag"]) == (304, "", etag)
    api.work()
    changed: Any = api("GET", location, headers={"If-None-Match": etag})
    assert (changed.status, changed.json["state"]) == (200, "succeeded")
    assert changed.headers["etag"] != etag
