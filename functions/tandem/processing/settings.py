"""The settings of processors: models that they declare, made of texts by their names.

A setting's name is its field's in capitals. Whatever is told of one holds its name, and never its
value: what Pydantic says of a wrong value may quote it.
"""

import json
import re
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, get_args
from urllib.parse import quote, quote_plus

from pydantic import BaseModel, RootModel, Secret, SecretBytes, SecretStr, ValidationError

from tandem.processing.upload import parts_of
from tandem.tasks.retry import OwnFault
from tandem.text import storable

NAME = re.compile(r"[A-Z][A-Z0-9_]{0,127}")
"""The name of a setting."""

_FIELD = re.compile(r"[a-z][a-z0-9_]{0,127}")
_MASK = "**********"
_LEAST_CHARACTERS = 4
"""A shorter secret is in many texts by chance: masking it would tell what it is."""
_LEAST_OF_A_LINE = 8
"""Lines of a key in PEM have 64. A shorter one may be a bracket, or a word."""


class BadSettings(OwnFault):
    """The processor's settings are missing or wrong. The message has their names alone."""


def names_of(model: type[BaseModel]) -> dict[str, str]:
    """Return the name of each setting of a model, by its field."""
    return {field: field.upper() for field in model.model_fields}


def flaw_of(model: Any) -> str | None:
    """Return why settings cannot be made of a model. None when they can."""
    if not (isinstance(model, type) and issubclass(model, BaseModel)):
        return "it is no Pydantic model"
    if issubclass(model, RootModel):
        return "it is a root model, which has no names"
    wrong = [field for field in model.model_fields if not _FIELD.fullmatch(field)]
    if wrong:
        return f"its field {wrong[0]!r} is not of lower-case letters, digits and underscores"
    return None


def make(model: type[BaseModel], texts: Mapping[str, str]) -> BaseModel | list[str]:
    """Return the settings of a model, or what is missing or wrong of them, each by its name.

    What Pydantic and the model's own validators raise holds values: it goes no further than here.

    Args:
        model: what a processor declares.
        texts: all settings there are, by their names. The model is given its own alone.
    """
    own = {field: texts[name] for field, name in names_of(model).items() if texts.get(name)}
    try:
        return model.model_validate_strings(own, by_alias=False, by_name=True)
    except ValidationError as error:
        return list(dict.fromkeys(_faults(model, error)))
    except BaseException as error:  # noqa: BLE001 - a validator may raise anything: `sys.exit` too
        return [f"{model.__name__} cannot be made ({type(error).__name__})"]


def read_texts(body: str) -> dict[str, str]:
    """Return the settings that the body of a secret holds: a JSON object of texts by their names.

    Other values than texts become their JSON. An empty text, like null, is as no setting.

    Raises:
        BadSettings: the body is no JSON object.
    """
    try:
        document = json.loads(body or "{}")
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict):
        message = "the secret with the processors' settings holds no JSON object"
        raise BadSettings(message)
    texts = {
        name: value if isinstance(value, str) else json.dumps(value)
        for name, value in document.items()
        if value is not None
    }
    return {name: text for name, text in texts.items() if text}


def masked(text: str, settings: BaseModel) -> str:
    """Return a text without the model's secrets, wherever in the model they are.

    A secret is what Pydantic keeps as one: `SecretStr`, `SecretBytes` and `Secret`. It is found as
    it is and as an address, JSON, Python or Base64 writes it, and so is each of its lines.
    """
    forms = {
        form
        for secret in _secrets_in(settings)
        for plain in (secret, secret.strip(), *_lines(secret))
        if len(plain) >= _LEAST_CHARACTERS
        for form in _forms(plain)
    }
    # The longest first: another may be a part of it.
    for form in sorted(forms, key=lambda one: (-len(one), one)):
        text = text.replace(form, _MASK)
    return text


def _secrets_in(settings: BaseModel) -> Iterator[str]:
    for part in parts_of(settings):
        if isinstance(part, Secret | SecretStr | SecretBytes):
            plain = part.get_secret_value()
            yield plain.decode(errors="replace") if isinstance(plain, bytes) else str(plain)


def _lines(secret: str) -> list[str]:
    """Return the lines of a secret that are long enough to be in no other text by chance."""
    lines = (line.strip() for line in secret.splitlines())
    return [line for line in lines if len(line) >= _LEAST_OF_A_LINE]


def _forms(plain: str) -> Iterator[str]:
    """Return how a value may stand in the text of an error."""
    encoded = plain.encode(errors="surrogatepass")
    yield plain
    yield storable(plain, len(plain))
    for safe in ("/", ""):
        yield quote(encoded, safe=safe)
        yield quote_plus(encoded, safe=safe)
    for written in (json.dumps(plain), json.dumps(plain, ensure_ascii=False), repr(plain)):
        yield written[1:-1]
    yield repr(encoded)[2:-1]
    for code in (b64encode(encoded), urlsafe_b64encode(encoded)):
        yield code.decode().rstrip("=")


def _faults(model: type[BaseModel], error: ValidationError) -> Iterator[str]:
    names = names_of(model)
    parts = error.errors(include_url=False, include_context=False, include_input=False)
    for part in parts:
        # Deeper than the field, a place may be a key of what the setting holds.
        name = names.get(str(part["loc"][0])) if part["loc"] else None
        if part["type"] == "missing" and name and len(part["loc"]) == 1:
            yield f"{name} is missing"
        else:
            yield f"{name or f'{model.__name__} as a whole'} is wrong ({_kind(part['type'])})"


def _kind(kind: str) -> str:
    """Return the kind of an error. A model's validators may name their own, of any text."""
    return kind if kind in _kinds() else "value_error"


@cache
def _kinds() -> frozenset[str]:
    from pydantic_core.core_schema import ErrorType

    return frozenset(get_args(ErrorType))
