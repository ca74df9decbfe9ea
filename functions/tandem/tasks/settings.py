"""The settings of processors, read from the one secret of the stack."""

from pydantic import BaseModel

from tandem.processing.context import Logger
from tandem.processing.settings import BadSettings, make, read_texts
from tandem.secrets import SecretsError, SecretStore

ANEW_SECONDS = 5
"""A kept body that leaves a setting out is read anew, at most so often: it was set meanwhile."""


class ProcessorSettings:
    """Makes the settings of a processor from that secret, which is kept for a while."""

    def __init__(
        self, secrets: SecretStore, secret: str, *, max_age_seconds: int, logger: Logger
    ) -> None:
        self._secrets = secrets
        self._secret = secret
        self._max_age_seconds = max_age_seconds
        self._logger = logger

    def of(self, processor: str, model: type[BaseModel]) -> BaseModel:
        """Return the settings that a processor declares: those of its own names alone.

        Raises:
            BadSettings: one is missing or wrong.
            SecretsError: they cannot be read.
        """
        settings = self._made(model, self._max_age_seconds)
        if not isinstance(settings, BaseModel) and self._max_age_seconds > ANEW_SECONDS:
            # Its task would fail for good, and so would its redrive after the setting was set.
            settings = self._made(model, ANEW_SECONDS)
        if isinstance(settings, BadSettings):
            raise settings
        if isinstance(settings, list):
            message = f"settings of {processor}: {'; '.join(settings)}"
            raise BadSettings(message)
        return settings

    def _made(
        self, model: type[BaseModel], max_age_seconds: int
    ) -> BaseModel | list[str] | BadSettings:
        """Return the settings of a model, or what is wrong with them."""
        try:
            body = self._secrets.current(self._secret, max_age_seconds=max_age_seconds)
            return make(model, read_texts(body))
        except SecretsError as error:
            self._logger.error("settings not read", reason=str(error))
            raise
        except BadSettings as error:
            return error
