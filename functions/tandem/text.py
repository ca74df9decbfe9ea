"""Texts fit to be stored and shown to a task's owner, those of exceptions among them.

A processor's own message is for the owner. A message of the AWS SDK names accounts, roles and
resources, and one of a socket names hosts: of these only the class and AWS's error code are told.
"""

import re
from typing import Any

_UNFIT = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
"""What XML 1.0 has not, and so SQS refuses: control characters, halves of surrogate pairs (which
UTF-8 and so DynamoDB have not either), U+FFFE and U+FFFF."""


def storable(text: str, characters: int) -> str:
    """Return a text cut to a length, with U+FFFD for each character that cannot be stored.

    The bytes of its UTF-8 are at most four times as many as its characters.
    """
    return _UNFIT.sub("\ufffd", text[:characters])


_INNER_MODULES = frozenset(
    {
        "aws_lambda_powertools",
        "boto3",
        "botocore",
        "http",
        "s3transfer",
        "socket",
        "ssl",
        "urllib3",
        "tandem.aws",
        "tandem.callbacks.ports",
        "tandem.contended",
        "tandem.files.blobs",
        "tandem.messages",
        "tandem.posting",
        "tandem.reports.ports",
        "tandem.secrets",
        "tandem.tasks.results",
        "tandem.tasks.store",
        "tandem.tenants.quota",
    }
)
"""Whose exceptions, and all that derive from them, are not the processor's own."""

_CODE = re.compile(r"[A-Za-z0-9][A-Za-z0-9.:_-]{0,99}")
_TYPE_CHARACTERS = 100


def error_type(error: BaseException) -> str:
    """Return the name of an exception's class."""
    return storable(type(error).__name__, _TYPE_CHARACTERS) or "Exception"


def error_text(error: BaseException, characters: int) -> str:
    """Return an exception's message, cut to a length. The name of its class when it has none.

    Of the invalid parts of a Pydantic model it tells all, each with where it is. It never raises.
    """
    if _is_inner(error):
        code = aws_code(error)
        return f"AWS answered {code}" if code else error_type(error)
    try:
        text = _invalid_parts(error) if _is_invalid_model(error) else str(error)
        text = storable("".join((text,)), characters)  # a subclass of str may cut otherwise
    except BaseException:  # noqa: BLE001 - a `__str__` may raise anything, and the end be lost
        text = ""
    return text or error_type(error)


def aws_code(error: BaseException) -> str | None:
    """Return the code of an error that AWS answered. None for any other exception."""
    try:
        response: Any = getattr(error, "response", None)
        code = response["Error"]["Code"] if isinstance(response, dict) else None
    except Exception:  # noqa: BLE001 - any library may give its exceptions a `response`
        return None
    return code if isinstance(code, str) and _CODE.fullmatch(code) else None


def _is_inner(error: BaseException) -> bool:
    for kind in type(error).__mro__:
        parts = str(kind.__module__).split(".")
        if any(".".join(parts[:end]) in _INNER_MODULES for end in range(1, len(parts) + 1)):
            return True
    return False


def _is_invalid_model(error: BaseException) -> bool:
    kind = type(error)
    return kind.__name__ == "ValidationError" and str(kind.__module__).startswith("pydantic_core")


def _invalid_parts(error: Any) -> str:
    parts = error.errors(include_url=False, include_context=False, include_input=False)
    return "; ".join(f"{'/'.join(map(str, part['loc']))}: {part['msg']}" for part in parts)
