"""Which methods a path has: HEAD, OPTIONS and the Allow header (RFC 9110, section 9.3)."""

from fastapi import FastAPI
from fastapi.routing import iter_route_contexts

MAKES_SOMETHING = frozenset({"/heavy-task"})
"""Paths whose GET is not safe, so that HEAD is not a GET without the body."""


def headed(method: str, path: str) -> bool:
    """Return whether a request is answered as GET is, but for the body."""
    return method == "HEAD" and path not in MAKES_SOMETHING


def allowed(app: FastAPI, path: str) -> str:
    """Return the methods of a path as the Allow header lists them; empty when it has none."""
    methods: set[str] = set()
    for route in iter_route_contexts(app.routes):
        if route.methods and route.path_regex.match(path):
            methods |= route.methods
    if not methods:
        return ""
    if "GET" in methods and path not in MAKES_SOMETHING:
        methods.add("HEAD")
    return ", ".join(sorted(methods | {"OPTIONS"}))
