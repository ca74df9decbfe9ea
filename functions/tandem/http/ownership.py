"""Lookups by id that show a caller its own tasks and uploads alone."""

from typing import Annotated

from fastapi import Path

from tandem.files.blobs import BlobInfo, BlobMissing, upload_key
from tandem.http.identity import Caller
from tandem.http.problems import not_found
from tandem.http.services import Services
from tandem.ids import TaskId, UploadId, parse_uuid
from tandem.tasks.actions import NoSuchTask
from tandem.tasks.task import Task

_EXAMPLE = "019ab1e0-7c1d-7a52-8d3e-0b5a4c1f2e3d"

TaskIdPath = Annotated[
    str,
    Path(description="A task's id.", max_length=64, openapi_examples={"id": {"value": _EXAMPLE}}),
]
UploadIdPath = Annotated[
    str,
    Path(
        description="An upload's id.", max_length=64, openapi_examples={"id": {"value": _EXAMPLE}}
    ),
]


def owned_task(task_id: str, caller: Caller, services: Services) -> Task:
    """Return the caller's task. Another tenant's is as if it were not there: 404."""
    known = parse_uuid(task_id)
    if known is None:
        raise not_found("task")
    try:
        return services.tasks.get(caller.tenant, TaskId(known))
    except NoSuchTask:
        raise not_found("task") from None


def owned_upload(upload_id: str, caller: Caller, services: Services) -> BlobInfo:
    """Return what is known of the caller's upload, or answer 404."""
    known = parse_uuid(upload_id)
    if known is None:
        raise not_found("upload")
    try:
        return services.blobs.info(upload_key(caller.tenant, UploadId(known)))
    except BlobMissing:
        raise not_found("upload") from None
