"""Secrets in Secrets Manager, through Powertools Parameters."""

import time
from collections.abc import Callable
from threading import Lock
from typing import TYPE_CHECKING, Any, cast

from aws_lambda_powertools.utilities.parameters import GetParameterError, SecretsProvider

from tandem.secrets import SecretsError

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient

_WHY = {
    "ResourceNotFoundException": "there is none of that name, or it has no value",
    "AccessDeniedException": "this function's role may not read it",
    "DecryptionFailure": "its key does not decrypt it",
    "InvalidRequestException": "it is about to be deleted",
}


class ParametersSecretStore:
    """Reads both versions of a secret at once, and keeps them for five minutes.

    Powertools keeps them. POWERTOOLS_PARAMETERS_MAX_AGE sets for how many seconds. Of threads that
    need a secret at the same time, one asks for it.
    """

    def __init__(self, client: "SecretsManagerClient") -> None:
        self._provider = _Versions(boto3_client=client)
        self._current = _Current(boto3_client=client)
        self._one_at_a_time = Lock()
        self._failures: dict[str, tuple[float, str]] = {}
        """When a secret could last not be read, and why."""

    def versions(self, name: str) -> tuple[str, ...]:
        """Return a secret's current value and the one before, or raise SecretsError."""
        found = cast("dict[str, str]", self._read(name, lambda: self._provider.get(name)))
        if not all(isinstance(value, str) for value in found.values()):
            raise SecretsError(f"the secret {name} is binary: keep it as text")
        return tuple(found.values())

    def current(self, name: str, *, max_age_seconds: int) -> str:
        """Return a secret's current value, at most so old. Empty where it was never given one."""
        value: Any = self._read(name, lambda: self._current.of_age(name, max_age_seconds))
        if not isinstance(value, str):
            raise SecretsError(f"the secret {name} is binary: keep it as text")
        return value

    def _read[T](self, name: str, read: Callable[[], T]) -> T:
        """Return what is read, or what became of it while this thread waited for its turn.

        Threads that would each ask a service that does not answer would wait for minutes in all.
        """
        asked_at = time.monotonic()
        with self._one_at_a_time:
            failed_at, why = self._failures.get(name, (0.0, ""))
            if failed_at < asked_at:
                try:
                    return read()
                except GetParameterError as error:
                    why = _why(error)
                    self._failures[name] = (time.monotonic(), why)
        raise SecretsError(f"the secret {name} cannot be read: {why}")


class _Versions(SecretsProvider):
    """Gets a secret's versions as one value: Powertools' cache does not tell stages apart."""

    def _get(self, name: str, **sdk_options: Any) -> Any:
        versions = {"AWSCURRENT": super()._get(name, **sdk_options)}
        try:
            versions["AWSPREVIOUS"] = super()._get(name, VersionStage="AWSPREVIOUS", **sdk_options)
        except self.client.exceptions.ResourceNotFoundException:
            return versions  # it was never rotated
        return versions


class _Current(SecretsProvider):
    """Gets an empty text for a secret that has no value yet, and keeps that too."""

    def __init__(self, boto3_client: "SecretsManagerClient") -> None:
        super().__init__(boto3_client=boto3_client)
        self._read_at: dict[str, float] = {}

    def of_age(self, name: str, max_age_seconds: int) -> Any:
        """Return a value that was read at most so long ago.

        Powertools reckons an end when it reads, in local time: a processor may have set that.
        """
        age = time.time() - self._read_at.get(name, 0)
        return self.get(name, max_age=max_age_seconds, force_fetch=not 0 <= age < max_age_seconds)

    def _get(self, name: str, **sdk_options: Any) -> Any:
        asked_at = time.time()
        try:
            value = super()._get(name, **sdk_options)
        except self.client.exceptions.ResourceNotFoundException:
            value = ""
        self._read_at[name] = asked_at
        return value


def _why(error: GetParameterError) -> str:
    response = getattr(error.__context__, "response", None)
    code = response["Error"]["Code"] if response else type(error.__context__).__name__
    return _WHY.get(code, code)
