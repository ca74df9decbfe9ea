"""What a processor is written with."""

from tandem.domain.retry import EffectUnknown, Permanent, Retry
from tandem.processing.context import SavedFile, TaskContext
from tandem.processing.numbers import WholeNumber
from tandem.processing.processor import Processor, processor
from tandem.processing.upload import Upload

__all__ = [
    "EffectUnknown",
    "Permanent",
    "Processor",
    "Retry",
    "SavedFile",
    "TaskContext",
    "Upload",
    "WholeNumber",
    "processor",
]
