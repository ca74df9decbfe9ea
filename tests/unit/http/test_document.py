"""The OpenAPI document is complete, kept in the tree as it is served, and breaks no client."""

import copy
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator

from tandem.http.app import create_app
from tandem.http.openapi import openapi_document, operations
from tandem.settings import Settings
from tandem.testing import MemoryWiring
from tandem_tools.contract.openapi import DOCUMENT, current_document
from tandem_tools.paths import PROJECT
from tests.unit.http.breaking import breaking_changes
from tests.unit.http.conftest import Api

RELEASED = PROJECT / "docs" / "openapi-released.json"
"""What clients may rely on. A release replaces it; what breaks it waits for a major version."""

type Json = dict[str, Any]


@pytest.fixture(scope="module")
def document() -> Json:
    return current_document()


def test_the_kept_document_is_the_applications(document: Json) -> None:
    assert json.loads(DOCUMENT.read_text()) == document, "run: make openapi"


def test_the_document_is_valid(document: Json) -> None:
    OpenAPIV31SpecValidator(document).validate()


def test_nothing_breaks_the_clients_of_the_released_document(document: Json) -> None:
    assert breaking_changes(json.loads(RELEASED.read_text()), document) == []


def test_every_operation_has_a_stable_id_a_tag_and_a_description(document: Json) -> None:
    found = list(operations(document))
    ids = [operation["operationId"] for operation in found]
    assert len(set(ids)) == len(ids)
    tags = {tag["name"] for tag in document["tags"]}
    for operation in found:
        assert operation["description"]
        assert set(operation["tags"]) <= tags


def test_every_operation_but_health_names_the_scopes_that_it_needs(document: Json) -> None:
    scheme = document["components"]["securitySchemes"]["oauth"]
    known = scheme["flows"]["clientCredentials"]["scopes"].keys()
    for operation in operations(document):
        scopes = [scope for one in operation.get("security", []) for scope in one["oauth"]]
        assert set(scopes) <= known
        assert bool(scopes) == (operation["operationId"] != "get_health")


def test_every_error_is_a_problem_document(document: Json) -> None:
    for operation in operations(document):
        errors = {status: one for status, one in operation["responses"].items() if status >= "4"}
        assert {"500", "503"} <= errors.keys()
        assert ("401" in errors) == ("security" in operation)
        for answer in errors.values():
            assert "application/problem+json" in answer["content"]


def examples(node: Any) -> Iterator[tuple[Json, Any]]:
    """Yield each schema that has examples with each of them."""
    if isinstance(node, dict):
        if isinstance(node.get("examples"), list):
            for example in node["examples"]:
                yield node, example
        if isinstance(node.get("examples"), dict) and "schema" in node:
            for example in node["examples"].values():
                yield node["schema"], example["value"]
        for part in node.values():
            yield from examples(part)
    elif isinstance(node, list):
        for part in node:
            yield from examples(part)


def test_every_example_is_valid_by_its_own_schema(document: Json) -> None:
    found = list(examples(document))
    assert len(found) > 20
    for schema, example in found:
        Draft202012Validator(schema | {"components": document["components"]}).validate(example)


@pytest.mark.parametrize("path", ["/process-online", "/process-offline/batch"])
def test_the_examples_of_requests_work(api: Api, document: Json, path: str) -> None:
    media = document["paths"][path]["post"]["requestBody"]["content"]["application/json"]
    assert media["examples"]
    for example in media["examples"].values():
        answer = api("POST", path, example["value"])
        assert answer.status in {200, 202}, answer.text


def test_links_lead_to_operations_that_take_the_id(document: Json) -> None:
    by_id = {operation["operationId"]: operation for operation in operations(document)}
    links = [
        link
        for operation in by_id.values()
        for answer in operation["responses"].values()
        for link in answer.get("links", {}).values()
    ]
    assert len(links) > 10
    for link in links:
        names = {one["name"] for one in by_id[link["operationId"]]["parameters"]}
        assert link["parameters"].keys() <= names


def test_another_issuers_tokens_are_found_by_its_discovery_document() -> None:
    settings = Settings(jwt_issuer="https://id.example.com/")
    document = openapi_document(create_app(MemoryWiring()), settings)
    assert document["components"]["securitySchemes"]["oauth"] == {
        "type": "openIdConnect",
        "openIdConnectUrl": "https://id.example.com/.well-known/openid-configuration",
    }
    assert document["paths"]["/tasks"]["get"]["security"] == [{"oauth": ["tasks:read"]}]


def test_the_stacks_own_tokens_are_found_at_its_oauth2_server() -> None:
    settings = Settings(oauth_url="https://auth.example.com/oauth2")
    document = openapi_document(create_app(MemoryWiring()), settings)
    flows = document["components"]["securitySchemes"]["oauth"]["flows"]
    assert flows["clientCredentials"]["tokenUrl"] == "https://auth.example.com/oauth2/token"
    assert flows["authorizationCode"]["authorizationUrl"].endswith("/oauth2/authorize")


def _drop_path(document: Json) -> None:
    del document["paths"]["/tasks"]


def _rename(document: Json) -> None:
    document["paths"]["/tasks"]["get"]["operationId"] = "tasks"


def _ask_for_more(document: Json) -> None:
    document["paths"]["/tasks"]["get"]["security"][0]["oauth"].append("tandem/admin")


def _drop_parameter(document: Json) -> None:
    document["paths"]["/tasks"]["get"]["parameters"].pop()


def _require_parameter(document: Json) -> None:
    document["paths"]["/tasks"]["get"]["parameters"][0]["required"] = True


def _lower_a_bound(document: Json) -> None:
    for parameter in document["paths"]["/tasks"]["get"]["parameters"]:
        if parameter["name"] == "limit":
            parameter["schema"]["maximum"] = 10


def _drop_answered_field(document: Json) -> None:
    del document["components"]["schemas"]["TaskView"]["properties"]["state"]


def _leave_out_answered_field(document: Json) -> None:
    document["components"]["schemas"]["TaskView"]["required"].remove("state")


def _require_asked_field(document: Json) -> None:
    document["components"]["schemas"]["EchoSubmission"]["required"].append("run_after")


def _change_type(document: Json) -> None:
    document["components"]["schemas"]["TaskView"]["properties"]["attempts"]["type"] = "string"


def _drop_processor(document: Json) -> None:
    body = document["paths"]["/process-online"]["post"]["requestBody"]["content"]
    del body["application/json"]["schema"]["discriminator"]["mapping"]["echo"]


def _drop_answer(document: Json) -> None:
    del document["paths"]["/process-offline"]["post"]["responses"]["202"]


def _take_fewer_values(document: Json) -> None:
    document["components"]["schemas"]["State"]["enum"].remove("queued")


@pytest.mark.parametrize(
    "change",
    [
        _drop_path,
        _rename,
        _ask_for_more,
        _drop_parameter,
        _require_parameter,
        _lower_a_bound,
        _drop_answered_field,
        _leave_out_answered_field,
        _require_asked_field,
        _change_type,
        _drop_processor,
        _drop_answer,
        _take_fewer_values,
    ],
)
def test_a_breaking_change_is_seen(document: Json, change: Callable[[Json], None]) -> None:
    changed = copy.deepcopy(document)
    change(changed)
    assert breaking_changes(document, changed)


def test_an_addition_breaks_nothing(document: Json) -> None:
    changed = copy.deepcopy(document)
    changed["paths"]["/new"] = changed["paths"]["/tasks"]
    view = changed["components"]["schemas"]["TaskView"]
    view["properties"]["new"] = {"type": "string"}
    view["required"].append("new")
    assert breaking_changes(document, changed) == []
