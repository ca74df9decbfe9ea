"""The owner of a soak's tasks, who submits them, sends some twice, and cancels some."""

import json
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import batched
from typing import Any
from uuid import uuid4

import httpx2

from tandem_tools.bench.soak_audit import Soaked
from tandem_tools.bench.soak_plan import Planned
from tandem_tools.harness.stack import DeployedApp

ANSWERED_WITHIN_SECONDS = 600
BATCH_TASKS = 25
"""Few enough to be answered in time by a machine that has other things to do."""
_BATCH = "/process-offline/batch"


@dataclass(frozen=True, slots=True)
class Client:
    """Does what the owner of the tasks does."""

    app: DeployedApp
    soaked: Soaked
    threads: ThreadPoolExecutor

    def submit_all(self, plan: list[Planned]) -> list[Future[None]]:
        """Submit all tasks, and return the cancellations that are on their way."""
        return [
            cancelling
            for some in batched(plan, BATCH_TASKS, strict=False)
            for cancelling in self._submit(some)
        ]

    def _submit(self, some: tuple[Planned, ...]) -> Iterator[Future[None]]:
        """Submit some tasks in one call, and do to them what was planned."""
        body = {"tasks": [submission.submission(self.soaked.ledger) for submission in some]}
        for submission, item in zip(some, self._post(body)["items"], strict=True):
            task_id: str = item["task"]["task_id"]
            self.soaked.planned[task_id] = submission
            if submission.duplicated:
                self._send_again(task_id)
            if submission.cancelled:
                yield self.threads.submit(
                    self._cancel, task_id, when_running=submission.cancelled_when_running
                )

    def _post(self, body: dict[str, Any]) -> dict[str, Any]:
        """Submit a batch, under a key: however often it is sent, it is submitted once."""
        headers = {"Idempotency-Key": str(uuid4())}
        answer = self._answer("POST", _BATCH, json=body, headers=headers)
        items: dict[str, Any] = answer.raise_for_status().json()
        return items

    def _send_again(self, task_id: str) -> None:
        self.app.aws.sqs.send_message(
            QueueUrl=self.app.description.queue_url, MessageBody=json.dumps({"task_id": task_id})
        )

    def _cancel(self, task_id: str, *, when_running: bool) -> None:
        while when_running and self._state(task_id) == "queued":
            time.sleep(0.2)
        self._answer("POST", f"/tasks/{task_id}/cancel")

    def _state(self, task_id: str) -> str:
        state: str = self._answer("GET", f"/tasks/{task_id}").raise_for_status().json()["state"]
        return state

    def _answer(self, method: str, path: str, **request: Any) -> httpx2.Response:
        """Return the answer to a request that may be sent again when none comes in time."""
        deadline = time.monotonic() + ANSWERED_WITHIN_SECONDS
        while True:
            late = time.monotonic() > deadline
            try:
                answer = self.app.machine.request(method, path, **request)
            except httpx2.TransportError:
                if late:
                    raise
                continue
            if late or not answer.is_server_error:
                return answer
