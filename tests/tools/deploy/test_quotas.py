"""How much of an account's concurrency a stack may take."""

import re
from pathlib import Path

import pytest

from tandem_tools.deploy import deploy as deploying
from tandem_tools.deploy.cli import main
from tandem_tools.deploy.environments import NAMES, Environment
from tandem_tools.deploy.parameters import pairs
from tandem_tools.deploy.quotas import OTHERS, fit
from tests.factories.emulated import emulated_account

NEW_ACCOUNT = 10
MAIL = {"AlarmEmail": "ops@example.com"}


def values(more: str = "", environment: str = "dev") -> dict[str, str]:
    return Environment.read(environment).parameters(MAIL | pairs(more))


def test_a_first_deployment_fits_a_new_account() -> None:
    assert fit(NEW_ACCOUNT, values()) == (3, 2)


@pytest.mark.parametrize("name", NAMES)
def test_every_environment_fits_an_account_with_the_usual_quota(name: str) -> None:
    asked = values(environment=name)
    found = fit(1000, asked)
    assert found == (
        int(asked["WorkerMaximumConcurrency"]),
        int(asked["CallbackMaximumConcurrency"]),
    )


@pytest.mark.parametrize(
    ("quota", "asked", "fitting"),
    [
        (10, "WorkerMaximumConcurrency=20 CallbackMaximumConcurrency=5", (3, 2)),
        (12, "WorkerMaximumConcurrency=3 CallbackMaximumConcurrency=9", (3, 4)),
        (29, "WorkerMaximumConcurrency=20 CallbackMaximumConcurrency=5", (20, 4)),
        (30, "WorkerMaximumConcurrency=20 CallbackMaximumConcurrency=5", (20, 5)),
        (10, "ApiProvisionedConcurrency=1", None),
        (100, "ApiProvisionedConcurrency=1", None),
        (101, "ApiProvisionedConcurrency=1", (3, 2)),
        (150, "ApiProvisionedConcurrency=50 WorkerMaximumConcurrency=100", (93, 2)),
        (8, "", None),
    ],
)
def test_what_fits_leaves_room_beside_the_queues(
    quota: int, asked: str, fitting: tuple[int, int] | None
) -> None:
    given = values(asked)
    assert fit(quota, given) == fitting
    if fitting is not None:
        ready = int(given["ApiProvisionedConcurrency"])
        assert sum(fitting) + ready + OTHERS <= quota


def test_environments_are_not_kept_ready_where_lambda_would_refuse_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LAMBDA_ACCOUNT_CONCURRENCY", str(NEW_ACCOUNT))
    monkeypatch.setattr(deploying, "build", lambda _: pytest.fail("it was built"))
    asked = "Emulated=true ApiProvisionedConcurrency=1"
    with emulated_account(tmp_path, monkeypatch):
        assert main(["deploy", "dev", "--parameters", asked]) == 1
    said = capsys.readouterr().err
    assert "it would refuse ApiProvisionedConcurrency=1" in said
    assert "ApiProvisionedConcurrency=0" in said


def test_an_account_without_room_is_told_before_anything_is_built(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LAMBDA_ACCOUNT_CONCURRENCY", str(NEW_ACCOUNT))
    monkeypatch.setattr(deploying, "build", lambda _: pytest.fail("it was built"))
    with emulated_account(tmp_path, monkeypatch):
        assert main(["deploy", "staging", "--parameters", "Emulated=true"]) == 1
    said = capsys.readouterr().err
    assert "runs 10 executions at once" in said
    found = re.search(r'PARAMETERS="(.+?)"', said)
    assert found
    assert fit(NEW_ACCOUNT, values(found[1], "staging")) == (3, 2)
    assert "request-service-quota-increase" in said
