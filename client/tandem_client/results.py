"""A task's result: JSON in the answer, or a file in the store."""

import json
import re
from collections.abc import Iterator
from contextlib import ExitStack
from email.message import Message
from http import HTTPStatus
from pathlib import Path, PureWindowsPath
from secrets import token_hex
from types import TracebackType
from typing import Any, Self

import httpx2

from tandem_client.connection import Connection
from tandem_client.errors import TandemError, unreachable

JSON = "application/json"

_NAME_BYTES = 255
"""What file systems take."""

_UNFIT = re.compile(
    "[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff"
    "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]"  # what turns text around
)


class StoredResult:
    """A result that is read once, in a `with` block.

    Attributes:
        content_type: what it is, without parameters.
        filename: what a file result is called. None for an output.
    """

    def __init__(self, response: httpx2.Response, stack: ExitStack) -> None:
        self._response = response
        self._stack = stack
        self.content_type = response.headers.get("content-type", "").partition(";")[0].strip()
        self.filename = _filename(response.headers.get("content-disposition", ""))

    def __enter__(self) -> Self:
        """Return the result."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the connection."""
        self._stack.close()

    @property
    def is_json(self) -> bool:
        """Whether it is a JSON document."""
        return self.content_type == JSON

    def chunks(self) -> Iterator[bytes]:
        """Yield its bytes."""
        try:
            yield from self._response.iter_bytes()
        except httpx2.RequestError as error:
            raise unreachable(error) from error

    def text(self) -> str:
        """Return a JSON document as it was sent.

        Raises:
            TandemError: it is a file of another kind.
        """
        if not self.is_json:
            name = self.filename or "unnamed"
            detail = f"The result is a file ({name}, {self.content_type}): download it."
            raise TandemError("urn:tandem:client:result-is-a-file", detail)
        return b"".join(self.chunks()).decode()

    def json(self) -> Any:
        """Return the output.

        Raises:
            TandemError: the result is a file of another kind.
        """
        return json.loads(self.text())

    def save(self, target: Path) -> Path:
        """Write it to a file, or under its own name into a folder, and return where it is.

        A file of that name is replaced when all has arrived.
        """
        path = target / (self.filename or "result.json") if target.is_dir() else target
        part = path.with_name(f".{token_hex(8)}.part")  # the name alone may be as long as may be
        try:
            with part.open("wb") as file:
                file.writelines(self.chunks())
            return part.replace(path)
        finally:
            part.unlink(missing_ok=True)


def opened(connection: Connection, path: str) -> StoredResult:
    """Return the result at a path of the API."""
    stack = ExitStack()
    response = connection.send("GET", path, repeatable=True)
    if response.status_code == HTTPStatus.SEE_OTHER:
        response = stack.enter_context(connection.fetched(response.headers["location"]))
    return StoredResult(response, stack)


def _filename(disposition: str) -> str | None:
    """Return the file's name without any folders: the header may say what it likes."""
    header = Message()
    try:
        header["content-disposition"] = disposition
        name = PureWindowsPath(header.get_filename() or "").name
    except Exception:  # noqa: BLE001 - the parser raises errors of several classes
        return None
    if name in {"", ".", ".."} or _UNFIT.search(name) or len(name.encode()) > _NAME_BYTES:
        return None
    return name
