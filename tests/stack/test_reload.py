"""What is saved runs in the deployed functions, on both paths, with no deployment."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tandem_tools.harness.stack import EXTRA_PROCESSORS, DeployedApp, Json
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


class Editor:
    """Saves a processor in a copy of the sources, and brings it into the running functions."""

    def __init__(self, app: DeployedApp, folder: Path) -> None:
        sources = shutil.copytree(PROJECT / "functions", folder / "functions")
        self._module = sources / "processors" / "shout.py"
        self._reload = HotReload(
            app.aws,
            [*app.description.functions.values()],
            folder / "reload",
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
