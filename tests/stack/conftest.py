"""One stack for all tests of this folder, started from the built artifact."""

from collections.abc import Iterator

import pytest

from tests.stack.stack import DeployedApp, deployed_app


@pytest.fixture(scope="session")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DeployedApp]:
    """The deployed application: the template's own queue, schedule, authorizer, table, bucket."""
    with deployed_app(tmp_path_factory.mktemp("stack")) as running:
        yield running
