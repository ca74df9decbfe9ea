"""`make deploy` and `make destroy` for real, into the emulator instead of AWS."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from delivery.__main__ import main
from delivery.aws import Account
from local.artifact import build, machine_architecture
from local.emulator import Emulator
from local.environment import ACCESS_KEY, REGION, SECRET_KEY
from local.ports import free_port

OF_THE_EMULATOR = "Emulated=true RequireTls=false DeploymentType=Direct"


@pytest.fixture
def emulator(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    build(machine_architecture())
    running = Emulator(tmp_path, free_port())
    running.start()
    monkeypatch.setenv("AWS_ENDPOINT_URL", running.endpoint_url)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", ACCESS_KEY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET_KEY)
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    monkeypatch.setenv("SAM_CLI_POLL_DELAY", "0.3")
    yield
    running.stop()


@pytest.mark.timeout(600)
@pytest.mark.usefixtures("emulator")
def test_an_environment_is_deployed_answers_and_is_deleted_but_for_its_data(
    capfd: pytest.CaptureFixture[str],
) -> None:
    parameters = f"{OF_THE_EMULATOR} Architecture={machine_architecture()}"
    assert main(["deploy", "dev", "--parameters", parameters, "--yes"]) == 0, capfd.readouterr()
    said = capfd.readouterr().out
    assert "/health answers: tandem-dev is up" in said
    account = Account()
    [stack] = account.cloudformation.describe_stacks(StackName="tandem-dev")["Stacks"]
    values = {one["ParameterKey"]: one["ParameterValue"] for one in stack["Parameters"]}
    assert values["LogRetentionDays"] == "7"
    assert values["AlarmEmail"] == ""
    assert values["CallbackRetrySeconds"] == "5,300,1800,7200,18000,36000"
    assert values["Revision"][:10] in said
    table = account.outputs("tandem-dev")["TableName"]

    assert main(["destroy", "dev"]) == 0, capfd.readouterr()
    said = capfd.readouterr().out
    assert f"aws dynamodb delete-table --table-name {table}" in said
    assert main(["destroy", "dev"]) == 1
    assert "There is no stack tandem-dev" in capfd.readouterr().err
