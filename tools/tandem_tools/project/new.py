"""`tandem new`: a project of one's own."""

from pathlib import Path

from tandem_tools.errors import ToolError
from tandem_tools.project.skeleton import PRISTINE, read_wheels, skeleton


def make_project(folder: Path, wheels: Path) -> str:
    """Make a project in a new folder, whose name is the project's, and return Tandem's version.

    Args:
        folder: where to. It must not be there, or be empty.
        wheels: where Tandem's wheels are.

    Raises:
        ToolError: the folder has something, its name is none for a stack, or wheels are missing.
            Nothing was made.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ToolError(f"{folder} is there already.", "Take another name, or an empty folder.")
    version, found = read_wheels(wheels)
    for path, content in with_pristine(skeleton(folder.absolute().name, version, found)).items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
    return version


def with_pristine(files: dict[str, bytes]) -> dict[str, bytes]:
    """Return a project's files with the copies that an upgrade compares them with."""
    copied = {path: content for path, content in files.items() if not path.startswith(".tandem/")}
    return files | {f"{PRISTINE}/{path}": content for path, content in copied.items()}
