"""The emulator's temporary files are in memory where there is plenty, and never stay behind."""

from pathlib import Path

import pytest

from tandem_tools.run.scratch import make_scratch, remove_scratch

PLENTY = "MemTotal: 1 kB\nMemAvailable:   99999999 kB\n"
SHORT = "MemAvailable: 1000 kB\n"


@pytest.fixture
def memory(tmp_path: Path) -> Path:
    path = tmp_path / "memory"
    path.mkdir()
    return path


def made(tmp_path: Path, memory: Path, meminfo: str) -> Path:
    about = tmp_path / "meminfo"
    about.write_text(meminfo)
    return make_scratch(tmp_path / "stack", shared_memory=memory, meminfo=about)


def test_with_plenty_of_memory_it_is_there(
    tmp_path: Path, memory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "stack").mkdir()
    monkeypatch.setattr("tandem_tools.run.scratch.ENOUGH_BYTES", 1)
    scratch = made(tmp_path, memory, PLENTY)
    assert scratch.parent == memory
    assert scratch.stat().st_mode & 0o077 == 0
    (scratch / "file").touch()
    remove_scratch(tmp_path / "stack")
    assert list(memory.iterdir()) == []
    assert list((tmp_path / "stack").iterdir()) == []


@pytest.mark.parametrize("meminfo", [SHORT, "nothing of the kind"])
def test_with_little_memory_it_is_in_the_stacks_own_folder(
    tmp_path: Path, memory: Path, meminfo: str
) -> None:
    scratch = made(tmp_path, memory, meminfo)
    assert scratch == tmp_path / "stack" / "tmp"
    assert scratch.is_dir()
    assert list(memory.iterdir()) == []
    remove_scratch(tmp_path / "stack")
    assert not scratch.exists()


def test_without_such_a_file_system_it_is_in_the_stacks_own_folder(tmp_path: Path) -> None:
    assert made(tmp_path, tmp_path / "none", PLENTY) == tmp_path / "stack" / "tmp"


def test_what_a_killed_stack_left_is_removed_by_the_next(
    tmp_path: Path, memory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "stack").mkdir()
    monkeypatch.setattr("tandem_tools.run.scratch.ENOUGH_BYTES", 1)
    first = made(tmp_path, memory, PLENTY)
    second = made(tmp_path, memory, PLENTY)
    assert first != second
    assert list(memory.iterdir()) == [second]
    remove_scratch(tmp_path / "stack")
