"""What is saved is put together with what does not change, and only what compiles."""

import threading
import zipfile
from pathlib import Path
from typing import Any

import pytest

import tandem
from tandem_tools.build.sam import FUNCTIONS
from tandem_tools.run import reload
from tandem_tools.run.reload import CannotReload, HotReload


class FakeAws:
    """Keeps the code that it is given, and names the functions that were updated."""

    def __init__(self) -> None:
        self.s3 = self.functions = self
        self.code: dict[str, bytes] = {}
        self.updated: list[str] = []

    def put_object(self, *, Bucket: str, Key: str, Body: Any) -> None:  # noqa: N803
        self.archive = zipfile.ZipFile(Body)
        self.code = {name: self.archive.read(name) for name in self.archive.namelist()}
        assert len(self.archive.namelist()) == len(self.code)

    def update_function_code(self, *, FunctionName: str, **_: str) -> None:  # noqa: N803
        self.updated.append(FunctionName)


class World:
    def __init__(self, folder: Path) -> None:
        self.sources = folder / "functions"
        built = folder / "build" / FUNCTIONS[0]
        for root in (self.sources, built):
            (root / "api").mkdir(parents=True)
            (root / "tandem").symlink_to(Path(tandem.__file__).parent)
            (root / "processors" / "__pycache__").mkdir(parents=True)
            (root / "api" / "app.py").write_text("A = 1\n")
            (root / "processors" / "echo.py").write_text("B = 1\n")
        (built / "processors" / "__pycache__" / "echo.cpython-313.pyc").write_bytes(b"old")
        (built / "fastapi").mkdir()
        (built / "fastapi" / "main.py").write_text("C = 1\n")
        extra = folder / "poison.py"
        extra.write_text("D = 1\n")
        self.aws = FakeAws()
        self.reload = HotReload(
            self.aws,  # type: ignore[arg-type]
            {"api": "stack-api", "worker": "stack-worker"},
            folder,
            build_dir=folder / "build",
            sources=self.sources,
            extra_processors=[extra],
        )

    def save(self, name: str, text: str) -> list[str]:
        path = self.sources / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return self.reload.apply([path])


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def test_every_function_gets_what_was_saved_beside_what_was_not(world: World) -> None:
    assert world.save("processors/echo.py", "B = 2\n") == ["processors/echo.py"]
    assert sorted(world.aws.updated) == ["stack-api", "stack-worker"]
    code = world.aws.code
    assert code["processors/echo.py"] == b"B = 2\n"
    assert code["api/app.py"] == b"A = 1\n"
    assert code["fastapi/main.py"] == b"C = 1\n"
    assert code["processors/poison.py"] == b"D = 1\n"


def test_the_compiled_module_is_that_of_the_new_source(world: World) -> None:
    world.save("processors/echo.py", "B = 2\n")
    compiled = [name for name in world.aws.code if name.endswith(".pyc") and "tandem" not in name]
    assert compiled == ["processors/__pycache__/echo.cpython-313.pyc"]
    assert world.aws.code[compiled[0]] != b"old"


def test_a_new_module_joins_and_a_removed_one_leaves(world: World) -> None:
    world.save("processors/more/shout.py", "E = 1\n")
    assert world.aws.code["processors/more/shout.py"] == b"E = 1\n"
    gone = world.sources / "processors" / "echo.py"
    gone.unlink()
    assert world.reload.apply([gone]) == ["processors/echo.py"]
    assert not [name for name in world.aws.code if "echo" in name]
    assert world.aws.code["processors/more/shout.py"] == b"E = 1\n"


def test_what_does_not_compile_changes_nothing(world: World) -> None:
    for name in ("api/app.py", "processors/echo.py"):
        (world.sources / name).write_text("B = 2\n")
    (world.sources / "api" / "app.py").write_text("def broken(:\n")
    saved = [world.sources / "api" / "app.py", world.sources / "processors" / "echo.py"]
    with pytest.raises(CannotReload, match=r"app\.py: .*line 1"):
        world.reload.apply(saved)
    assert world.aws.updated == []
    assert world.save("api/app.py", "A = 3\n") == ["api/app.py"]
    assert world.aws.code["processors/echo.py"] == b"B = 1\n"


SHOUT = """
from pydantic import BaseModel
from tandem.processing import TaskContext, processor

class Text(BaseModel):
    text: str

@processor("shout")
def shout(data: Text, ctx: TaskContext) -> Text:
    return Text(text=data.text.upper())
"""


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (SHOUT, "NotAProcessor: two processors are named 'shout', in processors.first and "),
        ("\nimport nowhere\n", r"processors\.second, line 2: ModuleNotFoundError: .*'nowhere'"),
        ("def run():\n    1 / 0\nrun()\n", r"processors\.second, line 2: ZeroDivisionError"),
        ("raise SystemExit(3)\n", r"processors\.second, line 1: SystemExit: 3"),
    ],
)
def test_what_cannot_be_imported_updates_nothing(world: World, text: str, reason: str) -> None:
    world.save("processors/first.py", SHOUT)
    world.aws.updated.clear()
    with pytest.raises(CannotReload, match=reason):
        world.save("processors/second.py", text)
    with pytest.raises(CannotReload, match=reason):  # what is refused is still there
        world.save("processors/echo.py", "B = 2\n")
    assert world.aws.updated == []
    assert world.save("processors/second.py", "E = 1\n") == ["processors/second.py"]
    assert world.aws.code["processors/echo.py"] == b"B = 2\n"


def test_what_an_editor_left_and_took_away_is_nothing(world: World) -> None:
    assert world.reload.apply([world.sources / "processors" / "echo.py~", world.sources]) == []
    assert world.aws.updated == []


@pytest.mark.parametrize("name", ["Makefile", "pyproject.toml", "tandem/testing/doubles.py"])
def test_what_no_function_has_is_nothing(world: World, name: str) -> None:
    (world.sources / "tandem").unlink()
    assert world.save(name, "# saved\n") == []
    assert world.aws.updated == []
    assert world.sources / name not in world.reload.unseen()


def test_what_was_saved_before_anybody_watched_is_seen(world: World) -> None:
    assert world.reload.unseen() == []
    changed, new, gone = (
        world.sources / name for name in ("api/app.py", "processors/shout.py", "processors/echo.py")
    )
    changed.write_text("A = 2\n")
    new.write_text("E = 1\n")
    gone.unlink()
    (world.sources / "processors" / "notes.txt").write_text("no code")
    assert world.reload.unseen() == [changed, gone, new]
    world.reload.apply(world.reload.unseen())
    assert world.reload.unseen() == []
    assert world.aws.code["api/app.py"] == b"A = 2\n"


def test_saves_are_followed_and_said(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reload, "SOURCES", world.sources)
    monkeypatch.setattr(reload, "PROJECT", tmp_path)
    for name in reload.DEPLOYED_ONLY:
        (tmp_path / name).touch()
    (world.sources / "processors" / "early.py").write_text("F = 1\n")
    said: list[str] = []
    heard, stop = threading.Semaphore(0), threading.Event()

    def say(text: str) -> None:
        said.append(text)
        heard.release()

    thread = threading.Thread(target=reload.follow_saves, args=(lambda: world.reload, say, stop))
    thread.start()
    try:
        heard.acquire(timeout=20)
        assert said[0].startswith("processors/early.py: updated in ")
        for path, text, expected in (
            (world.sources / "api" / "app.py", "A = 2\n", "api/app.py: updated in "),
            (world.sources / "api" / "app.py", "A = (\n", "app.py: "),
            (tmp_path / "template.yaml", "{}", "template.yaml changed: stop, and make run again"),
        ):
            while not any(text.startswith(expected) for text in said):
                path.write_text(text)
                heard.acquire(timeout=0.5)
    finally:
        stop.set()
        thread.join()
    assert world.aws.code["api/app.py"] == b"A = 2\n"


def test_one_line_says_that_the_code_before_still_runs(world: World, tmp_path: Path) -> None:
    environments = tmp_path / "tmp"
    for name in ("stack-worker-1", "stack-worker-2", "stack-other-1"):
        (environments / f"ministack-lambda-{name}").mkdir(parents=True)
    said: list[str] = []
    path = world.sources / "processors" / "echo.py"

    def save() -> list[str]:
        path.write_text(path.read_text() + "\n")
        said.clear()
        reload._bring(world.reload, {path}, said.append)
        return said[1:]

    assert save() == ["what runs finishes with the code before, and ends: 2 of worker"]
    (environments / "ministack-lambda-stack-worker-1").rmdir()
    assert save() == ["what runs finishes with the code before, and ends: 1 of worker"]
    (environments / "ministack-lambda-stack-worker-2").rmdir()
    assert save() == []


def test_a_time_limit_that_the_worker_cannot_give_reaches_no_function(world: World) -> None:
    text = """
from pydantic import BaseModel
from tandem.processing import TaskContext, processor

class Model(BaseModel):
    pass

@processor("long", time_limit=500)
def long(data: Model, ctx: TaskContext) -> Model:
    return data
"""
    with pytest.raises(CannotReload, match="long has time_limit=500, and the worker gives"):
        world.save("processors/long.py", text)
    assert world.aws.updated == []
