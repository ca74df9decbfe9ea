"""The base of all documents of the API."""

from pydantic import BaseModel, ConfigDict


class Document(BaseModel):
    """A document of the API. What a newer API adds to it is kept."""

    model_config = ConfigDict(extra="allow", frozen=True)

    def as_json(self) -> str:
        """Return the document as the API sent it."""
        return self.model_dump_json(exclude_unset=True)
