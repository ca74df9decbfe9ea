"""OpenAPI links: which answer holds the id that which operation asks for."""

from typing import Any

type Json = dict[str, Any]

_MAKES_TASK = ("process_online", "process_offline", "start_heavy_task", "retry_task")
_OF_TASK = ("get_task", "get_task_result", "cancel_task", "retry_task")
_OF_UPLOAD = ("get_upload", "delete_upload")


def add_links(document: Json) -> None:
    """Add the links to the operations that make something."""
    by_id = {
        operation["operationId"]: operation
        for path in document["paths"].values()
        for operation in path.values()
    }
    for maker in _MAKES_TASK:
        _link(by_id[maker], ("200", "202"), _OF_TASK, "task_id")
    _link(by_id["create_upload"], ("201",), _OF_UPLOAD, "upload_id")


def _link(maker: Json, statuses: tuple[str, ...], targets: tuple[str, ...], name: str) -> None:
    for status in statuses:
        answer = maker["responses"].get(status)
        if answer is not None:
            answer["links"] = {
                target: {"operationId": target, "parameters": {name: f"$response.body#/{name}"}}
                for target in targets
            }
