"""The table after a soak through faults, and what must hold of the counts in each task."""

from dataclasses import dataclass, field

from tandem.tasks.execute import NOT_HELD
from tandem.tasks.online import OUT_OF_BUDGET
from tandem.tasks.outcomes import TIMED_OUT
from tandem.tasks.task import HISTORY_RECORDS, State, Task
from tandem.worker.deliver import OUT_OF_TIME
from tandem_tools.bench.soak_audit import Audit, stored_tasks
from tandem_tools.harness.stack import DeployedApp

CRASHED = "Crashed"
ATTEMPTS = 5
"""Of both processors."""
_FREE = {OUT_OF_TIME.type, OUT_OF_BUDGET.type, NOT_HELD.type}
"""Errors of attempts that were handed back at no cost."""


@dataclass(slots=True)
class Stored:
    """The table's tasks, by what the audit asks for."""

    tasks: dict[str, Task]
    again: dict[str, list[Task]] = field(default_factory=dict)
    """By the task that they do again."""
    in_view: set[str] = field(default_factory=set)
    """The keys of index by_view: the failed tasks that are listed."""

    @staticmethod
    def of(app: DeployedApp) -> "Stored":
        """Return what the table holds."""
        stored = Stored({task.task_id: task for task in stored_tasks(app)})
        for task in stored.tasks.values():
            if task.retry_of is not None:
                stored.again.setdefault(task.retry_of, []).append(task)
        pages = app.aws.dynamodb.get_paginator("scan").paginate(
            TableName=app.description.table, IndexName="by_view"
        )
        keys = [item["pk"]["S"] for page in pages for item in page["Items"]]
        stored.in_view = {key.removeprefix("task#") for key in keys}
        return stored

    def origin(self, task: Task) -> str:
        """Return the first task of a chain, as `retry_of` links it."""
        while task.retry_of is not None and task.retry_of in self.tasks:
            task = self.tasks[task.retry_of]
        return task.task_id


def counts_of_attempts(found: Audit, task: Task) -> None:
    """Require that attempts, crashes and what they cost fit the history of a task."""
    name = f"{task.task_id}: {task.attempts} attempts of {task.max_attempts}"
    kept = min(task.attempts, HISTORY_RECORDS)
    found.require(len(task.history) == kept, f"{name}, {len(task.history)} in its history")
    found.require(task.attempts <= task.max_attempts, name)
    found.require(
        task.max_attempts - task.uncounted == ATTEMPTS, f"{name}, {task.uncounted} uncounted"
    )
    if task.attempts > HISTORY_RECORDS:
        return
    errors = [record.error.type for record in task.history if record.error is not None]
    crashes = errors.count(CRASHED)
    # One that a neighbour crowded out counts as a crash, too.
    crowded_out = errors.count(TIMED_OUT)
    # What would have handed back the last attempt of a task that was cancelled ended it.
    of_end = task.history[-1:] if task.state is State.CANCELLED else ()
    ended_by = sum(record.error is not None and record.error.type in _FREE for record in of_end)
    handed_back = sum(error in _FREE for error in errors) - ended_by
    free = task.uncounted - handed_back
    by_crash = task.state is State.CANCELLED and task.history and errors[-1:] == [CRASHED]
    found.require(
        crashes - bool(by_crash) <= task.crashes <= crashes + crowded_out,
        f"{name}, {task.crashes} crashes, {crashes} in its history",
    )
    found.require(
        0 <= free <= min(task.crashes, task.max_crashes), f"{name}, {free} crashes at no cost"
    )
    alone = task.crashes > free or task.crashes >= task.max_crashes > 0
    found.require(task.alone == alone, f"{name}, {task.crashes} crashes, alone: {task.alone}")
