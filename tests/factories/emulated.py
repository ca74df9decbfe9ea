"""The emulator in AWS's place, for programs that take their account from the environment."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tandem_tools.deploy import changes
from tandem_tools.environment import ACCESS_KEY, REGION, SECRET_KEY
from tandem_tools.ports import free_port
from tandem_tools.run.emulator import Emulator


@contextmanager
def emulated_account(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Start an emulator and make it this process's account for as long as the block runs."""
    if "LAMBDA_ACCOUNT_CONCURRENCY" not in os.environ:  # else it depends on this machine's memory
        monkeypatch.setenv("LAMBDA_ACCOUNT_CONCURRENCY", "1000")
    running = Emulator(folder, free_port())
    running.start()
    monkeypatch.setenv("AWS_ENDPOINT_URL", running.endpoint_url)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", ACCESS_KEY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET_KEY)
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    monkeypatch.delenv("AWS_REGION", raising=False)
    monkeypatch.setattr(changes, "POLL_SECONDS", 0.2)
    try:
        yield
    finally:
        running.stop()
