"""The first two requests of a new stack, one on each path, and files sent to it."""

import time
from pathlib import Path
from typing import Any

import httpx2

from tandem_tools.errors import ToolError

ECHO = {"processor": "echo", "input": {"message": "hello"}}
"""A task of the processor that every application has."""
FINAL = frozenset({"succeeded", "failed", "cancelled"})
DONE_WITHIN_SECONDS = 60

type Json = dict[str, Any]


def run_online(api: httpx2.Client) -> Json:
    """Run a task in the response of one request, and return its output."""
    output: Json = _json(api.post("/process-online", json=ECHO))["output"]
    return output


def run_offline(api: httpx2.Client) -> Json:
    """Queue a task, wait for the worker's end of it, and return its output.

    Raises:
        ToolError: it failed, or did not end in time.
    """
    accepted = api.post("/process-offline", json=ECHO, headers={"Cache-Control": "no-cache"})
    _json(accepted)
    task = _finished(api, accepted.headers["location"])
    if task["state"] != "succeeded":
        raise ToolError(
            f"The first task {task['task_id']} {task['state']}: {task['error']}",
            "The worker's lines above say why.",
        )
    return _json(api.get(f"{accepted.headers['location']}/result"))


def to_try(api: httpx2.Client) -> Json:
    """Return a task to try by hand: of the project's first processor with an example, or echo's.

    None that reads an upload: there is none yet. None of these is run here, since a project's may
    charge a card.
    """
    for processor in _json(api.get("/processors"))["processors"]:
        [example, *_] = processor["input_schema"].get("examples") or [{}]
        needs_upload = any("upload" in name for name in example)
        if processor["name"] != ECHO["processor"] and example and not needs_upload:
            return {"processor": processor["name"], "input": example}
    return ECHO


def send_upload(api: httpx2.Client, file: Path) -> str:
    """Send a file straight to the bucket, as the API's presigned form says, and return its id."""
    content = file.read_bytes()
    about = {"filename": file.name, "content_type": "text/csv", "size": len(content)}
    upload = _json(api.post("/uploads", json=about))
    httpx2.post(
        upload["url"],
        data=upload["fields"],
        files={"file": (file.name, content)},
        timeout=30,
    ).raise_for_status()
    upload_id: str = upload["upload_id"]
    return upload_id


def _finished(api: httpx2.Client, path: str) -> Json:
    deadline = time.monotonic() + DONE_WITHIN_SECONDS
    while True:
        task = _json(api.get(path))
        if task["state"] in FINAL:
            return task
        if time.monotonic() > deadline:
            raise ToolError(
                f"The first task is still {task['state']} after {DONE_WITHIN_SECONDS} s.",
                "The worker's lines above say why.",
            )
        time.sleep(0.5)


def _json(response: httpx2.Response) -> Json:
    if response.is_error:
        request = response.request
        raise ToolError(
            f"{request.method} {request.url} answered {response.status_code}: {response.text}",
            "The functions' lines above say why.",
        )
    answer: Json = response.json()
    return answer
