import pytest

from tandem_client import StaticToken, Tandem
from tandem_client.models import ProcessedOnline
from tandem_tools.run.stack import StackDescription

ORDER = {"order": "4711", "lines": ["a", "b"]}


@pytest.mark.stack
def test_it_uses_the_bucket_and_the_table_on_both_paths(stack: StackDescription) -> None:
    with Tandem(stack.url, StaticToken(stack.token)) as tandem:
        online = tandem.run("archive-order", ORDER)
        assert isinstance(online, ProcessedOnline)
        task = tandem.submit("archive-order", ORDER)
        tandem.wait_for(task.task_id, timeout=60)
        offline = tandem.result(task.task_id)
    assert online.output == {"object_key": "4711.txt", "archived_before": False}
    assert offline == {"object_key": "4711.txt", "archived_before": True}


@pytest.mark.stack
def test_what_the_policy_does_not_name_is_refused(stack: StackDescription) -> None:
    with Tandem(stack.url, StaticToken(stack.token)) as tandem:
        task = tandem.submit("drop-archive", {})
        done = tandem.wait_for(task.task_id, timeout=60)
    assert done.state == "failed"
    assert done.error is not None
    assert done.error.message == "AWS answered AccessDenied"
