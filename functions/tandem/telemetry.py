"""The one logger of a function, and what the standard library's loggers make of it."""

import logging
import os
import sys
import threading
import warnings
from collections.abc import Iterable
from functools import cached_property
from io import FileIO, TextIOWrapper
from typing import TextIO, cast

from tandem.startup import pretend_missing

# Powertools imports botocore to name itself in the User-Agent of AWS calls, and does without
# where there is none: a request that needs no AWS service need not import its SDK.
with pretend_missing("botocore"):
    from aws_lambda_powertools import Logger
    from aws_lambda_powertools.logging.formatter import BasePowertoolsFormatter


class _Output:
    """A stream that cannot be closed: a processor that closes `sys.stdout` silences no other."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        try:
            return self._stream.write(text)
        except ValueError:
            # Python leaves the descriptor open when the stream over it is closed.
            self._stream = TextIOWrapper(
                FileIO(1, "w", closefd=False), "utf-8", line_buffering=True
            )
            return self._stream.write(text)

    def flush(self) -> None:
        if not self._stream.closed:
            self._stream.flush()


class _OursOrTrouble(logging.Filter):
    """Takes what libraries say below a warning, whoever has set their levels.

    A processor, or a library at its import, may set any logger's, the root's too: the AWS SDK would
    then show what other tasks of this process work on.
    """

    def __init__(self) -> None:
        super().__init__()
        self._ours = {logger.name}

    def hear(self, package: str) -> None:
        """Let pass what the loggers of a package say."""
        self._ours.add(package)

    def filter(self, record: logging.LogRecord) -> bool:
        """Keep the record if it is of our own, or of something wrong."""
        if record.levelno >= logging.WARNING or record.name == logger.name:
            return True
        return any(
            record.name == logger_name or record.name.startswith(f"{logger_name}.")
            for logger_name in self._ours
        )


class _WithoutText(logging.Filter):
    """Takes an error's message out of a line: it may hold input, which is never logged."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Keep the record, and of its error the class and the place."""
        if record.name == "asyncio":  # after its first line it shows objects, and errors in them
            record.msg, record.args = record.getMessage().partition("\n")[0], None
        error = record.exc_info[1] if record.exc_info else None
        if error is not None:
            from tandem.trace import described

            vars(record).update(described(error))
            record.exc_info = record.exc_text = None
        return True


class _Logger(Logger):
    """A logger that puts ids on its lines whatever a processor beside them does to its handler."""

    @cached_property
    def registered_formatter(self) -> BasePowertoolsFormatter:
        """Return the formatter that it was made with, which has the ids."""
        return super().registered_formatter


logger = _Logger(stream=cast("TextIO", _Output(sys.stdout)), use_rfc3339=True, utc=True)
"""Writes JSON lines. Its level and the service's name are read from POWERTOOLS_* variables."""

_ours_or_trouble = _OursOrTrouble()


def log_without_text() -> None:
    """Log what Python itself writes of errors that nobody catches and of warnings, by their place.

    Its own lines quote what a processor's thread, a finalizer or a library was given. For a process
    that is a function: tests have hooks of their own.
    """
    threading.excepthook = _thread_failed
    sys.unraisablehook = _not_raised
    warnings.showwarning = _warned


def _thread_failed(failed: threading.ExceptHookArgs) -> None:
    if failed.exc_value is not None and not isinstance(failed.exc_value, SystemExit):
        _log_error("thread failed", failed.exc_value)


def _not_raised(failed: "sys.UnraisableHookArgs") -> None:
    if failed.exc_value is not None:
        _log_error("error not raised", failed.exc_value)


def _log_error(message: str, error: BaseException) -> None:
    from tandem.trace import described

    logger.error(message, **described(error))


def _warned(  # noqa: PLR0917 - as Python calls it
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    del message, file, line
    logger.warning("warned", warning=category.__name__, stack=[f"{filename}:{lineno}"])


def _level() -> int:
    """Return the level of our own lines, as the template's LogLevel says.

    Powertools prefers the platform's level. That one is INFO where ours is above it: the platform
    takes metrics for lines at INFO, and would drop them.
    """
    name = os.environ.get("POWERTOOLS_LOG_LEVEL", "INFO").upper()
    return logging.getLevelNamesMapping().get(name, logging.INFO)


def _take_over() -> None:
    """Write what the standard library's loggers are given as our lines, each once.

    So they carry the ids of the task that they are about. Lambda's runtime has a handler of its
    own on the root logger, and sets that to the platform's level. Libraries say what is wrong, and
    no more, whatever the level: the AWS SDK's debugging shows inputs, keys and session tokens.
    """
    level = _level()
    handler = logger.registered_handler
    handler.addFilter(_ours_or_trouble)
    handler.addFilter(_WithoutText())
    own = logging.getLogger(logger.name)
    own.propagate = False
    own.setLevel(level)
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(max(level, logging.WARNING))


def hear(packages: Iterable[str]) -> None:
    """Log what these packages say at this function's level: they are the application's own."""
    for package in packages:
        _ours_or_trouble.hear(package)
        logging.getLogger(package).setLevel(_level())


_take_over()
