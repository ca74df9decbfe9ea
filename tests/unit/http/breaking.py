"""What a change of an OpenAPI document breaks for those who use the API already."""

from collections.abc import Iterator
from typing import Any

type Json = dict[str, Any]

METHODS = frozenset({"get", "put", "post", "delete", "patch"})
_NARROWING = ("maxLength", "maximum", "maxItems", "exclusiveMaximum")
_RAISING = ("minLength", "minimum", "minItems", "exclusiveMinimum")


def breaking_changes(old: Json, new: Json) -> list[str]:
    """Return what a client of the old document could do, or rely on, and of the new cannot."""
    return list(_Comparison(old, new).document())


class _Comparison:
    def __init__(self, old: Json, new: Json) -> None:
        self._old, self._new = old, new
        self._seen: set[tuple[str, str, bool]] = set()

    def document(self) -> Iterator[str]:
        for path, methods in self._old["paths"].items():
            for method in METHODS & methods.keys():
                new = self._new["paths"].get(path, {}).get(method)
                place = f"{method.upper()} {path}"
                if new is None:
                    yield f"{place}: gone"
                else:
                    yield from self._operation(place, methods[method], new)

    def _operation(self, place: str, old: Json, new: Json) -> Iterator[str]:
        if old["operationId"] != new["operationId"]:
            yield f"{place}: operation id changed"
        if not _scopes(new) <= _scopes(old):
            yield f"{place}: needs another scope"
        yield from self._parameters(place, old, new)
        yield from self._body(place, old, new)
        for status, answer in old["responses"].items():
            if status < "400":
                yield from self._answer(f"{place} {status}", answer, new["responses"].get(status))

    def _parameters(self, place: str, old: Json, new: Json) -> Iterator[str]:
        before, after = _by_name(old), _by_name(new)
        for name in before.keys() - after.keys():
            yield f"{place}: parameter {name} gone"
        for name, parameter in after.items():
            required = parameter.get("required", False)
            if required and not before.get(name, {}).get("required", False):
                yield f"{place}: parameter {name} now required"
            if name in before:
                where = f"{place} {name}"
                yield from self._schema(
                    where, before[name]["schema"], parameter["schema"], asked=True
                )

    def _body(self, place: str, old: Json, new: Json) -> Iterator[str]:
        before, after = _content(old.get("requestBody")), _content(new.get("requestBody"))
        if after and not before:
            yield f"{place}: body now asked for"
        for media in before.keys() & after.keys():
            yield from self._schema(f"{place} body", before[media], after[media], asked=True)
        for media in before.keys() - after.keys():
            yield f"{place}: body no longer {media}"

    def _answer(self, place: str, old: Json, new: Json | None) -> Iterator[str]:
        if new is None:
            yield f"{place}: answer gone"
            return
        before, after = _content(old), _content(new)
        for media in before.keys() - after.keys():
            yield f"{place}: answer no longer {media}"
        for media in before.keys() & after.keys():
            yield from self._schema(place, before[media], after[media], asked=False)

    def _schema(self, place: str, old: Json, new: Json, *, asked: bool) -> Iterator[str]:
        """Compare what a caller sends (asked) or is sent: one may only widen, the other narrow."""
        key = (str(old.get("$ref")), str(new.get("$ref")), asked)
        if "$ref" in old and "$ref" in new:
            if key in self._seen:
                return
            self._seen.add(key)
        old, new = _resolved(self._old, old), _resolved(self._new, new)
        yield from self._types(place, old, new, asked=asked)
        yield from self._properties(place, old, new, asked=asked)
        if "items" in old and "items" in new:
            yield from self._schema(f"{place}[]", old["items"], new["items"], asked=asked)
        yield from self._arms(place, old, new, asked=asked)
        if asked:
            yield from _bounds(place, old, new)

    def _types(self, place: str, old: Json, new: Json, *, asked: bool) -> Iterator[str]:
        before, after = _types_of(self._old, old), _types_of(self._new, new)
        lost = before - after if asked else after - before
        if before and after and lost:
            yield f"{place}: type {'no longer' if asked else 'may now be'} {sorted(lost)}"
        values, now = _values(self._old, old), _values(self._new, new)
        if asked and now and not values <= now:
            yield f"{place}: no longer takes {sorted(values - now)}"

    def _properties(self, place: str, old: Json, new: Json, *, asked: bool) -> Iterator[str]:
        before, after = old.get("properties", {}), new.get("properties", {})
        for name in before.keys() - after.keys():
            yield f"{place}.{name}: gone"
        required, now = set(old.get("required", [])), set(new.get("required", []))
        for name in (now - required) if asked else ((required - now) & after.keys()):
            yield f"{place}.{name}: {'now required' if asked else 'may now be left out'}"
        for name in before.keys() & after.keys():
            yield from self._schema(f"{place}.{name}", before[name], after[name], asked=asked)

    def _arms(self, place: str, old: Json, new: Json, *, asked: bool) -> Iterator[str]:
        before = old.get("discriminator", {}).get("mapping", {})
        after = new.get("discriminator", {}).get("mapping", {})
        for name, reference in before.items():
            if name not in after:
                yield f"{place}: {name} gone"
            else:
                arms = ({"$ref": reference}, {"$ref": after[name]})
                yield from self._schema(f"{place} {name}", *arms, asked=asked)


def _bounds(place: str, old: Json, new: Json) -> Iterator[str]:
    for name in _NARROWING:
        if name in new and new[name] < old.get(name, float("inf")):
            yield f"{place}: {name} lowered"
    for name in _RAISING:
        if name in new and new[name] > old.get(name, float("-inf")):
            yield f"{place}: {name} raised"


def _types_of(document: Json, schema: Json) -> set[str]:
    arms = schema.get("anyOf")
    if arms is None:
        return {schema["type"]} if "type" in schema else set()
    found = [_types_of(document, _resolved(document, arm)) for arm in arms]
    return set().union(*found) if all(found) else set()


def _values(document: Json, schema: Json) -> set[str]:
    schema = _resolved(document, schema)
    own = {schema["const"]} if "const" in schema else set(schema.get("enum", []))
    return own.union(*(_values(document, arm) for arm in schema.get("anyOf", [])))


def _resolved(document: Json, schema: Json) -> Json:
    reference = schema.get("$ref")
    if reference is None:
        return schema
    found: Json = document["components"]["schemas"][reference.rpartition("/")[2]]
    return found


def _scopes(operation: Json) -> set[str]:
    return {scope for one in operation.get("security", []) for scope in one.get("oauth", [])}


def _by_name(operation: Json) -> dict[str, Json]:
    return {f"{one['in']} {one['name']}": one for one in operation.get("parameters", [])}


def _content(part: Json | None) -> dict[str, Json]:
    return {media: one["schema"] for media, one in (part or {}).get("content", {}).items()}
