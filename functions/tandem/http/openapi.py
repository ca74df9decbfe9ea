"""The OpenAPI document: what FastAPI derives from the routes, and what all of them share."""

from collections.abc import Collection, Iterator
from typing import Any

from fastapi import FastAPI
from pydantic import BaseModel, Field
from pydantic.json_schema import models_json_schema

from tandem.http.dependencies import RESOURCE_SERVER, SCOPES
from tandem.http.problems import MEDIA_TYPE
from tandem.http.routes.callbacks import webhooks
from tandem.processing.catalogue import installed
from tandem.processing.processor import AnyProcessor
from tandem.settings import Settings


class InvalidPart(BaseModel):
    """One part of a request that is not as it should be."""

    pointer: str = Field(description="JSON Pointer (RFC 6901) to it.", examples=["/body/input"])
    detail: str


class ProblemDocument(BaseModel):
    """What every error answers with (RFC 9457)."""

    type: str = Field(description="Stable name of the kind of problem.")
    title: str
    status: int
    detail: str
    request_id: str
    errors: list[InvalidPart] | None = Field(None, description="Of an invalid request.")
    task_id: str | None = Field(None, description="The task that it is about.")


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


def add_examples(document: Json, hidden: Collection[str]) -> None:
    """Add to each operation that submits tasks an example for each processor that has one."""
    bodies = {
        name: {"processor": name, "input": example}
        for name, processor in installed().shown(hidden).items()
        if (example := example_input(processor)) is not None
    }
    if not bodies:
        return
    for path in ("/process-online", "/process-offline"):
        _media(document, path)["examples"] = {
            name: {"summary": name, "value": body} for name, body in bodies.items()
        }
    batch = {"tasks": list(bodies.values())}
    _media(document, "/process-offline/batch")["examples"] = {"all": {"value": batch}}


def example_input(processor: AnyProcessor) -> Json | None:
    """Return an input that a processor takes: its model's example, or those of required fields.

    None when they make no valid input.
    """
    schema = processor.input.model_json_schema()
    example: Json = next(iter(schema.get("examples", [])), {})
    if not example:
        first_way = schema.get("oneOf", [{}])[0]
        for name in [*schema.get("required", []), *first_way.get("required", [])]:
            for value in schema["properties"][name].get("examples", [])[:1]:
                example[name] = value
    try:
        processor.input.model_validate(example)
    except ValueError:
        return None
    return example


def _media(document: Json, path: str) -> Json:
    media: Json = document["paths"][path]["post"]["requestBody"]["content"]["application/json"]
    return media


_METHODS = frozenset({"get", "put", "post", "delete", "patch"})
_SCHEME = "oauth"

TAGS = {
    "processing": "Submit work: answered at once, or queued.",
    "tasks": "Follow, cancel and repeat what was submitted, and read what it gave.",
    "callbacks": "What a receiver of callbacks needs to verify them.",
    "processors": "What can be run.",
    "uploads": "Files for processors to read.",
    "reports": "What was processed, minute by minute. For operators.",
    "dead letters": "What was given up. For operators.",
    "health": "Whether the API is alive, and what it stands on.",
}


class GatewayMessage(BaseModel):
    """What API Gateway itself answers with when a request does not reach the application."""

    message: str = Field(examples=["Unauthorized"])


_SHARED_ERRORS = {
    "401": "There is no valid access token.",
    "403": "The token lacks the scope.",
    "406": "The caller takes no JSON.",
    "422": "The request is not valid: `errors` says where and why.",
    "429": "Too many requests, or the tenant's quota is used up.",
    "500": "Something went wrong on our side.",
    "503": "The service is not available at the moment.",
}
_BODY_ERRORS = {"413": "The body is too large.", "415": "The body is not JSON."}
_JSON_ANSWER: Json = {"application/json": {}}
_OPEN = frozenset({"401", "403"})
_FROM_GATEWAY = frozenset({"401", "403", "413", "429", "500", "503"})

_HEADERS = {
    "x-request-id": "Quote it when you report a problem.",
    "Location": "Where the task is, or the answer.",
    "Retry-After": "In seconds.",
    "ETag": "Names this state of the answer; give it in If-None-Match.",
    "WWW-Authenticate": "The challenge (RFC 6750).",
    "Allow": "The methods that there are.",
}
_HEADERS_OF = {
    "202": ["Location", "Retry-After"],
    "303": ["Location"],
    "307": ["Location"],
    "304": ["ETag"],
    "401": ["WWW-Authenticate"],
    "403": ["WWW-Authenticate"],
    "405": ["Allow"],
    "429": ["Retry-After"],
}


def openapi_document(app: FastAPI, settings: Settings) -> Json:
    """Return the document of a deployment with these settings."""
    app.state.resources.load()
    app.webhooks = webhooks
    document = app.openapi()
    document["info"]["license"] = {"name": "Apache-2.0", "identifier": "Apache-2.0"}
    document["servers"] = [{"url": "/"}]
    document["tags"] = [{"name": name, "description": text} for name, text in TAGS.items()]
    components = document["components"]
    components["schemas"] |= _schemas(ProblemDocument, GatewayMessage)
    for unused in ("HTTPValidationError", "ValidationError"):
        components["schemas"].pop(unused, None)
    components["securitySchemes"] = {_SCHEME: _security_scheme(settings)}
    components["headers"] = {
        name: {"description": text, "schema": {"type": "string"}} for name, text in _HEADERS.items()
    }
    prefix = _scope_prefix(settings)
    for operation in operations(document):
        _add_errors(operation)
        _add_headers(operation)
        for requirement in operation.get("security", []):
            requirement[_SCHEME] = [f"{prefix}{scope}" for scope in requirement[_SCHEME]]
    add_links(document)
    add_examples(document, settings.hidden_processors)
    return document


def operations(document: Json) -> Iterator[Json]:
    """Yield every operation of a document."""
    for path in document["paths"].values():
        for method, operation in path.items():
            if method in _METHODS:
                yield operation


def _schemas(*models: type[BaseModel]) -> Json:
    _, definitions = models_json_schema(
        [(model, "serialization") for model in models],
        ref_template="#/components/schemas/{model}",
    )
    found: Json = definitions["$defs"]
    return found


def _add_errors(operation: Json) -> None:
    """Say what else may be answered, and that every error is a problem document."""
    responses = operation["responses"]
    shared = dict(_SHARED_ERRORS)
    if not operation.get("security"):
        shared = {status: text for status, text in shared.items() if status not in _OPEN}
    if "application/json" not in responses.get("200", _JSON_ANSWER).get("content", _JSON_ANSWER):
        del shared["406"]
    if "requestBody" in operation:
        shared |= _BODY_ERRORS
    for status, text in shared.items():
        described = responses.get(status, {})
        if status not in responses or "HTTPValidationError" in str(described):
            responses[status] = {"description": text}
    for status in responses:
        if status >= "400":
            responses[status]["content"] = _error_content(status)
    operation["responses"] = dict(sorted(responses.items()))


def _error_content(status: str) -> Json:
    content: Json = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/ProblemDocument"}}}
    if status in _FROM_GATEWAY:
        gateway = {"$ref": "#/components/schemas/GatewayMessage"}
        content["application/json"] = {"schema": gateway}
    return content


def _add_headers(operation: Json) -> None:
    for status, answer in operation["responses"].items():
        names = ["x-request-id", *_HEADERS_OF.get(status, [])]
        answer["headers"] = {name: {"$ref": f"#/components/headers/{name}"} for name in names}


def _scope_prefix(settings: Settings) -> str:
    """Return what a scope's name begins with: Cognito puts the resource server before it."""
    return "" if settings.jwt_issuer else f"{RESOURCE_SERVER}/"


def _security_scheme(settings: Settings) -> Json:
    """Return where tokens come from: the stack's own OAuth2 server, or the issuer given."""
    if settings.jwt_issuer:
        discovery = f"{settings.jwt_issuer.rstrip('/')}/.well-known/openid-configuration"
        return {"type": "openIdConnect", "openIdConnectUrl": discovery}
    server = settings.oauth_url or "/oauth2"
    prefix = _scope_prefix(settings)
    scopes = {f"{prefix}{scope}": text for scope, text in SCOPES.items()}
    token = {"tokenUrl": f"{server}/token", "scopes": scopes}
    return {
        "type": "oauth2",
        "flows": {
            "clientCredentials": token,
            "authorizationCode": {"authorizationUrl": f"{server}/authorize", **token},
        },
    }
