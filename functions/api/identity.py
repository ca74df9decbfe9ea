"""Who is calling: what API Gateway's JWT authorizer verified, and nothing else.

The function holds no keys and verifies no signature: API Gateway refuses a token that is not
valid before the function runs.
"""

from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import Depends, Request, Security
from fastapi.security import OAuth2, SecurityScopes

from api.problems import Problem
from api.services import Services
from tandem.domain.ids import InvalidTenant, TenantId, parse_tenant

RESOURCE_SERVER = "tandem"
"""What Cognito puts before each scope: the identifier of the template's resource server."""

SCOPES = {
    "tasks:read": "Read the tenant's tasks",
    "tasks:write": "Submit and change the tenant's tasks",
    "reports:read": "Read reports and metrics of all tenants",
    "admin": "See and redrive dead letters",
}

_oauth = OAuth2(scheme_name="oauth", auto_error=False)
"""Puts each route's scopes into the OpenAPI document; where tokens come from is filled in there."""


@dataclass(frozen=True, slots=True)
class Caller:
    """The verified caller of a request."""

    tenant: TenantId
    scopes: frozenset[str]


def _unauthenticated(detail: str) -> Problem:
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

    The claim is one text with blanks (RFC 8693, section 4.2); API Gateway puts a list in brackets.
    """
    text = str(claims.get("scope") or claims.get("scp") or "").strip("[]")
    ours = (scope.removeprefix(f"{RESOURCE_SERVER}/") for scope in text.split())
    return frozenset(scope for scope in ours if "/" not in scope)


async def caller(
    request: Request,
    needed: SecurityScopes,
    services: Services,
    _token: Annotated[str | None, Depends(_oauth)],
) -> Caller:
    """Return the caller, or answer 401 or 403.

    Raises:
        Problem: there are no verified claims, no tenant in them, or a scope is missing.
    """
    claims = _claims(request)
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
