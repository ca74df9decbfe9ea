"""`python -m tandem_tools settings`, and what a deployment looks at, on a stack of the emulator."""

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import boto3
import pytest
import typer
from botocore.exceptions import ClientError, ReadTimeoutError
from typer.testing import CliRunner

from tandem_tools.deploy import deploy as deploying
from tandem_tools.deploy.aws import Account
from tandem_tools.deploy.environments import Environment
from tandem_tools.errors import ToolError
from tandem_tools.project import commands
from tandem_tools.settings import cli
from tandem_tools.settings.stack import OUTPUT, SettingsSecret, require_settings
from tandem_tools.template import load_template
from tests.factories.emulated import emulated_account
from tests.stack.deployments import parameters
from tests.tools.settings.conftest import SECRET, bank

__all__ = ["bank"]

STACK = "tandem-staging"
STAGING = ("--env", "staging")


@pytest.fixture
def account(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bank: Path) -> Iterator[Account]:
    """An account whose emulator has the template's secret, alone in its stack."""
    del bank
    monkeypatch.setattr("sys.stdin", io.StringIO())
    template = load_template()
    with emulated_account(tmp_path, monkeypatch):
        cloudformation = boto3.client("cloudformation")
        part = {
            "Resources": {
                "ProcessorSettings": template["Resources"]["ProcessorSettings"],
            },
            "Outputs": {OUTPUT: template["Outputs"][OUTPUT]},
        }
        cloudformation.create_stack(StackName=STACK, TemplateBody=json.dumps(part))
        cloudformation.get_waiter("stack_create_complete").wait(
            StackName=STACK, WaiterConfig={"Delay": 1}
        )
        yield Account()


def body(account: Account) -> dict[str, str]:
    secret = SettingsSecret(account.secrets_manager, account.outputs(STACK)[OUTPUT])
    return secret.read().body


def test_settings_are_set_shown_checked_and_taken_away(
    account: Account, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert cli.main(["check", *STAGING]) == 1
    said = capsys.readouterr()
    assert "  charge: BANK_KEY is missing" in said.err
    assert "settings set NAME --env staging" in said.err

    assert cli.main(["list", *STAGING]) == 0
    shown = capsys.readouterr().out.splitlines()
    assert [line.split() for line in shown] == [
        ["BANK_KEY", "missing", "charge"],
        ["BANK_SECONDS", "default", "charge"],
    ]

    monkeypatch.setattr("sys.stdin", io.StringIO(f"{SECRET}\nwith two lines\n"))
    assert cli.main(["set", "BANK_KEY", *STAGING]) == 0
    assert cli.main(["set", f"OTHER={SECRET}", "BANK_SECONDS=5", *STAGING]) == 0
    assert body(account) == {
        "BANK_KEY": f"{SECRET}\nwith two lines",
        "BANK_SECONDS": "5",
        "OTHER": SECRET,
    }
    assert cli.main(["check", *STAGING]) == 0
    assert cli.main(["list", *STAGING]) == 0
    said = capsys.readouterr()
    assert "BANK_KEY is set." in said.out
    assert ["OTHER", "set", "no", "processor"] in [line.split() for line in said.out.splitlines()]

    assert cli.main(["set", "OTHER=", *STAGING]) == 0
    assert "OTHER is taken away." in capsys.readouterr().out
    assert body(account).keys() == {"BANK_KEY", "BANK_SECONDS"}
    assert SECRET not in said.out + said.err + "".join(capsys.readouterr())


def test_values_of_several_names_are_read_one_a_line(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("one\ntwo\n"))
    assert cli.main(["set", "A", "C=three", "B", *STAGING]) == 0
    assert body(account) == {"A": "one", "B": "two", "C": "three"}


def test_the_clients_command_takes_the_same_words(account: Account) -> None:
    command = typer.Typer()
    command.command("settings")(commands.settings)

    def said(*words: str) -> str:
        done = CliRunner().invoke(command, [*words, *STAGING])
        assert done.exit_code == 0, done.output
        return done.output

    assert "BANK_KEY is set" in said("set", f"BANK_KEY={SECRET}", "BANK_SECONDS=5")
    assert "BANK_SECONDS" in said("list")
    assert "every processor has its settings" in said("check")
    assert body(account) == {"BANK_KEY": SECRET, "BANK_SECONDS": "5"}
    assert CliRunner().invoke(command, ["set", f"bank={SECRET}"]).exit_code == 1


def test_a_value_is_asked_for_without_being_shown(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    asked: list[str] = []

    def getpass(prompt: str) -> str:
        asked.append(prompt)
        return SECRET

    monkeypatch.setattr("sys.stdin", Terminal())
    monkeypatch.setattr(cli.getpass, "getpass", getpass)
    assert cli.main(["set", "BANK_KEY", *STAGING]) == 0
    assert asked == ["BANK_KEY: "]
    assert body(account) == {"BANK_KEY": SECRET}


@pytest.mark.parametrize(
    "words",
    [
        ["set", "BANK_KEY", "=", SECRET],
        ["set", f"bank_key={SECRET}"],
        ["set", "BANK_KEY=a", f"--{SECRET}"],
        [f"BANK_KEY={SECRET}"],
        ["set", "BANK_KEY"],
        ["set", "BANK_KEY=a", "--env", SECRET],
    ],
)
def test_a_command_that_is_not_understood_sets_nothing_and_shows_no_word_of_it(
    words: list[str], account: Account, capsys: pytest.CaptureFixture[str]
) -> None:
    code: object
    try:
        code = cli.main([*words, *STAGING] if "--env" not in words else words)
    except SystemExit as end:
        code = end.code
    assert code in {1, 2}
    said = capsys.readouterr()
    assert SECRET not in said.out + said.err
    assert body(account) == {}


def test_a_stack_that_has_no_such_secret_is_told_of(
    account: Account, capsys: pytest.CaptureFixture[str]
) -> None:
    del account
    assert cli.main(["list", "--env", "prod"]) == 1
    assert "There is no stack tandem-prod" in capsys.readouterr().err


def test_a_deployment_is_refused_while_a_setting_is_missing_or_wrong(account: Account) -> None:
    environment = Environment.read("staging")
    with pytest.raises(ToolError, match="  charge: BANK_KEY is missing"):
        require_settings(account, environment)
    cli.main(["set", f"BANK_KEY=wrong {SECRET}", *STAGING])
    with pytest.raises(ToolError, match=r"BANK_KEY is wrong \(value_error\)") as raised:
        require_settings(account, environment)
    assert SECRET not in str(raised.value)
    cli.main(["set", f"BANK_KEY={SECRET}", *STAGING])
    require_settings(account, environment)


def test_make_deploy_refuses_before_it_builds(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    del account
    monkeypatch.setattr(deploying, "build", lambda _: pytest.fail("it was built"))
    with pytest.raises(ToolError, match="  charge: BANK_KEY is missing"):
        deploying.deploy("staging", parameters(), ask=False)


def test_a_first_deployment_says_what_is_to_be_set_after_it(
    account: Account, capsys: pytest.CaptureFixture[str]
) -> None:
    require_settings(account, Environment.read("dev"))
    assert "  charge: BANK_KEY is missing" in capsys.readouterr().out


def test_who_may_not_read_the_secret_may_deploy_and_is_told(
    account: Account, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: object) -> None:
        raise ClientError({"Error": {"Code": "AccessDeniedException"}}, "GetSecretValue")

    monkeypatch.setattr(SettingsSecret, "read", refuse)
    require_settings(account, Environment.read("staging"))
    assert "Settings are not checked: who deploys may not" in capsys.readouterr().out


def test_a_deployment_asks_for_nothing_where_no_processor_has_settings(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    require_settings(Account(), Environment.read("staging"))


def test_a_deployment_of_another_template_leaves_what_was_set(account: Account) -> None:
    cli.main(["set", f"BANK_KEY={SECRET}", *STAGING])
    cloudformation = boto3.client("cloudformation")
    template = load_template()
    secret = template["Resources"]["ProcessorSettings"]
    secret["Properties"]["Description"] = "Another one."
    part = {
        "Resources": {"ProcessorSettings": secret},
        "Outputs": {OUTPUT: template["Outputs"][OUTPUT]},
    }
    cloudformation.update_stack(StackName=STACK, TemplateBody=json.dumps(part))
    cloudformation.get_waiter("stack_update_complete").wait(
        StackName=STACK, WaiterConfig={"Delay": 1}
    )
    assert body(account) == {"BANK_KEY": SECRET}


class Cut:
    """Secrets Manager's client, cut short at one of its calls, before or after it took effect."""

    def __init__(self, client: Any, call: str, end: BaseException, *, after: bool) -> None:
        self._client = client
        self._cut = (call, end, after)

    def __getattr__(self, name: str) -> Any:
        call, end, after = self._cut
        real = getattr(self._client, name)
        if name != call:
            return real

        def cut(**given: Any) -> None:
            if after:
                real(**given)
            raise end

        return cut


LOST = ReadTimeoutError(endpoint_url="https://secretsmanager.example.com")
BUSY = ClientError(
    {"Error": {"Code": "InternalServiceError"}, "ResponseMetadata": {"HTTPStatusCode": 500}},  # type: ignore[typeddict-item]
    "UpdateSecretVersionStage",
)


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("end", [KeyboardInterrupt(), LOST, BUSY])
def test_a_change_that_is_cut_short_is_never_said_not_to_be_made(
    account: Account,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    end: BaseException,
    *,
    after: bool,
) -> None:
    cli.main(["set", "OTHER=1", *STAGING])
    name = account.outputs(STACK)[OUTPUT]
    client = Cut(account.secrets_manager, "update_secret_version_stage", end, after=after)
    with monkeypatch.context() as patch:
        patch.setattr(cli, "secret_of", lambda *_: SettingsSecret(cast("Any", client), name))
        assert cli.main(["set", f"BANK_KEY={SECRET}", *STAGING]) == 1
    said = capsys.readouterr().err
    assert "Whether it was set is not known.\n  → Run it again" in said
    assert SECRET not in said
    assert cli.main(["set", f"BANK_KEY={SECRET}", *STAGING]) == 0
    assert body(account) == {"OTHER": "1", "BANK_KEY": SECRET}


def test_a_change_that_was_interrupted_before_it_was_made_is_said_not_to_be(
    account: Account, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    cli.main(["set", "OTHER=1", *STAGING])
    name = account.outputs(STACK)[OUTPUT]
    client = Cut(account.secrets_manager, "put_secret_value", KeyboardInterrupt(), after=True)
    with monkeypatch.context() as patch:
        patch.setattr(cli, "secret_of", lambda *_: SettingsSecret(cast("Any", client), name))
        assert cli.main(["set", f"BANK_KEY={SECRET}", *STAGING]) == 130
    assert "Interrupted: nothing was set." in capsys.readouterr().err
    assert body(account) == {"OTHER": "1"}


def test_a_value_that_is_no_text_is_told_of(
    account: Account, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"k\xff"), "utf-8"))
    assert cli.main(["set", "BANK_KEY", *STAGING]) == 1
    assert "What is given for BANK_KEY is no text in UTF-8." in capsys.readouterr().err
    assert cli.main(["set", "BANK_KEY=k\udcff", *STAGING]) == 1  # as a command's bytes arrive
    assert "What is given for BANK_KEY is no text in UTF-8." in capsys.readouterr().err
    assert body(account) == {}
