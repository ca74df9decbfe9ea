"""What a processor is written with."""

from tandem.domain.retry import Permanent, Retry
from tandem.processing.context import SavedFile, TaskContext
from tandem.processing.processor import Processor, processor

__all__ = ["Permanent", "Processor", "Retry", "SavedFile", "TaskContext", "processor"]
