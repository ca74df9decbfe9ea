"""The body of a submission: one arm for each processor, told apart by its name."""

from functools import reduce
from operator import or_
from typing import Annotated, Any, Literal, cast

from pydantic import BaseModel, Field, GetCoreSchemaHandler, GetJsonSchemaHandler, create_model
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from tandem.callbacks.url import URL_CHARACTERS
from tandem.http.strict_json import Instant
from tandem.processing.catalogue import Catalogue, installed
from tandem.processing.processor import AnyProcessor, OnlineMode
from tandem.settings import settings

_ONLINE: dict[OnlineMode, str] = {
    "promote": "",
    "wait": "\n\nOnline, the request waits while the worker runs it.",
    "never": "\n\nIt runs offline only: `POST /process-online` answers 422.",
}
"""What an arm says of its processor beside the summary."""


class Submission(BaseModel):
    """A processor's name and its input."""

    processor: str
    input: BaseModel
    run_after: Instant | None = Field(
        None, description="Offline only: not before this time, up to 5 days ahead."
    )
    callback_url: str | None = Field(
        None,
        max_length=URL_CHARACTERS,
        description="Where the task's end is told: an https URL, at a public address.",
        examples=["https://example.com/hooks/tandem"],
        json_schema_extra={"format": "uri", "pattern": "^https://"},
    )

    def document(self) -> bytes:
        """Return the input as JSON, with what the caller left out still left out."""
        # Pydantic's warnings quote the input, and would be logged.
        return self.input.model_dump_json(
            exclude_unset=True, by_alias=True, warnings="none"
        ).encode()


class _OneOfTheInstalled:
    """Makes the type of a submission a union over the installed processors.

    Its JSON schema leaves out the hidden ones: they run, and callers are not told of them.
    """

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return handler.generate_schema(union_over(installed()))

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        if schema["type"] == "tagged-union":
            shown = installed().shown(settings().hidden_processors)
            arms = {name: arm for name, arm in schema["choices"].items() if name in shown}
            return handler(cast("CoreSchema", {**schema, "choices": arms or schema["choices"]}))
        return handler(schema)


def union_over(catalogue: Catalogue) -> Any:
    """Return the discriminated union of a catalogue's submissions."""
    arms = [_arm(processor) for processor in catalogue.values()]
    if len(arms) == 1:
        return arms[0]
    return Annotated[reduce(or_, arms), Field(discriminator="processor")]


def _arm(processor: AnyProcessor) -> type[Submission]:
    name = "".join(word.capitalize() for word in processor.name.split("-"))
    arm: type[Submission] = create_model(
        f"{name}Submission",
        __base__=Submission,
        __doc__=f"{processor.summary}{_ONLINE[processor.online]}",
        processor=(Literal[processor.name], ...),  # type: ignore[arg-type]  # a type made here
        input=(processor.input, ...),
    )
    return arm


AnySubmission = Annotated[Submission, _OneOfTheInstalled()]
