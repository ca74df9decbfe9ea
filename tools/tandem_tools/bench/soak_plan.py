"""The plan of a soak: the end of each task, and what is done to it on the way."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

TRANSIENT_EVERY = 20
PERMANENT_EVERY = 100
CANCELLED_EVERY = 100
DUPLICATED_EVERY = 200
EXIT_EVERY = 250
USUAL_SECONDS = 0.02
CANCELLED_SECONDS = 4.0
"""Long enough to be found running. One that is not cancelled in time just succeeds."""


@dataclass(frozen=True, slots=True)
class Planned:
    """One task of a soak. No task has two of these parts: each number has one remainder."""

    number: int

    @property
    def transient(self) -> bool:
        """Whether its first attempt, or its first two, fail."""
        return self.number % TRANSIENT_EVERY == 1

    @property
    def permanent(self) -> bool:
        """Whether it can never be done."""
        return self.number % PERMANENT_EVERY == 2

    @property
    def cancelled(self) -> bool:
        """Whether its owner cancels it."""
        return self.number % CANCELLED_EVERY == 4

    @property
    def cancelled_when_running(self) -> bool:
        """Whether its owner waits until it runs, and then cancels it."""
        return self.cancelled and self.number // CANCELLED_EVERY % 2 == 1

    @property
    def duplicated(self) -> bool:
        """Whether its message is sent a second time."""
        return self.number % DUPLICATED_EVERY == 3

    @property
    def exits(self) -> bool:
        """Whether its first attempt ends the worker's process."""
        return self.number % EXIT_EVERY == 5

    def submission(self, ledger: Path) -> dict[str, Any]:
        """Return what is submitted for it."""
        given: dict[str, Any] = {
            "number": self.number,
            "ledger": str(ledger),
            "seconds": CANCELLED_SECONDS if self.cancelled else USUAL_SECONDS,
        }
        if self.permanent:
            given |= {"ending": "permanent", "bad_attempts": 9}
        elif self.exits:
            given |= {"ending": "exit", "bad_attempts": 1}
        elif self.transient:
            given |= {"bad_attempts": 1 + self.number // TRANSIENT_EVERY % 2}
        return {"processor": "soak", "input": given}
