"""What a browser asks before a page of CorsOrigins may call, for every operation there is.

With CORS configured, API Gateway puts its headers on answers. A preflight reaches the function by
a route that needs no token, and has to be a success:
https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-cors.html
"""

import re
from collections.abc import Iterator
from typing import Any

import pytest

from tandem_tools.contract.openapi import current_document
from tandem_tools.template import load_template
from tests.unit.http.conftest import Api

type Json = dict[str, Any]

RESOURCES = load_template()["Resources"]
CONDITION, ALLOWED, _ = RESOURCES["HttpApi"]["Properties"]["CorsConfiguration"]["Fn::If"]
SAFELISTED = {"accept", "range"}
"""Request headers that a page may send without being asked (the latter as a plain range)."""
ALWAYS_SHOWN = {"cache-control", "content-length", "content-type", "last-modified"}
"""Response headers that a page may always read: https://fetch.spec.whatwg.org/#cors-safelisted-response-header-name"""
OF_BROWSERS = {"allow"}
"""What only tools read."""


@pytest.fixture(scope="module")
def document() -> Json:
    return current_document()


def operations(document: Json) -> Iterator[tuple[str, str, Json]]:
    """Yield each method and path, with what the document says of it."""
    for path, item in document["paths"].items():
        for method, operation in item.items():
            yield method.upper(), path, operation


def test_every_preflight_is_a_success_without_a_token(api: Api, document: Json) -> None:
    asked = [(method, re.sub(r"{\w+}", "1", path)) for method, path, _ in operations(document)]
    assert len(asked) > 20
    for method, path in asked:
        headers = {
            "origin": "https://app.example.com",
            "access-control-request-method": method,
            "access-control-request-headers": "authorization",
        }
        answer = api("OPTIONS", path, headers=headers, tenant=None)
        assert (answer.status, method in answer.headers["allow"]) == (204, True), path


def test_a_preflight_needs_no_token_at_the_gateway_where_there_are_origins() -> None:
    route = RESOURCES["PreflightRoute"]
    assert route["Properties"]["RouteKey"] == "OPTIONS /{proxy+}"
    assert route["Properties"]["AuthorizationType"] == "NONE"
    assert (CONDITION, route["Condition"]) == ("AllowsOrigins", "AllowsOrigins")


def test_pages_may_use_every_method(document: Json) -> None:
    methods = {method for method, _, _ in operations(document)} | {"HEAD"}
    assert methods == set(ALLOWED["AllowMethods"])


def test_pages_may_send_every_header_that_is_read(document: Json) -> None:
    read = {
        parameter["name"].lower()
        for _, _, operation in operations(document)
        for parameter in operation.get("parameters", [])
        if parameter["in"] == "header"
    }
    read |= {"authorization", "cache-control", "content-type", "traceparent"}
    assert read - SAFELISTED == set(ALLOWED["AllowHeaders"])


def test_pages_may_read_every_header_that_is_answered(document: Json) -> None:
    said = {
        name.lower()
        for _, _, operation in operations(document)
        for answer in operation["responses"].values()
        for name in answer.get("headers", {})
    }
    assert said - ALWAYS_SHOWN - OF_BROWSERS <= set(ALLOWED["ExposeHeaders"])
    told = {"age", "idempotency-replayed", "preference-applied"}  # they say how, not what
    assert told <= set(ALLOWED["ExposeHeaders"])
