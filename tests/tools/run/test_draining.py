"""An environment that is busy finishes with its own code, and one that is free ends at once."""

import io
import json
import os
import time
import zipfile
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import boto3
import pytest

from tandem_tools.environment import ACCESS_KEY, REGION, SECRET_KEY
from tandem_tools.harness.stack import eventually
from tandem_tools.ports import free_port
from tandem_tools.run.aws import Aws
from tandem_tools.run.emulator import Emulator
from tandem_tools.run.scratch import environments_of

NAME = "sleeper"
CODE = """
import os, pathlib, time

def handler(event, context):
    if event:
        pathlib.Path(event["told"]).write_text(str(os.getpid()))
        while not pathlib.Path(event["end"]).exists():
            time.sleep(0.05)
    return "{version}"
"""


class World:
    """An emulator with one function, and invocations that run until they are told to end."""

    def __init__(self, folder: Path, emulator: Emulator) -> None:
        self.folder = folder
        self.emulator = emulator
        aws = Aws(emulator.endpoint_url)
        self.functions = aws.functions
        self.functions.create_function(
            FunctionName=NAME,
            Runtime="python3.13",
            Role=_role(emulator),
            Handler="app.handler",
            Timeout=60,
            Code={"ZipFile": zipped("first")},
        )
        self._pool = ThreadPoolExecutor(8)

    def save(self, version: str) -> None:
        self.functions.update_function_code(FunctionName=NAME, ZipFile=zipped(version))

    def invoke(self, **event: Any) -> Any:
        answer = self.functions.invoke(FunctionName=NAME, Payload=json.dumps(event).encode())
        return json.loads(answer["Payload"].read())

    def begin(self, name: str) -> tuple[Future[Any], int]:
        """Return an invocation that runs, and its process."""
        told, end = self.folder / f"{name}.told", self.folder / f"{name}.end"
        running = self._pool.submit(self.invoke, told=str(told), end=str(end))
        return running, int(eventually(lambda: (told.exists() and told.read_text()) or None, 30))

    def end(self, name: str) -> None:
        (self.folder / f"{name}.end").touch()

    def environments(self) -> int:
        return len(environments_of(self.folder, NAME))


def zipped(version: str) -> bytes:
    body = io.BytesIO()
    with zipfile.ZipFile(body, "w") as archive:
        archive.writestr("app.py", CODE.replace("{version}", version))
    return body.getvalue()


def runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def _role(emulator: Emulator) -> str:
    iam = boto3.client(
        "iam",
        endpoint_url=emulator.endpoint_url,
        aws_access_key_id=ACCESS_KEY,
        aws_secret_access_key=SECRET_KEY,
        region_name=REGION,
    )
    made: str = iam.create_role(RoleName="any", AssumeRolePolicyDocument="{}")["Role"]["Arn"]
    return made


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    emulator = Emulator(tmp_path, free_port())
    emulator.start()
    try:
        yield World(tmp_path, emulator)
    finally:
        emulator.stop()


def test_what_runs_finishes_with_its_code_and_what_comes_gets_the_new_one(world: World) -> None:
    first, first_process = world.begin("first")
    world.save("second")
    assert world.invoke() == "second"
    second, _ = world.begin("second")
    for number in range(3):  # no save leaves an environment behind that nothing runs in
        world.save(f"save {number}")
        assert world.invoke() == f"save {number}"
    assert world.environments() == 3  # two are busy, and one has the last code
    assert not first.done()
    for name in ("first", "second"):
        world.end(name)
    assert [first.result(30), second.result(30)] == ["first", "second"]
    eventually(lambda: world.environments() == 1 or None, 30)
    assert not runs(first_process)
    assert world.invoke() == "save 2"


def test_a_stop_ends_what_still_runs_with_old_code(world: World) -> None:
    _, before = world.begin("first")
    world.save("second")
    _, after = world.begin("second")
    began = time.monotonic()
    world.emulator.stop()
    assert time.monotonic() - began < 15
    eventually(lambda: not (runs(before) or runs(after)) or None, 10)
