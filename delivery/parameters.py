"""Values of the template's parameters: read, and checked as CloudFormation would."""

import re
import shlex
from collections.abc import Mapping
from typing import Any

from local.errors import StackError


def pairs(said: str | list[str] | dict[str, Any]) -> dict[str, str]:
    """Return `Name=value` pairs in each of the forms that samconfig.toml may have them in.

    Args:
        said: one text, parted as a shell parts it; or a list of texts, each a name and the value
            as it is; or a table.

    Raises:
        StackError: it is none of these.
    """
    if isinstance(said, dict):
        return {name: _text(value) for name, value in said.items()}
    try:
        texts = shlex.split(said) if isinstance(said, str) else said
    except ValueError as error:
        raise StackError(f"{said!r} cannot be read: {error}.", "Close the quotes.") from None
    for text in texts:
        if "=" not in text:
            raise StackError(
                f"Expected Name=value, got {text!r}.",
                "Put a value with blanks in quotes: Name='a b'",
            )
    return dict(text.split("=", 1) for text in texts)


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def refused(declared: Mapping[str, Any] | None, value: str) -> str:
    """Return why a parameter cannot have a value; empty when it can.

    Args:
        declared: what the template says of the parameter; none when it has no such parameter.
        value: the value as CloudFormation would be given it.
    """
    if declared is None:
        return "the template has no such parameter"
    allowed = [str(one) for one in declared.get("AllowedValues", ())]
    if allowed and value not in allowed:
        return f"must be one of {', '.join(allowed)}"
    pattern = declared.get("AllowedPattern")
    if pattern and not re.fullmatch(pattern, value):
        return f"must match {pattern}"
    if declared["Type"] == "Number":
        try:
            number = float(value)
        except ValueError:
            return "must be a number"
        least, most = declared.get("MinValue", number), declared.get("MaxValue", number)
        if not float(least) <= number <= float(most):
            return f"must be from {least} to {most}"
    return ""
