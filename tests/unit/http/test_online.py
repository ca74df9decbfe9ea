"""What `POST /process-online` does with a processor of each mode, and when a process dies."""

import asyncio
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from tandem.http.app import create_app
from tandem.http.lambda_handler import LambdaHandler
from tandem.http.submission import union_over
from tandem.lambda_events import http_event
from tandem.processing import Permanent, Retry, RetryAfter, TaskContext
from tandem.processing.catalogue import Catalogue
from tandem.processing.processor import OnlineMode
from tandem.tasks.task import Mode, State
from tandem.testing import FakeClock
from tests.factories.echoes import ECHO, be_echo
from tests.factories.faults import Fault, FaultyWiring
from tests.unit.http.conftest import Answer, Api

KEY = {"Idempotency-Key": "order-4711"}


@pytest.fixture
def waiting(api: Api, monkeypatch: pytest.MonkeyPatch) -> Api:
    """Return the API with `echo` run by a worker, which takes the queue whenever a caller waits."""
    be_echo(api.wiring, online="wait", retry=Retry(attempts=2, min_backoff_seconds=0))
    sleep = asyncio.sleep

    async def work_meanwhile(seconds: float) -> None:
        await asyncio.to_thread(api.work)
        await sleep(min(seconds, 0.01))

    monkeypatch.setattr("tandem.http.submission.asyncio.sleep", work_meanwhile)
    return api


def online(api: Api, **options: Any) -> Answer:
    return api("POST", "/process-online", ECHO, **options)


def refuse(data: Any, ctx: TaskContext) -> Any:
    raise Permanent("no such column")


def break_down(data: Any, ctx: TaskContext) -> Any:
    raise ValueError("SECRET")


def die(api: Api, **headers: str) -> None:
    """Send a request whose process dies while its processor runs."""
    fault = Fault(before="store.change")
    handler = LambdaHandler(create_app(FaultyWiring(api.wiring, fault)))
    event = http_event("POST", "/process-online", ECHO, headers=headers)
    handler(event, api.context)  # type: ignore[arg-type]  # nobody reads what it answers
    handler.stop()
    assert fault.stopped


def only_task(api: Api) -> Any:
    (task,) = api.wiring.store.tasks.values()
    return task


def pass_time(api: Api, seconds: float) -> None:
    clock = api.wiring.clock
    assert isinstance(clock, FakeClock)
    clock.advance(seconds)


def test_a_task_past_the_budget_goes_on_offline_and_counts_as_no_retry(api: Api) -> None:
    api.context.remaining_seconds = 3.0
    answer = online(api)
    assert (answer.status, answer.json["task"]["state"]) == (202, "queued")
    api.work()
    task = api("GET", answer.headers["location"]).json
    assert (task["state"], task["mode"], task["attempts"]) == ("succeeded", "online", 2)
    assert [record["number"] for record in task["history"]] == [1, 2]
    assert task["history"][0]["error"]["type"] == "OutOfBudget"
    recorded = only_task(api)
    assert (recorded.uncounted, recorded.attempts - 1 - recorded.uncounted) == (1, 0)


def test_after_its_process_died_a_task_is_started_again_by_the_worker(api: Api) -> None:
    die(api)
    task = only_task(api)
    assert (task.state, task.mode, task.attempts) == (State.RUNNING, Mode.ONLINE, 1)
    pass_time(api, 40)
    api.wiring.sweep.run()
    api.work()
    task = api("GET", f"/tasks/{task.task_id}").json
    assert (task["state"], task["attempts"]) == ("succeeded", 2)
    assert task["history"][0]["error"]["type"] == "Crashed"
    assert only_task(api).uncounted == 0, "the lost attempt counts"


def test_a_task_of_one_attempt_fails_with_its_process_and_is_listed(api: Api) -> None:
    be_echo(api.wiring, retry=Retry(attempts=1))
    die(api, **KEY)
    pass_time(api, 40)
    api.wiring.sweep.run()
    task = only_task(api)
    assert (task.state, task.error and task.error.type) == (State.FAILED, "Crashed")
    (listed,) = api.wiring.store.failed(limit=10).tasks
    assert listed.task_id == task.task_id
    answer = online(api, headers=KEY)
    assert (answer.status, answer.problem) == (500, "task-failed")
    assert answer.json["detail"].startswith("Crashed: ")
    assert answer.headers["idempotency-replayed"] == "true"


def test_a_key_whose_process_died_is_in_flight_as_long_as_the_lease_lasts(api: Api) -> None:
    die(api, **KEY)
    task = only_task(api)
    assert task.lease_until is not None
    left = (task.lease_until - api.wiring.clock.now()).total_seconds()
    pass_time(api, left - 0.001)
    answer = online(api, headers=KEY)
    assert (answer.status, answer.problem) == (409, "idempotency-key-in-flight")
    assert answer.json["task_id"] == task.task_id
    pass_time(api, 0.001)
    answer = online(api, headers=KEY)
    assert (answer.status, answer.json["task_id"]) == (202, task.task_id)
    assert answer.headers["idempotency-replayed"] == "true"
    assert answer.headers["location"] == f"/tasks/{task.task_id}"


def test_a_key_whose_process_died_gives_the_tasks_answer_in_the_end(api: Api) -> None:
    die(api, **KEY)
    pass_time(api, 40)
    api.wiring.sweep.run()
    assert online(api, headers=KEY).json["task"]["state"] == "queued"
    api.work()
    answer = online(api, headers=KEY)
    assert (answer.status, answer.json["output"]) == (200, ECHO["input"])
    assert answer.headers["idempotency-replayed"] == "true"
    assert len(api.wiring.store.tasks) == 1


def test_only_the_worker_runs_a_task_that_is_waited_for(waiting: Api) -> None:
    threads: list[str] = []

    def run(data: Any, ctx: TaskContext) -> Any:
        threads.append(threading.current_thread().name)
        assert only_task(waiting).mode is Mode.ONLINE
        return data

    be_echo(waiting.wiring, run, online="wait")
    answer = online(waiting)
    assert answer.status == 200
    assert (answer.json["message"], answer.json["output"]) == ("Processed online", ECHO["input"])
    assert answer.headers["location"] == f"/tasks/{answer.json['task_id']}"
    assert len(threads) == 1
    task = only_task(waiting)
    assert (task.state, task.mode, task.attempts) == (State.SUCCEEDED, Mode.ONLINE, 1)


def test_a_task_that_is_waited_for_goes_on_when_the_budget_is_over(api: Api) -> None:
    be_echo(api.wiring, online="wait")
    api.context.remaining_seconds = 3.0
    answer = online(api)
    assert (answer.status, answer.json["message"]) == (202, "Task continues offline")
    assert (answer.json["task"]["state"], answer.json["task"]["attempts"]) == ("queued", 0)
    assert answer.headers["location"] == f"/tasks/{answer.json['task_id']}"
    assert len(api.wiring.queue.messages) == 1
    api.work()
    assert api("GET", answer.headers["location"]).json["state"] == "succeeded"


@pytest.mark.parametrize(("run", "status"), [(refuse, 422), (break_down, 500)])
def test_a_task_that_is_waited_for_fails_as_any(
    waiting: Api, run: Callable[..., Any], status: int
) -> None:
    be_echo(waiting.wiring, run)
    first, second = online(waiting, headers=KEY), online(waiting, headers=KEY)
    assert (first.status, first.problem) == (second.status, second.problem)
    assert (first.status, first.problem) == (status, "task-failed")
    assert first.json["task_id"] == second.json["task_id"]
    assert "idempotency-replayed" not in first.headers
    assert second.headers["idempotency-replayed"] == "true"


def test_a_key_waits_again_for_a_task_that_only_the_worker_runs(waiting: Api) -> None:
    waiting.context.remaining_seconds = 3.0
    first = online(waiting, headers=KEY)
    assert first.status == 202
    waiting.context.remaining_seconds = 29
    second = online(waiting, headers=KEY)
    assert (second.status, second.json["task_id"]) == (200, first.json["task_id"])
    assert second.headers["idempotency-replayed"] == "true"
    assert len(waiting.wiring.store.tasks) == 1


def test_a_key_of_a_task_that_the_worker_runs_now_is_its_place(api: Api) -> None:
    be_echo(api.wiring, online="wait")
    api.context.remaining_seconds = 3.0
    first = online(api, headers=KEY)
    until = api.wiring.clock.now() + timedelta(minutes=1)
    api.wiring.execution.claim(first.json["task_id"], until=until)
    second = online(api, headers=KEY)
    assert (second.status, second.json["task"]["state"]) == (202, "running")
    assert second.headers["idempotency-replayed"] == "true"


def test_a_processor_that_is_never_online_names_the_other_path(api: Api) -> None:
    be_echo(api.wiring, online="never")
    answer = online(api)
    assert (answer.status, answer.problem) == (422, "invalid-request")
    (part,) = answer.json["errors"]
    assert part["pointer"] == "/body/processor"
    assert "/process-offline" in part["detail"]
    assert api.wiring.store.tasks == {}


@pytest.mark.parametrize("mode", ["promote", "wait", "never"])
def test_the_offline_paths_take_every_processor(api: Api, mode: str) -> None:
    be_echo(api.wiring, online=mode)
    first = api("POST", "/process-offline", ECHO)
    batch = api("POST", "/process-offline/batch", {"tasks": [ECHO]})
    assert (first.status, batch.status) == (202, 202)
    api.work()
    tasks = api.wiring.store.tasks.values()
    assert {(task.state, task.mode) for task in tasks} == {(State.SUCCEEDED, Mode.OFFLINE)}


@pytest.mark.parametrize("mode", ["promote", "wait", "never"])
def test_the_catalogue_says_what_a_processor_does_online(api: Api, mode: str) -> None:
    be_echo(api.wiring, online=mode)
    shown = {one["name"]: one["online"] for one in api("GET", "/processors").json["processors"]}
    assert shown["echo"] == mode


@pytest.mark.parametrize(
    ("mode", "said"),
    [("promote", None), ("wait", "while the worker runs it"), ("never", "runs offline only")],
)
def test_the_document_says_what_a_processor_does_online(
    api: Api, mode: OnlineMode, said: str | None
) -> None:
    echo = replace(api.wiring.catalogue["echo"], online=mode)
    description = union_over(Catalogue([echo])).model_json_schema()["description"]
    summary, _, rest = description.partition("\n\n")
    assert summary == echo.summary
    assert said in rest if said else not rest


def test_a_task_whose_end_cannot_be_recorded_is_accepted_and_found_again(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: Any) -> Any:
        raise ConnectionError("SECRET")

    with monkeypatch.context() as broken:
        broken.setattr(api.wiring.store, "change", away)
        answer = online(api, headers=KEY)
    assert (answer.status, answer.json["task"]["state"]) == (202, "running")
    pass_time(api, 40)
    api.wiring.sweep.run()
    api.work()
    assert online(api, headers=KEY).status == 200


def test_a_task_that_is_stopped_when_the_budget_is_over_is_no_task_that_goes_on(api: Api) -> None:
    def cancelled(data: Any, ctx: TaskContext) -> Any:
        api.wiring.tasks.cancel(only_task(api).tenant, only_task(api).task_id)
        pass_time(api, 60)
        ctx.check_cancelled()
        return data

    be_echo(api.wiring, cancelled, time_limit_seconds=60)
    first, second = online(api, headers=KEY), online(api, headers=KEY)
    assert only_task(api).state is State.CANCELLED
    assert (first.status, first.problem) == (second.status, second.problem)
    assert (first.status, first.problem) == (409, "task-cancelled")
    assert second.headers["idempotency-replayed"] == "true"


def test_a_task_that_ended_elsewhere_meanwhile_answers_with_that_end(api: Api) -> None:
    def overtaken(data: Any, ctx: TaskContext) -> Any:
        task = only_task(api)
        ended = replace(task, state=State.SUCCEEDED, attempts=2, lease_until=None)
        api.wiring.store.tasks[task.task_id] = replace(ended, output=task.input)
        return data

    be_echo(api.wiring, overtaken)
    answer = online(api)
    assert (answer.status, answer.json["output"]) == (200, ECHO["input"])


def limited(wait: Any) -> Callable[[Any, TaskContext], Any]:
    def run(data: Any, ctx: TaskContext) -> Any:
        if ctx.attempt == 1:
            raise RetryAfter(wait, "the service takes no more this hour")
        return data

    return run


@pytest.mark.parametrize(
    ("wait", "asking"), [(0.2, "1"), (90, "90"), (timedelta(hours=1), "3600"), (-5, "1")]
)
def test_a_processor_that_says_when_to_try_again_sends_its_caller_offline(
    api: Api, wait: Any, asking: str
) -> None:
    be_echo(api.wiring, limited(wait))
    answer = online(api, headers=KEY)
    assert (answer.status, answer.headers["retry-after"]) == (202, asking)
    task = answer.json["task"]
    assert (task["state"], task["attempts"]) == ("queued", 1)
    assert task["error"] == {
        "type": "RetryAfter",
        "message": "the service takes no more this hour",
        "permanent": False,
    }
    result = api("GET", f"/tasks/{task['task_id']}/result")
    assert (result.status, result.headers["retry-after"]) == (409, asking)
    again = online(api, headers=KEY)
    assert (again.status, again.headers["retry-after"]) == (202, asking)
    assert again.headers["idempotency-replayed"] == "true"
    pass_time(api, float(asking))
    api.wiring.sweep.run()
    api.work()
    ended = online(api, headers=KEY)
    assert (ended.status, ended.json["output"]) == (200, ECHO["input"])
    assert only_task(api).attempts == 2


def test_a_caller_who_waits_for_the_worker_is_told_when_the_next_attempt_comes(
    waiting: Api,
) -> None:
    be_echo(waiting.wiring, limited(90), online="wait", retry=Retry(attempts=2))
    waiting.context.remaining_seconds = 3.5
    answer = online(waiting)
    assert (answer.status, answer.headers["retry-after"]) == (202, "90")
    assert answer.json["task"]["run_after"] is not None


def test_without_another_attempt_it_fails_the_task(api: Api) -> None:
    be_echo(api.wiring, limited(90), retry=Retry(attempts=1))
    answer = online(api)
    assert (answer.status, answer.problem) == (500, "task-failed")


def test_an_error_that_is_not_retried_is_the_processors_fault(api: Api) -> None:
    be_echo(api.wiring, break_down, retry=Retry(retry_on=(ConnectionError,)))
    answer = online(api)
    assert (answer.status, answer.problem) == (500, "task-failed")
    assert only_task(api).error.permanent


def test_an_error_that_has_the_name_of_a_time_out_is_none(api: Api) -> None:
    named = type("TimedOut", (Exception,), {})

    def run(data: Any, ctx: TaskContext) -> Any:
        raise named

    be_echo(api.wiring, run, time_limit_seconds=100)
    assert online(api).status == 500
    assert only_task(api).state is State.FAILED
