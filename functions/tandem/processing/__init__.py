"""The names that a processor is written with."""

from tandem.processing.context import SavedFile, TaskContext
from tandem.processing.output import WholeNumber
from tandem.processing.processor import Processor, processor
from tandem.processing.upload import Upload
from tandem.tasks.retry import EffectUnknown, Permanent, Retry, RetryAfter

__all__ = [
    "EffectUnknown",
    "Permanent",
    "Processor",
    "Retry",
    "RetryAfter",
    "SavedFile",
    "TaskContext",
    "Upload",
    "WholeNumber",
    "processor",
]
