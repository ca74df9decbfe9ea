"""A project from an empty folder with only the wheels: made, run, tested, changed, upgraded."""

import os
import re
import shutil
import signal
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx2
import pytest

from tandem_tools.bench.cold import bars_of
from tandem_tools.bench.process import VALGRIND
from tandem_tools.build.tree import machine_architecture
from tandem_tools.harness.stack import eventually
from tandem_tools.paths import PROJECT
from tandem_tools.ports import free_port
from tandem_tools.project.packaging import make_wheels
from tandem_tools.run.stack import StackDescription
from tandem_tools.template import load_template
from tests.factories import own_resources

VERSION = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]["version"]
NEXT = f"{VERSION}.post1"
LATER = "# As it is from the next version on.\nParameters:\n"

PAGE = "http://127.0.0.1:5173"
"""Where another local server gives a page."""

FIRST_DAY = Path(__file__).parent / "first_day"
DEPENDENCIES = """    "httpx2>=2",
    "pillow>=12",
"""


class Machine:
    """A folder and a Python with the tools' wheel, and nothing of this repository."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.bin = folder / "python" / "bin"
        kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
        base = Path(sys.base_prefix, "bin", "python3.13")
        self.environment = {**kept, "PYTHON": str(base), "GIT_CONFIG_GLOBAL": os.devnull}
        for variable in ("AUTHOR", "COMMITTER"):
            self.environment[f"GIT_{variable}_NAME"] = "Ada"
            self.environment[f"GIT_{variable}_EMAIL"] = "ada@example.com"
        self.run(str(base), "-m", "venv", str(folder / "python"))

    def run(self, *command: str, at: str = ".") -> str:
        done = subprocess.run(  # noqa: S603
            command,
            cwd=self.folder / at,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    @contextmanager
    def started(self, *command: str) -> Iterator["Words"]:
        """Run a command in the project beside the block, and interrupt it after."""
        words = Words(self.folder / f"{command[1]}.txt")
        with words.path.open("w") as out:
            process = subprocess.Popen(  # noqa: S603
                command,
                cwd=self.folder / "orders",
                env=self.environment,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        try:
            yield words
        finally:
            os.killpg(process.pid, signal.SIGINT)
            try:
                process.wait(60)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                raise

    def refused(self, program: str, *arguments: str, at: str) -> str:
        command = [f"{self.bin}/{program}", *arguments]
        folder = self.folder / at
        done = subprocess.run(  # noqa: S603
            command, cwd=folder, env=self.environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 1, done.stdout
        return done.stderr

    def install(self, wheels: Path, version: str) -> None:
        arguments = ("--quiet", "--disable-pip-version-check", "--find-links", str(wheels))
        self.run(f"{self.bin}/pip", "install", *arguments, f"tandem-lambda-tools=={version}")

    def tandem(self, *arguments: str, at: str = ".") -> str:
        return self.run(f"{self.bin}/tandem", *arguments, at=at)

    def commit(self) -> None:
        self.run("git", "add", "--all", at="orders")
        self.run("git", "commit", "--quiet", "--message", "Change it", at="orders")


@dataclass
class Words:
    """What a command that goes on has said so far."""

    path: Path

    def until(self, pattern: str) -> re.Match[str]:
        """Wait until it has said what a pattern means, and return that."""
        try:
            return eventually(lambda: re.search(pattern, self.path.read_text()), 120)
        except AssertionError as error:
            error.add_note(self.path.read_text())
            raise


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Machine:
    return Machine(tmp_path_factory.mktemp("machine"))


@pytest.mark.timeout(900)
def test_a_project_is_made_tested_changed_and_upgraded(machine: Machine, tmp_path: Path) -> None:
    now = tmp_path / "now"
    for wheel in make_wheels(PROJECT, now):
        assert any(name.endswith("/licenses/LICENSE") for name in zipfile.ZipFile(wheel).namelist())
    machine.install(now, VERSION)
    machine.tandem("new", "orders", "--wheels", str(now))
    machine.run("git", "init", "--quiet", at="orders")
    machine.commit()
    project = machine.folder / "orders"

    machine.run("make", "check", at="orders")
    assert "5 passed" in machine.run("make", "test", at="orders")
    assert zipped_bytes(project) < 12_000_000
    built = load_template(project / ".aws-sam/build/template.yaml")["Parameters"]["Architecture"]
    assert built["AllowedValues"] == [built["Default"]] == [machine_architecture()]
    artifact = project / ".aws-sam/build/ApiFunction"
    assert not list(artifact.glob("*duckdb*"))
    # Where instructions are not counted, CPU time is, which a busy machine swings by a quarter.
    assert not VALGRIND or [bar for bar in bars_of(artifact) if not bar.met] == []

    modules = (
        "import pkgutil, importlib, tandem_tools as t\n"
        "for one in pkgutil.walk_packages(t.__path__, 'tandem_tools.'):\n"
        "    one.name.endswith('__main__') or importlib.import_module(one.name)"
    )
    machine.run(".venv/bin/python", "-c", modules, at="orders")  # none needs what no wheel has
    commands = machine.run(".venv/bin/python", "-m", "tandem_tools", "--help", at="orders")
    assert "  deploy " in commands
    assert not {"stored", "package", "bench"} & {line.split()[0] for line in commands.split("\n  ")}

    template = project / "template.yaml"
    spend_the_first_day(project)
    machine.run("make", "lock", at="orders")
    machine.run("make", "check", at="orders")
    assert "16 passed" in machine.run("make", "test", at="orders")
    ports = f"PORT={free_port()}", f"STACK_PORT={free_port()}"
    with machine.started("make", "run", *ports, f"PARAMETERS=CorsOrigins={PAGE}") as words:
        words.until("\nURL ")
        stack = StackDescription.read(project / ".local/stack.json")
        let_a_page_call(stack)
        receive_a_callback(machine, stack)
    assert not (project / ".local/stack.json").exists()
    own = template.read_text()
    machine.commit()

    after = tmp_path / "after"
    make_wheels(PROJECT, after, version=NEXT, edit=later)
    assert "are of" in machine.refused("tandem", "upgrade", "--wheels", str(after), at="orders")
    assert template.read_text() == own
    machine.install(after, NEXT)
    said = machine.tandem("upgrade", "--wheels", str(after), at="orders")
    assert f"Tandem {VERSION} → {NEXT}" in said
    assert template.read_text() == own.replace("Parameters:\n", LATER, 1)
    assert "8 passed" in machine.run("make", "test-unit", at="orders")
    installed = machine.run(".venv/bin/pip", "list", at="orders")
    assert installed.count(NEXT) == 3


def spend_the_first_day(project: Path) -> None:
    """Add what a team adds: processors, their tests, dependencies, a bucket and what may use it."""
    for module in sorted(FIRST_DAY.glob("*/*.py")):
        folder = "tests" if module.parent.name == "tests" else "functions/processors"
        shutil.copy(module, project / folder)
    (project / "functions/processors/archive_order.py").write_text(own_resources.processor())
    template = project / "template.yaml"
    template.write_text(own_resources.with_own_resources(template.read_text()))
    pyproject = project / "pyproject.toml"
    declared = pyproject.read_text()
    pyproject.write_text(
        declared.replace("dependencies = [\n", f"dependencies = [\n{DEPENDENCIES}", 1)
    )


def let_a_page_call(stack: StackDescription) -> None:
    """Ask as a browser does for a page of an origin that may call, and of one that may not."""
    for origin, allowed in ((PAGE, PAGE), ("http://127.0.0.1:5174", None)):
        asked = {
            "origin": origin,
            "access-control-request-method": "POST",
            "access-control-request-headers": "authorization",
        }
        answer = httpx2.options(f"{stack.url}/process-online", headers=asked)
        assert answer.headers.get("access-control-allow-origin") == allowed


def receive_a_callback(machine: Machine, stack: StackDescription) -> None:
    """Have a task's callback verified by the receiver that comes with the tools."""
    with machine.started(f"{machine.bin}/tandem", "listen", "--port", "0") as words:
        url = words.until('"callback_url": "(.+)"')[1]
        answer = httpx2.post(
            f"{stack.url}/process-offline",
            headers={"Authorization": f"Bearer {stack.token}"},
            json={"processor": "hello", "input": {"name": "Ada"}, "callback_url": url},
        )
        task_id = answer.raise_for_status().json()["task_id"]
        words.until(f"{task_id}  attempt 1, signed → 204")


def later(checkout: Path) -> None:
    """Change Tandem's own files as another version would."""
    template = checkout / "tools/tandem_tools/project/tandem/template.yaml"
    template.write_text(template.read_text().replace("Parameters:\n", LATER, 1))


def zipped_bytes(project: Path) -> int:
    """Return the size of a function's zip file, as it is deployed."""
    archive = project / ".aws-sam" / "code.zip"
    root = project / ".aws-sam/build/ApiFunction"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED, strict_timestamps=False) as code:
        for path in root.rglob("*"):
            code.write(path, path.relative_to(root))
    return archive.stat().st_size
