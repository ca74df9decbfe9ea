"""What a task gets of its processor's settings, and how it ends without them."""

import json
from typing import Any

import pytest
from pydantic import BaseModel, SecretStr

from tandem.processing import TaskContext
from tandem.processing.catalogue import Catalogue
from tandem.processing.settings import BadSettings
from tandem.secrets import SecretsError
from tandem.tasks.outcomes import Failed, Outcome, Succeeded
from tandem.tasks.retry import OwnFault
from tandem.testing import FakeContext, MemoryWiring
from tandem.testing.wiring import PROCESSOR_SETTINGS
from tests.factories.processors import Number, make_processor, new_work

KEY = "s3cr3t-v4lue"


class Bank(BaseModel):
    bank_key: SecretStr
    bank_seconds: int = 20


def charge(data: Number, ctx: TaskContext) -> Number:
    return Number(value=ctx.settings.bank_seconds, text=ctx.settings.bank_key.get_secret_value())


def wiring_of(
    run: Any = charge, given: dict[str, str] | None = None, **options: Any
) -> MemoryWiring:
    catalogue = Catalogue([make_processor(run, **{"settings": Bank} | options)])
    return MemoryWiring(catalogue=catalogue, processor_settings=given)


def run(wiring: MemoryWiring) -> Outcome:
    """Submit a task, run its first attempt, and return how that ended."""
    task = wiring.submissions.offline(new_work(wiring))
    until = wiring.clock.now() + wiring.execution.time_limit(task)
    return wiring.execution.run(wiring.execution.claim(task.task_id, until=until))


def failure(outcome: Outcome) -> Failed:
    assert isinstance(outcome, Failed)
    return outcome


def test_a_processor_gets_the_settings_that_it_declares() -> None:
    outcome = run(wiring_of(given={"BANK_KEY": KEY, "BANK_SECONDS": "5", "OTHER": "x"}))
    assert isinstance(outcome, Succeeded)
    assert json.loads(outcome.output) == {"value": 5, "text": KEY}


def test_a_new_value_is_used_by_the_next_attempt() -> None:
    wiring = wiring_of(given={"BANK_KEY": "first"})
    run(wiring)
    wiring.secrets.rotate(PROCESSOR_SETTINGS, json.dumps({"BANK_KEY": "second"}))
    outcome = run(wiring)
    assert isinstance(outcome, Succeeded)
    assert json.loads(outcome.output)["text"] == "second"


def test_a_missing_or_wrong_setting_fails_the_task_for_good_and_is_named() -> None:
    outcome = failure(run(wiring_of(given={"BANK_SECONDS": KEY})))
    assert outcome.retry_in is None
    assert outcome.error.type == "BadSettings"
    assert (
        outcome.error.message
        == "settings of work: BANK_KEY is missing; BANK_SECONDS is wrong (int_parsing)"
    )
    assert (outcome.error.permanent, outcome.error.own) == (True, True)


def test_the_processor_does_not_start_without_its_settings() -> None:
    calls: list[Number] = []

    def work(data: Number, ctx: TaskContext) -> Number:
        calls.append(data)
        return data

    failure(run(wiring_of(work)))
    assert calls == []


class Unreadable:
    """A secret store that does not answer."""

    def versions(self, name: str) -> tuple[str, ...]:
        raise SecretsError(name)

    def current(self, name: str, *, max_age_seconds: int) -> str:
        message = f"the secret {name} cannot be read: ThrottlingException"
        raise SecretsError(message)


def test_settings_that_cannot_be_read_are_read_again_by_the_next_attempt(
    caplog: pytest.LogCaptureFixture,
) -> None:
    wiring = wiring_of()
    vars(wiring)["secrets"] = Unreadable()
    outcome = failure(run(wiring))
    assert outcome.retry_in is not None
    assert (outcome.error.type, outcome.error.message) == ("SecretsError", "SecretsError")
    reasons = [vars(one)["reason"] for one in caplog.records if one.msg == "settings not read"]
    assert reasons == [f"the secret {PROCESSOR_SETTINGS} cannot be read: ThrottlingException"]


def test_an_error_that_quotes_a_secret_is_shown_without_it() -> None:
    def quote(data: Number, ctx: TaskContext) -> Number:
        key = ctx.settings.bank_key.get_secret_value()
        raise ConnectionError("x" * 995 + f"https://bank.example.com/?key={key}")

    outcome = failure(run(wiring_of(quote, given={"BANK_KEY": KEY})))
    assert outcome.error.message == "x" * 995 + "https"
    shown = run(
        wiring_of(
            lambda data, ctx: (_ for _ in ()).throw(
                ConnectionError(f"key={ctx.settings.bank_key.get_secret_value()}")
            ),
            given={"BANK_KEY": KEY},
        )
    )
    assert failure(shown).error.message == "key=**********"


def test_a_secret_at_the_cut_of_a_long_message_leaves_no_part_of_itself() -> None:
    def quote(data: Number, ctx: TaskContext) -> Number:
        raise ConnectionError("x" * 992 + ctx.settings.bank_key.get_secret_value())

    outcome = failure(run(wiring_of(quote, given={"BANK_KEY": KEY})))
    assert outcome.error.message == "x" * 992 + "*" * 8


def test_nothing_is_asked_for_where_no_processor_declares_settings() -> None:
    def work(data: Number, ctx: TaskContext) -> Number:
        return data

    wiring = wiring_of(work, settings=None)
    assert isinstance(run(wiring), Succeeded)
    assert not {"secrets", "processor_settings"} & vars(wiring).keys()


def test_settings_that_are_not_declared_are_an_error_that_says_so() -> None:
    outcome = failure(run(wiring_of(settings=None)))
    assert outcome.error.message.startswith("the processor declares no settings")
    assert (outcome.error.permanent, outcome.error.own) == (True, True)


def test_a_double_gives_settings() -> None:
    work = make_processor(charge, settings=Bank)
    settings = Bank(bank_key=SecretStr(KEY))
    assert work.run(Number(), FakeContext(settings=settings)).text == KEY
    with pytest.raises(OwnFault, match="the test gave no settings"):
        work.run(Number(), FakeContext())


def test_bad_settings_hold_no_value_in_their_traceback() -> None:
    wiring = wiring_of(given={"BANK_KEY": KEY, "BANK_SECONDS": KEY})
    with pytest.raises(BadSettings) as raised:
        wiring.processor_settings.of("work", Bank)
    error: BaseException | None = raised.value
    while error is not None:
        assert KEY not in f"{error}{error.args}"
        error = error.__context__
