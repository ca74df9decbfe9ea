"""An application of one processor with settings, as the tools find it."""

from pathlib import Path

import pytest

SECRET = "s3cr3t-v4lue"

BANK = """
from pydantic import BaseModel, SecretStr, field_validator
from tandem.processing import TaskContext, processor

print("imported")

class Bank(BaseModel):
    bank_key: SecretStr
    bank_seconds: int = 20

    @field_validator("bank_key")
    @classmethod
    def _not_wrong(cls, key):
        if key.get_secret_value().startswith("wrong"):
            raise ValueError(f"not {key.get_secret_value()}")
        return key

class Data(BaseModel):
    text: str = ""

@processor("charge", settings=Bank)
def charge(data: Data, ctx: TaskContext[Bank]) -> Data:
    return data

@processor("plain")
def plain(data: Data, ctx: TaskContext) -> Data:
    return data
"""


@pytest.fixture
def bank(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The module of the processor. It takes the application's place."""
    package = tmp_path / "bank_processors"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "bank.py").write_text(BANK)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setenv("PROCESSORS", package.name)
    return package / "bank.py"
