"""The tasks of a soak through faults: how each of them ends, and what is done to it."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Any

from tandem.limits import INLINE_BYTES
from tandem_tools.bench.fault_receiver import CHARGE, MAIL

PROCESSOR = "faulted"
PAYING_PROCESSOR = "paid"
PAYMENT = "pay"
"""The key of its effect."""
USUAL_SECONDS = 0.02
SLOW_SECONDS = 3.0
CANCELLED_SECONDS = 6.0
"""Long enough to be found running. One that is not cancelled in time just succeeds."""
DELAY = timedelta(seconds=4)
NEVER = timedelta(days=1)
ALWAYS_BAD = 99


class Kind(StrEnum):
    """What is special about a task."""

    PLAIN = "plain"
    EXITS = "exits"
    """Its first attempt ends the worker's process."""
    TRANSIENT = "transient"
    """Its first attempt, or its first two, fail."""
    PERMANENT = "permanent"
    """It fails at once until its cause is mended. Then it is redriven."""
    EXHAUSTED = "exhausted"
    """It fails at every attempt until its cause is mended. Then it is redriven."""
    HOPELESS = "hopeless"
    """It fails at once, and does so again when it is redriven."""
    SLOW = "slow"
    CANCELLED = "cancelled"
    """Its owner cancels it while it waits for its time."""
    STOPPED = "stopped"
    """Its owner waits until it runs, and cancels it."""
    DELAYED = "delayed"
    DUPLICATED = "duplicated"
    """Its message is sent a second time."""
    RETRIED = "retried"
    """Its owner asks to do it again when it has succeeded, twice at the same instant."""
    KEYED = "keyed"
    """It is submitted several times at the same instant, under one key."""
    ONLINE = "online"
    """It is answered in the response, and has one attempt."""
    ONLINE_FAILURE = "online-failure"
    """It fails in the response, and does so again when it is redriven."""
    TOLD = "told"
    """Its end is told to a receiver."""
    TOLD_FAILURE = "told-failure"
    """As HOPELESS, and its end is told to a receiver."""
    LARGE = "large"
    """Its input and its output are kept in the bucket."""
    CHARGED = "charged"
    """It has an effect by `once`, again when unknown: its receiver honours the key."""
    CHARGED_AGAIN = "charged-again"
    """The same, and its owner does it again as with RETRIED: that is no second effect."""
    MAILED = "mailed"
    """It has an effect by `once`, and fails when unknown: its receiver honours no key."""


_SPECIAL = (
    # A dead worker's lease takes half a minute: so it is first.
    *(Kind.EXITS, Kind.STOPPED, Kind.EXHAUSTED, Kind.PERMANENT, Kind.HOPELESS),
    *(Kind.TRANSIENT, Kind.SLOW, Kind.CANCELLED, Kind.DELAYED, Kind.DUPLICATED),
    *(Kind.RETRIED, Kind.KEYED, Kind.ONLINE, Kind.TOLD, Kind.TOLD_FAILURE, Kind.LARGE),
    *(Kind.CHARGED, Kind.MAILED, Kind.CHARGED_AGAIN, Kind.MAILED),
    *(Kind.TRANSIENT, Kind.DUPLICATED, Kind.KEYED, Kind.ONLINE_FAILURE),
)
CYCLE = 2 * len(_SPECIAL)
"""Every second half of it is plain tasks, which are submitted as a batch."""

_ENDINGS = {
    Kind.EXITS: ("exit", 1),
    Kind.PERMANENT: ("permanent", ALWAYS_BAD),
    Kind.EXHAUSTED: ("error", ALWAYS_BAD),
    Kind.HOPELESS: ("permanent", ALWAYS_BAD),
    Kind.TOLD_FAILURE: ("permanent", ALWAYS_BAD),
    Kind.ONLINE_FAILURE: ("permanent", ALWAYS_BAD),
}
_SECONDS = {
    Kind.SLOW: SLOW_SECONDS,
    Kind.STOPPED: CANCELLED_SECONDS,
}
NEVER_DONE = frozenset({Kind.HOPELESS, Kind.TOLD_FAILURE, Kind.ONLINE_FAILURE})
ANSWERED_AT_ONCE = frozenset({Kind.ONLINE, Kind.ONLINE_FAILURE})
"""Those that are answered in the response."""
DONE_WHEN_MENDED = frozenset({Kind.PERMANENT, Kind.EXHAUSTED})
CHARGING = frozenset({Kind.CHARGED, Kind.CHARGED_AGAIN})
PAYING = CHARGING | {Kind.MAILED}
DONE_AGAIN = frozenset({Kind.RETRIED, Kind.CHARGED_AGAIN})
_PAID_ENDINGS = ("", "error", "exit")


@dataclass(frozen=True, slots=True)
class Ground:
    """Where the processors of one seed's tasks find and leave what the run needs."""

    folder: Path
    seed: int
    receiver_url: str
    """Of callbacks."""
    effects_url: str
    """Of the effects of `once`."""

    @property
    def ledger(self) -> Path:
        """The file that gets a line of each effect."""
        return self.folder / f"effects-{self.seed}"

    def mended(self, planned: "Planned") -> Path:
        """Return the file that is there once the cause of a task's failure is mended."""
        return self.folder / f"mended-{self.seed}-{planned.number}"


@dataclass(frozen=True, slots=True)
class Planned:
    """One task of the soak."""

    number: int

    @property
    def kind(self) -> Kind:
        """What is special about it."""
        place = self.number % CYCLE
        return _SPECIAL[place] if place < len(_SPECIAL) else Kind.PLAIN

    @property
    def told(self) -> bool:
        """Whether its end is told to a receiver."""
        return self.kind in {Kind.TOLD, Kind.TOLD_FAILURE}

    def submission(self, ground: Ground) -> dict[str, Any]:
        """Return what is submitted for it."""
        body: dict[str, Any] = {"processor": PROCESSOR, "input": self._input(ground)}
        if self.kind in PAYING:
            body = {"processor": PAYING_PROCESSOR, "input": self._payment(ground)}
        if self.told:
            body["callback_url"] = ground.receiver_url
        wait = {Kind.DELAYED: DELAY, Kind.CANCELLED: NEVER}.get(self.kind)
        if wait is not None:
            body["run_after"] = (datetime.now(UTC) + wait).isoformat()
        return body

    def _input(self, ground: Ground) -> dict[str, Any]:
        ending, bad_attempts = _ENDINGS.get(self.kind, ("error", 0))
        if self.kind is Kind.TRANSIENT:
            bad_attempts = 1 + self.number % 2
        return {
            "number": self.number,
            "ledger": str(ground.ledger),
            "ending": ending,
            "bad_attempts": bad_attempts,
            "mended_by": str(ground.mended(self)) if self.kind in DONE_WHEN_MENDED else "",
            "seconds": _SECONDS.get(self.kind, USUAL_SECONDS),
            "ballast": "x" * (INLINE_BYTES + 1) if self.kind is Kind.LARGE else "",
        }

    def _payment(self, ground: Ground) -> dict[str, Any]:
        charging = self.kind in CHARGING
        return {
            "seed": ground.seed,
            "number": self.number,
            "url": ground.effects_url + (CHARGE if charging else MAIL),
            "unknown": "again" if charging else "fail",
            "ending": _PAID_ENDINGS[(self.number + self.number // CYCLE) % len(_PAID_ENDINGS)],
        }
