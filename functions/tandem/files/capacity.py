"""The capacity for uploads, in each function of this deployment."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from tandem.limits import UPLOAD_BYTES
from tandem.processing.processor import AnyProcessor, Resources
from tandem.tasks.outcomes import NoRoomHere
from tandem.tasks.retry import Permanent


class TooLarge(Permanent):
    """The task's uploads are larger than its processor takes on this deployment."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Capacity:
    """What processors take, in bytes of all uploads of a task. None where one does not say."""

    api: Resources
    worker: Resources

    def online(self, processor: AnyProcessor) -> int | None:
        """Return what a task takes whose caller waits, without going on offline: 0 for none."""
        if processor.online == "never" and processor.upload_mib is not None:
            return 0
        return self._in_api(processor) if processor.online == "promote" else self.offline(processor)

    def offline(self, processor: AnyProcessor) -> int | None:
        """Return what a task takes in the worker."""
        return _taken(processor, self.worker)

    def _in_api(self, processor: AnyProcessor) -> int | None:
        return _taken(processor, self.api)

    def offline_seconds(self, processor: AnyProcessor) -> float:
        """Return how long an attempt in the worker may take."""
        return min(processor.time_limit_seconds, self.worker.seconds)

    def online_seconds(self, processor: AnyProcessor) -> float | None:
        """Return how long the API runs a processor. None where it does not."""
        if processor.online != "promote":
            return None
        return min(processor.time_limit_seconds, self.api.seconds)

    def most(self, processor: AnyProcessor) -> int | None:
        """Return what a task takes, whichever way it is submitted."""
        online, offline = self.online(processor), self.offline(processor)
        return None if online is None or offline is None else max(online, offline)

    def largest_upload(self, processors: Iterable[AnyProcessor]) -> int:
        """Return the size of the largest upload that one of these takes."""
        taken = (self.most(processor) for processor in processors)
        largest = max((UPLOAD_BYTES if size is None else size for size in taken), default=0)
        return min(largest, UPLOAD_BYTES)

    def check(self, processor: AnyProcessor, size_bytes: int, *, in_api: bool) -> None:
        """Return when an attempt takes uploads of this size.

        Raises:
            NoRoomHere: the API's function does not take them, and the worker does.
            TooLarge: no attempt of that kind does.
        """
        offline = self.offline(processor)
        here = self._in_api(processor) if in_api else offline
        if here is None or offline is None or size_bytes <= here:
            return
        if size_bytes <= offline:
            raise NoRoomHere
        raise TooLarge(self.refusal(processor, max(here, offline), size_bytes))

    @staticmethod
    def refusal(processor: AnyProcessor, taken_bytes: int, size_bytes: int) -> str:
        """Return what to say of uploads that a processor does not take."""
        return (
            f"On this deployment {processor.name} takes uploads of {taken_bytes} bytes in all at "
            f"most, and not {size_bytes}."
        )


def _taken(processor: AnyProcessor, function: Resources) -> int | None:
    """Return what a processor's declaration comes to in a function."""
    declared = processor.upload_mib
    if callable(declared):
        seconds = min(function.seconds, processor.time_limit_seconds)
        declared = declared(replace(function, seconds=seconds))
    return None if declared is None else max(int(declared * 1024 * 1024), 0)
