"""The paths of the API."""

from urllib.parse import quote


def task_path(task_id: str, part: str = "") -> str:
    """Return where a task, or a part of it, is."""
    return f"/tasks/{quote(task_id, safe='')}{part}"


def upload_path(upload_id: str) -> str:
    """Return where an upload is."""
    return f"/uploads/{quote(upload_id, safe='')}"
