"""A long piece of work that says how far it is, and stops when it is told to."""

from time import sleep

from pydantic import BaseModel, Field

from tandem.processing import SavedFile, TaskContext, processor


class Input(BaseModel):
    numbers: int = Field(ge=1, le=1000)
    pause_seconds: float = Field(default=0, ge=0, le=1)


@processor("count-up", online="never", time_limit=110)
def count_up(data: Input, ctx: TaskContext) -> SavedFile:
    """Write numbers into a file, one each line."""
    lines = []
    for number in range(1, data.numbers + 1):
        ctx.check_cancelled()
        lines.append(f"{number}\n")
        ctx.progress(number, data.numbers, f"wrote {number}")
        sleep(data.pause_seconds)
    return ctx.save_file("numbers.txt", "".join(lines).encode(), content_type="text/plain")
