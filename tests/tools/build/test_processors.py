"""The processors are imported before anything is built, and their time limits compared."""

from pathlib import Path

import pytest

import tandem
from tandem.limits import SETTLE_SECONDS
from tandem_tools.build import sam
from tandem_tools.build.processors import Imported, imported
from tandem_tools.deploy import deploy as deploying
from tandem_tools.errors import ToolError

LIMITED = """
from pydantic import BaseModel
from tandem.processing import TaskContext, processor

class Model(BaseModel):
    pass

@processor("{name}", time_limit={limit})
def run(data: Model, ctx: TaskContext) -> Model:
    return data
"""


@pytest.fixture
def functions(tmp_path: Path) -> Path:
    folder = tmp_path / "functions"
    (folder / "processors").mkdir(parents=True)
    (folder / "tandem").symlink_to(Path(tandem.__file__).parent)
    return folder


def write(functions: Path, name: str, limit: float, more: str = "") -> None:
    text = LIMITED.format(name=name, limit=limit)
    (functions / "processors" / f"{name}.py").write_text(more + text)


def test_the_applications_own_time_limits_are_told(functions: Path) -> None:
    write(functions, "short", 0.5)
    write(functions, "long", 840)
    found = imported(functions)
    assert found == Imported(None, {"long": 840, "short": 0.5}, SETTLE_SECONDS)


def test_what_a_module_prints_is_no_error(functions: Path) -> None:
    write(functions, "loud", 60, "import os, sys\nprint('here')\nprint('there', file=sys.stderr)\n")
    assert imported(functions).error is None


def test_a_package_that_is_missing_is_told_with_where_it_is_added(functions: Path) -> None:
    write(functions, "broken", 60, "import nowhere\n")
    assert str(imported(functions).error).endswith(
        "No module named 'nowhere' "
        "(add a package to dependencies in pyproject.toml, then: make lock)"
    )


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("import nowhere", "processors.broken, line 1: ModuleNotFoundError: No module"),
        ("raise SystemExit(0)", "processors.broken, line 1: SystemExit: 0"),
        ("import os; os._exit(0)", "Python ended with 0"),
        ("import os; os.abort()", "Python ended with -6"),
        ("x = (", "SyntaxError: "),
    ],
)
def test_what_keeps_a_module_from_being_imported_is_said(
    functions: Path, statement: str, said: str
) -> None:
    (functions / "processors" / "broken.py").write_text(f"{statement}\n")
    assert said in (imported(functions).error or "")


def test_a_model_that_callers_could_not_be_shown_is_said(functions: Path) -> None:
    write(functions, "odd", 60)
    path = functions / "processors" / "odd.py"
    path.write_text(
        path.read_text().replace(
            "    pass", "    call: __import__('typing').Callable | None = None"
        )
    )
    said = imported(functions).error or ""
    assert (
        "NotAProcessor: odd (processors.odd): Model has no JSON Schema, which callers are shown"
        in said
    )
    assert "\n" not in said


@pytest.mark.parametrize(("limit", "refused"), [(117, False), (117.5, True), (840, True)])
def test_a_time_limit_above_what_the_worker_gives_is_refused_with_both_figures(
    limit: float, *, refused: bool
) -> None:
    excess = Imported(None, {"a": limit, "b": 1}, 3).excess(120)
    assert (excess is not None) == refused
    if excess is not None:
        assert f"a has time_limit={limit:g}, and the worker gives an attempt 117 s" in str(excess)
        assert "b has" not in str(excess)


@pytest.mark.parametrize(("limit", "needed"), [(117.5, 121), (118, 121), (840, 843)])
def test_the_advice_would_be_taken(limit: float, needed: int) -> None:
    found = Imported(None, {"a": limit}, 3)
    excess = found.excess(120)
    assert excess is not None
    assert f"WorkerTimeoutSeconds={needed} and VisibilityTimeoutSeconds={6 * needed}" in str(excess)
    assert found.excess(needed) is None


def test_it_is_refused_at_build(
    functions: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(functions, "long", 118)
    monkeypatch.setattr(sam, "PROJECT", tmp_path)
    monkeypatch.setattr(sam, "BUILD", tmp_path / "sam" / "build")
    monkeypatch.setattr(sam, "run_sam_build", lambda _: pytest.fail("it was built"))
    with pytest.raises(ToolError, match=r"long has time_limit=118, .* 117 s"):
        sam.build("arm64")
    monkeypatch.setattr(sam, "run_sam_build", built)
    with pytest.raises(Built):
        sam.build("arm64", worker_seconds=121)
    monkeypatch.setenv("PARAMETERS", "WorkerTimeoutSeconds=121")
    with pytest.raises(Built):
        sam.build("arm64")


class Built(Exception):
    """The build went on."""


def built(_architecture: str) -> None:
    raise Built


@pytest.mark.parametrize(
    ("parameters", "limit", "given"),
    [
        ("", 118, "117 s: WorkerTimeoutSeconds=120"),
        ("WorkerTimeoutSeconds=60", 100, "57 s: WorkerTimeoutSeconds=60"),
        ("WorkerTimeoutSeconds=900 VisibilityTimeoutSeconds=5400", 840, None),
    ],
)
def test_it_is_refused_at_deployment_by_that_environments_figure(
    functions: Path,
    monkeypatch: pytest.MonkeyPatch,
    parameters: str,
    limit: float,
    given: str | None,
) -> None:
    write(functions, "long", limit)
    monkeypatch.setattr(deploying, "PROJECT", functions.parent)
    monkeypatch.setattr(deploying, "Account", lambda: built("the account is asked"))
    with pytest.raises(ToolError if given else Built) as raised:
        deploying.deploy("dev", parameters)
    assert given is None or given in str(raised.value)
