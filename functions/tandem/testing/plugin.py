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


@pytest.fixture
def memory_app() -> "Iterator[MemoryApp]":
    """Return the whole application in memory, with the project's processors."""
    from tandem.testing.app import MemoryApp

    app = MemoryApp()
    yield app
    app.close()
