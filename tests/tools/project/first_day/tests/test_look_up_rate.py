import time

import pytest

from tandem.testing.app import MemoryApp
from tandem_client import StaticToken, Tandem
from tandem_tools.run.aws import Aws
from tandem_tools.run.stack import StackDescription
from tandem_tools.settings.stack import SettingsSecret


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


@pytest.mark.stack
def test_a_key_that_is_changed_is_used_within_its_age_and_is_in_no_log(
    stack: StackDescription, processor_settings: dict[str, str]
) -> None:
    aws = Aws(stack.endpoint_url)
    secret = SettingsSecret(aws.secrets_manager, stack.settings_secret)
    known, other = processor_settings["RATES_KEY"], "another-key-4711"
    with Tandem(stack.url, StaticToken(stack.token)) as tandem:
        try:
            secret.change(lambda body: body | {"RATES_KEY": other})
            time.sleep(1)  # SettingsMaxAgeSeconds on this machine
            refused = tandem.submit("look-up-rate", {"currency": "NOK"})
            done = tandem.wait_for(refused.task_id, timeout=60)
        finally:
            secret.change(lambda body: body | {"RATES_KEY": known})
    assert done.error is not None
    assert done.error.message == "the service answers 401"
    lines = [
        event["message"]
        for group in stack.log_groups.values()
        for event in aws.logs.filter_log_events(logGroupName=group)["events"]
    ]
    assert any("look-up-rate" in line for line in lines)
    assert not [line for line in lines if known in line or other in line]
