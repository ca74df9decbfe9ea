"""Names of files: what may be kept in S3's metadata and keys, and told in headers."""

import re

FILENAME_CHARACTERS = 255

FILENAME_BYTES = 640
"""In UTF-8. Percent-encoded they are at most 1,920 bytes of an object's metadata, of which S3 keeps
2 KB. A key has 1,024 bytes.
https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingMetadata.html"""

_UNFIT = re.compile(
    "[\x00-\x1f\x7f-\x9f/\\\\\u2028\u2029"  # control characters, separators of paths and lines
    "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"  # what turns text around, and hides an ending
    "\ud800-\udfff\ufeff\ufffe\uffff]"
)


class InvalidFilename(ValueError):
    """No file is kept under this name. The message says why, and repeats nothing of it."""


def check_filename(name: str) -> str:
    """Return a name that a file can be kept under.

    Raises:
        InvalidFilename: it is empty, too long, `.` or `..`, or holds a character that no file
            name should have.
    """
    if not 1 <= len(name) <= FILENAME_CHARACTERS:
        raise InvalidFilename(f"a file name must have 1 to {FILENAME_CHARACTERS} characters")
    if _UNFIT.search(name):
        raise InvalidFilename(
            "a file name must have no control characters, no path separators, no half surrogate "
            "pairs and no marks of text direction"
        )
    if len(name.encode()) > FILENAME_BYTES:
        raise InvalidFilename(f"a file name must have at most {FILENAME_BYTES} bytes in UTF-8")
    if name in {".", ".."}:
        raise InvalidFilename("a file name must not be . or ..")
    return name


def saved_name(path: str) -> str:
    """Return the checked name of the file that a processor's path ends with, without folders.

    It is `result` where the path names no file.

    Raises:
        InvalidFilename: see `check_filename`.
    """
    name = path.replace("\\", "/").rstrip("/").rpartition("/")[2]
    return check_filename(name or "result")
