import pytest

from tandem.testing.app import MemoryApp
from tandem_client import StaticToken, Tandem
from tandem_tools.run.stack import StackDescription


def test_a_service_that_is_busy_is_asked_later(memory_app: MemoryApp) -> None:
    task = {"processor": "look-up-rate", "input": {"currency": "SEK"}}
    answer = memory_app("POST", "/process-online", task)
    assert (answer.status, answer.headers["retry-after"]) == (202, "2")


@pytest.mark.stack
def test_it_comes_back_when_the_service_says(stack: StackDescription) -> None:
    with Tandem(stack.url, StaticToken(stack.token)) as tandem:
        task = tandem.submit("look-up-rate", {"currency": "USD"})
        done = tandem.wait_for(task.task_id, timeout=60)
        assert (done.state, done.attempts) == ("succeeded", 2)
        assert tandem.result(task.task_id) == {"euros": 0.5}
