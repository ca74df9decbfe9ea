"""The services, the caller, and the caller's own tasks and uploads, which routes depend on.

The caller is made of the claims that API Gateway's JWT authorizer verified. The function holds no
keys and verifies no signature: API Gateway refuses a token that is not valid before the function
runs. It hands over each claim as text: a list as its parts in brackets.
"""

from dataclasses import dataclass
from http import HTTPStatus
from itertools import chain
from typing import Annotated, Any

from fastapi import Depends, Path, Request, Security
from fastapi.security import OAuth2, SecurityScopes

from tandem.aws.wiring import Wiring
from tandem.files.blobs import BlobInfo, BlobMissing, upload_key
from tandem.http.problems import Problem, not_found
from tandem.ids import InvalidTenant, TaskId, TenantId, UploadId, parse_tenant, parse_uuid
from tandem.limits import SETTLE_SECONDS
from tandem.tasks.actions import NoSuchTask
from tandem.tasks.task import Task


def within_time_left(request: Request, seconds: float) -> float:
    """Return so many seconds, or what is left of the function's time to answer in."""
    context = request.scope.get("aws.context")
    if context is None:
        return seconds
    remaining: float = context.get_remaining_time_in_millis() / 1000
    return max(min(seconds, remaining - SETTLE_SECONDS), 0.0)


async def _wiring(request: Request) -> Wiring:
    wiring: Wiring = request.app.state.wiring
    return wiring


Services = Annotated[Wiring, Depends(_wiring)]


RESOURCE_SERVER = "tandem"
"""What Cognito puts before each scope: the identifier of the template's resource server."""

SCOPES = {
    "tasks:read": "Read the tenant's tasks",
    "tasks:write": "Submit and change the tenant's tasks",
    "reports:read": "Read reports and metrics of all tenants",
    "admin": "See and redrive dead letters",
}

_oauth = OAuth2(scheme_name="oauth", auto_error=False)
"""Puts each route's scopes into the OpenAPI document. Where tokens come from is filled in there."""


@dataclass(frozen=True, slots=True)
class Caller:
    """The verified caller of a request."""

    tenant: TenantId
    scopes: frozenset[str]


def _unauthenticated(detail: str) -> Problem:
    # Never ran on AWS: WWW-Authenticate
    challenge = {"WWW-Authenticate": "Bearer"}
    return Problem(HTTPStatus.UNAUTHORIZED, "unauthenticated", detail, headers=challenge)


def _claims(request: Request) -> dict[str, Any]:
    part: Any = request.scope.get("aws.event")
    for name in ("requestContext", "authorizer", "jwt", "claims"):
        part = part.get(name) if isinstance(part, dict) else None
    if not isinstance(part, dict):
        raise _unauthenticated("The request carries no verified access token.")
    return part


def _scopes(claims: dict[str, Any]) -> frozenset[str]:
    """Return the scopes that are ours: `tandem/tasks:read` of Cognito, or a plain `tasks:read`.

    They are in the claim `scope` (RFC 8693, section 4.2) or in `scp` (Okta, Entra ID), as one text
    with blanks or as a list.
    """
    named = (str(claims.get(name) or "").strip("[]").split(" ") for name in ("scope", "scp"))
    ours = (scope.removeprefix(f"{RESOURCE_SERVER}/") for scope in chain.from_iterable(named))
    return frozenset(scope for scope in ours if "/" not in scope)


def _refuse_id_token(claims: dict[str, Any]) -> None:
    """Raise a problem for Cognito's ID token: it says who a user is, and grants nothing.

    The authorizer lets it through: its audience is the client's id, as an access token's client is.
    """
    if claims.get("token_use", "access") != "access":
        raise _unauthenticated("This is not an access token.")


async def caller(
    request: Request,
    needed: SecurityScopes,
    services: Services,
    _token: Annotated[str | None, Depends(_oauth)],
) -> Caller:
    """Return the caller, or answer 401 or 403.

    Raises:
        Problem: there are no verified claims of an access token, no tenant in them, or a scope is
            missing.
    """
    claims = _claims(request)
    _refuse_id_token(claims)
    try:
        tenant = parse_tenant(str(claims.get(services.settings.tenant_claim) or ""))
    except InvalidTenant:
        raise _unauthenticated("The access token names no tenant.") from None
    scopes = _scopes(claims)
    missing = [scope for scope in needed.scopes if scope not in scopes]
    if missing:
        scope = " ".join(missing)
        challenge = f'Bearer error="insufficient_scope", scope="{scope}"'
        raise Problem(
            HTTPStatus.FORBIDDEN,
            "insufficient-scope",
            f"The access token lacks the scope {scope}.",
            headers={"WWW-Authenticate": challenge},
        )
    return Caller(tenant, scopes)


Reader = Annotated[Caller, Security(caller, scopes=["tasks:read"])]
Writer = Annotated[Caller, Security(caller, scopes=["tasks:write"])]
Operator = Annotated[Caller, Security(caller, scopes=["reports:read"])]
Administrator = Annotated[Caller, Security(caller, scopes=["admin"])]


_EXAMPLE = "019ab1e0-7c1d-7a52-8d3e-0b5a4c1f2e3d"

TaskIdPath = Annotated[
    str,
    Path(description="A task's id.", max_length=64, openapi_examples={"id": {"value": _EXAMPLE}}),
]
UploadIdPath = Annotated[
    str,
    Path(
        description="An upload's id.", max_length=64, openapi_examples={"id": {"value": _EXAMPLE}}
    ),
]


def owned_task(task_id: str, caller: Caller, services: Services) -> Task:
    """Return the caller's task. Another tenant's is as if it were not there: 404."""
    known = parse_uuid(task_id)
    if known is None:
        raise not_found("task")
    try:
        return services.tasks.get(caller.tenant, TaskId(known))
    except NoSuchTask:
        raise not_found("task") from None


def owned_upload(upload_id: str, caller: Caller, services: Services) -> BlobInfo:
    """Return what is known of the caller's upload, or answer 404."""
    known = parse_uuid(upload_id)
    if known is None:
        raise not_found("upload")
    try:
        return services.blobs.info(upload_key(caller.tenant, UploadId(known)))
    except BlobMissing:
        raise not_found("upload") from None
