"""The operations of the API, one method each."""

from collections.abc import Iterable
from http import HTTPStatus
from typing import Any

import httpx2

from tandem_client.connection import Connection, parsed
from tandem_client.models import (
    Accepted,
    BatchAnswer,
    CallbackKeys,
    DeepHealthView,
    HealthView,
    ProcessedOnline,
    ProcessorList,
    State,
    TaskDetail,
    TaskList,
    UploadRequest,
    UploadTicket,
    UploadView,
)
from tandem_client.operator_operations import OperatorOperations
from tandem_client.paths import task_path, upload_path
from tandem_client.results import StoredResult, opened
from tandem_client.submission import Submission


class Operations(OperatorOperations):
    """One method for each operation of the API, named as in its OpenAPI document.

    Each returns the API's document, and raises `TandemError` when it is refused.
    """

    def __init__(self, connection: Connection) -> None:
        self._api = connection

    def get_health(self) -> HealthView:
        """Return that the API is alive. Needs no token."""
        return self._api.get("/health", HealthView)

    def get_deep_health(self) -> DeepHealthView:
        """Return that the table, the queue and the bucket can be reached."""
        return self._api.get("/health/deep", DeepHealthView)

    def list_callback_keys(self) -> CallbackKeys:
        """Return the keys that callbacks to the caller are signed with."""
        return self._api.get("/callback-keys", CallbackKeys)

    def list_processors(self) -> ProcessorList:
        """Return every processor with the schemas of its input and output, and the limits."""
        return self._api.get("/processors", ProcessorList)

    def process_online(
        self, submission: Submission, *, idempotency_key: str | None = None, fresh: bool = False
    ) -> ProcessedOnline | Accepted:
        """Run a processor now. It goes on offline when that takes too long."""
        response = self._api.create(
            "/process-online",
            json=submission.document(),
            key=idempotency_key,
            headers=_preferences(fresh=fresh),
        )
        return self._outcome(response)

    def process_offline(
        self,
        submission: Submission,
        *,
        wait_seconds: float | None = None,
        idempotency_key: str | None = None,
        fresh: bool = False,
    ) -> ProcessedOnline | Accepted:
        """Queue a task. Return its output when it ends within `wait_seconds`."""
        response = self._api.create(
            "/process-offline",
            json=submission.document(),
            key=idempotency_key,
            headers=_preferences(fresh=fresh, wait_seconds=wait_seconds),
        )
        return self._outcome(response)

    def process_offline_batch(
        self,
        submissions: Iterable[Submission],
        *,
        idempotency_key: str | None = None,
        fresh: bool = False,
    ) -> BatchAnswer:
        """Queue many tasks in one call. Each item says what became of it."""
        response = self._api.create(
            "/process-offline/batch",
            json={"tasks": [submission.document() for submission in submissions]},
            key=idempotency_key,
            headers=_preferences(fresh=fresh),
        )
        return parsed(response, BatchAnswer)

    def start_heavy_task(self, *, blocks: int = 32, block_mb: int = 4) -> Accepted:
        """Queue the demonstration task."""
        size = {"blocks": blocks, "block_mb": block_mb}
        return self._api.get("/heavy-task", Accepted, params=size, repeatable=False)

    def list_tasks(
        self,
        *,
        state: State | str | None = None,
        processor: str | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> TaskList:
        """Return one page of the caller's tasks, newest first."""
        wanted = State(state).value if state else None
        params = {"state": wanted, "processor": processor, "limit": limit, "cursor": cursor}
        return self._api.get("/tasks", TaskList, params=params)

    def get_task(self, task_id: str) -> TaskDetail:
        """Return a task and its attempts."""
        return self._api.get(task_path(task_id), TaskDetail)

    def cancel_task(self, task_id: str) -> TaskDetail:
        """Cancel a queued task. Ask a running one to stop."""
        return self._api.post(task_path(task_id, "/cancel"), TaskDetail)

    def delete_task(self, task_id: str) -> None:
        """Delete a finished task with its input, output and files, but not its uploads."""
        self._api.delete(task_path(task_id))

    def retry_task(self, task_id: str, *, idempotency_key: str | None = None) -> Accepted:
        """Do a finished task again, as a new task."""
        path = task_path(task_id, "/retry")
        return parsed(self._api.create(path, key=idempotency_key), Accepted)

    def get_task_result(self, task_id: str) -> "StoredResult":
        """Return a task's result as it is stored, to be read in a `with` block.

        A large one comes from the store, which is not shown the token.
        """
        return opened(self._api, task_path(task_id, "/result"))

    def create_upload(
        self, upload: UploadRequest, *, idempotency_key: str | None = None
    ) -> UploadTicket:
        """Return a form that uploads one file."""
        body = upload.model_dump(mode="json", exclude_none=True)
        return parsed(self._api.create("/uploads", json=body, key=idempotency_key), UploadTicket)

    def get_upload(self, upload_id: str) -> UploadView:
        """Return what is known of a file that was uploaded."""
        return self._api.get(upload_path(upload_id), UploadView)

    def delete_upload(self, upload_id: str) -> None:
        """Delete a file that was uploaded. A task that still needs it will fail."""
        self._api.delete(upload_path(upload_id))

    def _outcome(self, response: httpx2.Response) -> ProcessedOnline | Accepted:
        if response.status_code == HTTPStatus.ACCEPTED:
            return parsed(response, Accepted)
        if response.status_code != HTTPStatus.SEE_OTHER:
            return parsed(response, ProcessedOnline)
        # The output is too large for this answer.
        task_id = response.headers["location"].split("/")[-2]
        task = self.get_task(task_id)
        with self.get_task_result(task_id) as result:
            output: Any = result.json()
        run = (task.finished_at or task.created_at) - task.created_at
        return ProcessedOnline(
            message="Processed",
            task_id=task_id,
            processor=task.processor,
            duration_ms=round(run.total_seconds() * 1000),
            output=output,
        )


def _preferences(*, fresh: bool, wait_seconds: float | None = None) -> dict[str, str]:
    wishes = {"Cache-Control": "no-cache"} if fresh else {}
    if wait_seconds:
        wishes["Prefer"] = f"wait={max(round(wait_seconds), 1)}"
    return wishes
