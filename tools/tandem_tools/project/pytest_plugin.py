"""A fixture for the tests of projects: the whole stack on this machine."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tandem_tools.run.stack import StackDescription


@pytest.fixture(scope="session")
def stack(
    tmp_path_factory: pytest.TempPathFactory, processor_settings: dict[str, str]
) -> "Iterator[StackDescription]":
    """Build, start and deploy a stack on free ports, and stop it after the last test."""
    from tandem_tools.build.sam import build, machine_architecture
    from tandem_tools.run.stack import LocalStack

    build(machine_architecture())
    folder = tmp_path_factory.mktemp("stack")
    with LocalStack(folder, settings=processor_settings) as running:
        yield running.description
