"""Doubles of callbacks: their store and their sender."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from tandem.callbacks.callback import Callback, CallbackState, WaitingCallback
from tandem.callbacks.ports import Answered
from tandem.callbacks.url import CallbackUrl
from tandem.ids import TaskId
from tandem.tasks.store import TaskPage
from tandem.tasks.task import Task
from tandem.testing.store import MemoryTaskStore


class MemoryCallbackStore:
    """Keeps callbacks with the tasks of a store in memory."""

    def __init__(self, tasks: MemoryTaskStore) -> None:
        self._tasks = tasks
        self._handed_over: set[TaskId] = set()

    @property
    def shards(self) -> int:
        """One."""
        return 1

    def waiting(self, shard: int, before: datetime, *, limit: int) -> list[WaitingCallback]:
        """Return up to `limit` callbacks that the queue was not given, oldest first."""
        del shard
        ended = [
            (task.finished_at, task)
            for task in list(self._tasks.tasks.values())
            if task.callback is not None
            and task.task_id not in self._handed_over
            and task.finished_at is not None
            and task.finished_at < before
        ]
        return [
            WaitingCallback(task_id=task.task_id, tenant=task.tenant, traceparent=task.traceparent)
            for _, task in sorted(ended, key=lambda one: one[0])[:limit]
        ]

    def handed_over(self, task_id: TaskId) -> None:
        """Record that the queue has a task's callback: it waits no more."""
        self._handed_over.add(task_id)

    def record(self, task_id: TaskId, callback: Callback, *, seen: Callback) -> Callback | None:
        """Record how far a final task's callback is, and return it as it then is."""

        def recorded(task: Task) -> Task:
            if task.callback is None or not task.callback.may_become(callback, seen=seen):
                return task
            self._handed_over.add(task_id)
            return replace(task, callback=callback)

        task = self._tasks.rewrite(task_id, recorded)
        return task.callback if task else None

    def reopen(self, task_id: TaskId, callback: Callback) -> bool:
        """Let a callback that was given up wait for the queue again. Return whether it was."""

        def reopened(task: Task) -> Task:
            if task.callback is None or task.callback.state is not CallbackState.FAILED:
                return task
            self._handed_over.discard(task_id)
            return replace(task, callback=callback)

        task = self._tasks.rewrite(task_id, reopened)
        kept = task.callback if task else None
        return kept is not None and kept.write_id == callback.write_id

    def given_up(self, *, limit: int, cursor: str | None = None) -> TaskPage:
        """Return up to `limit` tasks whose callbacks were given up, the oldest end first."""
        return self._tasks.oldest_first(_ended_unheard, limit, cursor)


def _ended_unheard(task: Task) -> datetime | None:
    given_up = task.callback is not None and task.callback.state is CallbackState.FAILED
    return task.finished_at if given_up else None


@dataclass(frozen=True, slots=True)
class Post:
    """A POST that a receiver got."""

    url: CallbackUrl
    body: bytes
    headers: Mapping[str, str]


class MemorySender:
    """Keeps what is sent. Answers in turn as a test says, and 204 when that is used up.

    Example:
        sender.answers = [Answered(503), Unreachable("no answer"), Answered(204)]
    """

    def __init__(self) -> None:
        self.posts: list[Post] = []
        self.answers: list[Answered | Exception] = []

    def post(self, url: CallbackUrl, body: bytes, headers: Mapping[str, str]) -> Answered:
        """Keep the POST, and answer or raise what comes next."""
        self.posts.append(Post(url, body, headers))
        answer = self.answers.pop(0) if self.answers else Answered(204)
        if isinstance(answer, Exception):
            raise answer
        return answer
