"""The page: every operation of the document with what it was seen to answer."""

import json
import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from http import HTTPStatus
from typing import Any
from urllib.parse import urlencode

from tandem_tools.contract.reference import document as tables
from tandem_tools.contract.reference.document import Document
from tandem_tools.contract.reference.stable import URL
from tandem_tools.contract.reference.steps import Exchange, Request

HEAD = """\
# API reference

<!-- Written by `make docs` from docs/openapi.json and a played scenario. -->

Every request and answer below really ran, on a stack as `make run` starts it. Ids, times, tokens,
signatures, durations and the counts of reports are replaced, so that this page changes only when
the API does; `…` stands for what is left out. The whole contract: [openapi.json](../openapi.json).

`$TOKEN` is an access token of the machine client, `$OPERATOR_TOKEN` one of the operator client:
`make token`, and `make token OPERATOR=1`.
"""
ERRORS = """\
## Errors

Each is a problem document (RFC 9457) with a stable `type`, but for what API Gateway says:
401, and 429 when the whole API is throttled. What one operation is shown to answer, others may too.
"""
_SHOWN_HEADERS = (
    "content-type",
    "location",
    "retry-after",
    "etag",
    "age",
    "allow",
    "cache-control",
    "idempotency-replayed",
    "preference-applied",
    "www-authenticate",
    "x-request-id",
)
_TOKENS = {"machine": "$TOKEN", "operator": "$OPERATOR_TOKEN"}


class NotShown(Exception):
    """Operations of the document have no exchange."""


def page(document: Document, exchanges: Sequence[Exchange]) -> str:
    """Return the reference as Markdown.

    Raises:
        NotShown: an operation of the document was not called with success.
    """
    good = [exchange for exchange in exchanges if exchange.status < 400]
    missing = not_shown(document, [exchange.step.operation for exchange in good])
    if missing:
        raise NotShown(f"No step of the scenario shows {', '.join(missing)}.")
    parts = [HEAD, "\n".join(_contents(document)) + "\n"]
    for tag in document["tags"]:
        parts.append(f"## {tag['name'].capitalize()}\n\n{tag['description']}\n")
        parts += [
            _operation(document, *operation, good)
            for operation in tables.tagged(document, tag["name"])
        ]
    parts.append(ERRORS)
    bad = sorted(
        (exchange for exchange in exchanges if exchange.status >= 400), key=lambda one: one.status
    )
    parts += [_error(exchange) for exchange in bad]
    return "\n".join(parts)


def not_shown(document: Document, shown: Iterable[str]) -> list[str]:
    """Return the ids of the document's operations that are not among the shown ones."""
    ids = [operation["operationId"] for _, _, operation in tables.operations(document)]
    return sorted(set(ids) - set(shown))


def _contents(document: Document) -> Iterator[str]:
    yield "| | scope |"
    yield "| --- | --- |"
    for tag in document["tags"]:
        for method, path, operation in tables.tagged(document, tag["name"]):
            scope = tables.scope_of(operation).removesuffix(".").removeprefix("Scope ")
            yield f"| [`{method} {path}`](#{_anchor(f'{method} {path}')}) | {scope} |"
    yield "| [Errors](#errors) | |"


def _anchor(title: str) -> str:
    """Return the anchor that a heading gets: lower case, blanks as dashes, no other signs."""
    kept = (sign for sign in title.lower() if sign.isalnum() or sign in " -_")
    return "".join(kept).replace(" ", "-")


def _operation(
    document: Document,
    method: str,
    path: str,
    operation: Mapping[str, Any],
    exchanges: Iterable[Exchange],
) -> str:
    lines = [
        f"### `{method} {path}`",
        "",
        str(operation.get("description") or operation["summary"]),
        "",
        f"{tables.scope_of(operation)} Operation `{operation['operationId']}`.",
        *tables.parameters(document, operation),
        *tables.body_fields(document, operation),
        *tables.answers(operation),
    ]
    mine = [
        exchange for exchange in exchanges if exchange.step.operation == operation["operationId"]
    ]
    return "\n".join(lines) + "\n\n" + "\n".join(map(_exchange, mine))


def _error(exchange: Exchange) -> str:
    phrase = HTTPStatus(exchange.status).phrase
    return f"### {exchange.status} {phrase}: {_kind(exchange)}\n\n{_exchange(exchange)}"


def _kind(exchange: Exchange) -> str:
    kind = exchange.answer.get("type") if isinstance(exchange.answer, Mapping) else None
    return f"`{kind.rpartition(':')[2]}`" if kind else "from API Gateway"


def _exchange(exchange: Exchange) -> str:
    answer = [f"HTTP/1.1 {exchange.status} {HTTPStatus(exchange.status).phrase}"]
    answer += [
        f"{name}: {exchange.headers[name]}" for name in _SHOWN_HEADERS if name in exchange.headers
    ]
    if exchange.answer is not None:
        answer += ["", _pretty(exchange.answer)]
    blocks = ("console", f"$ {_curl(exchange.request)}"), ("http", "\n".join(answer))
    shown = "\n".join(f"```{language}\n{text}\n```\n" for language, text in blocks)
    return f"{exchange.step.says}\n\n{shown}"


def _pretty(answer: Any) -> str:
    return answer if isinstance(answer, str) else json.dumps(answer, indent=2, ensure_ascii=False)


def _curl(request: Request) -> str:
    """Return a request as a command line. Curl itself says GET, and POST for a body."""
    query = f"?{urlencode(request.query)}" if request.query else ""
    words = ["curl -i"]
    if request.method != ("GET" if request.body is None else "POST"):
        words[0] += f" -X {request.method}"
    if request.caller in _TOKENS:
        words.append(f'-H "Authorization: Bearer {_TOKENS[request.caller]}"')
    words += [f"-H {shlex.quote(f'{name}: {value}')}" for name, value in request.headers.items()]
    if request.body is not None:
        if "Content-Type" not in request.headers:
            words.append("-H 'Content-Type: application/json'")
        words.append(f"-d {shlex.quote(_compact(request.body))}")
    words.append(shlex.quote(f"{URL}{request.path}{query}"))
    return " \\\n    ".join(words)


def _compact(body: Any) -> str:
    return body if isinstance(body, str) else json.dumps(body, ensure_ascii=False)
