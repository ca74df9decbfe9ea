"""Modules are compiled for Lambda, and one that is not is found."""

import compileall
import subprocess
import sys
from pathlib import Path

import pytest

from tandem_tools.build.compiled import compile_ahead, is_compiled, require_compiled
from tandem_tools.build.tree import tree_hash
from tandem_tools.environment import with_tools
from tandem_tools.errors import ToolError
from tandem_tools.paths import PROJECT


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    package = tmp_path / "tree" / "api"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("answer = 42\n")
    (package / "app.py").write_text('WORDS = {"one", "two"} & frozenset(("two", "three"))\n')
    return package.parent


def test_compiled_modules_name_the_path_that_they_have_on_lambda(tree: Path) -> None:
    compile_ahead(tree)
    [compiled] = (tree / "api" / "__pycache__").glob("app.*.pyc")
    assert b"/var/task/api/app.py" in compiled.read_bytes()


def test_compiled_modules_do_not_depend_on_time_stamps(tree: Path) -> None:
    compile_ahead(tree)
    [compiled] = (tree / "api" / "__pycache__").glob("app.*.pyc")
    unchecked_hash = (1).to_bytes(4, "little")
    assert compiled.read_bytes()[4:8] == unchecked_hash


def test_a_compiled_tree_is_taken(tree: Path) -> None:
    compile_ahead(tree)
    assert require_compiled(tree) == 2


def test_a_module_that_is_not_compiled_is_refused(tree: Path) -> None:
    compile_ahead(tree)
    (tree / "api" / "late.py").write_text("")
    with pytest.raises(ToolError, match=r"1 modules without a \.pyc.*late\.py"):
        require_compiled(tree)


def test_a_module_that_does_not_compile_is_refused(tree: Path) -> None:
    (tree / "api" / "wrong.py").write_text("def (")
    compile_ahead(tree)
    with pytest.raises(ToolError, match=r"wrong\.py"):
        require_compiled(tree)


def test_a_module_whose_pyc_looks_at_time_stamps_is_refused(tree: Path) -> None:
    compileall.compile_dir(tree, quiet=2)
    with pytest.raises(ToolError, match="2 modules"):
        require_compiled(tree)


def test_a_module_compiled_by_another_python_is_refused(tree: Path) -> None:
    compile_ahead(tree)
    [compiled] = (tree / "api" / "__pycache__").glob("app.*.pyc")
    content = compiled.read_bytes()
    compiled.write_bytes((3495).to_bytes(2, "little") + content[2:])  # Python 3.11
    assert not is_compiled(tree / "api" / "app.py")


def test_the_same_sources_give_the_same_files_in_any_folder_and_process(tmp_path: Path) -> None:
    hashes = set()
    for seed in ("0", "1"):
        tree = tmp_path / seed
        for name in ("tandem", "processors"):
            for path in (PROJECT / "functions" / name).rglob("*.py"):
                target = tree / path.relative_to(PROJECT / "functions")
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(path.read_bytes())
        code = (
            "import sys; from pathlib import Path; "
            "from tandem_tools.build.compiled import compile_ahead; "
            "compile_ahead(Path(sys.argv[1]))"
        )
        subprocess.run(  # noqa: S603 - this Python and our own code
            [sys.executable, "-c", code, str(tree)],
            cwd=PROJECT,
            env=with_tools() | {"PYTHONHASHSEED": seed},
            check=True,
        )
        hashes.add(tree_hash(tree))
    assert len(hashes) == 1
