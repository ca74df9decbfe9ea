"""A handler that does nothing: what is left is the runtime client's own cost."""

from typing import Any


def handler(event: dict[str, Any], _context: Any) -> dict[str, Any]:
    """Answer what was sent, or as GET /health does."""
    return {"statusCode": 200, "body": event.get("body") or '{"status":"ok"}'}
