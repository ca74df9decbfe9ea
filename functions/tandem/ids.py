"""Identifiers, each of a type of its own."""

import re
import secrets
from datetime import UTC, datetime
from typing import NewType
from uuid import UUID

TaskId = NewType("TaskId", str)
TenantId = NewType("TenantId", str)
UploadId = NewType("UploadId", str)

_TENANT = re.compile(r"(?=.*[A-Za-z0-9])[A-Za-z0-9_.@:|+-]{1,128}")
"""It is a part of S3 keys, index keys and SQS group ids: no `/`, no `#`, and never `.` or `..`."""


class InvalidTenant(ValueError):
    """The tenant has characters or a length that no identifier may have."""


def parse_tenant(text: str) -> TenantId:
    """Return the tenant that a token names.

    Raises:
        InvalidTenant: it has no letter or digit, is longer than 128 characters, or has a character
            that is not safe in a key or a log line.
    """
    if not _TENANT.fullmatch(text):
        raise InvalidTenant
    return TenantId(text)


def moment_of(identifier: str) -> datetime:
    """Return when an id of ours was made, to the millisecond: the first 48 bits of a UUIDv7."""
    return datetime.fromtimestamp((UUID(identifier).int >> 80) / 1000, UTC)


def parse_uuid(text: str) -> str | None:
    """Return the canonical form of a UUID, or None when the text is not one."""
    try:
        return str(UUID(text)) if len(text) == 36 else None
    except ValueError:
        return None


def time_ordered_uuid(now: datetime) -> str:
    """Return a UUIDv7 (RFC 9562, section 5.7): 48 bits of Unix milliseconds, 74 random bits."""
    milliseconds = int(now.timestamp() * 1000) & ((1 << 48) - 1)
    random = secrets.randbits(74)
    value = milliseconds << 80 | 0x7 << 76 | (random >> 62) << 64 | 0b10 << 62
    return str(UUID(int=value | random & ((1 << 62) - 1)))


def new_task_id(now: datetime) -> TaskId:
    """Return a fresh task id that sorts by its creation time."""
    return TaskId(time_ordered_uuid(now))


def new_upload_id(now: datetime) -> UploadId:
    """Return a fresh upload id that sorts by its creation time."""
    return UploadId(time_ordered_uuid(now))
