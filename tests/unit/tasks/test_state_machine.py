"""Whatever happens in whatever order, a task ends once, and nothing is lost."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from typing import Any

import boto3
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    invariant,
    multiple,
    precondition,
    rule,
)
from moto import mock_aws

from tandem.aws.dynamodb_reports import DynamoDBReportStore
from tandem.aws.dynamodb_tasks import DynamoDBTaskStore
from tandem.aws.readers import from_item
from tandem.ids import TaskId
from tandem.processing import Permanent, RetryAfter, TaskContext
from tandem.tasks.actions import AlreadyFinished, NotFinished
from tandem.tasks.attempt import Attempt
from tandem.tasks.store import ChangeRefused
from tandem.tasks.task import HISTORY_RECORDS, State, Task
from tandem.testing import FakeClock, MemoryWiring, Message
from tandem.worker.deliver import read_task_id
from tandem_tools.harness.tasks import ACME
from tests.factories.deliveries import deliver
from tests.factories.processors import Number, make_wiring, new_work
from tests.factories.template import table_schema

GOOD, TRANSIENT, REFUSED, LIMITED, LIMITED_FOR_LONG = range(5)


class LossyStore:
    """A task store whose next write is made twice, with something else in between."""

    def __init__(self, store: Any) -> None:
        self._store = store
        self.between: Callable[[], Any] | None = None

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._store, name)
        if name not in ("put", "change", "claim_key"):
            return value

        def write(*arguments: Any, **options: Any) -> Any:
            between, self.between = self.between, None
            answer = value(*arguments, **options)
            if between is None:
                return answer
            between()
            return value(*arguments, **options)

        return write


class Lifecycle(RuleBasedStateMachine):
    """Drives tasks as callers, the queue, the workers, crashes and the clock do."""

    tasks = Bundle("tasks")
    attempts = Bundle("attempts")

    def __init__(self) -> None:
        super().__init__()
        self.wiring = self.make()
        self.lossy = LossyStore(self.wiring.store)
        store: Any = self.lossy
        self.wiring.store = store
        assert isinstance(self.wiring.clock, FakeClock)
        self.clock = self.wiring.clock
        self.final: dict[TaskId, Task] = {}
        self.went_back = 0
        self.report()

    def make(self) -> MemoryWiring:
        return make_wiring(self.process)

    def all_tasks(self) -> list[Task]:
        return list(self.wiring.store.tasks.values())

    def task(self, task_id: TaskId) -> Task:
        task = self.wiring.store.get(task_id)
        assert task is not None
        return task

    def process(self, data: Number, ctx: TaskContext) -> Number:
        if data.value == TRANSIENT and ctx.attempt < 3:
            raise ConnectionError
        if data.value == REFUSED:
            raise Permanent("no")
        if data.value in (LIMITED, LIMITED_FOR_LONG) and ctx.attempt < 3:
            raise RetryAfter(60 if data.value == LIMITED else 7200)
        return data

    @rule(target=tasks, kind=st.integers(0, 4), delay=st.sampled_from([0, 60, 7200]))
    def submit(self, kind: int, delay: int) -> TaskId:
        run_after = self.clock.now() + timedelta(seconds=delay)
        document = b'{"value":%d}' % kind
        new = new_work(self.wiring, document, run_after=run_after)
        return self.wiring.submissions.offline(new).task_id

    @rule(target=tasks)
    def submit_and_stop_before_sending(self) -> TaskId:
        task = self.wiring.submissions._record(new_work(self.wiring, b'{"value":0}'))
        return task.task_id

    @rule()
    def deliver(self) -> None:
        for message in self.wiring.queue.receive():
            deliver(self.wiring, message)

    @rule(in_company=st.booleans())
    def deliver_to_a_worker_that_dies(self, *, in_company: bool) -> None:
        for message in self.wiring.queue.receive():
            self.claim_for_nothing(message, in_company=in_company)

    def claim_for_nothing(self, message: Message, *, in_company: bool) -> None:
        task_id = read_task_id(message.body)
        assert task_id is not None
        with suppress(ChangeRefused):
            self.wiring.execution.claim(
                task_id,
                until=self.clock.now() + timedelta(seconds=100),
                alone=not in_company,
                in_company=in_company,
            )

    @rule(between=st.sampled_from(["nothing", "cancel", "sweep", "deliver"]))
    def lose_the_answer_of_the_next_write(self, between: str) -> None:
        """Let the next write be made twice, as an SDK does that got no answer to the first."""
        self.lossy.between = {
            "nothing": lambda: None,
            "cancel": self.cancel_all,
            "sweep": self.sweep,
            "deliver": self.deliver,
        }[between]

    def cancel_all(self) -> None:
        for task in self.all_tasks():
            if not task.state.final:
                with suppress(AlreadyFinished):
                    self.wiring.tasks.cancel(ACME, task.task_id)

    @rule(task_id=tasks)
    def duplicate(self, task_id: TaskId) -> None:
        self.wiring.dispatch.send(self.task(task_id))

    @rule()
    def lose_a_message(self) -> None:
        if self.wiring.queue.messages:
            self.wiring.queue.messages.popitem()

    @rule(target=attempts, task_id=tasks)
    def start_and_stand_still(self, task_id: TaskId) -> object:
        """Claim a task as a worker does that is then not heard of for a while."""
        until = self.clock.now() + timedelta(seconds=100)
        try:
            return self.wiring.execution.claim(task_id, until=until, in_company=True)
        except ChangeRefused:
            return multiple()

    @rule(attempt=consumes(attempts))
    def a_worker_that_stood_still_goes_on(self, attempt: Attempt) -> None:
        try:
            self.wiring.settlement.settle(attempt, self.wiring.execution.run(attempt))
        except ChangeRefused:
            return

    @rule(task_id=tasks)
    def cancel(self, task_id: TaskId) -> None:
        try:
            self.wiring.tasks.cancel(ACME, task_id)
        except AlreadyFinished:
            return

    @rule(target=tasks, task_id=tasks)
    def retry(self, task_id: TaskId) -> object:
        task = self.task(task_id)
        try:
            return self.wiring.tasks.again(task, traceparent="00-1").task_id
        except NotFinished:
            return multiple()

    @rule()
    def sweep(self) -> None:
        self.wiring.sweep.run()

    @rule()
    def report(self) -> None:
        list(self.wiring.reports.close_due())

    @rule(seconds=st.sampled_from([1, 20, 40, 800, 4000]))
    def wait(self, seconds: int) -> None:
        self.clock.advance(seconds)

    @precondition(lambda self: self.went_back < 60)
    @rule(seconds=st.sampled_from([1, 5]))
    def the_clock_goes_back(self, seconds: int) -> None:
        self.went_back += seconds
        self.clock.advance(-seconds)

    @invariant()
    def a_final_task_never_changes(self) -> None:
        for task_id, task in self.final.items():
            now = self.task(task_id)
            assert replace(now, listed_at=None, retried_as=None) == replace(
                task, listed_at=None, retried_as=None
            )
            assert now.retried_as == task.retried_as or task.retried_as is None
        for task in self.all_tasks():
            if task.state.final:
                self.final.setdefault(task.task_id, task)

    @invariant()
    def a_task_in_flight_is_due_one_day_and_a_final_one_never(self) -> None:
        for task in self.all_tasks():
            assert (task.due_at is None) == task.state.final
            assert (task.finished_at is not None) == task.state.final

    @invariant()
    def attempts_are_counted_as_they_were_made(self) -> None:
        for task in self.all_tasks():
            numbers = [record.number for record in task.attempt_records]
            latest = range(1, task.attempts + 1)[-HISTORY_RECORDS:]
            assert numbers[-HISTORY_RECORDS:] == list(latest)
            assert task.attempts <= task.max_attempts == 3 + task.uncounted

    @invariant()
    def a_retry_waits_for_as_long_as_its_processor_asked(self) -> None:
        for task in self.all_tasks():
            if task.error is None or task.error.type != "RetryAfter" or task.not_before is None:
                continue
            ended_at = task.history[-1].ended_at
            assert ended_at is not None
            if task.history[-1].error is not None and task.history[-1].error.type == "RetryAfter":
                asked = 60 if "in 60 s" in task.error.message else 7200
                assert task.not_before - ended_at == timedelta(seconds=asked)
                assert (task.due_at == task.not_before) <= (asked == 7200)

    @invariant()
    def a_failed_task_waits_on_the_list_until_it_is_done_again(self) -> None:
        for task in self.all_tasks():
            failed = task.state is State.FAILED
            assert (task.listed_at is not None) == (failed and task.retried_as is None)

    @invariant()
    def only_the_latest_attempt_ends_a_task(self) -> None:
        for task in self.all_tasks():
            if task.state is State.SUCCEEDED:
                assert task.history[-1].ended_at == task.finished_at
                assert task.history[-1].number == task.attempts

    def teardown(self) -> None:
        """Let time pass, with a worker and a schedule that live: everything ends."""
        for _ in range(400):
            if all(task.state.final for task in self.all_tasks()):
                break
            self.sweep()
            self.deliver()
            self.clock.advance(600)
        unfinished = [task for task in self.all_tasks() if not task.state.final]
        assert unfinished == []
        self.a_final_task_never_changes()
        self.clock.advance(120)
        while list(self.wiring.reports.close_due()):
            pass
        totals = self.wiring.report_store.totals()
        assert totals is not None
        counted = sum(count.tasks for count in totals.counts.values())
        assert counted == len(self.all_tasks())


class LifecycleOnMoto(Lifecycle):
    """The same over the adapters on DynamoDB, as moto plays it."""

    def make(self) -> MemoryWiring:
        self.aws = mock_aws()
        self.aws.start()
        session = boto3.Session("testing", "testing", region_name="us-east-1")
        self.client = session.client("dynamodb")
        self.client.create_table(TableName="tasks", **table_schema())
        wiring = make_wiring(self.process)
        store: Any = DynamoDBTaskStore(self.client, "tasks", shards=2)
        wiring.store = store
        reports: Any = DynamoDBReportStore(self.client, "tasks", shards=2)
        wiring.report_store = reports
        return wiring

    def all_tasks(self) -> list[Task]:
        pages = self.client.get_paginator("scan").paginate(TableName="tasks")
        items = [item for page in pages for item in page["Items"]]
        return [from_item(item) for item in items if item["pk"]["S"].startswith("task#")]

    def teardown(self) -> None:
        try:
            super().teardown()
        finally:
            self.aws.stop()


TestLifecycle = Lifecycle.TestCase
TestLifecycle.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
TestLifecycleOnMoto = LifecycleOnMoto.TestCase
TestLifecycleOnMoto.settings = settings(max_examples=5, stateful_step_count=12, deadline=None)
