"""`tandem upgrade`: a project moves to another version of Tandem, and keeps what it changed."""

import re
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from tandem_tools.errors import ToolError
from tandem_tools.project.new import with_pristine
from tandem_tools.project.skeleton import (
    DISTRIBUTIONS,
    LOCKS,
    OWN_FOLDER,
    PRISTINE,
    WHEELS,
    is_lock,
    merged_lock,
    read_wheels,
    skeleton,
)

_LABELS = ("yours", "Tandem before", "Tandem now")
_CONFLICTS = range(1, 128)
"""The exit codes of git merge-file that count conflicts. Above, it failed."""
_UNDER_WAY = f"{OWN_FOLDER}/upgrade-under-way"
"""A file that is there while the others are written: where it stayed, some of them were not."""
_TAKE_BACK = "Take it back (git restore . && git clean -f -d .), then run it again."


@dataclass
class Upgraded:
    """What became of a project's files."""

    before: str
    now: str
    changed: list[str] = field(default_factory=list)
    conflicts: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)
    """Which Tandem has no more, and were changed: they are still there."""

    def pinned(self, content: bytes) -> bytes:
        """Return a file with the new version in its pins of Tandem's distributions."""
        names = "|".join(DISTRIBUTIONS)
        old = rf"\b({names})=={re.escape(self.before)}(?![\w.+-])".encode()
        return re.sub(old, rb"\g<1>==" + self.now.encode(), content)


def upgrade(project: Path, wheels: Path) -> Upgraded:
    """Merge what has changed in Tandem since the project was made, or last upgraded, into it.

    Each file is merged with its pristine copy as the common ancestor. Where both sides changed the
    same lines, the file has both with git's marks. All merges are made before the first is written.

    Args:
        project: its folder.
        wheels: where the new version's wheels are.

    Raises:
        ToolError: there is no project, it has changes that are not committed, a file cannot be
            merged or written, or wheels are missing. Nothing was changed, unless it says so.
    """
    _require_whole(project)
    name, before = _made_as(project)
    _require_committed(project)
    now, found = read_wheels(wheels)
    new = skeleton(name, now, found)
    done = Upgraded(before, now)
    writes = {path: content for path, content in new.items() if path.startswith(f"{OWN_FOLDER}/")}
    for path in sorted(path for path in new if path not in writes):
        content = _merged(project, path, new[path], done)
        if content is not None:
            writes[path] = content
    gone = [*_gone(project, new, done), *_old_wheels(project, new)]
    pristine = {path: text for path, text in with_pristine(new).items() if path not in new}
    _require_writable(project, [*writes, *pristine, *gone])
    _write(project, writes | pristine, gone)
    return done


def _write(project: Path, files: dict[str, bytes], gone: list[str]) -> None:
    mark = project / _UNDER_WAY
    try:
        mark.touch()
        for path in gone:
            (project / path).unlink(missing_ok=True)
        for path, content in files.items():
            target = project / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)
        mark.unlink()
    except OSError as error:
        raise ToolError(f"The upgrade stopped half-way: {error}.", _TAKE_BACK) from None


def _require_whole(project: Path) -> None:
    """Refuse a project with half an upgrade in it, committed or not."""
    if (project / _UNDER_WAY).exists():
        raise ToolError(
            "An upgrade was stopped half-way.",
            f"{_TAKE_BACK} If you have seen to its files by hand: rm {_UNDER_WAY}",
        )


def _require_writable(project: Path, paths: list[str]) -> None:
    """Refuse to write where git could not take it back, or where there is no file to write."""
    root = project.resolve()
    for path in paths:
        target = project / path
        if not target.resolve().is_relative_to(root):
            raise ToolError(
                f"{path} is a link out of the project, and the upgrade would change it there.",
                "Nothing was changed. Put a file in its place, or bring in the change by hand.",
            )
        inside = [project / part for part in Path(path).parents]
        in_the_way = [folder for folder in inside if folder.exists() and not folder.is_dir()]
        if target.is_dir() or in_the_way:
            stands = (in_the_way or [target])[0].relative_to(project)
            raise ToolError(
                f"Tandem has a file {path}, and {stands} is in its place.",
                "Nothing was changed. Move it away, and commit that.",
            )


def _old_wheels(project: Path, new: dict[str, bytes]) -> list[str]:
    """Return Tandem's own wheels that the project needs no more. Others may be the project's."""
    found = [
        f"{WHEELS}/{wheel.name}"
        for distribution in DISTRIBUTIONS
        for wheel in sorted((project / WHEELS).glob(f"{distribution.replace('-', '_')}-*.whl"))
    ]
    return [path for path in found if path not in new]


def _made_as(project: Path) -> tuple[str, str]:
    try:
        name, version = (project / OWN_FOLDER / "version").read_text().split()
    except (OSError, ValueError):
        raise ToolError(
            f"{project} is no project of Tandem: it has no {OWN_FOLDER}/version.",
            "Go to the project's folder. A new one is made by: tandem new NAME",
        ) from None
    return name, version


def _require_committed(project: Path) -> None:
    command = ["git", "status", "--porcelain", "--untracked-files=normal"]
    try:
        status = subprocess.run(command, cwd=project, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise ToolError("There is no git, which merges an upgrade.", "Install git.") from None
    if status.returncode or status.stdout.strip():
        raise ToolError(
            "The project has changes that are not committed, or is in no git repository.",
            "Commit them first: then the upgrade is one diff, and git takes it back.",
        )


def _merged(project: Path, path: str, new: bytes, done: Upgraded) -> bytes | None:
    """Return what a file becomes. None when it stays as it is."""
    mine, pristine = project / path, project / PRISTINE / path
    before = pristine.read_bytes() if pristine.is_file() else None
    if before == new:
        return None
    if not mine.is_file():
        if before is not None:  # it was taken out on purpose
            return None
        done.changed.append(path)
        return new
    own = mine.read_bytes()
    if own in {before, new}:
        done.changed.append(path)
        return new
    text = own.decode(errors="replace").replace("\r\n", "\n")
    if before is not None and path in LOCKS and is_lock(text):
        done.changed.append(path)
        return merged_lock(text, before.decode(), new.decode()).encode()
    # A dependency beside Tandem's pin is no change of that line.
    merged, conflicts = _three_way(path, done.pinned(own), done.pinned(before or b""), new)
    (done.conflicts if conflicts else done.changed).append(path)
    return merged


def _three_way(path: str, mine: bytes, before: bytes, new: bytes) -> tuple[bytes, bool]:
    """Return a file merged as `git merge-file --diff3` does it, and whether it has conflicts."""
    # An editor that ends lines otherwise has changed each line, and means none.
    crlf = mine.count(b"\n") == mine.count(b"\r\n") > 0
    with TemporaryDirectory() as scratch:
        sides = [Path(scratch, side) for side in ("mine", "before", "new")]
        for side, content in zip(sides, (mine, before, new), strict=True):
            side.write_bytes(content.replace(b"\r\n", b"\n") if crlf else content)
        labels = [word for label in _LABELS for word in ("-L", label)]
        merged = subprocess.run(
            ["git", "merge-file", "-p", "--diff3", *labels, *map(str, sides)],
            capture_output=True,
            check=False,
        )
    if merged.returncode and merged.returncode not in _CONFLICTS:
        raise ToolError(
            f"git could not merge {path}: it is no text, or git has failed.",
            "Nothing was changed. Delete it and commit that, upgrade, then put yours back.",
        )
    text = merged.stdout.replace(b"\n", b"\r\n") if crlf else merged.stdout
    return text, bool(merged.returncode)


def _gone(project: Path, new: dict[str, bytes], done: Upgraded) -> list[str]:
    """Return the files to delete: Tandem has them no more, and they are as it made them."""
    root = project / PRISTINE
    gone = []
    for pristine in sorted(path for path in root.rglob("*") if path.is_file()):
        path = pristine.relative_to(root).as_posix()
        if path in new:
            continue
        gone.append(f"{PRISTINE}/{path}")
        mine = project / path
        if mine.is_file() and mine.read_bytes() != pristine.read_bytes():
            done.kept.append(path)
        elif mine.is_file():
            gone.append(path)
            done.changed.append(path)
    return gone
