"""The artifact is made once for all functions, and kept until one of its sources changes.

It has two layers: the dependencies, which change with requirements.txt, and the application. A
function's folder is the two on top of each other.
"""

import fcntl
import hashlib
import json
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tandem_tools.build.compiled import compile_ahead, require_compiled
from tandem_tools.build.complete import require_complete, require_services
from tandem_tools.build.dependencies import install
from tandem_tools.build.sbom import bill_of_materials
from tandem_tools.build.settings import REQUIREMENTS, Settings
from tandem_tools.build.sizes import Size, measure, require_small, source_of
from tandem_tools.build.tree import copy_source, copy_tree, files, tree_hash
from tandem_tools.build.trim import trim
from tandem_tools.errors import ToolError
from tandem_tools.paths import tools_version

APPLICATION = "application"
NOT_DEPLOYED = frozenset({Path("tandem", "testing"), Path("pyproject.toml")})
"""Parts of functions/ that only tests use."""
SBOM = "sbom.json"

type Made = dict[str, Any]
"""What is known of a layer, beside its tree."""


class Store:
    """What was made for one processor, in .aws-sam/artifact.

    Example:
        store = Store(PROJECT, "arm64")
        with store.alone():
            store.make()
            store.copy_into(folder)
    """

    def __init__(self, project: Path, architecture: str) -> None:
        """Prepare a store. Nothing is read or made.

        Args:
            project: the checkout.
            architecture: the functions' processor.
        """
        self._project = project
        self._architecture = architecture
        self._output = project / ".aws-sam"
        self._folder = self._output / "artifact" / architecture
        self._settings = Settings.read(project)

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Let one process use the store at a time: SAM builds the functions in parallel."""
        self._folder.mkdir(parents=True, exist_ok=True)
        with (self._folder.parent / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def make(self) -> bool:
        """Make the layers whose sources have changed, and write the SBOM.

        Returns:
            Whether there was anything to make.

        Raises:
            ToolError: it could not be made, is not whole, or is too large.
        """
        requirements = self._project / REQUIREMENTS
        told = [
            self._architecture,
            str(tools_version()),
            self._settings.name,
            self._settings.version,
            *sorted(self._settings.aws_services),
        ]
        below = self._key(*told, requirements)
        made = self._layer("dependencies", below, self._make_dependencies)
        left_out = frozenset(self._made("dependencies")["left_out"])
        functions = self._project / "functions"
        require_services(functions, left_out)
        made |= self._layer(APPLICATION, self._key(below, functions), self._make_application)
        require_small(self.sizes(), self._settings.max_zip_mb_without_duckdb)
        shutil.copyfile(self._folder / "dependencies" / SBOM, self._output / SBOM)
        return made

    def copy_into(self, folder: Path) -> None:
        """Put the code into a function's folder.

        Raises:
            ToolError: the folder is not empty, or got something else than what was made.
        """
        if folder.exists() and any(folder.iterdir()):
            raise ToolError(f"{folder} is not empty.", "Name a new or an empty folder.")
        for layer in ("dependencies", APPLICATION):
            copy_tree(self.tree(layer), folder)
        require_complete(folder, (self._project / REQUIREMENTS).read_text())

    def sizes(self) -> dict[str, Size]:
        """Return the size of each component of what was made."""
        return {
            name: Size(**size)
            for layer in ("dependencies", APPLICATION)
            for name, size in self._made(layer)["sizes"].items()
        }

    def hashes(self) -> dict[str, str]:
        """Return the hash of each layer's tree: what it is made of decides it, and nothing else."""
        return {layer: tree_hash(self.tree(layer)) for layer in ("dependencies", APPLICATION)}

    def tree(self, layer: str) -> Path:
        """Return where the files of a layer are."""
        return self._folder / layer / "tree"

    def _make_dependencies(self, folder: Path) -> Made:
        tree = folder / "tree"
        with TemporaryDirectory(prefix="artifact-") as scratch:
            packages = install(
                self._project / REQUIREMENTS, self._architecture, tree, Path(scratch)
            )
        left_out = trim(tree, self._settings.aws_services)
        compile_ahead(tree)
        require_compiled(tree)
        document = bill_of_materials(
            tree,
            packages,
            name=self._settings.name,
            version=self._settings.version,
            architecture=self._architecture,
        )
        (folder / SBOM).write_text(document)
        owners = {name: package.name for package in packages for name in package.files}
        sizes = measure(tree, lambda name: owners[source_of(name)])
        return {"left_out": sorted(left_out), "sizes": _plain(sizes)}

    def _make_application(self, folder: Path) -> Made:
        tree = folder / "tree"
        copy_source(self._project / "functions", tree, NOT_DEPLOYED)
        dependencies = {path.name for path in self.tree("dependencies").iterdir()}
        if both := {path.name for path in tree.iterdir()} & dependencies:
            raise ToolError(
                f"functions/ has what a dependency has too: {', '.join(sorted(both))}.",
                "Rename it: the functions would import one of the two.",
            )
        compile_ahead(tree)
        require_compiled(tree)
        return {"sizes": _plain(measure(tree, lambda _: APPLICATION))}

    def _layer(self, name: str, key: str, make: Callable[[Path], Made]) -> bool:
        """Make a layer unless it is there. A layer that could not be made leaves nothing."""
        folder = self._folder / name
        if self._made(name).get("key") == key:
            return False
        with TemporaryDirectory(prefix=f"{name}-", dir=self._folder) as new:
            made = make(Path(new)) | {"key": key}
            Path(new, "made.json").write_text(json.dumps(made))
            shutil.rmtree(folder, ignore_errors=True)
            Path(new).rename(folder)
            Path(new).mkdir()  # for TemporaryDirectory to remove
        return True

    def _made(self, name: str) -> Made:
        try:
            made: Made = json.loads((self._folder / name / "made.json").read_text())
        except FileNotFoundError:
            return {}
        return made

    def _key(self, *inputs: str | Path) -> str:
        """Return a hash of inputs, of this package and of the Python that compiles."""
        digest = hashlib.sha256(f"{sys.implementation.cache_tag} {sys.version}".encode())
        for source in (*inputs, Path(__file__).parent):
            if isinstance(source, str):
                digest.update(f"\0{source}".encode())
                continue
            for path in _files(source):
                digest.update(f"\0{path.relative_to(source.parent)}\0".encode())
                digest.update(path.read_bytes())
        return digest.hexdigest()


def _files(path: Path) -> Iterator[Path]:
    if path.is_file():
        yield path
    else:
        yield from (file for file in files(path) if "__pycache__" not in file.parts)


def _plain(sizes: Mapping[str, Size]) -> dict[str, dict[str, int]]:
    return {name: asdict(size) for name, size in sizes.items()}
