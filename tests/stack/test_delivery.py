"""`make deploy` and `make destroy` for real, into the emulator instead of AWS."""

import pytest

from delivery.__main__ import main
from delivery.aws import Account
from tests.stack.deployments import deployed, parameters


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
