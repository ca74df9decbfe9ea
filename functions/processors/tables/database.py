"""A DuckDB of a task's own: no network, no extensions, one readable file, bounded memory."""

import errno
import os
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, wait
from contextlib import contextmanager
from contextvars import copy_context
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Any

from processors.tables.limits import TABLE_SECONDS
from processors.tables.plain_values import NON_FINITE, quoted
from tandem.processing import Permanent, TaskContext

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from processors.tables.texts import Rewriting

MEMORY_LIMIT = "384MiB"
SPILL_LIMIT = "192MiB"
MAX_WRITTEN_BYTES = 1 << 30
"""The most that a task may write beside what its database spills: the disk is everybody's."""
_WATCH_SECONDS = 0.2
_INTERRUPT_SECONDS = 5.0

_CAUSES = (
    (NON_FINITE, NON_FINITE),
    (r"not utf-8|invalid utf-8|invalid unicode", "the file is not UTF-8 text"),
    (r"invalid string encoding found", "a text in it is not UTF-8: write the column as bytes"),
    (r"byte order mark", "the JSON Lines file starts with a byte order mark"),
    (r"unterminated quote", "a quoted value does not end"),
    (r"maximum (?:line|object) size|maximum_object_size", "a line is too long"),
    (r"malformed json", "a line is not valid JSON"),
    (r"duplicate key", "an object has the same key twice"),
    (r"invalid state", "its quotes or line ends are not as in RFC 4180"),
    (r"recursion depth", "a value is nested too deeply"),
)


class Database:
    """Runs SQL on one file, and says in its own words what is wrong with the file."""

    def __init__(
        self,
        connection: "DuckDBPyConnection",
        file: Path,
        ctx: TaskContext,
        writes_to: Path | None = None,
    ) -> None:
        self._connection = connection
        self._file = file
        self.file = file
        """What the view reads."""
        self._ctx = ctx
        self._writes_to = writes_to
        self._over_at = time.monotonic() + TABLE_SECONDS
        self.stuck = False
        """Whether a statement did not end when it was interrupted."""
        self.relation = ""
        """The SQL that `data` stands for."""

    def query(self, sql: str, parameters: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        """Return the rows of one statement.

        Raises:
            Permanent: the file is not what it should be, or needs too much memory or disk.
            Abandoned: the attempt is over.
        """
        import duckdb

        try:
            return self._ended_in_time(lambda: self._connection.execute(sql, parameters).fetchall())
        except duckdb.OutOfMemoryException:
            raise OutOfMemory from None
        except duckdb.Error as error:
            if "No space left" in str(error):  # not the file's fault: worth another attempt
                raise OSError(errno.ENOSPC, "the function's disk is full") from None
            self._ctx.logger.warning("table refused", error_type=type(error).__name__)
            raise Unreadable(error) from None

    def _ended_in_time[T](self, work: Callable[[], T]) -> T:
        """Return what the work on the connection returns, ended early when the check raises.

        The work has a thread of its own: DuckDB 2.0 now and then never returns from a COPY that is
        interrupted, and then only its thread and its connection must be left behind.
        """
        self._check()
        outcome: Future[T] = Future()
        thread = Thread(target=copy_context().run, args=(_settle, outcome, work), daemon=True)
        thread.start()
        while not wait([outcome], _WATCH_SECONDS).done:
            try:
                self._check()
            except Exception:
                self._interrupt(thread)
                raise
        return outcome.result()

    def _interrupt(self, thread: Thread) -> None:
        self._connection.interrupt()
        thread.join(_INTERRUPT_SECONDS)
        self.stuck = thread.is_alive()
        if self.stuck:
            self._ctx.logger.warning("a statement does not end; its thread is left behind")

    def view(self, relation: str, columns: Mapping[str, str] | None = None) -> None:
        """Make a relation what `data` stands for, or columns made of it: SQL by their names."""
        if columns:
            listed = ", ".join(f"{sql} AS {quoted(name)}" for name, sql in columns.items())
            relation = f"(SELECT {listed} FROM {relation})"  # noqa: S608  # names are quoted
        self.query(f"CREATE OR REPLACE VIEW data AS FROM {relation}")
        self.relation = relation

    def rewrite(self, needs: "Rewriting") -> Path:
        """Write the file anew as the database can read it, and read that from now on. Return it.

        Raises:
            Permanent: the file is not of its encoding, or becomes too large.
        """
        from processors.tables.texts import rewrite

        target = rewritten(self._file)
        copy = target.with_name("copy")
        rewrite(self.file, copy, needs, self._ctx)
        copy.replace(target)
        self._connection.execute("SET VARIABLE file = ?", [str(target)])
        self.file = target
        return target

    def _check(self) -> None:
        """Raise what should end the statement that runs."""
        self._ctx.check_cancelled()
        if self._writes_to and _bytes_in(self._writes_to) > MAX_WRITTEN_BYTES:
            message = f"what the table becomes is larger than {MAX_WRITTEN_BYTES >> 20} MiB"
            raise Permanent(message)
        if time.monotonic() > self._over_at:
            message = f"the table takes longer than {TABLE_SECONDS:g} s"
            raise Permanent(message)


class OutOfMemory(Permanent):
    """The table needs more memory than a task may use."""

    def __init__(self) -> None:
        super().__init__(f"the table needs more than the {MEMORY_LIMIT} that a task may use")


class Unreadable(Permanent):
    """DuckDB cannot read the file. Its message, which quotes the file, is left out."""

    def __init__(self, error: Exception) -> None:
        self.what, self.line = _reason(str(error)), _line(str(error))
        super().__init__(self.further_down(0))
        self.kind = type(error).__name__

    def further_down(self, lines: int) -> str:
        """Return the reason, with its line in a file that has more lines at the start."""
        return self.what + (f" (line {self.line + lines})" if self.line else "")


@contextmanager
def open_database(
    file: Path, spill: Path, ctx: TaskContext, *, writes_to: Path | None = None
) -> Iterator[Database]:
    """Return a database that can read this file, write to this folder, and nothing else."""
    import duckdb

    connection = duckdb.connect(
        config={
            # More threads than processors would only take memory: each holds its own. To write rows
            # in their order, each would also hold those that wait for another's.
            "threads": 1 if writes_to else min(ctx.pool.size, os.process_cpu_count() or 1),
            "memory_limit": MEMORY_LIMIT,
            "temp_directory": str(spill),
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
            "allow_community_extensions": False,
            "python_enable_replacements": False,
            # It would give CAST(date AS VARCHAR) the text of the file, in whatever form.
            "disabled_optimizers": "type_pushdown",
        }
    )
    database = Database(connection, file, ctx, writes_to)
    try:
        connection.execute("SET TimeZone = 'UTC'")
        # Given to connect(), it has no effect (DuckDB 2.0).
        connection.execute(f"SET max_temp_directory_size = '{SPILL_LIMIT}'")
        connection.execute("SET VARIABLE file = ?", [str(file)])
        connection.execute("SET allowed_paths = ?", [[str(file), str(rewritten(file))]])
        if writes_to:
            connection.execute("SET allowed_directories = ?", [[str(writes_to)]])
        connection.execute("SET enable_external_access = false")
        connection.execute("SET lock_configuration = true")
        yield database
    finally:
        if not database.stuck:  # closing it would wait for the statement
            connection.close()


def rewritten(file: Path) -> Path:
    """Return the path of a database's file when it is written anew."""
    return file.with_name("rewritten")


def _settle[T](outcome: Future[T], work: Callable[[], T]) -> None:
    try:
        outcome.set_result(work())
    except Exception as error:  # noqa: BLE001  # raised again in the attempt's thread
        outcome.set_exception(error)


def _bytes_in(folder: Path) -> int:
    with os.scandir(folder) as entries:
        return sum(entry.stat().st_size for entry in entries if entry.is_file())


def _line(message: str) -> int | None:
    line = re.search(r"CSV Error on Line: (\d+)", message)
    return int(line[1]) if line else None


def _reason(message: str) -> str:
    if width := re.search(r"Expected Number of Columns: (\d+) Found: (\d+)", message):
        return f"a line has {width[2]} columns where the first has {width[1]}"
    for pattern, reason in _CAUSES:
        if re.search(pattern, message, re.IGNORECASE):
            return reason
    return "the file is damaged, or is not of its format"
