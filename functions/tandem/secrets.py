"""The port of secrets."""

from typing import Protocol


class SecretsError(Exception):
    """A secret cannot be read. The message names it and says why, and holds nothing of it."""


class SecretStore(Protocol):
    """Reads secrets, and remembers them for a while."""

    def versions(self, name: str) -> tuple[str, ...]:
        """Return a secret's current value and, when it was rotated, the one before.

        Raises:
            SecretsError: there is no such secret, or it must not be read.
        """
        ...

    def current(self, name: str, *, max_age_seconds: int) -> str:
        """Return a secret's current value, at most so old. Empty where it was never given one.

        Raises:
            SecretsError: it must not be read, or cannot be at this moment.
        """
        ...
