"""The resources that an attempt has in a function."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Resources:
    """What an attempt has when nothing runs beside it, in the API's function or in the worker's.

    Example:
        @processor("count-lines", upload_mib=lambda has: min(has.memory_mib / 4, has.seconds * 20))
    """

    memory_mib: float
    """The function's memory, of which Python and Tandem need about 150."""
    disk_mib: float
    """The function's `/tmp`, empty."""
    seconds: float
    """The processor's time limit, or what the function, or the online budget, leaves of it."""
