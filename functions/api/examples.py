"""Examples of requests, from the processors' input models."""

from typing import Any

from tandem.processing.catalogue import installed
from tandem.processing.processor import AnyProcessor

type Json = dict[str, Any]


def add_examples(document: Json) -> None:
    """Add to each operation that submits tasks an example for each processor that has one."""
    bodies = {
        name: {"processor": name, "input": example}
        for name, processor in installed().items()
        if (example := example_input(processor)) is not None
    }
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
