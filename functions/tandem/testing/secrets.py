"""Secrets in memory."""

from tandem.ports import SecretsError


class MemorySecretStore:
    """Keeps each secret's versions, the current one first."""

    def __init__(self, **secrets: str) -> None:
        self._versions = {name: (value,) for name, value in secrets.items()}

    def rotate(self, name: str, value: str) -> None:
        """Give a secret a new value; the one before stays valid."""
        self._versions[name] = (value, *self._versions.get(name, ()))[:2]

    def versions(self, name: str) -> tuple[str, ...]:
        """Return a secret's current value and the one before, or raise SecretsError."""
        if name not in self._versions:
            raise SecretsError(f"the secret {name} cannot be read: there is none of that name")
        return self._versions[name]
