"""`make deploy` and `make destroy` for real, into the emulator instead of AWS."""

import os
import re
import shlex
import subprocess
import time
from typing import Any

import boto3
import httpx2
import pytest
from botocore.exceptions import ClientError

from tandem_tools.deploy import changes
from tandem_tools.deploy import deploy as deploying
from tandem_tools.deploy.aws import Account, api_url
from tandem_tools.deploy.cli import main
from tandem_tools.deploy.events import Events
from tandem_tools.errors import ToolError
from tandem_tools.paths import PROJECT
from tandem_tools.run.tokens import request_token
from tests.factories.published import versions_of
from tests.stack.deployments import (
    NETWORK,
    REFUSED,
    add_to_the_template,
    deployed,
    parameters,
    transform_with_the_revision,
)

PAGE = (PROJECT / "docs" / "deploy.md").read_text()

BY_PYTHON = {
    "make destroy ENV=staging": "as make destroy, with another stack's name",
    "make destroy ENV=prod CONFIRM=tandem-prod": (
        "test_production_is_protected_when_its_first_deployment_has_succeeded"
    ),
    "make prove-on-aws": "tests/stack/test_prove.py",
    "make stored": "tests/tools/deploy/test_stored.py",
    "make stored RECORD=1": "tests/tools/deploy/test_stored.py",
    "make check": "it is the other gate",
}
"""Commands of docs/deploy.md that no test gives to make, and where what they do is tested."""

walked: set[str] = set()


def made(command: str, parameters: str = "") -> str:
    """Give make a command of docs/deploy.md as the page has it, and return what it said.

    It goes to the emulator, as boto3 reads from the environment.
    """
    assert f"`{command}`" in PAGE
    walked.add(command)
    done = subprocess.run(  # noqa: S603 - a command of our own page
        shlex.split(command),
        cwd=PROJECT,
        env=os.environ | {"PARAMETERS": parameters},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


@pytest.mark.timeout(900)
@pytest.mark.usefixtures("emulator")
def test_an_environment_is_deployed_twice_answers_and_is_deleted_but_for_its_data(
    capfd: pytest.CaptureFixture[str],
) -> None:
    odd = "a,b \"c\" 'or' not\\ \n\t=;$HOME `id` \u00e9\u2028 d"
    strange = {"AlarmEmail": "ops@example.com", "JwtAudience": odd}
    said = made("make deploy", parameters(**strange))
    assert "/health answers: tandem-dev is up" in said
    first = deployed("tandem-dev")
    assert first["LogRetentionDays"] == "7"
    assert first["CallbackRetrySeconds"] == "5,300,1800,7200,18000,36000"
    assert first["Revision"][:10] in said
    assert {name: first[name] for name in strange} == strange
    assert answer_to_a_first_task() == {"message": "hello"}

    # What is not said again is as the template has it, an empty value too.
    made("make deploy", parameters())
    second = deployed("tandem-dev")
    assert second.pop("Revision") != first.pop("Revision")
    assert second == first | {"AlarmEmail": "", "JwtAudience": ""}

    # An alarm of its traffic is on: a release would be taken back, if it is not moved at once.
    ring("tandem-dev", "DeadLettersAlarm")
    ring("tandem-dev", "ApiLatencyAlarm")  # which takes back none
    capfd.readouterr()
    assert main(["deploy", "dev", "--parameters", parameters(DeploymentType="AllAtOnce")]) == 1
    said = capfd.readouterr()
    assert "Building" not in said.out
    assert "DeadLettersAlarm" in said.err
    assert "ApiLatencyAlarm" not in said.err
    assert main(["deploy", "dev", "--parameters", parameters(), "--yes"]) == 0

    table = Account().outputs("tandem-dev")["TableName"]
    said = made("make destroy")
    assert f"aws dynamodb delete-table --table-name {table}" in said
    # Again, as after a deletion that nobody saw the end of.
    assert main(["destroy", "dev"]) == 1
    said = capfd.readouterr().err
    assert "There is no stack tandem-dev" in said
    assert f"aws dynamodb delete-table --table-name {table}" in said

    said_by_the_page = set(re.findall(r"`(make [^`]+)`", PAGE))
    assert said_by_the_page == walked | BY_PYTHON.keys()


def answer_to_a_first_task() -> Any:
    """Return the output of a task, submitted with the machine's client as docs/deploy.md says."""
    outputs = Account().outputs("tandem-dev")
    pool, client = outputs["UserPoolId"], outputs["MachineClientId"]
    found = boto3.client("cognito-idp").describe_user_pool_client(UserPoolId=pool, ClientId=client)
    secret = found["UserPoolClient"]["ClientSecret"]
    token_url = f"{os.environ['AWS_ENDPOINT_URL']}/oauth2/token"  # TokenUrl is a host of AWS's
    token = request_token(token_url, client, secret).value
    answer = httpx2.post(
        f"{api_url(outputs)}/process-online",
        headers={"Authorization": f"Bearer {token}"},
        json={"processor": "echo", "input": {"message": "hello"}},
        timeout=60,
    )
    return answer.raise_for_status().json()["output"]


def ring(stack_name: str, alarm: str) -> None:
    """Turn an alarm of a stack on."""
    name = Account().physical_ids(stack_name)[alarm]
    Account().alarms.set_alarm_state(AlarmName=name, StateValue="ALARM", StateReason="a test")


@pytest.mark.timeout(900)
@pytest.mark.usefixtures("emulator")
def test_a_command_that_is_cut_short_is_done_by_the_same_again(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    deploy, again = ["deploy", "dev", "--parameters", parameters(), "--yes"], "make deploy again"
    # Before anything is changed: nothing is left, not even a stack of no resources.
    with monkeypatch.context() as early:
        early.setattr(changes.ChangeSet, "_outcome", interrupted)
        assert main(deploy) == 130
    assert again not in capfd.readouterr().err
    assert Account().stack("tandem-dev") is None

    # When CloudFormation is at work, and nobody looks any more.
    with monkeypatch.context() as late:
        late.setattr(Events, "follow", interrupted)
        assert main(deploy) == 130
    assert again in capfd.readouterr().err
    standing("tandem-dev", "CREATE_COMPLETE")
    assert main(deploy) == 0, capfd.readouterr()

    table = Account().outputs("tandem-dev")["TableName"]
    with monkeypatch.context() as late:
        late.setattr(Events, "follow", expired)
        assert main(["destroy", "dev"]) == 1
    said = capfd.readouterr().err
    assert "Sign in" in said
    assert "goes on with deleting tandem-dev" in said
    assert main(["destroy", "dev"]) in {0, 1}  # whether it has ended meanwhile
    said = "".join(capfd.readouterr())
    assert f"aws dynamodb delete-table --table-name {table}" in said


def interrupted(*_: object) -> None:
    """Stop as Ctrl-C does."""
    raise KeyboardInterrupt


def expired(*_: object) -> None:
    """Fail as after an hour of someone's session."""
    raise ClientError({"Error": {"Code": "ExpiredToken", "Message": "expired"}}, "Describe")


def standing(stack_name: str, status: str) -> None:
    """Wait until a stack is in a state."""
    until = time.monotonic() + 60
    while Account().need_stack(stack_name)["StackStatus"] != status:
        assert time.monotonic() < until
        time.sleep(0.2)


@pytest.mark.timeout(900)
@pytest.mark.usefixtures("emulator")
def test_a_first_deployment_that_fails_is_told_freed_and_made_again(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    with monkeypatch.context() as failing:
        add_to_the_template(failing, REFUSED)
        assert main(["deploy", "dev", "--parameters", parameters(), "--yes"]) == 1
    said = capfd.readouterr().err
    assert "failed and was rolled back" in said
    assert "Refused: WaitCondition timed out" in said
    assert "make destroy ENV=dev" in said

    # The name takes no other deployment, and nothing is built for it.
    with monkeypatch.context() as unbuilt:
        unbuilt.setattr(deploying, "build", lambda _: pytest.fail("it was built"))
        assert main(["deploy", "dev", "--parameters", parameters(), "--yes"]) == 1
    assert "(ROLLBACK_COMPLETE)" in capfd.readouterr().err

    assert main(["destroy", "dev"]) == 0, capfd.readouterr()
    assert "nothing of it stays" in capfd.readouterr().out
    assert main(["deploy", "dev", "--parameters", parameters(), "--yes"]) == 0, capfd.readouterr()

    # A later one that fails leaves the stack as it was.
    before = deployed("tandem-dev")
    with monkeypatch.context() as failing:
        add_to_the_template(failing, REFUSED)
        changed = parameters(LogLevel="DEBUG")
        assert main(["deploy", "dev", "--parameters", changed, "--yes"]) == 1
    said = capfd.readouterr().err
    assert "(UPDATE_ROLLBACK_COMPLETE)" in said
    assert "a-deployment-was-rolled-back" in said
    assert deployed("tandem-dev") == before
    assert main(["destroy", "dev"]) == 0, capfd.readouterr()
    assert "aws dynamodb delete-table --table-name" in capfd.readouterr().out


@pytest.mark.timeout(900)
@pytest.mark.usefixtures("emulator")
def test_a_deletion_that_fails_names_what_stays_in_its_way(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    add_to_the_template(monkeypatch, NETWORK)
    assert main(["deploy", "dev", "--parameters", parameters(), "--yes"]) == 0, capfd.readouterr()
    network = Account().physical_ids("tandem-dev")["Network"]
    ec2: Any = boto3.client("ec2")
    subnet = ec2.create_subnet(VpcId=network, CidrBlock="10.0.0.0/28")["Subnet"]["SubnetId"]
    capfd.readouterr()

    assert main(["destroy", "dev"]) == 1
    said = capfd.readouterr().err
    assert "(DELETE_FAILED)" in said
    assert "Network: " in said
    assert "--retain-resources Network" in said
    assert main(["deploy", "dev", "--parameters", parameters(), "--yes"]) == 1
    said = capfd.readouterr().err
    assert "(DELETE_FAILED)" in said
    assert "Network: " in said

    ec2.delete_subnet(SubnetId=subnet)
    assert main(["destroy", "dev"]) == 0, capfd.readouterr()
    assert main(["destroy", "dev"]) == 1
    assert "There is no stack" in capfd.readouterr().err


@pytest.mark.timeout(900)
@pytest.mark.usefixtures("emulator")
def test_production_is_protected_when_its_first_deployment_has_succeeded(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(deploying, "require_committed", lambda _: None)
    given = parameters(AlarmEmail="ops@example.com")
    with monkeypatch.context() as unhealthy:
        unhealthy.setattr(deploying, "require_health", unanswered)
        assert main(["deploy", "prod", "--parameters", given, "--yes"]) == 1
    assert deployed("tandem-prod")["DeletionProtection"] == "false"
    assert not protected()
    assert main(["destroy", "prod", "--confirm", "tandem-prod"]) == 0, capfd.readouterr()

    assert main(["deploy", "prod", "--parameters", given, "--yes"]) == 0, capfd.readouterr()
    assert protected()
    versions = published()
    assert main(["deploy", "prod", "--parameters", given, "--yes"]) == 0, capfd.readouterr()
    assert protected()
    assert published() == versions  # protection is no new release


def unanswered(url: str) -> None:
    """Refuse a stack whose API does not answer."""
    raise ToolError(f"{url} does not answer", "Look at the log.")


def protected() -> bool:
    """Whether production's table refuses to be deleted."""
    table = Account().outputs("tandem-prod")["TableName"]
    description = boto3.client("dynamodb").describe_table(TableName=table)["Table"]
    return description["DeletionProtectionEnabled"]


def published() -> list[str]:
    """Return the versions of production's API."""
    name = Account().outputs("tandem-prod")["ApiFunctionName"]
    found = boto3.client("lambda").list_versions_by_function(FunctionName=name)["Versions"]
    return [one["Version"] for one in found]


@pytest.mark.timeout(900)
@pytest.mark.usefixtures("emulator")
def test_a_release_publishes_versions_and_the_newest_three_stay(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    transform_with_the_revision(monkeypatch)
    assert main(["deploy", "dev", "--parameters", parameters(), "--yes"]) == 0, capfd.readouterr()
    function = Account().outputs("tandem-dev")["WorkerFunctionName"]
    assert versions_of(function) == ["$LATEST", "1"]
    for number, address in enumerate(("a@example.com", "b@example.com", ""), start=2):
        given = parameters(AlarmEmail=address) if address else parameters()
        assert main(["deploy", "dev", "--parameters", given, "--yes"]) == 0, capfd.readouterr()
        assert versions_of(function)[-1] == str(number)
        live = Account().functions.get_alias(FunctionName=function, Name="live")
        assert live["FunctionVersion"] == str(number)
    assert versions_of(function) == ["$LATEST", "2", "3", "4"]
    # The same again is no release.
    assert main(["deploy", "dev", "--parameters", parameters(), "--yes"]) == 0, capfd.readouterr()
    assert "nothing to change" in capfd.readouterr().out
