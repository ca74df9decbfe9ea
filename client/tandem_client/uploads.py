"""Sending files for processors to read."""

import mimetypes
from pathlib import Path

import httpx2

from tandem_client.connection import Connection
from tandem_client.models import UploadRequest, UploadTicket

_TYPES = {
    ".csv": "text/csv",
    ".jsonl": "application/x-ndjson",
    ".ndjson": "application/x-ndjson",
    ".parquet": "application/vnd.apache.parquet",
}
_ANY = "application/octet-stream"


def described(path: Path, content_type: str | None, processor: str | None) -> UploadRequest:
    """Return what the API wants to know of a file. Its type is guessed from its name."""
    guessed = _TYPES.get(path.suffix.lower()) or mimetypes.guess_type(path.name)[0]
    size = path.stat().st_size
    # Whatever the API does not accept, it says so itself.
    return UploadRequest.model_construct(
        filename=path.name,
        content_type=content_type or guessed or _ANY,
        size=size,
        processor=processor,
    )


def send_file(connection: Connection, ticket: UploadTicket, path: Path) -> None:
    """Stream a file to the store, as the form says."""

    def send(store: httpx2.Client) -> httpx2.Response:
        with path.open("rb") as file:
            return store.post(ticket.url, data=ticket.fields, files={"file": (path.name, file)})

    connection.upload(send)
