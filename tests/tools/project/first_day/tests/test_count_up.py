import time
from pathlib import Path

import pytest

from processors.count_up import Input, count_up
from tandem.testing import FakeContext
from tandem_client import StaticToken, Tandem
from tandem_tools.run.stack import StackDescription


def test_it_says_how_far_it_is(fake_context: FakeContext) -> None:
    count_up.run(Input(numbers=2), fake_context)
    assert fake_context.saved == {"numbers.txt": b"1\n2\n"}
    assert [done for done, *_ in fake_context.progressed] == [1, 2]


@pytest.mark.stack
def test_it_writes_a_file(stack: StackDescription, tmp_path: Path) -> None:
    with Tandem(stack.url, StaticToken(stack.token)) as tandem:
        task = tandem.submit("count-up", {"numbers": 3})
        tandem.wait_for(task.task_id, timeout=60)
        tandem.download(task.task_id, tmp_path / "numbers.txt")
    assert (tmp_path / "numbers.txt").read_text() == "1\n2\n3\n"


@pytest.mark.stack
def test_it_stops_when_it_is_told_to(stack: StackDescription) -> None:
    with Tandem(stack.url, StaticToken(stack.token)) as tandem:
        task = tandem.submit("count-up", {"numbers": 1000, "pause_seconds": 0.1})
        until = time.monotonic() + 60
        while (now := tandem.get_task(task.task_id)).progress is None:
            assert time.monotonic() < until
            time.sleep(0.2)
        assert now.progress.message.startswith("wrote ")
        tandem.cancel_task(task.task_id)
        assert tandem.wait_for(task.task_id, timeout=60).state == "cancelled"
