"""Returns its input: shows that a path works."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from tandem.processing import TaskContext, processor


class Input(BaseModel):
    """What comes back."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"message": "hello"}]})

    message: Any = Field(description="Any JSON value.", examples=["hello"])


class Output(BaseModel):
    """The same."""

    message: Any


@processor("echo", time_limit=10, upload_mib=0)
def echo(data: Input, ctx: TaskContext) -> Output:
    """Return the input."""
    return Output(message=data.message)
