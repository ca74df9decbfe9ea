"""What the API reference shows is what the deployed stack answers."""

import pytest

from contract.reference.__main__ import PAGE, played
from tests.stack.stack import DeployedApp


@pytest.mark.timeout(300)
def test_the_stack_answers_as_the_reference_shows(app: DeployedApp) -> None:
    assert played(app).splitlines() == PAGE.read_text().splitlines(), "run: make docs"
