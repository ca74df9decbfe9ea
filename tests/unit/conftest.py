from io import StringIO

import pytest

from tandem.telemetry import logger


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> StringIO:
    """Return what the functions log."""
    written = StringIO()
    monkeypatch.setattr(logger.registered_handler, "stream", written)
    return written
