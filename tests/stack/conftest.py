"""Two stacks for all tests of this folder, started from the built artifact when first asked for."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tandem_tools.build.sam import build, machine_architecture
from tandem_tools.harness.stack import (
    REPORT_PARAMETERS,
    TEST_PARAMETERS,
    DeployedApp,
    Tokens,
    deployed_app,
)
from tests.factories.emulated import emulated_account
from tests.stack.issuer import OPERATOR, Issuer


@pytest.fixture(scope="session")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DeployedApp]:
    """The deployed application: the template's own queue, schedule, authorizer, table, bucket."""
    settings = {"KNOWN_WORD": "friend"}
    with deployed_app(tmp_path_factory.mktemp("stack"), settings=settings) as running:
        yield running


@pytest.fixture(scope="session")
def issuer() -> Iterator[Issuer]:
    """An identity provider beside the template's own."""
    with Issuer() as running:
        yield running


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory, issuer: Issuer) -> Iterator[DeployedApp]:
    """The application deployed for that issuer: a stack with as many tenants as a test names."""
    tokens = Tokens(issuer.token("acme"), issuer.token("operations", OPERATOR))
    # No test here needs a message to come back soon: above the worker's time, as when deployed, one
    # that waits behind a hanging attempt is not delivered again until it is a dead letter.
    own = {"VisibilityTimeoutSeconds": "24"} | REPORT_PARAMETERS | issuer.parameters
    parameters = TEST_PARAMETERS | own
    with deployed_app(tmp_path_factory.mktemp("shared"), parameters, tokens=tokens) as running:
        yield running


@pytest.fixture
def emulator(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """An empty account for `make deploy`, and the artifact that it deploys."""
    build(machine_architecture())
    with emulated_account(tmp_path, monkeypatch):
        yield
