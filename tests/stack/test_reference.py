"""What the API reference shows is what the deployed stack answers."""

import pytest

from tandem_tools.contract.reference.cli import PAGE, played
from tandem_tools.harness.stack import DeployedApp


@pytest.mark.timeout(300)
def test_the_stack_answers_as_the_reference_shows(app: DeployedApp) -> None:
    assert played(app).splitlines() == PAGE.read_text().splitlines(), "run: make docs"
