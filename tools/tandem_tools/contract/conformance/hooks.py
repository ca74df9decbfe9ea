"""Schemathesis hooks, for what the OpenAPI document cannot say.

It keeps the work small, sends the files that uploads announce, and looks closer at why valid data
was refused.
"""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

import httpx2
import schemathesis
from schemathesis import Case, CheckContext, HookContext, Response

from tandem_tools.paths import SAMPLE

BLOCKS_AT_MOST = 8
BLOCK_MB_AT_MOST = 1
BODY_LIMITS = {"blocks": 1024, "block_mb": 64}
QUERY_LIMITS = {"blocks": 256, "block_mb": 16}
"""What the API takes. Anything above stays as it is, for the API to refuse."""

_PROBLEM = "urn:tandem:problem:"
_REFUSALS = frozenset(
    {"task-failed", "idempotency-key-reused", "upload-too-large", "batch-above-burst"}
)
_BEYOND_JSON_SCHEMA = re.compile(
    r"It is more than \d+ days ahead\."
    r"|It is not a URL.*|It holds a user or a password\.|It has a fragment\.|Its port is 0\."
    r"|Its host is (neither a name nor an address|this machine)\.|Its address is not a public one\."
    r"|An online task runs now\."
    r"|There is no such processor\."
    r"|It is not the next_cursor of a page\."
    r"|Value error, It is no task id\."
    r"|Value error, a (file name|content type) must .*"
)
"""Rules for valid data that the document tells in words only."""
_OWN_RULE = re.compile(r"Value error, .+")
_IN_AN_INPUT = re.compile(r"/body/(tasks/\d+/)?([a-z0-9-]+/)?input(/|$)")
"""A processor's input model may have rules of its own, which raise ValueError."""

type AnyCase = Case[Any]

_uploads: list[str] = []
"""Uploads whose file was sent, for processors to read."""


@schemathesis.hook
def map_body(_context: HookContext, body: Any) -> Any:
    """Keep generated work small, and name uploads that are there where a valid id stands."""
    for submission in _submissions(body):
        asked = submission.get("input")
        if isinstance(asked, dict):
            _shrink(asked, BODY_LIMITS)
            if _uploads and _is_upload_id(asked.get("upload")):
                asked["upload"] = _uploads[-1]
    return body


@schemathesis.hook
def map_query(_context: HookContext, query: Any) -> Any:
    """Keep the heavy task light."""
    if isinstance(query, dict):
        _shrink(query, QUERY_LIMITS)
    return query


@schemathesis.hook
def after_call(_context: HookContext, case: AnyCase, response: Response) -> None:
    """Send the file that an upload was created for, so that there is something to get."""
    if case.operation.label == "POST /uploads" and response.status_code == 201:
        form = response.json()
        asked: Any = case.body
        size = int(asked["size"])
        content = SAMPLE.read_bytes()[:size]
        sent = httpx2.post(form["url"], data=form["fields"], files={"file": content}, timeout=30)
        if sent.is_success and size >= SAMPLE.stat().st_size:
            _uploads.append(form["upload_id"])


@schemathesis.check
def refused_for_a_reason(_context: CheckContext, response: Response, case: AnyCase) -> None:
    """Valid data is refused only for what the OpenAPI document cannot say."""
    if response.status_code not in {413, 422} or not _is_valid(case):
        return
    problem = response.json()
    kind = problem["type"].removeprefix(_PROBLEM)
    if kind == "invalid-request":
        unexplained = [
            error
            for error in problem["errors"]
            if not _BEYOND_JSON_SCHEMA.match(error["detail"])
            and not (_IN_AN_INPUT.match(error["pointer"]) and _OWN_RULE.match(error["detail"]))
        ]
        if unexplained:
            raise AssertionError(f"Valid by the document, and refused: {json.dumps(unexplained)}")
    elif kind not in _REFUSALS:
        raise AssertionError(f"Valid by the document, and refused as {kind}")


def _is_valid(case: AnyCase) -> bool:
    return case.meta is not None and case.meta.generation.mode.is_positive


def _submissions(body: Any) -> Iterator[dict[str, Any]]:
    """Yield the submissions in a body, as far as it is made of any."""
    several = body.get("tasks") if isinstance(body, dict) else None
    for part in several if isinstance(several, list) else [body]:
        if isinstance(part, dict):
            yield part


def _shrink(asked: dict[str, Any], limits: Mapping[str, int]) -> None:
    """Make what is a valid size of work a small one. What is not valid stays what it is."""
    for name, most in (("blocks", BLOCKS_AT_MOST), ("block_mb", BLOCK_MB_AT_MOST)):
        value = asked.get(name)
        if isinstance(value, int) and most < value <= limits[name]:
            asked[name] = most


def _is_upload_id(value: Any) -> bool:
    return isinstance(value, str) and 1 <= len(value) <= 64
