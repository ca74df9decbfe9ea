from io import StringIO

import pytest

from tandem.telemetry import logger


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> StringIO:
    """Return what the functions log."""
    written = StringIO()
    monkeypatch.setattr(logger.registered_handler, "stream", written)
    return written


@pytest.fixture(autouse=True)
def lines_without_names() -> None:
    """Forget the ids that an earlier test has put on the log lines of this thread."""
    logger.thread_safe_clear_keys()
