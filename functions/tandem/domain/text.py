"""Text that processors make of what they were given, fit to be stored and shown."""

import re

_UNFIT = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
"""What XML 1.0 has not, and so SQS refuses: control characters, halves of surrogate pairs (which
UTF-8 and so DynamoDB have not either), U+FFFE and U+FFFF."""


def storable(text: str, characters: int) -> str:
    """Return a text cut to a length, with U+FFFD for each character that cannot be stored.

    The bytes of its UTF-8 are at most four times as many as its characters.
    """
    return _UNFIT.sub("\ufffd", text[:characters])
