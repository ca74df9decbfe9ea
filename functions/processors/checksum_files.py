"""SHA-256 of many uploads, or of generated blocks, in parallel: shows what the threads give."""

import hashlib
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from threading import Lock, get_ident
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator
from pydantic.config import JsonDict

from tandem.processing import TaskContext, WholeNumber, processor
from tandem.processing.output import NUMBERS_ONLY

CHUNK_BYTES = 1 << 20
"""What one thread holds at a time. `hashlib` lets other threads run while it works on this much."""

MAX_TOTAL_MB = 4096

UploadName = Annotated[str, StringConstraints(min_length=1, max_length=64)]
_NULL: JsonDict = {"type": "null"}
_UPLOADS: JsonDict = {
    "required": ["uploads"],
    "properties": {"uploads": {"type": "array"}, "blocks": _NULL, "block_mb": False},
}
_BLOCKS: JsonDict = {
    "required": ["blocks"],
    "properties": {"blocks": {"type": "integer"}, "uploads": _NULL},
}


class Input(BaseModel):
    """Uploads, or how many blocks to generate."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "oneOf": [_UPLOADS, _BLOCKS],
            "examples": [{"blocks": 4, "block_mb": 1}],
        },
    )

    uploads: list[UploadName] | None = Field(
        None,
        min_length=1,
        max_length=1000,
        description="Ids of the uploads to read.",
        examples=[["01981f6c-7a3e-7c11-9b1f-3f6f0c9f4a10"]],
    )
    blocks: Annotated[int, Field(ge=1, le=1024), NUMBERS_ONLY] | None = Field(
        None,
        description=(
            "How many blocks to generate instead; block i always has the same content. "
            f"All blocks together are at most {MAX_TOTAL_MB} MiB."
        ),
        examples=[32],
    )
    block_mb: WholeNumber = Field(
        4, ge=1, le=64, description="Size of a block in MiB.", examples=[4]
    )

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if (self.uploads is None) == (self.blocks is None):
            message = "give either uploads or blocks"
            raise ValueError(message)
        if self.blocks is None and "block_mb" in self.model_fields_set:
            message = "block_mb goes with blocks"
            raise ValueError(message)
        if (self.blocks or 0) * self.block_mb > MAX_TOTAL_MB:
            message = f"blocks x block_mb must be at most {MAX_TOTAL_MB}"
            raise ValueError(message)
        return self


class Checksum(BaseModel):
    """One upload or block."""

    name: str = Field(description="The upload's id, or `block-` and its number from 0.")
    sha256: str = Field(description="SHA-256 in lower-case hexadecimal.")
    size_bytes: int


class Output(BaseModel):
    """The checksums in the input's order, and how the work was spread."""

    files: list[Checksum]
    total_bytes: int
    threads_used: int = Field(description="How many different threads did some of the work.")
    elapsed_seconds: float = Field(description="From the first item's start to the last one's end.")
    speed_up: float = Field(
        description=(
            "CPU seconds that the threads spent on the items (each thread's own clock, summed) "
            "over elapsed_seconds: close to 1 is what one thread does, above 1 is work that ran "
            "in parallel. Waiting for an upload's bytes is not counted as work."
        )
    )


@processor(
    "checksum-files",
    time_limit=100,
    upload_mib=lambda has: has.seconds * 64,
    heavy_task=lambda blocks, block_mb: Input(uploads=None, blocks=blocks, block_mb=block_mb),
)
def checksum_files(data: Input, ctx: TaskContext) -> Output:
    """Compute the SHA-256 of uploads, or of generated blocks, in parallel on the thread pool."""
    items: Sequence[str | int] = data.uploads or range(data.blocks or 0)
    work = _Work(ctx, len(items), data.block_mb)
    started = time.perf_counter()
    done = ctx.pool.map(work.checksum, items)
    elapsed = max(time.perf_counter() - started, 1e-9)
    return Output(
        files=[file.checksum for file in done],
        total_bytes=sum(file.checksum.size_bytes for file in done),
        threads_used=len({file.thread for file in done}),
        elapsed_seconds=round(elapsed, 6),
        speed_up=round(sum(file.cpu_seconds for file in done) / elapsed, 3),
    )


@dataclass(frozen=True, slots=True)
class _Done:
    checksum: Checksum
    thread: int
    cpu_seconds: float


class _Work:
    """Hashes items on whichever thread asks, and counts them."""

    def __init__(self, ctx: TaskContext, total: int, block_mb: int) -> None:
        self._ctx = ctx
        self._total = total
        self._block_mb = block_mb
        self._finished = 0
        self._lock = Lock()

    def checksum(self, item: str | int) -> _Done:
        """Hash one upload (by its id) or block (by its number)."""
        started = time.thread_time()
        digest, size = hashlib.sha256(), 0
        for chunk in self._upload(item) if isinstance(item, str) else self._block(item):
            self._ctx.check_cancelled()
            digest.update(chunk)
            size += len(chunk)
        name = item if isinstance(item, str) else f"block-{item}"
        result = Checksum(name=name, sha256=digest.hexdigest(), size_bytes=size)
        self._count()
        return _Done(result, get_ident(), time.thread_time() - started)

    def _upload(self, upload_id: str) -> Iterator[bytes]:
        with self._ctx.open_upload(upload_id) as stream:
            while chunk := stream.read(CHUNK_BYTES):
                yield chunk

    def _block(self, number: int) -> Iterator[bytes]:
        chunk = block_chunk(number)
        return (chunk for _ in range(self._block_mb))

    def _count(self) -> None:
        # Reported under the lock, so that what a reader sees never goes back.
        with self._lock:
            self._finished += 1
            self._ctx.progress(self._finished, self._total, "hashed")


def block_chunk(number: int) -> bytes:
    """Return the MiB that a generated block repeats."""
    seed = hashlib.sha256(b"tandem block %d" % number).digest()
    return seed * (CHUNK_BYTES // len(seed))
