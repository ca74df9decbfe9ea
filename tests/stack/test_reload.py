"""What is saved runs in the deployed functions, on both paths, with no deployment."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tandem_tools.harness.stack import EXTRA_PROCESSORS, DeployedApp, Json, eventually
from tandem_tools.paths import PROJECT
from tandem_tools.run.reload import HotReload

SHOUT = '''
from pydantic import BaseModel

from tandem.processing import TaskContext, processor


class Input(BaseModel):
    text: str


class Output(BaseModel):
    text: str


@processor("shout")
def shout(data: Input, ctx: TaskContext) -> Output:
    """Return the text in capitals."""
    return Output(text=data.text.upper())
'''


NAP = '''
import pathlib
import time

from pydantic import BaseModel

from tandem.processing import TaskContext, processor


class Input(BaseModel):
    until: str


class Output(BaseModel):
    code: str


@processor("nap", time_limit=50)
def nap(data: Input, ctx: TaskContext) -> Output:
    """Wait for a file, and say which code did."""
    while not pathlib.Path(data.until).exists():
        time.sleep(0.1)
    return Output(code="first")
'''


class Editor:
    """Saves a processor in a copy of the sources, and brings it into the running functions."""

    def __init__(self, app: DeployedApp, folder: Path) -> None:
        sources = shutil.copytree(PROJECT / "functions", folder / "functions")
        self._module = sources / "processors" / "saved.py"
        self._reload = HotReload(
            app.aws,
            app.description.functions,
            folder,
            sources=sources,
            extra_processors=EXTRA_PROCESSORS,
        )

    def save(self, text: str) -> None:
        self._module.write_text(text)
        self._reload.apply([self._module])

    def remove(self) -> None:
        self._module.unlink(missing_ok=True)
        self._reload.apply([self._module])


@pytest.fixture
def editor(app: DeployedApp, tmp_path: Path) -> Iterator[Editor]:
    editor = Editor(app, tmp_path)
    yield editor
    editor.remove()


def shouted(app: DeployedApp, text: str) -> list[Json]:
    """Return the outputs of an online and of an offline task."""
    body = {"processor": "shout", "input": {"text": text}}
    online = app.machine.post("/process-online", json=body)
    assert online.status_code == 200, online.text
    task_id = app.submit("shout", {"text": text})
    assert app.finished(task_id)["state"] == "succeeded"
    offline = app.machine.get(f"/tasks/{task_id}/result").raise_for_status()
    return [online.json()["output"], offline.json()]


def test_a_saved_processor_runs_on_both_paths(app: DeployedApp, editor: Editor) -> None:
    editor.save(SHOUT)
    assert shouted(app, "hello") == [{"text": "HELLO"}] * 2
    editor.save(SHOUT.replace(".upper()", '.upper() + "!"'))
    assert shouted(app, "hello") == [{"text": "HELLO!"}] * 2
    editor.remove()
    body = {"processor": "shout", "input": {"text": "hello"}}
    assert app.machine.post("/process-online", json=body).status_code == 422
    greeting = {"processor": "echo", "input": {"message": "hello"}}
    assert app.machine.post("/process-online", json=greeting).status_code == 200


@pytest.fixture
def long_worker(app: DeployedApp) -> Iterator[None]:
    """Give the worker a minute: a busy machine takes its time for a save."""
    name, before = app.description.functions["worker"], app.variables("worker")

    def give(seconds: int, variables: dict[str, str]) -> None:
        app.aws.functions.update_function_configuration(
            FunctionName=name, Timeout=seconds, Environment={"Variables": variables}
        )

    give(60, before | {"WORKER_TIMEOUT_SECONDS": "60"})
    yield
    give(int(before["WORKER_TIMEOUT_SECONDS"]), before)


@pytest.mark.usefixtures("long_worker")
def test_a_running_task_finishes_with_its_code_and_is_attempted_once(
    app: DeployedApp, editor: Editor, tmp_path: Path
) -> None:
    morning = tmp_path / "morning"

    def task(task_id: str) -> Json:
        found: Json = app.machine.get(f"/tasks/{task_id}").raise_for_status().json()
        return found

    def code(task_id: str) -> str:
        output = app.machine.get(f"/tasks/{task_id}/result").raise_for_status().json()
        said: str = output["code"]
        return said

    editor.save(NAP)
    first = app.submit("nap", {"until": str(morning)})
    eventually(lambda: task(first)["state"] == "running" or None, 20)
    editor.save(NAP.replace("first", "second"))
    second = app.submit("nap", {"until": str(tmp_path)})
    ended = app.finished(second)
    assert (ended["state"], ended["attempts"], code(second)) == ("succeeded", 1, "second")
    assert task(first)["state"] == "running"
    morning.touch()
    ended = app.finished(first)
    assert (ended["state"], ended["attempts"], code(first)) == ("succeeded", 1, "first")
