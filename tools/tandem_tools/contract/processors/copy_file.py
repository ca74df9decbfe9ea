"""A file as a result, from a text or from an upload."""

from pydantic import BaseModel, ConfigDict, Field

from tandem.processing import Permanent, SavedFile, TaskContext, Upload, processor


class Input(BaseModel):
    """What the file holds, and its name."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"text": "hello"}]})

    text: str | None = Field(None, description="What it holds, or:")
    upload: Upload | None = Field(None, description="The id of an upload to copy.")
    filename: str = Field("copy.txt", max_length=255, description="The result's name.")


class Output(BaseModel):
    """The file."""

    file: SavedFile


@processor("copy-file", time_limit=100, upload_mib=lambda has: has.disk_mib / 2)
def copy_file(data: Input, ctx: TaskContext) -> Output:
    """Write a text or an upload into a file that is the task's result."""
    kind = "text/plain"
    if data.upload is not None:
        with ctx.fetch_upload(data.upload) as path:
            return Output(file=ctx.save_file(data.filename, path, content_type=kind))
    if data.text is None:
        message = "There is nothing to write: give text or upload."
        raise Permanent(message)
    return Output(file=ctx.save_file(data.filename, data.text.encode(), content_type=kind))
