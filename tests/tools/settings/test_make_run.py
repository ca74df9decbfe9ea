"""`make run` gives `.env` to the stack, says what is missing in it, and follows it."""

import time
from contextlib import nullcontext
from types import SimpleNamespace
from typing import Any, Self

import pytest

from tandem_tools.run import commands, sample
from tandem_tools.settings import dotenv
from tests.tools.settings.conftest import SECRET

SECRET_NAME = "secret"


class FakeStack:
    """A stack that starts at once, and keeps what is put into its secret."""

    def __init__(self, *_: Any, settings: dict[str, str], **__: Any) -> None:
        self.put = [settings]
        self.aws = SimpleNamespace(secrets_manager=self)
        self.description = SimpleNamespace(
            url="http://127.0.0.1:8000", log_groups={}, settings_secret=SECRET_NAME
        )

    def put_secret_value(self, *, SecretId: str, SecretString: str) -> None:  # noqa: N803
        assert SecretId == SECRET_NAME
        self.put.append(SecretString)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return


@pytest.mark.usefixtures("bank")
def test_what_is_missing_is_said_first_and_what_is_saved_reaches_the_stack(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    told: list[str] = []
    saved = [{"BANK_SECONDS": SECRET}, {"BANK_SECONDS": SECRET}, {"BANK_KEY": SECRET}]
    stacks: list[FakeStack] = []

    def start(*arguments: Any, **options: Any) -> FakeStack:
        stacks.append(FakeStack(*arguments, **options))
        return stacks[0]

    def sleep(_: float) -> None:
        if not saved:
            raise KeyboardInterrupt

    monkeypatch.setattr(dotenv, "read", lambda *_: saved.pop(0))
    monkeypatch.setattr(commands, "LocalStack", start)
    monkeypatch.setattr(commands, "_is_running", lambda: False)
    monkeypatch.setattr(commands, "require_free", lambda *_: None)
    monkeypatch.setattr(commands.artifact, "build", lambda *_: told.append("building"))
    monkeypatch.setattr(commands, "_try_out", lambda *_: sample.ECHO)
    monkeypatch.setattr(commands, "_reloading", lambda _: nullcontext())
    monkeypatch.setattr(commands, "FunctionLogs", lambda *_: SimpleNamespace(read=list))
    monkeypatch.setattr(commands, "print", lambda *parts, **_: told.extend(parts), raising=False)
    clock = SimpleNamespace(sleep=sleep, monotonic=time.monotonic)
    monkeypatch.setattr(commands, "time", clock)
    with pytest.raises(KeyboardInterrupt):
        commands.up(8000, 4566)
    named = "charge: BANK_KEY is missing; BANK_SECONDS is wrong (int_parsing)"
    assert named in "".join(told[: told.index("building")])
    assert stacks[0].put == [{"BANK_SECONDS": SECRET}, f'{{"BANK_KEY": "{SECRET}"}}']
    assert told.count(".env: updated") == 1
    text = "\n".join(told)
    assert [line for line in text.splitlines() if "TOKEN=" in line] == [
        "Token  export TOKEN=$(make -s token)    (for an hour)"
    ]
    assert SECRET not in text
