"""The settings of processors in the stack on this machine: `.env`, brought into its secret."""

import json
import re
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from pathlib import Path

from botocore.exceptions import BotoCoreError, ClientError

from tandem_tools.errors import ToolError
from tandem_tools.run.aws import Aws
from tandem_tools.settings import dotenv
from tandem_tools.settings.declared import CannotImport, Declared, declared

_NAME = re.compile(r"[A-Z][A-Z0-9_]*")


def missing(texts: Mapping[str, str]) -> list[str]:
    """Return what to say of settings before a stack starts, by their names.

    That is what processors have not, and what no processor has: a name that is misspelled is both,
    or the second alone where the setting has a default.
    """
    try:
        found = declared(texts)
    except CannotImport as error:
        return [error.problem]
    said = []
    if lines := found.lines():
        heading = f"Settings are missing or wrong in {dotenv.FILE}; tasks of these processors fail:"
        said = [heading, *lines]
    if unknown := ", ".join(_unknown(texts, found)):
        said.append(f"No processor names these settings of {dotenv.FILE.name}: {unknown}")
    return said


def _unknown(texts: Mapping[str, str], found: Declared) -> Iterator[str]:
    """Yield the names that no processor has, each with the one that may be meant.

    What is like no name is left out: a line of a key that stands in no quotes may end with `=`.
    """
    names = {name for settings in found.names.values() for name in settings}
    for text in sorted(texts.keys() - names):
        close = get_close_matches(text.upper(), names - texts.keys(), 1)
        if close:
            yield f"{text} (is it {close[0]}?)"
        elif _NAME.fullmatch(text):
            yield text


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
            fault, self._fault = self._fault, f"{error} Until then the stack has what it had."
            return [] if fault == self._fault else [self._fault]
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
