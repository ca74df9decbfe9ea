"""What callers are told of a processor whose settings are missing."""

import json

import pytest
from pydantic import BaseModel, SecretStr

from tandem.processing import TaskContext
from tandem.processing.builtin import EchoInput
from tandem.testing.wiring import PROCESSOR_SETTINGS
from tests.factories.echoes import ECHO, be_echo
from tests.unit.http.conftest import Api

WAIT = {"Prefer": "wait=10"}


class Bank(BaseModel):
    bank_key: SecretStr


def _length(data: EchoInput, ctx: TaskContext[Bank]) -> EchoInput:
    return EchoInput(message=len(ctx.settings.bank_key))


@pytest.fixture
def declaring(api: Api) -> Api:
    be_echo(api.wiring, _length, settings=Bank)
    return api


def test_online_it_is_no_fault_of_the_callers_and_named(declaring: Api) -> None:
    answer = declaring("POST", "/process-online", ECHO)
    assert answer.status == 500
    assert answer.problem == "task-failed"
    assert "settings of echo: BANK_KEY is missing" in answer.json["detail"]


def test_offline_the_task_waits_for_a_redrive_until_the_setting_is_there(declaring: Api) -> None:
    accepted = declaring("POST", "/process-offline", ECHO)
    declaring.work()
    task = declaring("GET", f"/tasks/{accepted.json['task_id']}").json
    assert (task["state"], task["attempts"]) == ("failed", 1)
    assert "BANK_KEY is missing" in task["error"]["message"]

    secrets = declaring.wiring.secrets
    secrets.rotate(PROCESSOR_SETTINGS, json.dumps({"BANK_KEY": "four"}))  # type: ignore[attr-defined]
    again = declaring("POST", f"/tasks/{task['task_id']}/retry")
    declaring.work()
    result = declaring("GET", f"/tasks/{again.json['task_id']}/result")
    assert result.json == {"message": 4}


def test_no_caller_is_told_of_settings(declaring: Api) -> None:
    assert "bank" not in declaring("GET", "/processors").text.lower()
    assert "bank_key" not in declaring("GET", "/openapi.json").text.lower()
