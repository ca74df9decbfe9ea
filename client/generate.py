"""Writes `tandem_client/models.py` from `docs/openapi.json`: what `make client` calls."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from datamodel_code_generator import GenerateConfig, InputFileType, generate
from datamodel_code_generator.enums import DataModelType
from datamodel_code_generator.format import Formatter, PythonVersion

CLIENT = Path(__file__).resolve().parent
DOCUMENT = CLIENT.parent / "docs" / "openapi.json"
MODELS = CLIENT / "tandem_client" / "models.py"

_HEADER = '"""The models of the API. Generated from docs/openapi.json: run `make client`."""'
_REFERENCE = "#/components/schemas/"


def models_of(document: dict[str, Any]) -> str:
    """Return the source of the models that a client needs.

    What processors take differs from one deployment to the next, and comes from `list_processors`:
    the bodies that submit tasks have no models here.
    """
    schemas = document["components"]["schemas"]
    names = sorted(_reachable(_paths(document), schemas))
    needed = {name: _plain(schemas[name]) for name in names}
    source = generate(
        json.dumps(document | {"paths": {}, "components": {"schemas": needed}}),
        config=GenerateConfig(
            input_file_type=InputFileType.OpenAPI,
            output_model_type=DataModelType.PydanticV2BaseModel,
            target_python_version=PythonVersion.PY_311,
            custom_file_header=_HEADER,
            formatters=[Formatter.BUILTIN],
            builtin_format_line_length=100,
            base_class="tandem_client.document.Document",
            use_annotated=True,
            use_schema_description=True,
            use_single_line_docstring=True,
            use_double_quotes=True,
            use_specialized_enum=True,
            set_default_enum_member=True,
            strict_nullable=True,
        ),
    )
    assert isinstance(source, str)  # noqa: S101 - one document makes one module
    return source


def _paths(document: dict[str, Any]) -> list[Any]:
    """Return what the operations say, and the callbacks, without the bodies that submit tasks."""
    paths = [*document["paths"].values(), *document.get("webhooks", {}).values()]
    operations = [operation for path in paths for operation in path.values()]
    return [
        {
            name: part
            for name, part in operation.items()
            if not (name == "requestBody" and _submits(operation))
        }
        for operation in operations
    ]


def _submits(operation: dict[str, Any]) -> bool:
    return "processing" in operation.get("tags", [])


def _reachable(part: Any, schemas: dict[str, Any]) -> set[str]:
    """Return the names of the schemas that a part of the document leads to."""
    found: set[str] = set()
    waiting = list(_named(part))
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting.extend(_named(schemas[name]))
    return found


def _plain(part: Any) -> Any:
    """Return a schema without what makes models worse to use.

    Titles say what the names say. A text in a list that has a bound of its own would be a model of
    its own: the API checks that one.
    """
    if isinstance(part, list):
        return [_plain(value) for value in part]
    if not isinstance(part, dict):
        return part
    plain = {
        name: _plain(value)
        for name, value in part.items()
        if not (name == "title" and isinstance(value, str))
    }
    items = plain.get("items")
    if isinstance(items, dict) and items.get("type") == "string":
        plain["items"] = {name: value for name, value in items.items() if name != "maxLength"}
    return plain


def _named(part: Any) -> Iterator[str]:
    if isinstance(part, dict):
        reference = part.get("$ref")
        if isinstance(reference, str) and reference.startswith(_REFERENCE):
            yield reference.removeprefix(_REFERENCE)
        for value in part.values():
            yield from _named(value)
    elif isinstance(part, list):
        for value in part:
            yield from _named(value)


if __name__ == "__main__":
    MODELS.write_text(models_of(json.loads(DOCUMENT.read_text())))
