"""The deployed API keeps to its OpenAPI document; `make fuzz` looks for longer."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tandem_tools.contract.conformance.cli import stack
from tandem_tools.contract.conformance.run import conforms
from tandem_tools.harness.stack import DeployedApp

SEED = 20260115
EXAMPLES = 8


@pytest.fixture
def app(tmp_path: Path) -> Iterator[DeployedApp]:
    with stack(tmp_path) as running:
        yield running


@pytest.mark.timeout(400)  # it takes a minute on two processors
def test_schemathesis_finds_nothing(app: DeployedApp, tmp_path: Path) -> None:
    done = conforms(app, tmp_path, seed=SEED, examples=EXAMPLES)
    assert done.returncode == 0, done.stdout + done.stderr
    for phase in ("Examples", "Coverage", "Fuzzing", "Stateful"):
        assert f"✅ {phase}" in done.stdout
