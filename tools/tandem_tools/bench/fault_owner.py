"""The owner and the operators of the tasks of a soak through faults.

They do what the API's documents tell its clients: what was not answered, or with a server's error,
is sent again, under the same key.
"""

import json
import time
from collections.abc import Callable
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from http import HTTPStatus
from threading import Event, Semaphore
from typing import Any

import httpx2

from tandem_tools.bench.fault_tasks import ANSWERED_AT_ONCE, DONE_AGAIN, Ground, Kind, Planned
from tandem_tools.harness.stack import FINAL_STATES, DeployedApp

ANSWERED_WITHIN_SECONDS = 600
SAME_INSTANT = 4
"""How many requests with one key are sent at once."""
AT_ONCE = 8
"""How many requests are with the API at once: each has a process of its own in the emulator."""
_MISSED_OFTEN = 20
"""Answers of that kind after which a soak waits for no such task any more."""
_PAGE = 100
_PAUSE_SECONDS = 0.3

type Json = dict[str, Any]


class NotAnswered(Exception):
    """A request was answered with a server's error for longer than a client goes on."""


@dataclass(frozen=True, slots=True)
class Patience:
    """Sends again what was not answered, until it is told to stop."""

    stopped: Event = field(default_factory=Event)
    room: Semaphore = field(default_factory=partial(Semaphore, AT_ONCE))

    def answer(self, ask: Callable[[], httpx2.Response]) -> httpx2.Response:
        """Return an answer that is the API's last word: it names a task, or is no server's error.

        Raises:
            NotAnswered: there was none in time.
        """
        latest = ["no answer"]

        def final() -> httpx2.Response | None:
            try:
                with self.room:
                    answer = ask()
            except httpx2.TransportError as error:
                latest[0] = repr(error)
                return None
            latest[0] = f"{answer.status_code} {answer.text[:500]}"
            in_flight = "idempotency-key-in-flight" in answer.text
            of_a_task = answer.status_code == HTTPStatus.INTERNAL_SERVER_ERROR and (
                '"task_id"' in answer.text
            )
            return None if in_flight or (answer.is_server_error and not of_a_task) else answer

        try:
            return self.repeated(final)
        except NotAnswered:
            raise NotAnswered(latest[0]) from None

    def repeated[Found](self, look: Callable[[], Found | None]) -> Found:
        """Look again and again until there is something, and return it.

        Raises:
            NotAnswered: there was nothing in time.
        """
        deadline = time.monotonic() + ANSWERED_WITHIN_SECONDS
        while time.monotonic() < deadline and not self.stopped.is_set():
            found = look()
            if found is not None:
                return found
            time.sleep(_PAUSE_SECONDS)
        raise NotAnswered


@dataclass(slots=True)
class Told:
    """What the API said to its clients of one seed's tasks."""

    accepted: dict[int, set[str]] = field(default_factory=dict)
    """The ids of each number's tasks, as answers to its submission named them."""
    run_after: dict[int, datetime] = field(default_factory=dict)
    retried: dict[str, set[str]] = field(default_factory=dict)
    """For each task that its owner did again under one key: the ids of the new task."""
    redriven: dict[str, set[str]] = field(default_factory=dict)
    """For each failed task that was redriven: the ids of the task that does it again."""
    missing: list[tuple[str, str]] = field(default_factory=list)
    """The accepted tasks that the API did not find, and what it answered."""
    listed: set[str] = field(default_factory=set)
    """The failed tasks that operators are shown in the end."""


@dataclass(frozen=True, slots=True)
class Owner:
    """Submits the tasks, cancels some, and does some again."""

    app: DeployedApp
    ground: Ground
    told: Told
    patience: Patience
    threads: Executor
    """For what is submitted."""
    later: Executor
    """For what is done to tasks when they have moved."""
    name: str
    """Of this run: part of every key."""
    doing: list[Future[None]] = field(default_factory=list)
    """What is done in `later`."""

    def submit_all(self, plan: list[Planned]) -> None:
        """Submit all tasks and return when that is done. Then `doing` goes on.

        Raises:
            NotAnswered: a request was not answered for too long.
        """
        plain = [planned for planned in plan if planned.kind is Kind.PLAIN]
        batches = [plain[start : start + 10] for start in range(0, len(plain), 10)]
        special = [planned for planned in plan if planned.kind is not Kind.PLAIN]
        submitting = [self.threads.submit(self._submit, planned) for planned in special]
        submitting += [self.threads.submit(self._submit_batch, batch) for batch in batches]
        for submission in submitting:
            submission.result()

    def _do_again(self, planned: Planned, task_id: str) -> None:
        """Ask for another task like one that has ended, twice at once."""
        self.patience.repeated(lambda: True if self._state(task_id) in FINAL_STATES else None)
        headers = {"Idempotency-Key": f"{self.name}-again-{planned.number}"}
        ask = partial(self._post, f"/tasks/{task_id}/retry", headers)
        answers = self._at_once(2, ask)
        made = {str(answer.json().get("task_id")) for answer in answers}
        self.told.retried[task_id] = made  # what was refused is None: the audit names it

    def _submit(self, planned: Planned) -> None:
        body = planned.submission(self.ground)
        if "run_after" in body:
            self.told.run_after[planned.number] = datetime.fromisoformat(body["run_after"])
        path = "/process-online" if planned.kind in ANSWERED_AT_ONCE else "/process-offline"
        headers = {"Idempotency-Key": f"{self.name}-{planned.number}"}
        times = SAME_INSTANT if planned.kind is Kind.KEYED else 1
        answers = self._at_once(times, partial(self._post, path, headers, body))
        ids = {str(answer.json()["task_id"]) for answer in answers}
        self.told.accepted[planned.number] = ids
        for task_id in ids:
            self.doing.append(self.later.submit(self._do_to, planned, task_id))

    def _submit_batch(self, batch: list[Planned]) -> None:
        """Submit tasks in one call, again and again until each is recorded."""
        headers = {"Idempotency-Key": f"{self.name}-batch-{batch[0].number}"}
        body = {"tasks": [planned.submission(self.ground) for planned in batch]}
        path = "/process-offline/batch"

        def recorded() -> list[Json] | None:
            items: list[Json] = self._post(path, headers, body).json()["items"]
            return items if all(item["task"] for item in items) else None

        for planned, item in zip(batch, self.patience.repeated(recorded), strict=True):
            self.told.accepted[planned.number] = {item["task"]["task_id"]}

    def _do_to(self, planned: Planned, task_id: str) -> None:
        if planned.kind is Kind.DUPLICATED:
            self.app.aws.sqs.send_message(
                QueueUrl=self.app.description.queue_url,
                MessageBody=json.dumps({"task_id": task_id}),
            )
        elif planned.kind is Kind.CANCELLED:
            self._post(f"/tasks/{task_id}/cancel", {})
        elif planned.kind is Kind.STOPPED:
            self.patience.repeated(lambda: True if self._state(task_id) != "queued" else None)
            self._post(f"/tasks/{task_id}/cancel", {})
        elif planned.kind in DONE_AGAIN:
            self._do_again(planned, task_id)

    def _state(self, task_id: str) -> str:
        answer = self.patience.answer(lambda: self.app.machine.get(f"/tasks/{task_id}"))
        if answer.status_code == HTTPStatus.NOT_FOUND:
            # Accepted, and not there: the audit must say so, with the calls. Looked at again.
            self.told.missing.append((task_id, answer.text))
            return "queued" if len(self.told.missing) < _MISSED_OFTEN else "cancelled"
        state: str = answer.raise_for_status().json()["state"]
        return state

    def _post(
        self, path: str, headers: dict[str, str], body: Json | None = None
    ) -> httpx2.Response:
        return self.patience.answer(lambda: self.app.machine.post(path, json=body, headers=headers))

    def _at_once(self, times: int, ask: Callable[[], httpx2.Response]) -> list[httpx2.Response]:
        """Send the same request several times, at the same instant."""
        if times == 1:
            return [ask()]
        with ThreadPoolExecutor(times) as threads:
            return list(threads.map(lambda _: ask(), range(times)))


@dataclass(frozen=True, slots=True)
class Charge:
    """One seed's tasks, as operators know them."""

    ground: Ground
    told: Told
    plan: list[Planned]

    def submitted(self) -> dict[str, Planned]:
        """Return the plan of each task that is known by now, by its id."""
        accepted = dict(self.told.accepted)  # threads add to it
        return {task_id: self.plan[number] for number, ids in accepted.items() for task_id in ids}


@dataclass(frozen=True, slots=True)
class Operators:
    """Look at what failed, mend its cause, and redrive it: two of them at the same instant."""

    app: DeployedApp
    charges: list[Charge]
    patience: Patience

    def listed(self) -> set[str]:
        """Return the failed tasks that are listed."""
        letters: set[str] = set()
        query: dict[str, Any] = {"limit": _PAGE}
        while True:
            page = self.patience.answer(
                lambda: self.app.operator.get("/dead-letters", params=query)
            )
            document = page.raise_for_status().json()
            letters |= {
                letter["task_id"] for letter in document["letters"] if letter["letter_id"] is None
            }
            if document["next_cursor"] is None:
                return letters
            query["cursor"] = document["next_cursor"]

    def redrive(self) -> int:
        """Redrive each listed task that was submitted, once. Return how many there were.

        What a redrive made, and what its owner did again, is left: it has had its second chance.
        """
        listed = self.listed()
        redriven = 0
        for charge in self.charges:
            submitted = charge.submitted()
            failed = sorted(listed & submitted.keys())
            for task_id in failed:
                charge.ground.mended(submitted[task_id]).touch()
            for start in range(0, len(failed), _PAGE):
                self._redrive(charge.told, failed[start : start + _PAGE])
            redriven += len(failed)
        return redriven

    def _redrive(self, told: Told, failed: list[str]) -> None:
        """Let two operators redrive the same tasks."""
        body = {"dry_run": False, "task_ids": failed, "limit": _PAGE}

        def redriven(_: int) -> list[Json]:
            answer = self.patience.answer(
                lambda: self.app.operator.post("/dead-letters/redrive", json=body)
            )
            letters: list[Json] = answer.raise_for_status().json()["letters"]
            return letters

        with ThreadPoolExecutor(2) as threads:
            for letters in threads.map(redriven, range(2)):
                for letter in letters:
                    if letter["task_id"] is not None:
                        again = told.redriven.setdefault(letter["failed_task_id"], set())
                        again.add(letter["task_id"])
