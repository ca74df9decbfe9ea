"""What a task gets of its processor's settings, and how it ends without them."""

import asyncio
import json
from typing import Any

import pytest
from pydantic import BaseModel, SecretStr

from tandem.processing import TaskContext
from tandem.processing.catalogue import Catalogue
from tandem.processing.settings import BadSettings
from tandem.secrets import SecretsError
from tandem.tasks.online import Promoted
from tandem.tasks.outcomes import Failed, Outcome, Succeeded
from tandem.tasks.retry import OwnFault
from tandem.tasks.task import State
from tandem.testing import FakeContext, MemorySecretStore, MemoryWiring
from tandem.testing.wiring import PROCESSOR_SETTINGS
from tests.factories.deliveries import deliver_all
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


class Kept(MemorySecretStore):
    """A store that keeps what it read, and has it read again where that must be younger."""

    def __init__(self, **secrets: str) -> None:
        super().__init__(**secrets)
        self.kept = secrets[PROCESSOR_SETTINGS]
        self.age_seconds = 200
        self.reads = 0

    def current(self, name: str, *, max_age_seconds: int) -> str:
        if self.age_seconds > max_age_seconds:
            self.kept, self.age_seconds = super().current(name, max_age_seconds=0), 0
            self.reads += 1
        return self.kept


@pytest.mark.parametrize(
    "kept", ["", "no JSON", json.dumps({"BANK_KEY": KEY, "BANK_SECONDS": "x"})]
)
def test_a_setting_that_was_set_meanwhile_does_not_fail_a_task_for_good(kept: str) -> None:
    wiring = wiring_of()
    store = Kept(**{PROCESSOR_SETTINGS: kept})
    vars(wiring)["secrets"] = store
    store.rotate(PROCESSOR_SETTINGS, json.dumps({"BANK_KEY": KEY}))
    assert isinstance(run(wiring), Succeeded)
    assert store.reads == 1


def test_a_setting_that_stays_wrong_is_not_asked_for_again_and_again() -> None:
    wiring = wiring_of()
    store = Kept(**{PROCESSOR_SETTINGS: "{}"})
    vars(wiring)["secrets"] = store
    for _ in range(3):
        assert failure(run(wiring)).error.type == "BadSettings"
    assert store.reads == 1


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


def test_an_online_task_whose_settings_cannot_be_read_goes_on_offline() -> None:
    wiring = wiring_of()
    vars(wiring)["secrets"] = Unreadable()
    answer = asyncio.run(wiring.online.process(new_work(wiring), Number(), budget_seconds=5))
    assert isinstance(answer, Promoted)
    assert answer.task.state is State.QUEUED
    body = json.dumps({"BANK_KEY": KEY})
    vars(wiring)["secrets"] = MemorySecretStore(**{PROCESSOR_SETTINGS: body})
    del vars(wiring)["processor_settings"]
    deliver_all(wiring)
    (task,) = wiring.store.tasks.values()
    assert task.state is State.SUCCEEDED


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
