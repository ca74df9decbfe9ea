"""An upgrade brings what is new in Tandem into a project, and keeps what was changed in it."""

import re
import shutil
import subprocess
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from tandem_tools.build.dependencies import pins
from tandem_tools.errors import ToolError
from tandem_tools.project import commands, skeleton
from tandem_tools.project import upgrade as upgrading
from tandem_tools.project.new import make_project
from tandem_tools.project.upgrade import upgrade
from tests.tools.project.conftest import put_wheels

WHO = ["-c", "user.name=Ada", "-c", "user.email=ada@example.com"]
OWN_BUCKET = "  OwnBucket:\n    Type: AWS::S3::Bucket\n"


def git(project: Path, *arguments: str) -> None:
    command = ["git", *WHO, *arguments]
    subprocess.run(command, cwd=project, check=True, capture_output=True)  # noqa: S603


def commit(project: Path) -> None:
    git(project, "add", "--all")
    git(project, "commit", "--quiet", "--message", "Change it")


@pytest.fixture
def project(tmp_path: Path, tandem: Path, wheels: Path) -> Path:
    folder = tmp_path / "old" / "orders"
    make_project(folder, wheels)
    git(folder, "init", "--quiet")
    commit(folder)
    return folder


@pytest.fixture
def next_wheels(tmp_path: Path) -> Path:
    return put_wheels(tmp_path / "next", "1.1.0")


def edit(path: Path, before: str, after: str) -> None:
    text = path.read_text()
    assert before in text
    path.write_text(text.replace(before, after, 1))


def files(project: Path) -> dict[str, bytes]:
    return {
        path.relative_to(project).as_posix(): path.read_bytes()
        for path in project.rglob("*")
        if path.is_file() and ".git" not in path.relative_to(project).parts
    }


def test_a_project_that_was_not_changed_becomes_a_new_one(
    tmp_path: Path, tandem: Path, project: Path, next_wheels: Path
) -> None:
    edit(
        tandem / "template.yaml",
        "LogRetentionDays:",
        "# what a later version says\n  LogRetentionDays:",
    )
    edit(tandem / "samconfig.toml", '"LogRetentionDays=7"', '"LogRetentionDays=14"')
    done = upgrade(project, next_wheels)
    assert (done.before, done.now, done.conflicts, done.kept) == ("1.0.0", "1.1.0", [], [])
    assert {"template.yaml", "samconfig.toml", "pyproject.toml"} <= set(done.changed)
    fresh = tmp_path / "fresh" / "orders"
    make_project(fresh, next_wheels)
    assert files(project) == files(fresh)


def test_what_was_changed_in_it_stays_and_nothing_else_differs(
    tmp_path: Path, tandem: Path, project: Path, next_wheels: Path
) -> None:
    template = project / "template.yaml"
    edit(template, "\nOutputs:\n", f"\n{OWN_BUCKET}\nOutputs:\n")
    edit(project / "samconfig.toml", "WorkerMaximumConcurrency=20", "WorkerMaximumConcurrency=9")
    (project / "functions/processors/hello.py").unlink()
    (project / "functions/processors/own.py").write_text("A = 1\n")
    commit(project)
    edit(tandem / "template.yaml", "AWSTemplateFormatVersion", "# New.\nAWSTemplateFormatVersion")
    done = upgrade(project, next_wheels)
    assert done.conflicts == []
    fresh = tmp_path / "fresh" / "orders"
    make_project(fresh, next_wheels)
    edit(fresh / "template.yaml", "\nOutputs:\n", f"\n{OWN_BUCKET}\nOutputs:\n")
    edit(fresh / "samconfig.toml", "WorkerMaximumConcurrency=20", "WorkerMaximumConcurrency=9")
    (fresh / "functions/processors/hello.py").unlink()
    (fresh / "functions/processors/own.py").write_text("A = 1\n")
    assert files(project) == files(fresh)


def test_a_file_that_was_deleted_stays_deleted_though_tandem_changed_it(
    tandem: Path, project: Path, next_wheels: Path
) -> None:
    (project / "events/sqs-batch.json").unlink()
    commit(project)
    edit(tandem / "events/sqs-batch.json", "{", "{\n")
    done = upgrade(project, next_wheels)
    assert not (project / "events/sqs-batch.json").exists()
    assert "events/sqs-batch.json" not in {*done.changed, *done.conflicts}


def test_lines_that_both_changed_are_both_there_with_gits_marks(
    tandem: Path, project: Path, next_wheels: Path
) -> None:
    edit(project / "samconfig.toml", '"LogRetentionDays=7"', '"LogRetentionDays=3"')
    commit(project)
    edit(tandem / "samconfig.toml", '"LogRetentionDays=7"', '"LogRetentionDays=14"')
    done = upgrade(project, next_wheels)
    assert done.conflicts == ["samconfig.toml"]
    text = (project / "samconfig.toml").read_text()
    marks = [line for line in text.splitlines() if line[:7] in {"<" * 7, "|" * 7, "=" * 7, ">" * 7}]
    assert marks == ["<<<<<<< yours", "||||||| Tandem before", "=======", ">>>>>>> Tandem now"]
    for days in (3, 7, 14):
        assert f'"LogRetentionDays={days}"' in text


def test_the_command_says_what_both_changed_and_ends_with_1(
    tandem: Path, project: Path, next_wheels: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = typer.Typer()
    command.command()(commands.upgrade)
    edit(project / "samconfig.toml", '"LogRetentionDays=7"', '"LogRetentionDays=3"')
    commit(project)
    edit(tandem / "samconfig.toml", '"LogRetentionDays=7"', '"LogRetentionDays=14"')
    monkeypatch.chdir(project)
    done = CliRunner().invoke(command, ["--wheels", str(next_wheels)])
    assert (done.exit_code, "samconfig.toml was changed on both sides" in done.output) == (1, True)
    commit(project)
    assert CliRunner().invoke(command, ["--wheels", str(next_wheels)]).exit_code == 0


def test_a_file_that_git_cannot_merge_changes_nothing(
    tandem: Path, project: Path, next_wheels: Path
) -> None:
    (project / "samconfig.toml").write_bytes(b"mine\0")
    commit(project)
    edit(tandem / "samconfig.toml", '"LogRetentionDays=7"', '"LogRetentionDays=14"')
    before = files(project)
    with pytest.raises(ToolError, match=r"git could not merge samconfig\.toml"):
        upgrade(project, next_wheels)
    assert files(project) == before


def test_a_file_of_ones_own_where_tandem_now_has_one_is_not_lost(
    project: Path, next_wheels: Path
) -> None:
    (project / ".tandem/pristine/Makefile").unlink()  # as if the version before had none
    (project / "Makefile").write_text("mine:\n\techo mine\n")
    commit(project)
    done = upgrade(project, next_wheels)
    assert done.conflicts == ["Makefile"]
    assert "\techo mine\n" in (project / "Makefile").read_text()


def test_what_tandem_has_no_more_goes_unless_it_was_changed(
    project: Path, next_wheels: Path
) -> None:
    for name in ("old.txt", "changed.txt"):
        for folder in (project, project / ".tandem/pristine"):
            (folder / name).write_text("as it was\n")
    (project / "changed.txt").write_text("mine\n")
    commit(project)
    done = upgrade(project, next_wheels)
    assert (done.kept, (project / "changed.txt").read_text()) == (["changed.txt"], "mine\n")
    assert not (project / "old.txt").exists()
    assert not list((project / ".tandem/pristine").glob("*.txt.*"))


def test_a_second_upgrade_changes_nothing(project: Path, next_wheels: Path) -> None:
    edit(project / "samconfig.toml", '"LogRetentionDays=7"', '"LogRetentionDays=3"')
    commit(project)
    upgrade(project, next_wheels)
    commit(project)
    before = files(project)
    assert upgrade(project, next_wheels).changed == []
    assert files(project) == before


def test_changes_that_are_not_committed_are_not_touched(project: Path, next_wheels: Path) -> None:
    (project / "README.md").write_text("mine\n")
    before = files(project)
    with pytest.raises(ToolError, match="not committed"):
        upgrade(project, next_wheels)
    assert files(project) == before


def test_a_folder_that_is_no_project_is_not_touched(tmp_path: Path, next_wheels: Path) -> None:
    with pytest.raises(ToolError, match="is no project of Tandem"):
        upgrade(tmp_path, next_wheels)


def test_tools_of_another_version_than_the_wheels_change_nothing(
    project: Path, next_wheels: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They would write this version's files under the next one's number."""
    monkeypatch.setattr(skeleton, "tools_version", lambda: "1.0.0")
    before = files(project)
    with pytest.raises(ToolError, match=r"in version 1\.0\.0, which these tools are of"):
        upgrade(project, next_wheels)
    assert files(project) == before


def test_wheels_that_are_missing_change_nothing(tmp_path: Path, project: Path) -> None:
    before = files(project)
    with pytest.raises(ToolError, match="has not the wheels"):
        upgrade(project, tmp_path / "nowhere")
    assert files(project) == before


def test_a_wheel_of_the_projects_own_stays(project: Path, next_wheels: Path) -> None:
    own = project / ".tandem/wheels/acme_rates-2.0-py3-none-any.whl"
    own.write_bytes(b"ours")
    commit(project)
    upgrade(project, next_wheels)
    names = sorted(path.name for path in own.parent.iterdir())
    assert (names[0], len(names)) == (own.name, 4)
    assert all("-1.1.0-" in name for name in names[1:])


def linked_file(project: Path) -> None:
    (project / "samconfig.toml").rename(project.parent / "shared.toml")
    (project / "samconfig.toml").symlink_to("../shared.toml")


def linked_folder(project: Path) -> None:
    (project / "events").rename(project.parent / "shared")
    (project / "events").symlink_to("../shared")


def folder_for_file(project: Path) -> None:
    (project / ".tandem/pristine/Makefile").unlink()  # as if the version before had none
    (project / "Makefile").unlink()
    (project / "Makefile").mkdir()
    (project / "Makefile/common.mk").touch()


def file_for_folder(project: Path) -> None:
    for folder in (project / "events", project / ".tandem/pristine/events"):
        shutil.rmtree(folder)
    (project / "events").touch()


def no_text(project: Path) -> None:
    (project / "samconfig.toml").write_bytes(b"\0\xff")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (linked_file, "samconfig.toml is a link out of the project"),
        (linked_folder, "events/sqs-batch.json is a link out of the project"),
        (folder_for_file, "a file Makefile, and Makefile is in its place"),
        (file_for_folder, "a file events/api-process-online.json, and events is in its place"),
        (no_text, "could not merge samconfig.toml"),
    ],
)
def test_what_cannot_be_written_is_said_before_anything_is(
    tandem: Path, project: Path, next_wheels: Path, change: Callable[[Path], None], said: str
) -> None:
    change(project)
    commit(project)
    edit(tandem / "samconfig.toml", '"LogRetentionDays=7"', '"LogRetentionDays=14"')
    edit(tandem / "events/sqs-batch.json", "{", "{ ")
    before = files(project.parent)
    with pytest.raises(ToolError, match=said) as raised:
        upgrade(project, next_wheels)
    assert raised.value.advice.startswith("Nothing was changed.")
    assert files(project.parent) == before


class Killed(BaseException):
    """The process ends here."""


@pytest.mark.parametrize("kept", [0, 1, 3, 9, 20])
def test_an_upgrade_that_was_cut_short_is_said_and_can_be_taken_back(
    tmp_path: Path, project: Path, next_wheels: Path, monkeypatch: pytest.MonkeyPatch, kept: int
) -> None:
    write, written = Path.write_bytes, [0]

    def cut(path: Path, content: bytes) -> int:
        if written[0] == kept and path.is_relative_to(project):
            write(path, content[:5])
            raise Killed
        written[0] += path.is_relative_to(project)
        return write(path, content)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", cut)
        with pytest.raises(Killed):
            upgrade(project, next_wheels)
    with pytest.raises(ToolError, match="was stopped half-way"):
        upgrade(project, next_wheels)
    git(project, "restore", ".")
    git(project, "clean", "-f", "-d", ".")
    upgrade(project, next_wheels)
    fresh = tmp_path / "fresh" / "orders"
    make_project(fresh, next_wheels)
    assert files(project) == files(fresh)


def test_half_an_upgrade_that_was_committed_is_found(project: Path, next_wheels: Path) -> None:
    (project / ".tandem/upgrade-under-way").touch()
    commit(project)
    with pytest.raises(ToolError, match=r"rm \.tandem/upgrade-under-way"):
        upgrade(project, next_wheels)


def test_a_file_that_cannot_be_written_ends_with_how_to_take_it_back(
    project: Path, next_wheels: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path, _content: bytes) -> int:
        raise PermissionError(13, "Permission denied", str(path))

    with monkeypatch.context() as patch:
        patch.setattr(upgrading, "_merged", lambda *_: b"new")  # it writes files of its own
        patch.setattr(Path, "write_bytes", refuse)
        with pytest.raises(ToolError, match=r"stopped half-way: .*Permission denied") as raised:
            upgrade(project, next_wheels)
    assert "git restore" in raised.value.advice


def test_line_ends_of_another_kind_are_no_change(
    tandem: Path, project: Path, next_wheels: Path
) -> None:
    path = project / "samconfig.toml"
    edit(path, "WorkerMaximumConcurrency=20", "WorkerMaximumConcurrency=9")
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    commit(project)
    edit(tandem / "samconfig.toml", '"LogRetentionDays=7"', '"LogRetentionDays=14"')
    assert upgrade(project, next_wheels).conflicts == []
    content = path.read_bytes()
    assert b"WorkerMaximumConcurrency=9" in content
    assert b'"LogRetentionDays=14"' in content
    assert content.count(b"\n") == content.count(b"\r\n")


def test_a_machine_without_git_is_told_of(
    tmp_path: Path, project: Path, next_wheels: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ToolError, match="There is no git"):
        upgrade(project, next_wheels)


PILLOW = "pillow==11.0.0 \\\n    --hash=sha256:%s\n    # via orders (pyproject.toml)\n" % ("1" * 64)


def locked_by_uv(path: Path) -> None:
    """Write a lock file as `make lock` does, with a dependency more."""
    header, _, pins = path.read_text().partition("\n\n")
    blocks = re.split(r"(?m)^(?=[a-z])", pins)[1:]
    commented = [f"{block}    # via\n    #   fastapi\n" for block in blocks]
    text = "".join(sorted([*commented, PILLOW]))
    path.write_text(f"{header}\n--extra-index-url https://pypi.example.com\n\n{text}")


def pin(name: str, version: str) -> str:
    return f"{name}=={version} \\\n    --hash=sha256:{'2' * 64}\n"


def repin(path: Path, name: str, version: str) -> None:
    """Pin another version of a distribution in a lock file."""
    whole = rf"(?m)^{name}==.*\n(    .*\n)+"
    path.write_text(re.sub(whole, lambda _: pin(name, version), path.read_text()))


def test_a_dependency_of_ones_own_is_no_conflict(
    tandem: Path, project: Path, next_wheels: Path
) -> None:
    ships = project / "requirements.txt"
    locked_by_uv(ships)
    repin(ships, "jmespath", "2099.1")
    repin(ships, "idna", "99.0")
    edit(
        project / "pyproject.toml",
        '    "tandem-lambda==1.0.0",\n',
        '    "pillow>=11",\n    "tandem-lambda==1.0.0",\n    "zstandard>=0.23",\n',
    )
    commit(project)
    repin(tandem / "requirements.txt", "idna", "98.0")
    repin(tandem / "requirements.txt", "anyio", "97.0")
    done = upgrade(project, next_wheels)
    assert done.conflicts == []
    text = ships.read_text()
    found = pins(text)
    assert found["pillow"] == "11.0.0"
    assert (found["jmespath"], found["idna"], found["anyio"]) == ("2099.1", "98.0", "97.0")
    assert found["tandem-lambda"] == "1.1.0"
    assert "--extra-index-url https://pypi.example.com\n" in text
    declared = tomllib.loads((project / "pyproject.toml").read_text())["project"]
    assert declared["dependencies"] == ["pillow>=11", "tandem-lambda==1.1.0", "zstandard>=0.23"]


def test_what_tandem_ships_no_more_goes_from_the_lock_and_what_was_taken_out_stays_out(
    tandem: Path, project: Path, next_wheels: Path
) -> None:
    locked_by_uv(project / "requirements.txt")
    repin(project / "requirements.txt", "idna", "0")
    edit(project / "requirements.txt", pin("idna", "0"), "")
    commit(project)
    shipped = tandem / "requirements.txt"
    repin(shipped, "jmespath", "0")
    edit(shipped, pin("jmespath", "0"), "")
    upgrade(project, next_wheels)
    found = pins((project / "requirements.txt").read_text())
    assert not {"jmespath", "idna"} & found.keys()
    assert {"pillow", "fastapi"} <= found.keys()


def test_a_lock_with_more_than_pins_is_merged_as_a_text(
    tandem: Path, project: Path, next_wheels: Path
) -> None:
    ships = project / "requirements.txt"
    ships.write_text(f"<<<<<<< mine\n{ships.read_text()}>>>>>>> theirs\n")
    commit(project)
    repin(tandem / "requirements.txt", "anyio", "97.0")
    upgrade(project, next_wheels)
    assert ships.read_text().startswith("<<<<<<< mine\n")
    assert pins(ships.read_text())["anyio"] == "97.0"
