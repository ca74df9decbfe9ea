"""The type of an upload's id in an input model."""

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel, GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema


class Upload(str):
    """The id of an upload, as a field of an input model.

    A plain `str` works as well. With this type Tandem knows which files an input means, which the
    result cache needs: two uploads of the same content are the same input.

    Example:
        class Input(BaseModel):
            upload: Upload
    """

    __slots__ = ()

    @classmethod
    def __get_pydantic_core_schema__(
        cls, source: type, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        """Validate as text of up to 64 characters."""
        del source, handler
        text = core_schema.str_schema(min_length=1, max_length=64)
        return core_schema.no_info_after_validator_function(cls, text)


def uploads_in(value: Any) -> Iterator[Upload]:
    """Yield the uploads that an input names, at whatever depth."""
    return (part for part in parts_of(value) if isinstance(part, Upload))


def parts_of(value: Any) -> Iterator[Any]:
    """Yield what a model, a mapping or a collection holds, at whatever depth. Else the value."""
    if isinstance(value, BaseModel):
        yield from parts_of(dict(value))
    elif isinstance(value, Mapping):
        for member in value.values():
            yield from parts_of(member)
    elif isinstance(value, list | tuple | set | frozenset):
        for member in value:
            yield from parts_of(member)
    else:
        yield value
