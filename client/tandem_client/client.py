"""The client that programs use."""

import time
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from http import HTTPStatus
from math import ceil
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx2
from pydantic import BaseModel

from tandem_client.connection import Connection, parsed
from tandem_client.models import (
    Accepted,
    BatchAnswer,
    ProcessedOnline,
    ReportView,
    State,
    TaskDetail,
    TaskView,
)
from tandem_client.operations import Operations
from tandem_client.paths import task_path
from tandem_client.submission import Submission
from tandem_client.uploads import described, send_file

FINAL_STATES = frozenset({State.succeeded, State.failed, State.cancelled})
_LONGEST_WAIT_SECONDS = 20.0
_PAUSE_SECONDS = 1.0


class Tandem(Operations):
    """A Tandem API, for one caller.

    What is safe to repeat is tried again when the network or the API has a bad moment. Every POST
    that makes something carries an idempotency key, so that it is made once.

    Example:
        auth = ClientCredentials(token_url, client_id, client_secret)
        with Tandem("https://api.example.com", auth) as tandem:
            task = tandem.submit("echo", {"message": "hello"})
            tandem.wait_for(task.task_id)
            print(tandem.result(task.task_id))
    """

    def __init__(
        self, url: str, auth: httpx2.Auth, *, timeout_seconds: float = 35, attempts: int = 4
    ) -> None:
        """Prepare. Nothing is sent yet.

        Args:
            url: where the API is.
            auth: where its tokens come from: `ClientCredentials` or `StaticToken`.
            timeout_seconds: how long an answer may take. The API itself takes 30 s at most.
            attempts: how often a request that is safe to repeat is tried.
        """
        self._connection = Connection(url, auth, timeout_seconds=timeout_seconds, attempts=attempts)
        super().__init__(self._connection)

    def __enter__(self) -> Self:
        """Return the client."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the client."""
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._connection.close()

    def submit(
        self,
        processor: str,
        data: Mapping[str, Any] | BaseModel,
        *,
        wait: float | None = None,
        idempotency_key: str | None = None,
        run_after: datetime | None = None,
        callback_url: str | None = None,
        fresh: bool = False,
    ) -> Accepted | ProcessedOnline:
        """Queue a task and return its id. With `wait`, its output when it ends in that time.

        Args:
            processor: the name of what does the work.
            data: its input.
            wait: how many seconds to wait for its end. The API grants up to 20.
            idempotency_key: the same key with the same input gives the same task, for 24 hours.
            run_after: not before this time, up to 5 days ahead.
            callback_url: where a signed POST says that the task has ended.
            fresh: do not answer from a kept result.
        """
        return self.process_offline(
            Submission(processor, data, run_after, callback_url),
            wait_seconds=wait,
            idempotency_key=idempotency_key,
            fresh=fresh,
        )

    def submit_many(
        self, submissions: Iterable[Submission], *, idempotency_key: str | None = None
    ) -> BatchAnswer:
        """Queue up to 1,000 tasks in one call."""
        return self.process_offline_batch(submissions, idempotency_key=idempotency_key)

    def run(
        self,
        processor: str,
        data: Mapping[str, Any] | BaseModel,
        *,
        idempotency_key: str | None = None,
        fresh: bool = False,
    ) -> ProcessedOnline | Accepted:
        """Run a processor now and return its output, or the task when it goes on offline."""
        return self.process_online(
            Submission(processor, data), idempotency_key=idempotency_key, fresh=fresh
        )

    def changes(
        self,
        task_id: str,
        *,
        timeout: float | None = None,
        every: float = _LONGEST_WAIT_SECONDS,
    ) -> Iterator[TaskDetail]:
        """Yield a task as it is, and each time that it has changed, until it is final.

        Its end is seen at once. What else changes, such as its progress, `every` so many seconds.

        Raises:
            TimeoutError: it was not final in time.
        """
        deadline = time.monotonic() + timeout if timeout is not None else float("inf")
        etag = ""
        while True:
            left = deadline - time.monotonic()
            wait = f"wait={ceil(min(every, left))}"
            headers = {"If-None-Match": etag, "Prefer": wait} if etag else {}
            response = self._connection.send(
                "GET", task_path(task_id), headers=headers, repeatable=True
            )
            if response.status_code != HTTPStatus.NOT_MODIFIED:
                task = parsed(response, TaskDetail)
                yield task
                if task.state in FINAL_STATES:
                    return
            etag = response.headers.get("etag", "")
            if time.monotonic() >= deadline:
                message = f"Task {task_id} has not ended within {timeout:g} s."
                raise TimeoutError(message)
            if headers and "preference-applied" not in response.headers:
                time.sleep(_PAUSE_SECONDS)  # the API had no time to wait: do not ask in a loop

    def wait_for(self, task_id: str, timeout: float | None = None) -> TaskDetail:
        """Return the task as soon as it is final.

        Raises:
            TimeoutError: it was not final within `timeout` seconds.
        """
        *_, last = self.changes(task_id, timeout=timeout)
        return last

    def result(self, task_id: str) -> Any:
        """Return the output of a task that succeeded, wherever it is stored.

        Raises:
            TandemError: there is none, or it is a file: see `download`.
        """
        with self.get_task_result(task_id) as result:
            return result.json()

    def download(self, task_id: str, path: Path | str) -> Path:
        """Write a task's result to a file, or into a folder, and return where it is."""
        with self.get_task_result(task_id) as result:
            return result.save(Path(path))

    def upload(
        self, path: Path | str, *, content_type: str | None = None, processor: str | None = None
    ) -> str:
        """Send a file, and return the id by which an input names it.

        With a processor's name, a file that it does not take is refused before it is sent.
        """
        file = Path(path)
        ticket = self.create_upload(described(file, content_type, processor))
        send_file(self._connection, ticket, file)
        return ticket.upload_id

    def tasks(
        self, *, state: State | str | None = None, processor: str | None = None
    ) -> Iterator[TaskView]:
        """Yield the caller's tasks, newest first, page after page."""
        page = self.list_tasks(state=state, processor=processor, limit=100)
        yield from page.tasks
        while page.next_cursor:
            page = self.list_tasks(
                state=state, processor=processor, limit=100, cursor=page.next_cursor
            )
            yield from page.tasks

    def reports(self, *, before: datetime | None = None) -> Iterator[ReportView]:
        """Yield closed report windows, newest first, page after page."""
        page = self.list_reports(before=before, limit=100)
        yield from page.reports
        while page.next_before:
            page = self.list_reports(before=page.next_before, limit=100)
            yield from page.reports
