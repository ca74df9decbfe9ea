"""The OpenAPI document, and Swagger UI over it: without a token, and without any other server."""

import base64
import hashlib
import re
from functools import cache
from http import HTTPStatus
from importlib.resources import files
from typing import Annotated, Any
from urllib.parse import urlsplit

from fastapi import APIRouter, FastAPI, Path, Request, Response

from tandem.http.dependencies import Services
from tandem.http.headers import IfNoneMatch, tagged
from tandem.http.problems import not_found
from tandem.settings import Settings
from tandem.tasks.views import BASE_PATH

router = APIRouter(include_in_schema=False)

_ASSETS = {
    "swagger-ui-bundle.js": "text/javascript",
    "swagger-ui.css": "text/css",
    "favicon-32x32.png": "image/png",
}
_INLINE_SCRIPT = re.compile(r"<script>(.*?)</script>", re.DOTALL)
_REDIRECT = "/docs/oauth2-redirect"


@router.get("/openapi.json")
async def get_openapi(
    request: Request, services: Services, if_none_match: IfNoneMatch = None
) -> Response:
    """Answer with the OpenAPI document of this deployment."""
    document = _document(request.app, services.settings, BASE_PATH.get())
    return tagged(document, if_none_match)


@cache
def _document(app: FastAPI, settings: Settings, base_path: str) -> str:
    """Return the document as callers see it whose paths begin so."""
    import json

    document = _shared(app, settings)
    if base_path:
        document = document | {"servers": [{"url": base_path}]}
    return json.dumps(document, ensure_ascii=False)


@cache
def _shared(app: FastAPI, settings: Settings) -> dict[str, Any]:
    # Imported here, and made once: few environments ever serve it.
    from tandem.http.openapi import openapi_document

    return openapi_document(app, settings)


@router.get("/docs")
async def get_docs(request: Request, services: Services) -> Response:
    """Answer with Swagger UI over the OpenAPI document."""
    from fastapi.openapi.docs import get_swagger_ui_html

    base = BASE_PATH.get()
    page = get_swagger_ui_html(
        openapi_url=f"{base}/openapi.json",
        title=f"{request.app.title} API",
        swagger_js_url=f"{base}/docs/swagger-ui-bundle.js",
        swagger_css_url=f"{base}/docs/swagger-ui.css",
        swagger_favicon_url=f"{base}/docs/favicon-32x32.png",
        oauth2_redirect_url=f"{base}{_REDIRECT}",
        init_oauth={
            "clientId": services.settings.console_client_id,
            "usePkceWithAuthorizationCodeGrant": True,
        },
    )
    return _page(bytes(page.body), services)


@router.get(_REDIRECT)
async def get_oauth2_redirect(services: Services) -> Response:
    """Answer with the page that takes the OAuth2 server's answer back to Swagger UI."""
    from fastapi.openapi.docs import get_swagger_ui_oauth2_redirect_html

    return _page(bytes(get_swagger_ui_oauth2_redirect_html().body), services)


@router.get("/docs/{asset}")
async def get_asset(
    asset: Annotated[str, Path(max_length=64)],
) -> Response:
    """Answer with a part of Swagger UI, as its package has it."""
    if asset not in _ASSETS:
        raise not_found("page")
    content = files("fastapi_swagger").joinpath("resources", asset).read_bytes()
    headers = {"Cache-Control": "public, max-age=86400"}
    return Response(content, HTTPStatus.OK, headers, _ASSETS[asset])


def _page(html: bytes, services: Services) -> Response:
    """Return a page that runs its own scripts and talks to this API, its files and OAuth2 server.

    A script in the page is allowed by its hash: https://www.w3.org/TR/CSP3/#match-element-to-source-list
    """
    scripts = " ".join(
        f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"
        for script in _INLINE_SCRIPT.findall(html.decode())
    )
    policy = (
        f"default-src 'none'; script-src 'self' {scripts}; style-src 'self' 'unsafe-inline'; "
        f"img-src 'self' data:; connect-src 'self' {_origins(services)}; frame-ancestors 'none'; "
        "base-uri 'none'; form-action 'none'"
    )
    headers = {"Content-Security-Policy": policy, "Cache-Control": "no-cache"}
    return Response(html, HTTPStatus.OK, headers, "text/html")


def _origins(services: Services) -> str:
    """Return where Swagger UI gets tokens from, and where results are that it is redirected to."""
    settings = services.settings
    parts = [urlsplit(url) for url in (settings.oauth_url, settings.jwt_issuer) if url]
    servers = (f"{part.scheme}://{part.netloc}" for part in parts)
    return " ".join([*servers, services.blobs.origin()])
