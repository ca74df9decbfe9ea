"""`make deploy` and `make destroy` for real, into the emulator instead of AWS."""

import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from delivery import changes
from delivery.__main__ import main
from delivery.aws import Account
from local.artifact import build, machine_architecture
from local.emulator import Emulator
from local.environment import ACCESS_KEY, REGION, SECRET_KEY
from local.ports import free_port


@pytest.fixture
def emulator(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    build(machine_architecture())
    running = Emulator(tmp_path, free_port())
    running.start()
    monkeypatch.setenv("AWS_ENDPOINT_URL", running.endpoint_url)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", ACCESS_KEY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET_KEY)
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    monkeypatch.setattr(changes, "POLL_SECONDS", 0.2)
    yield
    running.stop()


def parameters(**more: str) -> str:
    """Return parameters of a deployment into the emulator as a shell would take them."""
    values = {
        "Emulated": "true",
        "RequireTls": "false",
        "DeploymentType": "Direct",
        "Architecture": machine_architecture(),
    }
    return shlex.join(f"{name}={value}" for name, value in (values | more).items())


def deployed(stack_name: str) -> dict[str, str]:
    """Return the values of a stack's parameters."""
    found = Account().need_stack(stack_name)["Parameters"]
    return {one["ParameterKey"]: one["ParameterValue"] for one in found}


@pytest.mark.timeout(600)
@pytest.mark.usefixtures("emulator")
def test_an_environment_is_deployed_twice_answers_and_is_deleted_but_for_its_data(
    capfd: pytest.CaptureFixture[str],
) -> None:
    strange = {"AlarmEmail": "ops at \"home\" 'or' not\\ ", "JwtAudience": "a,b c"}
    assert main(["deploy", "dev", "--parameters", parameters(**strange), "--yes"]) == 0
    said = capfd.readouterr().out
    assert "/health answers: tandem-dev is up" in said
    first = deployed("tandem-dev")
    assert first["LogRetentionDays"] == "7"
    assert first["CallbackRetrySeconds"] == "5,300,1800,7200,18000,36000"
    assert first["Revision"][:10] in said
    assert {name: first[name] for name in strange} == strange

    # What is not said again is as the template has it, an empty value too.
    assert main(["deploy", "dev", "--parameters", parameters(), "--yes"]) == 0
    second = deployed("tandem-dev")
    assert second.pop("Revision") != first.pop("Revision")
    assert second == first | {"AlarmEmail": "", "JwtAudience": ""}
    table = Account().outputs("tandem-dev")["TableName"]

    capfd.readouterr()
    assert main(["destroy", "dev"]) == 0, capfd.readouterr()
    said = capfd.readouterr().out
    assert f"aws dynamodb delete-table --table-name {table}" in said
    assert main(["destroy", "dev"]) == 1
    assert "There is no stack tandem-dev" in capfd.readouterr().err
