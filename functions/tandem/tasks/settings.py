"""The settings of processors, read from the one secret of the stack."""

from pydantic import BaseModel

from tandem.processing.context import Logger
from tandem.processing.settings import BadSettings, make, read_texts
from tandem.secrets import SecretsError, SecretStore


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
        try:
            body = self._secrets.current(self._secret, max_age_seconds=self._max_age_seconds)
        except SecretsError as error:
            self._logger.error("settings not read", reason=str(error))
            raise
        settings = make(model, read_texts(body))
        if isinstance(settings, list):
            message = f"settings of {processor}: {'; '.join(settings)}"
            raise BadSettings(message)
        return settings
