"""Which AWS calls meet a fault: decided by a seed, so that a run can be repeated.

A call is known by its operation and its number among the calls of that operation. Its decision
depends on these two and the seed alone, not on the time or on other calls.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from random import Random

USUAL_RATE = 0.15
"""The part of the writes that meets a fault."""
READS_PART = 0.3
"""How much of that rate reads meet: there are more of them, and a fault of one changes nothing."""
STUBBORN_RATE = 0.25
"""The part of the faults that every attempt of the SDK at the same call meets. Others are healed by
its next attempt, and the application sees none of them."""
SHORTEST_DELAY_SECONDS = 0.05
LONGEST_DELAY_SECONDS = 1.5


class Fault(StrEnum):
    """What happens to a call on its way."""

    RESET = "reset"
    """The connection is cut before the call is carried out."""
    LOST = "lost"
    """The call is carried out, and the connection is cut before its answer."""
    HALF = "half"
    """The call is carried out, and the connection is cut within its answer."""
    LATE = "late"
    """The call is carried out, and its answer is delayed."""
    THROTTLE = "throttle"
    """The service refuses the call because of its rate."""
    ERROR = "error"
    """The service answers with an error of its own, and carries out nothing."""
    ERROR_AFTER = "error-after"
    """The service carries out the call, and answers with an error of its own."""
    CONFLICT = "conflict"
    """DynamoDB refuses the write because of a transaction on the same item."""
    CONFLICT_AFTER = "conflict-after"
    """DynamoDB carries out the transaction, and answers that it met another one."""
    PARTIAL = "partial"
    """One entry of a batch is not carried out, and is reported as failed."""
    PARTIAL_AFTER = "partial-after"
    """Every entry of a batch is carried out, and one is reported as failed."""


ANYWHERE = (
    Fault.RESET,
    Fault.LOST,
    Fault.HALF,
    Fault.LATE,
    Fault.THROTTLE,
    Fault.ERROR,
    Fault.ERROR_AFTER,
)
OF_TRANSACTIONS = (Fault.CONFLICT, Fault.CONFLICT_AFTER)
OF_BATCHES = (Fault.PARTIAL, Fault.PARTIAL_AFTER)

_SINGLE_WRITES = frozenset(f"dynamodb.{name}" for name in ("PutItem", "UpdateItem", "DeleteItem"))
_BATCHES = frozenset(
    f"sqs.{name}Batch" for name in ("SendMessage", "DeleteMessage", "ChangeMessageVisibility")
)


_READS = re.compile(r"\.(Get|Head|Query|Scan|BatchGet|Receive|List|Describe)")


def possible_faults(operation: str) -> tuple[Fault, ...]:
    """Return the faults that calls of an operation can meet."""
    if operation == "dynamodb.TransactWriteItems":
        return ANYWHERE + OF_TRANSACTIONS
    if operation in _SINGLE_WRITES:
        return (*ANYWHERE, Fault.CONFLICT)
    # Twice in the list: a batch is one call, and its entries are what can fail apart.
    return ANYWHERE + OF_BATCHES * 2 if operation in _BATCHES else ANYWHERE


@dataclass(frozen=True, slots=True)
class Decision:
    """The fault that a call meets."""

    fault: Fault
    stubborn: bool = False
    """Whether every attempt of the SDK at the call meets it, not only the first."""
    seconds: float = 0
    """How long a late answer is kept back."""
    choice: float = 0
    """Picks an error code or a batch entry: a part of 1."""


class Plan:
    """Decides for each call, from a seed."""

    def __init__(
        self, seed: int, *, rate: float = USUAL_RATE, faults: Iterable[Fault] = tuple(Fault)
    ) -> None:
        """Name the seed.

        Args:
            seed: another seed gives other decisions.
            rate: the part of the writes that meets a fault.
            faults: which ones. All of them by default.
        """
        self.seed = seed
        self._rate = rate
        self._faults = frozenset(faults)

    def decide(self, operation: str, number: int) -> Decision | None:
        """Return the fault of an operation's call with this number, from 1, or None."""
        random = Random(f"{self.seed}/{operation}/{number}")  # noqa: S311 - repeatable on purpose
        faults = [fault for fault in possible_faults(operation) if fault in self._faults]
        rate = self._rate * (READS_PART if _READS.search(operation) else 1)
        if not faults or random.random() >= rate:
            return None
        fault = random.choice(faults)
        stubborn = random.random() < STUBBORN_RATE and fault is not Fault.LATE
        return Decision(
            fault,
            stubborn=stubborn,
            seconds=random.uniform(SHORTEST_DELAY_SECONDS, LONGEST_DELAY_SECONDS),
            choice=random.random(),
        )
