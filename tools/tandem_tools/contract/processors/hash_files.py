"""SHA-256 of uploads: a processor that reads files, and that fails where one is not there."""

import hashlib

from pydantic import BaseModel, ConfigDict, Field

from tandem.processing import TaskContext, Upload, processor


class Input(BaseModel):
    """The files."""

    model_config = ConfigDict(extra="forbid")

    uploads: list[Upload] = Field(
        min_length=1,
        max_length=1000,
        description="Ids of the uploads to read.",
    )


class Output(BaseModel):
    """The hashes, in the input's order."""

    sha256: list[str] = Field(description="In lower-case hexadecimal.")
    total_bytes: int


@processor(
    "hash-files",
    time_limit=100,
    cache_for=3600,
    upload_mib=lambda has: has.disk_mib / 2,
)
def hash_files(data: Input, ctx: TaskContext) -> Output:
    """Compute the SHA-256 of uploads."""
    hashes, total = [], 0
    for number, upload in enumerate(data.uploads, start=1):
        digest = hashlib.sha256()
        with ctx.open_upload(upload) as stream:
            while chunk := stream.read(1 << 20):
                ctx.check_cancelled()
                digest.update(chunk)
                total += len(chunk)
        hashes.append(digest.hexdigest())
        ctx.progress(number, len(data.uploads), "hashed")
    return Output(sha256=hashes, total_bytes=total)
