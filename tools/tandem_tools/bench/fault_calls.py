"""AWS calls as a proxy sees them: which operation, for which tasks, and what became of them."""

import re
from collections import Counter
from dataclasses import dataclass, field
from threading import Lock
from time import time
from urllib.parse import parse_qs, urlsplit

from tandem_tools.bench.fault_plan import Decision, Fault, Plan
from tandem_tools.bench.http_messages import Head

_SCOPE = re.compile(r"Credential=[^/]+/\d+/[^/]+/(?P<service>[^/]+)/aws4_request")
_ACTION = re.compile(rb"(?:^|&)Action=(\w+)")
_TASK = re.compile(rb"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}")
_STATE = re.compile(rb'"(queued|running|succeeded|failed|cancelled|pending|delivered)"')


@dataclass(slots=True)
class Call:
    """One request of a function."""

    at: float
    operation: str
    number: int
    """Among the calls of its operation. The SDK's next attempts have the number of the first."""
    attempt: int
    decision: Decision | None
    tasks: tuple[str, ...]
    """The ids that its body names."""
    states: tuple[str, ...]
    """The states that its body names: a change says from which to which."""
    status: int | None = None
    """What the emulator answered. None where it was not asked."""
    seed: int = 0
    """Of the plan that decided."""

    @property
    def fault(self) -> Fault | None:
        """The fault that it met."""
        return self.decision.fault if self.decision else None

    def __str__(self) -> str:
        """Return it as one line of a trace."""
        fault = f" {self.fault}" if self.fault else ""
        done = "not carried out" if self.status is None else str(self.status)
        again = f" attempt {self.attempt}" if self.attempt > 1 else ""
        states = f" ({', '.join(self.states)})" if self.states else ""
        place = f"{self.operation} #{self.number} of seed {self.seed}"
        return f"{self.at:.3f} {place}{again}{states}{fault}: {done}"


def operation_of(head: Head, body: bytes) -> str | None:
    """Return the service and operation of a request. None when no function signed it.

    A presigned URL is used by the clients of the application: it has no authorization header.
    """
    scope = _SCOPE.search(head.fields.get("authorization", ""))
    if scope is None:
        return None
    service = scope["service"]
    target = head.fields.get("x-amz-target")
    if target is not None:
        return f"{service}.{target.rpartition('.')[2]}"
    if service == "s3":
        return f"s3.{_s3_operation(head)}"
    action = _ACTION.search(body)
    return f"{service}.{action[1].decode() if action else head.method}"


def _s3_operation(head: Head) -> str:
    parts = urlsplit(head.target)
    asked = parse_qs(parts.query, keep_blank_values=True)
    kind = "Object" if parts.path.strip("/").partition("/")[2] else "Bucket"
    if "uploads" in asked:
        return "CreateMultipartUpload"
    if "partNumber" in asked:
        return "UploadPart"
    if "uploadId" in asked:
        return {"POST": "CompleteMultipartUpload"}.get(head.method, "AbortMultipartUpload")
    return head.method.capitalize() + kind


@dataclass(slots=True)
class Calls:
    """Every call since a plan was armed. Many threads add to it."""

    made: list[Call] = field(default_factory=list)
    broken: int = 0
    """Calls that the emulator itself did not answer: none is planned."""
    _plan: Plan | None = None
    _numbers: Counter[str] = field(default_factory=Counter)
    _known: dict[tuple[str, str], tuple[int, int]] = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock)

    def arm(self, plan: Plan, *, keep: bool = False) -> None:
        """Decide by this plan from now on, numbering calls from 1.

        Args:
            plan: the plan.
            keep: whether the calls until now stay noted.
        """
        with self._lock:
            self._plan = plan
            if not keep:
                self.made = []
                self.broken = 0
            self._numbers.clear()
            self._known.clear()

    def disarm(self) -> None:
        """Let every call pass, and note none."""
        with self._lock:
            self._plan = None

    def begin(self, head: Head, body: bytes) -> Call | None:
        """Return a request as a call with its decision. None when it shall just pass."""
        operation = operation_of(head, body)
        if operation is None:
            return None
        with self._lock:
            if self._plan is None:
                return None
            call = self._numbered(self._plan, operation, head, body)
            self.made.append(call)
            return call

    def injected(self, seed: int | None = None) -> Counter[tuple[str, Fault]]:
        """Return how many calls of each operation met each fault: of all plans, or of one."""
        calls = self.made if seed is None else self.of_seed(seed)
        return Counter((call.operation, call.fault) for call in calls if call.fault)

    def of_seed(self, seed: int) -> list[Call]:
        """Return the calls that one plan decided on."""
        return [call for call in self.made if call.seed == seed]

    def of_task(self, task_id: str) -> list[Call]:
        """Return the calls that name a task, in their order."""
        return [call for call in self.made if task_id in call.tasks]

    def _numbered(self, plan: Plan, operation: str, head: Head, body: bytes) -> Call:
        """Return a call under its number: the SDK's attempts at one call share an id."""
        invocation = (operation, head.fields.get("amz-sdk-invocation-id", ""))
        number, attempt = self._known.get(invocation, (0, 0))
        if not number:
            self._numbers[operation] += 1
            number = self._numbers[operation]
        if invocation[1]:
            self._known[invocation] = (number, attempt + 1)
        planned = plan.decide(operation, number)
        return Call(
            at=time(),
            operation=operation,
            number=number,
            attempt=attempt + 1,
            decision=planned if planned and (planned.stubborn or not attempt) else None,
            tasks=_distinct(_TASK, body),
            states=_distinct(_STATE, body),
            seed=plan.seed,
        )


def _distinct(wanted: re.Pattern[bytes], body: bytes) -> tuple[str, ...]:
    """Return what a body holds of something, each once, in its order."""
    return tuple(dict.fromkeys(text.decode() for text in wanted.findall(body)))
