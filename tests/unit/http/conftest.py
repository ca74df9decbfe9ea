from collections.abc import Iterator

import pytest

from tandem.testing.app import Answer
from tandem.testing.app import MemoryApp as Api

__all__ = ["Answer", "Api", "api"]


@pytest.fixture
def api() -> Iterator[Api]:
    running = Api()
    yield running
    running.close()
