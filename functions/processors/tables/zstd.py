"""Files packed with Zstandard: DuckDB unpacks their lines, since Python 3.13 does not.

DuckDB takes a file that is cut short for a whole one, and leaves out a line that is longer than its
buffer. So the frames are walked before, and the size is compared after.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from processors.tables.database import Unreadable, open_database
from processors.tables.limits import MAX_UNPACKED_BYTES
from tandem.processing import Permanent, TaskContext

MAGIC = b"\x28\xb5\x2f\xfd"
_BUFFER_BYTES = 32 << 20
_BLOCK_BYTES = 128 << 10
_STRAY_BYTES = 5
"""By how much sizes differ for a byte order mark and the end of the last line."""
_SEPARATOR = "\x1e\x1f\x1e"  # no text has it
_REPACK = "pack it with gzip or not at all"
_DAMAGED = "the zstd file is damaged or cut short"


def is_packed(path: Path) -> bool:
    """Return whether a file is packed with Zstandard: pzstd starts with frames to be skipped."""
    with path.open("rb") as file:
        while _is_skipped(magic := file.read(4)):
            file.seek(int.from_bytes(file.read(4), "little"), os.SEEK_CUR)
        return magic == MAGIC


def unpack(path: Path, folder: Path, ctx: TaskContext) -> Path:
    """Return a file with the lines of a packed one, in a folder of its own within the one given.

    Raises:
        Permanent: the packed file is damaged, holds too much, or no text in UTF-8.
    """
    sizes = list(_frame_sizes(path))
    known = sum(size for size, exact in sizes if exact)
    at_most = sum(size for size, _ in sizes)
    exact = known == at_most
    if exact and known > MAX_UNPACKED_BYTES:
        raise Permanent(_too_large())
    if not exact and at_most > _BUFFER_BYTES:
        message = f"the zstd file does not say how much it holds: {_REPACK}"
        raise Permanent(message)
    packed = folder / "packed"
    packed.symlink_to(path.resolve())
    target_folder = folder / "zstd"
    target_folder.mkdir()
    target = target_folder / "unpacked"
    with open_database(packed, folder / "spill", ctx, writes_to=target_folder) as database:
        try:
            try:
                database.query(_copy_sql(target, given="new_line = '\\n', ", line_end="\\n"))
            except Unreadable:  # perhaps its lines end in another way
                database.query(_copy_sql(target, given="", line_end="\\r\\n"))
        except Unreadable:
            message = (
                "what the zstd file holds is no text in UTF-8, has line ends of several kinds, or "
                f"is damaged: {_REPACK}"
            )
            raise Permanent(message) from None
    if exact and abs(target.stat().st_size - known) > _STRAY_BYTES:
        message = f"a line of the zstd file is too long: {_REPACK}"
        raise Permanent(message)
    return target


def _too_large() -> str:
    return f"the zstd file holds more than {MAX_UNPACKED_BYTES >> 20} MiB"


def _copy_sql(target: Path, *, given: str, line_end: str) -> str:
    # Neither reads nor writes anything but whole lines: there are no quotes, escapes or nulls.
    read = (
        f"read_csv(getvariable('file'), auto_detect = false, columns = {{'line': 'VARCHAR'}}, "
        f"{given}delim = '{_SEPARATOR}', quote = '', escape = '', header = false, nullstr = '', "
        "skip = 0, comment = '', strict_mode = true, compression = 'zstd', "
        f"max_line_size = {_BUFFER_BYTES}, buffer_size = {_BUFFER_BYTES})"
    )
    # The target is in a folder that Python named, without a quote in it.
    return (
        f"COPY (FROM {read}) TO '{target}' (FORMAT csv, HEADER false, COMPRESSION none, QUOTE '', "
        f"ESCAPE '', DELIMITER '{_SEPARATOR}', NULLSTR '', NEW_LINE '{line_end}')"
    )


def _frame_sizes(path: Path) -> Iterator[tuple[int, bool]]:
    """Yield what each frame holds: its size if it says so, else the most that it can be.

    Raises:
        Permanent: the frames do not fill the file.
    """
    with path.open("rb") as file:
        end = file.seek(0, os.SEEK_END)
        file.seek(0)
        while file.tell() < end:
            magic = _read(file, 4)
            if magic == MAGIC:
                yield _frame_size(file)
            elif _is_skipped(magic):
                file.seek(int.from_bytes(_read(file, 4), "little"), os.SEEK_CUR)
            else:
                raise Permanent(_DAMAGED)
        if file.tell() > end:
            raise Permanent(_DAMAGED)


def _is_skipped(magic: bytes) -> bool:
    return magic[1:] == b"\x2a\x4d\x18" and magic[0] >> 4 == 5


def _frame_size(file: BinaryIO) -> tuple[int, bool]:
    """Return the size of a frame, read from behind its magic number (RFC 8878, section 3.1.1)."""
    [descriptor] = _read(file, 1)
    single_segment = descriptor >> 5 & 1
    if not single_segment:
        _read(file, 1)  # the size of the window
    _read(file, (0, 1, 2, 4)[descriptor & 3])  # the dictionary
    width = (single_segment, 2, 4, 8)[descriptor >> 6]
    size = int.from_bytes(_read(file, width), "little") + (256 if width == 2 else 0)
    at_most, last = 0, 0
    while not last:
        header = int.from_bytes(_read(file, 3), "little")
        last, kind, length = header & 1, header >> 1 & 3, header >> 3
        at_most += length if kind < 2 else _BLOCK_BYTES
        file.seek(1 if kind == 1 else length, os.SEEK_CUR)
    _read(file, 4 * (descriptor >> 2 & 1))  # the checksum
    return (size, True) if width else (at_most, False)


def _read(file: BinaryIO, size: int) -> bytes:
    found = file.read(size)
    if len(found) < size:
        raise Permanent(_DAMAGED)
    return found
