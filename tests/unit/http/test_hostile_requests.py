"""What no client should send is answered with a problem that says so, and never breaks anything."""

import base64
import gzip
import json
import re
from io import StringIO
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tandem.lambda_events import http_event
from tandem.limits import BODY_BYTES, DETAIL_CHARACTERS, JSON_DEPTH
from tandem.reports.report import Levels
from tests.unit.http.conftest import Answer, Api

ECHO = '{"processor":"echo","input":{"message":%s}}'
AROUND = 2
"""Levels of the body around the message."""

NOT_JSON = {
    "arrays without end": ("[" * 100_000, "nested more than 200 levels"),
    "arrays 100,000 deep": ("[" * 100_000 + "]" * 100_000, "nested more than 200 levels"),
    "objects 100,000 deep": ('{"a":' * 100_000 + "1" + "}" * 100_000, "nested more than 200"),
    "one level too many": ('{"a":' * 199 + "1" + "}" * 199, "nested more than 200 levels"),
    "10,000 digits": ("1" + "0" * 10_000, "number out of range"),
    "more than a double": ("1e999", "larger than a double"),
    "less than a double": ("-1e999", "larger than a double"),
    "NaN": ("NaN", "cannot be read"),
    "infinity": ("-Infinity", "cannot be read"),
    "one name twice": ('{"a":1,"a":2}', "same name twice"),
    "one name twice, escaped": ('{"a":1,"\\u0061":2}', "same name twice"),
    "half a surrogate pair": ('"\\ud800"', "cannot be read"),
    "half a pair as a name": ('{"\\udc00":1}', "cannot be read"),
    "a control character": ('"\x00"', "control character"),
    "a line end in text": ('"\n"', "control character"),
    "something after the end": ("1}} x", "trailing characters"),
    "a comment": ("/* 1 */ 1", "cannot be read"),
    "single quotes": ("'a'", "cannot be read"),
}
LEVELS = Levels(
    waiting=0, delayed=0, in_flight=0, dead_letters=0, oldest_waiting_seconds=0, swept=0
)
POSTS = ["/process-online", "/process-offline"]


@pytest.mark.parametrize(("message", "said"), NOT_JSON.values(), ids=NOT_JSON)
@pytest.mark.parametrize("path", POSTS)
def test_what_is_not_strictly_json_is_refused_with_the_reason(
    api: Api, path: str, message: str, said: str
) -> None:
    answer = api("POST", path, ECHO % message)
    assert (answer.status, answer.problem) == (422, "invalid-request")
    [error] = answer.json["errors"]
    assert error["pointer"] == "/body"
    assert said in error["detail"]
    assert len(answer.text) < 1000


def test_every_operation_with_a_body_reads_it_strictly(api: Api) -> None:
    document = api("GET", "/openapi.json").json
    with_body = [
        (method.upper(), path)
        for path, item in document["paths"].items()
        for method, operation in item.items()
        if "requestBody" in operation
    ]
    assert len(with_body) >= 5
    for method, path in with_body:
        answer = api(method, path, '{"a":1,"a":2}', scopes=(*ALL, "admin"))
        assert "same name twice" in answer.text, (method, path, answer.text)


ALL = ("tasks:read", "tasks:write", "reports:read")


@pytest.mark.parametrize("depth", [1, 100, JSON_DEPTH - AROUND])
def test_what_is_deep_but_allowed_comes_back_on_both_paths(api: Api, depth: int) -> None:
    message = '{"a":' * (depth - 1) + "[]" + "}" * (depth - 1)
    answer = api("POST", "/process-online", ECHO % message)
    assert answer.json["output"] == {"message": json.loads(message)}
    location = api("POST", "/process-offline", ECHO % message).headers["location"]
    api.work()
    assert api("GET", f"{location}/result").json == {"message": json.loads(message)}


@pytest.mark.parametrize(
    "message",
    ["1" + "0" * 4000, "-1.5e300", '"\\u0000"', '"\\ud83d\\ude00"', '"\u2028\x7f"', "0.1", "-0"],
)
def test_odd_json_comes_back_as_it_was(api: Api, message: str) -> None:
    answer = api("POST", "/process-online", ECHO % message)
    assert answer.json["output"] == {"message": json.loads(message)}
    location = api("POST", "/process-offline", ECHO % message).headers["location"]
    api.work()
    assert api("GET", f"{location}/result").json == {"message": json.loads(message)}


def test_a_body_of_four_hundred_thousand_names_is_processed(api: Api) -> None:
    many = {str(number): 0 for number in range(400_000)}
    answer = api("POST", "/process-online", ECHO % json.dumps(many, separators=(",", ":")))
    assert answer.status == 303


@pytest.mark.parametrize("encoding", ["text", "base64"])
@pytest.mark.parametrize("length", [None, "0", "5", "999999999999", "-1", "x"])
@pytest.mark.parametrize(("more", "status"), [(0, 303), (1, 413)])
def test_a_body_is_bounded_by_what_arrives(
    api: Api, more: int, status: int, length: str | None, encoding: str
) -> None:
    body = ECHO % ('"' + "x" * (BODY_BYTES - len(ECHO % '""') + more) + '"')
    event = http_event("POST", "/process-online", body)
    if length is not None:
        event["headers"]["content-length"] = length
    if encoding == "base64":
        event |= {"isBase64Encoded": True, "body": base64.b64encode(body.encode()).decode()}
    answer = sent(api, event)
    assert answer.status == status
    if status == 413:
        assert answer.problem == "content-too-large"
        assert str(BODY_BYTES) in answer.json["detail"]


@pytest.mark.parametrize(
    "body",
    [
        b'{"processor":"echo","input":{"message":"\xff"}}',
        b'{"processor":"echo","input":{"message":"\xed\xa0\x80"}}',
        (ECHO % 1).encode("utf-16"),
        (ECHO % 1).encode("utf-8-sig"),
        b"\x00",
        b" ",
    ],
)
def test_bytes_that_are_no_utf_8_json_are_refused(api: Api, body: bytes) -> None:
    event = http_event("POST", "/process-offline", "")
    event |= {"isBase64Encoded": True, "body": base64.b64encode(body).decode()}
    answer = sent(api, event)
    assert (answer.status, answer.problem) == (422, "invalid-request")


@pytest.mark.parametrize(
    ("body", "encoded"),
    [
        ("%%%not base64", True),
        ("e30", True),
        ("e3 0=", True),
        ("é", True),
        ("\ud800", True),
        ("\ud800", False),
        ('{"processor":"echo","input":{"message":"\udfff"}}', False),
        ({"processor": "echo"}, False),
        (["e30="], True),
        (7, True),
        (7, False),
    ],
    ids=lambda value: ascii(value)[:30],
)
@pytest.mark.parametrize("path", [*POSTS, "/process-offline/batch", "/uploads", "/tasks/x/cancel"])
def test_a_body_that_cannot_be_decoded_is_a_bad_request(
    api: Api, path: str, body: Any, encoded: Any
) -> None:
    event = http_event("POST", path, "") | {"body": body, "isBase64Encoded": encoded}
    answer = sent(api, event)
    assert (answer.status, answer.problem) == (400, "body-unreadable")


@pytest.mark.parametrize("body", [None, "", b""])
@pytest.mark.parametrize("encoded", [True, False, None])
@pytest.mark.parametrize("path", [*POSTS, "/process-offline/batch", "/uploads"])
def test_a_body_that_is_missing_is_refused(api: Api, path: str, body: Any, encoded: Any) -> None:
    event = http_event("POST", path) | {"body": body, "isBase64Encoded": encoded}
    assert sent(api, event).problem == "invalid-request"
    del event["body"], event["isBase64Encoded"]
    assert sent(api, event).problem == "invalid-request"


def test_parts_of_an_event_that_no_bytes_can_hold_break_nothing(api: Api) -> None:
    lone = "\ud800"
    event = http_event("GET", f"/tasks/{lone}", query=f"cursor={lone}", headers={lone: lone})
    assert sent(api, event | {"cookies": [lone, None]}).status == 404
    event = http_event("GET", "/tasks", query=f"processor={lone}", headers={"prefer": lone})
    assert sent(api, event).json["tasks"] == []
    del event["headers"], event["rawQueryString"]
    assert sent(api, event).status == 200


@pytest.mark.parametrize("query", ["processor=%ff", "processor=%", "processor=%zz", "%ff=%ff&&=;"])
def test_a_query_that_is_no_utf_8_is_only_text(api: Api, query: str) -> None:
    assert api("GET", "/tasks", query=query).status == 200


CODINGS = [
    "gzip",
    "GZIP",
    "x-gzip",
    "br",
    "identity, gzip",
    "gzip,identity",
    "zstd",
    "é",
    "x" * 500,
]


@pytest.mark.parametrize("coding", CODINGS)
def test_every_operation_with_a_body_refuses_one_that_is_encoded(api: Api, coding: str) -> None:
    document = api("GET", "/openapi.json").json
    packed = base64.b64encode(gzip.compress((ECHO % 1).encode())).decode()
    for path, item in document["paths"].items():
        for method, operation in item.items():
            if "requestBody" not in operation:
                continue
            event = http_event(
                method.upper(),
                path,
                packed,
                scopes=(*ALL, "admin"),
                headers={"content-encoding": coding},
            )
            answer = sent(api, event | {"isBase64Encoded": True})
            assert (answer.status, answer.problem) == (415, "unsupported-media-type"), path
            assert answer.headers["accept-encoding"] == "identity"


@pytest.mark.parametrize("coding", ["", "identity", " Identity ", "identity,identity", ","])
def test_a_body_that_is_said_not_to_be_encoded_is_read(api: Api, coding: str) -> None:
    answer = api("POST", "/process-offline", ECHO % 1, headers={"content-encoding": coding})
    assert answer.status == 202


def test_a_problem_never_mirrors_a_body(api: Api) -> None:
    for body in (
        {"processor": "x" * 100_000, "input": {}},
        {"processor": "hash-files", "input": {"uploads": [{"x" * 100_000: []}] * 20}},
    ):
        answer = api("POST", "/process-online", body)
        assert answer.problem == "invalid-request"
        parts = [text for part in answer.json["errors"] for text in part.values()]
        assert max(map(len, parts)) <= DETAIL_CHARACTERS + 1
        assert len(parts) <= 200


@pytest.mark.parametrize(
    "before",
    ["0001-01-01T00:00:00%2B14:00", "9999-12-31T23:59:59-14:00", "1e400", "x", "2026-01-01"],
)
def test_a_time_that_is_none_is_refused(api: Api, before: str) -> None:
    answer = api("GET", "/reports", query=f"before={before}")
    assert (answer.status, answer.problem) == (422, "invalid-request")
    assert answer.json["errors"][0]["pointer"] == "/query/before"


@pytest.mark.parametrize(
    "before", ["0001-01-01T00:00:00Z", "0001-01-01T01:39:00Z", "9999-12-31T23:59:59.9999999Z"]
)
def test_the_first_and_the_last_time_there_is_can_be_asked_for(api: Api, before: str) -> None:
    api.wiring.clock.advance(70)
    closed = list(api.wiring.reports.close_due(LEVELS))
    reports = api("GET", "/reports", query=f"before={before}&limit=100").json["reports"]
    assert len(reports) == (len(closed) if before.startswith("9") else 0)


@pytest.mark.parametrize("method", ["TRACE", "PATCH", "PUT", "CONNECT", "PROPFIND", "", "get"])
def test_a_method_that_no_route_has_is_a_problem(api: Api, method: str) -> None:
    assert api(method, "/processors").problem == "method-not-allowed"


@pytest.mark.parametrize("method", ["X" * 9000, "\ud800", "\x00", "\r\nGET"], ids=ascii)
def test_a_method_is_bounded_in_the_log(api: Api, log: StringIO, method: str) -> None:
    assert api(method, "/processors").status == 405
    (line,) = [json.loads(line) for line in log.getvalue().splitlines() if '"request"' in line]
    assert len(line["method"]) <= 20
    assert line["method"].encode()


@pytest.mark.parametrize("headers", [{"host": "a:b:c"}, {"host": ""}, {"x-forwarded-port": "x"}])
def test_no_host_or_port_breaks_the_handler(api: Api, headers: dict[str, str]) -> None:
    assert api("GET", "/tasks", headers=headers).status == 200


def sent(api: Api, event: dict[str, Any]) -> Answer:
    answer = api.handler(event, api.context)  # type: ignore[arg-type]
    return Answer(answer["statusCode"], answer["headers"], answer["body"])


PRINTABLE = re.compile(r"[\x20-\x7e]*")

# --- Whatever a caller writes anywhere -------------------------------------------------------

NASTY = st.sampled_from(
    [
        "\r\nset-cookie: a=b",
        '\n{"level":"ERROR","message":"forged"}',
        "%0d%0aset-cookie:%20a=b",
        "\x00",
        "\x1b[31m",
        "\u2028\u2029\x85",
        "é😀",
        "../" * 20,
        "%s%n{}${jndi:ldap://x}",
        '"',
        "\\",
    ]
)
ANY = st.text(st.characters(codec="utf-8"), max_size=60)  # what the JSON of an event can hold
TEXT = st.one_of(NASTY, ANY, st.builds(lambda start, end: start + end, ANY, NASTY))
HEADERS = st.dictionaries(
    st.sampled_from(
        [
            "traceparent",
            "idempotency-key",
            "prefer",
            "user-agent",
            "cache-control",
            "if-none-match",
            "x-request-id",
            "content-type",
            "accept",
            "origin",
            "cookie",
        ]
    ),
    TEXT,
    max_size=4,
)
CALLS = st.one_of(
    st.tuples(st.just("GET"), TEXT.map(lambda text: f"/tasks/{text}"), st.none()),
    st.tuples(st.sampled_from(["GET", "POST", "PUT"]), TEXT, st.none()),
    st.tuples(st.just("GET"), st.just("/tasks"), st.none()),
    st.tuples(
        st.just("POST"),
        st.sampled_from(POSTS),
        st.fixed_dictionaries(
            {
                "processor": st.just("echo") | TEXT,
                "input": st.builds(lambda text: {"message": text}, TEXT),
            }
        ),
    ),
    st.tuples(
        st.just("POST"),
        st.just("/uploads"),
        st.fixed_dictionaries(
            {"filename": TEXT, "content_type": st.just("text/csv") | TEXT, "size": st.just(1)}
        ),
    ),
    st.tuples(
        st.just("POST"),
        st.just("/process-online"),
        TEXT.map(
            lambda name: {
                "processor": "copy-file",
                "input": {"text": "hello", "filename": name},
            }
        ),
    ),
)


REQUESTS = st.fixed_dictionaries(
    {
        "call": CALLS,
        "query": TEXT,
        "headers": HEADERS,
        "tenant": st.just("acme") | TEXT.filter(bool),
        "scope": TEXT,
    }
)


@settings(
    max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(REQUESTS)
def test_nothing_that_a_caller_writes_gets_into_a_header_or_makes_a_log_line(
    api: Api, log: StringIO, asked: dict[str, Any]
) -> None:
    log.seek(0)
    log.truncate()
    method, path, body = asked["call"]
    event = http_event(
        method,
        path,
        body,
        query=f"cursor={asked['query']}&processor={asked['query']}",
        headers=asked["headers"],
        tenant=asked["tenant"],
    )
    event["requestContext"]["requestId"] = asked["query"]
    event["requestContext"]["authorizer"]["jwt"]["claims"]["scope"] += f" {asked['scope']}"
    answer = sent(api, event)
    assert answer.status < 500
    for text in (*answer.headers, *answer.headers.values()):
        assert PRINTABLE.fullmatch(text), text
    assert "set-cookie" not in answer.headers
    lines = log.getvalue().splitlines()
    messages = [json.loads(line)["message"] for line in lines]
    assert messages.count("request") == 1
    assert "forged" not in messages
