"""The processors that the library brings: they show that a deployment works.

The canary, the rehearsal before a snapshot, `make run` and `GET /heavy-task` need a processor that
every application has.
"""

import hashlib
from threading import Lock
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from tandem.processing.context import TaskContext
from tandem.processing.output import WholeNumber
from tandem.processing.processor import processor

_CHUNK = bytes(1 << 20)
"""A MiB to hash. Hashlib lets other threads run while it works on this much."""


class EchoInput(BaseModel):
    """What comes back."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"message": "hello"}]})

    message: Any = Field(description="Any JSON value.", examples=["hello"])


class EchoOutput(BaseModel):
    """The same."""

    message: Any


@processor("echo", time_limit=10, upload_mib=0)
def echo(data: EchoInput, ctx: TaskContext) -> EchoOutput:  # noqa: ARG001 - every processor has it
    """Return the input."""
    return EchoOutput(message=data.message)


class BlocksInput(BaseModel):
    """How much to hash."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"blocks": 4, "block_mb": 1}]})

    blocks: WholeNumber = Field(ge=1, le=256, description="How many blocks.")
    block_mb: WholeNumber = Field(4, ge=1, le=16, description="Size of a block in MiB.")


class BlocksOutput(BaseModel):
    """The hashes in the blocks' order."""

    sha256: list[str]


@processor(
    "hash-blocks",
    time_limit=100,
    upload_mib=0,
    heavy_task=lambda blocks, block_mb: BlocksInput(blocks=blocks, block_mb=block_mb),
)
def hash_blocks(data: BlocksInput, ctx: TaskContext) -> BlocksOutput:
    """Compute the SHA-256 of generated blocks on the thread pool: work to watch."""
    done = 0
    lock = Lock()

    def hashed(number: int) -> str:
        nonlocal done
        digest = hashlib.sha256(b"%d" % number)
        for _ in range(data.block_mb):
            ctx.check_cancelled()
            digest.update(_CHUNK)
        # Reported under the lock, so that what a reader sees never goes back.
        with lock:
            done += 1
            ctx.progress(done, data.blocks, "hashed")
        return digest.hexdigest()

    return BlocksOutput(sha256=ctx.pool.map(hashed, range(data.blocks)))
