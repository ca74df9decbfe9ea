"""Fixtures for the tests of processors. pytest has them where the library is installed."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tandem.testing.app import MemoryApp
    from tandem.testing.context import FakeContext


@pytest.fixture
def fake_context() -> "FakeContext":
    """Return what a processor is called with: `hello.run(Input(…), fake_context)`."""
    from tandem.testing.context import FakeContext

    return FakeContext()


@pytest.fixture(scope="session")
def processor_settings() -> dict[str, str]:
    """Return what processors are given as settings, by their names in capitals: none.

    A project says its own by a fixture of this name in its conftest.py. `stack` takes them, too.
    """
    return {}


@pytest.fixture
def memory_app(processor_settings: dict[str, str]) -> "Iterator[MemoryApp]":
    """Return the whole application in memory, with the project's processors."""
    from tandem.testing.app import MemoryApp

    app = MemoryApp(processor_settings)
    yield app
    app.close()
