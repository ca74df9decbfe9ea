"""The artifact's size by component, unpacked and in the zip file."""

import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Self

from tandem_tools.build.tree import files
from tandem_tools.errors import ToolError

DUCKDB = "duckdb"
SHOWN_FROM_ZIPPED = 100_000
"""Smaller components are one line of the table together."""

UNPACKED_BYTES = 250 * 1024 * 1024
"""What a function's code may have: https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html"""

_ENTRY = 30 + 46  # bytes of a zip file's headers for one file, without its name twice
_END = 22


@dataclass(frozen=True, slots=True)
class Size:
    """Bytes of some files."""

    unpacked: int = 0
    zipped: int = 0

    def __add__(self, other: Self) -> "Size":
        return Size(self.unpacked + other.unpacked, self.zipped + other.zipped)


type Sizes = Mapping[str, Size]
"""By component: a distribution, or the application."""


def measure(tree: Path, component: Callable[[str], str]) -> dict[str, Size]:
    """Return the size of each component of a tree.

    Args:
        tree: the files.
        component: names the component of a file, by its path in the tree.
    """
    found: dict[str, Size] = {}
    for path in files(tree):
        name = path.relative_to(tree).as_posix()
        content = path.read_bytes()
        zipped = _deflated(content) + _ENTRY + 2 * len(name.encode())
        one = component(name)
        found[one] = found.get(one, Size()) + Size(len(content), zipped)
    return found


def source_of(name: str) -> str:
    """Return the module that a `.pyc` file was compiled from, and of another file its own name."""
    path = PurePosixPath(name)
    if path.parent.name != "__pycache__":
        return name
    return str(path.parent.parent / f"{path.name.split('.')[0]}.py")


def total(sizes: Sizes) -> Size:
    """Return the size of the whole, with the end of the zip file."""
    return sum(sizes.values(), Size(0, _END))


def without_duckdb(sizes: Sizes) -> Size:
    """Return the size of the whole but for DuckDB's share."""
    return total({name: size for name, size in sizes.items() if name != DUCKDB})


def require_small(sizes: Sizes, most_mb: float | None) -> None:
    """Refuse an artifact that Lambda does not take, or whose zip file is larger than it may be.

    Args:
        sizes: of its components.
        most_mb: of the zip file, DuckDB aside, in millions of bytes. None for any.

    Raises:
        ToolError: by how much, and what is largest.
    """
    largest = sorted(sizes, key=lambda name: -sizes[name].unpacked)[:5]
    named = ", ".join(f"{name} ({sizes[name].unpacked / 1e6:.1f} MB)" for name in largest)
    unpacked = total(sizes).unpacked
    if unpacked > UNPACKED_BYTES:
        raise ToolError(
            f"The code has {unpacked / 1e6:.1f} MB unpacked, and Lambda takes "
            f"{UNPACKED_BYTES / 1e6:.1f}, its 250 MB of 1,048,576 bytes.",
            f"Take a dependency out of pyproject.toml. Largest: {named}.",
        )
    zipped = without_duckdb(sizes).zipped / 1e6
    if most_mb is not None and zipped > most_mb:
        raise ToolError(
            f"The zip file has {zipped:.2f} MB without DuckDB, and may have {most_mb:g}.",
            "Leave something out (tandem_tools/build/trim.py), or raise max-zip-mb-without-duckdb "
            f"in pyproject.toml. Largest: {named}.",
        )


def table(sizes: Sizes, architecture: str) -> str:
    """Return the sizes as a Markdown table, the largest first."""
    large = {name: size for name, size in sizes.items() if size.zipped >= SHOWN_FROM_ZIPPED}
    small = [size for name, size in sizes.items() if name not in large]
    shown = sorted(large.items(), key=lambda item: -item[1].zipped)
    shown.append((f"{len(small)} others", sum(small, Size())))
    shown.append(("**all**", total(sizes)))
    if DUCKDB in sizes:
        shown.append(("**all but DuckDB**", without_duckdb(sizes)))
    return "\n".join(
        [
            f"| artifact for {architecture} | unpacked MB | zip MB |",
            "| --- | ---: | ---: |",
            *(
                f"| {name} | {size.unpacked / 1e6:.2f} | {size.zipped / 1e6:.2f} |"
                for name, size in shown
            ),
        ]
    )


def _deflated(content: bytes) -> int:
    """Return how many bytes zipfile makes of a file, as `sam deploy` calls it."""
    deflating = zlib.compressobj(zlib.Z_DEFAULT_COMPRESSION, zlib.DEFLATED, -zlib.MAX_WBITS)
    return len(deflating.compress(content)) + len(deflating.flush())
