"""Submissions."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pydantic import BaseModel
from pydantic_core import to_jsonable_python


@dataclass(frozen=True)
class Submission:
    """A processor's name and its input: JSON values, or a Pydantic model of your own.

    `run_after`, a time with its zone, delays an offline task. `callback_url` is told its end.
    """

    processor: str
    input: Mapping[str, Any] | BaseModel
    run_after: datetime | None = None
    callback_url: str | None = None

    def document(self) -> dict[str, Any]:
        """Return the body to submit."""
        body: dict[str, Any] = {"processor": self.processor, "input": _plain(self.input)}
        if self.run_after is not None:
            body["run_after"] = self.run_after.isoformat()
        if self.callback_url is not None:
            body["callback_url"] = self.callback_url
        return body


def _plain(data: Mapping[str, Any] | BaseModel) -> Any:
    if isinstance(data, BaseModel):
        return data.model_dump(mode="json", by_alias=True, exclude_unset=True)
    return to_jsonable_python(data)
