"""Secrets in Secrets Manager, through Powertools Parameters."""

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

    def versions(self, name: str) -> tuple[str, ...]:
        """Return a secret's current value and the one before, or raise SecretsError."""
        with self._one_at_a_time:
            try:
                found = cast("dict[str, str]", self._provider.get(name))
            except GetParameterError as error:
                raise SecretsError(f"the secret {name} cannot be read: {_why(error)}") from None
        if not all(isinstance(value, str) for value in found.values()):
            raise SecretsError(f"the secret {name} is binary: keep it as text")
        return tuple(found.values())

    def current(self, name: str, *, max_age_seconds: int) -> str:
        """Return a secret's current value, at most so old. Empty where it was never given one."""
        with self._one_at_a_time:
            try:
                value: Any = self._current.get(name, max_age=max_age_seconds)
            except GetParameterError as error:
                raise SecretsError(f"the secret {name} cannot be read: {_why(error)}") from None
        if not isinstance(value, str):
            raise SecretsError(f"the secret {name} is binary: keep it as text")
        return value


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

    def _get(self, name: str, **sdk_options: Any) -> Any:
        try:
            return super()._get(name, **sdk_options)
        except self.client.exceptions.ResourceNotFoundException:
            return ""


def _why(error: GetParameterError) -> str:
    response = getattr(error.__context__, "response", None)
    code = response["Error"]["Code"] if response else type(error.__context__).__name__
    return _WHY.get(code, code)
