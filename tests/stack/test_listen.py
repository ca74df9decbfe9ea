"""A callback of a stack as `make run` starts it arrives at `tandem listen`."""

from collections.abc import Iterator
from pathlib import Path
from threading import Thread

import pytest

from tandem_client import StaticToken, Tandem
from tandem_tools.build.sam import build, machine_architecture
from tandem_tools.harness.stack import eventually
from tandem_tools.run.authority import AUTHORITY, certificate
from tandem_tools.run.listen import Keys, Listener, Server
from tandem_tools.run.stack import LocalStack, StackDescription


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[StackDescription]:
    build(machine_architecture())
    with LocalStack(tmp_path, listens=True, parameters={"CallbackRetrySeconds": "1,1"}) as running:
        yield running.description


def test_a_callback_is_verified_refused_once_and_comes_again(
    tmp_path: Path, stack: StackDescription
) -> None:
    said: list[str] = []
    listener = Listener(Keys(stack), said.append, answers=(500, 204))
    with Server(0, listener, certificate(tmp_path / AUTHORITY)) as server:
        Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        with Tandem(stack.url, StaticToken(stack.token)) as tandem:
            url = f"https://127.0.0.1:{server.server_port}/hooks"
            task = tandem.submit("echo", {"message": "hello"}, callback_url=url)

            def delivered() -> bool | None:
                callback = tandem.get_task(task.task_id).callback
                return (callback is not None and callback.state == "delivered") or None

            eventually(delivered, 60)
        server.shutdown()
    lines = [line.split("  ", 1)[1] for line in said]
    assert lines == [
        f"task.succeeded  {task.task_id}  attempt 1, signed → 500",
        f"task.succeeded  {task.task_id}  attempt 2, signed → 204",
    ]
