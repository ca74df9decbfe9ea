"""The settings of processors in the stack on this machine: `.env`, brought into its secret."""

import json
from collections.abc import Mapping
from pathlib import Path

from botocore.exceptions import BotoCoreError, ClientError

from tandem_tools.errors import ToolError
from tandem_tools.run.aws import Aws
from tandem_tools.settings import dotenv
from tandem_tools.settings.declared import CannotImport, declared


def missing(texts: Mapping[str, str]) -> list[str]:
    """Return what to say of settings before a stack starts: what processors have not, by name."""
    try:
        lines = declared(texts).lines()
    except CannotImport as error:
        return [error.problem]
    if not lines:
        return []
    heading = f"Settings are missing or wrong in {dotenv.FILE}; tasks of these processors fail:"
    return [heading, *lines]


def put(aws: Aws, secret: str, texts: Mapping[str, str]) -> None:
    """Give the emulator's secret these settings."""
    aws.secrets_manager.put_secret_value(SecretId=secret, SecretString=json.dumps(dict(texts)))


class EnvFile:
    """Brings what is saved in `.env` into a running stack."""

    def __init__(
        self, aws: Aws, secret: str, texts: Mapping[str, str], path: Path = dotenv.FILE
    ) -> None:
        """Remember what the stack was started with."""
        self._aws = aws
        self._secret = secret
        self._texts = dict(texts)
        self._path = path
        self._fault = ""

    def follow(self) -> list[str]:
        """Bring a change into the stack, if there was one, and return what to say of it."""
        try:
            texts = dotenv.read(self._path)
        except ToolError as error:
            fault, self._fault = self._fault, str(error)
            return [] if fault == self._fault else [f"{error.problem} The stack keeps the others."]
        if texts == self._texts:
            self._fault = ""
            return []
        try:
            put(self._aws, self._secret, texts)
        except (BotoCoreError, ClientError) as error:
            kind, said, self._fault = type(error).__name__, self._fault, type(error).__name__
            return [] if said == kind else [f"{self._path.name}: not updated yet ({kind})"]
        self._fault = ""
        self._texts = texts
        return [f"{self._path.name}: updated", *missing(texts)]
