"""The trial of a release: a request online, a task offline, a start of every function."""

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Protocol

from tandem.canary.events import NO_MESSAGES, TICK, http_request, task_message
from tandem.clock import Clock, to_text
from tandem.settings import Settings

PROCESSOR = "echo"
TASK_WITHIN = timedelta(seconds=60)
PAUSE_SECONDS = 0.5

START_IN = timedelta(seconds=1.2)
"""When the offline task may start. The queue keeps its message for whole seconds, so for 2: for
the 0.8 s between the two, the task is the new worker's. After them the live one has it as well."""

FINAL = frozenset({"succeeded", "failed", "cancelled"})


class CheckFailed(Exception):
    """The release did not do what it should."""


class Functions(Protocol):
    """Runs versions of functions."""

    def invoke(self, version: str, event: Mapping[str, Any]) -> dict[str, Any]:
        """Return what a version answers to an event, or raise CheckFailed when it failed."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What was found."""

    passed_checks: list[str]
    failed_check: str | None = None
    reason: str | None = None

    @property
    def passed(self) -> bool:
        """Whether every check passed."""
        return self.failed_check is None

    def document(self) -> dict[str, Any]:
        """Return it for whoever invoked the canary by hand."""
        status = "Succeeded" if self.passed else "Failed"
        document: dict[str, Any] = {"status": status, "passed": self.passed_checks}
        if not self.passed:
            document |= {"failed": self.failed_check, "reason": self.reason}
        return document


class Trial:
    """Tries the new version of every function, before any of them gets traffic."""

    def __init__(
        self,
        functions: Functions,
        settings: Settings,
        clock: Clock,
        *,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._functions = functions
        self._settings = settings
        self._clock = clock
        self._sleep = sleep

    def verdict(self) -> Verdict:
        """Make one check after the other, until one fails. Never raises.

        CodeDeploy waits for an hour for a hook that does not report: whatever is raised here is a
        reason to refuse the release.
        """
        passed: list[str] = []
        for check in (self.health, self.online, self.offline, self.callback, self.report):
            try:
                check()
            except Exception as error:  # noqa: BLE001 - see above
                reason = str(error) if isinstance(error, CheckFailed) else type(error).__name__
                return Verdict(passed_checks=passed, failed_check=check.__name__, reason=reason)
            passed.append(check.__name__)
        return Verdict(passed_checks=passed)

    def health(self) -> None:
        """The API answers without a token."""
        self._ask("GET", "/health", expected=200)

    def online(self) -> None:
        """A task runs in the request."""
        answer = self._post("/process-online", "online", expected=200)
        _require_equal(answer["output"], {"message": "online"})

    def offline(self) -> None:
        """A task goes through the store and the queue, and the new worker runs it."""
        worker = self._settings.need("worker_version")
        self._functions.invoke(worker, NO_MESSAGES)  # it has started before the task may
        start = self._clock.now() + START_IN
        task_id = self._post("/process-offline", "offline", expected=202, run_after=to_text(start))[
            "task_id"
        ]
        self._sleep(max((start - self._clock.now()).total_seconds(), 0))
        until = start + TASK_WITHIN
        while True:
            self._functions.invoke(worker, task_message(task_id))
            task = self._ask("GET", f"/tasks/{task_id}", expected=200)
            if task["state"] in FINAL:
                break
            if self._clock.now() > until:
                message = f"the task was {task['state']} after {TASK_WITHIN.seconds} s"
                raise CheckFailed(message)
            self._sleep(PAUSE_SECONDS)
        _require_equal(task["state"], "succeeded")
        result = self._ask("GET", f"/tasks/{task_id}/result", expected=200)
        _require_equal(result, {"message": "offline"})

    def callback(self) -> None:
        """The function of callbacks starts."""
        answer = self._functions.invoke(self._settings.need("callback_version"), NO_MESSAGES)
        _require_equal(answer, {"batchItemFailures": []})

    def report(self) -> None:
        """A minute is reported. A window is closed once, whichever version closes it."""
        answer = self._functions.invoke(self._settings.need("report_version"), TICK)
        _require_equal(type(answer.get("closed")), list)

    def _post(self, path: str, text: str, *, expected: int, **more: Any) -> Any:
        body = {"processor": PROCESSOR, "input": {"message": text}} | more
        return self._ask("POST", path, expected=expected, body=body)

    def _ask(self, method: str, path: str, *, expected: int, body: Any = None) -> Any:
        claim = "" if path == "/health" else self._settings.tenant_claim
        event = http_request(method, path, tenant_claim=claim, body=body)
        answer = self._functions.invoke(self._settings.need("api_version"), event)
        if answer.get("statusCode") != expected:
            message = f"{method} {path} answered {answer.get('statusCode')}, not {expected}"
            raise CheckFailed(message)
        return json.loads(answer["body"])


def _require_equal(found: object, expected: object) -> None:
    if found != expected:
        message = f"found {found!r}, not {expected!r}"
        raise CheckFailed(message[:300])
