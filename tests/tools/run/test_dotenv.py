"""What `.env` may hold, and how what it holds wrongly is told: by its line, never by its text."""

from pathlib import Path

import pytest

from tandem_tools.errors import ToolError
from tandem_tools.settings.dotenv import parse, read

SECRET = "s3cr3t-v4lue"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("KEY=a", "a"),
        ("export KEY=a\n", "a"),
        ("  KEY = a b \n", "a b"),
        ("KEY=a # a comment", "a"),
        ("KEY=a#b", "a#b"),
        ("KEY=", ""),
        ("KEY=   # nothing", ""),
        ("KEY=a=b==", "a=b=="),
        ("KEY=$HOME/x", "$HOME/x"),
        (r"KEY=a\n", r"a\n"),
        ("KEY='a \"b\" # c'", 'a "b" # c'),
        (r"KEY='a\n'", r"a\n"),
        (r'KEY="a\n\t\"b\" \\ \$"', 'a\n\t"b" \\ \\$'),
        ('KEY="a # b"  # c', "a # b"),
        ('KEY="-----BEGIN\nabc\n-----END"\n', "-----BEGIN\nabc\n-----END"),
        ("KEY='a\nb'\r\n", "a\nb"),
        ("KEY=first\nKEY=last", "last"),
        ("# KEY=b\n\n\t# c\nKEY=ä", "ä"),
        ('KEY={"a": ["b"]}', '{"a": ["b"]}'),
    ],
)
def test_a_setting_is_read_as_it_is_written(text: str, value: str) -> None:
    assert parse(text) == {"KEY": value}


def test_settings_stand_one_below_the_other() -> None:
    text = "A=1\r\nB='2'\r\n\r\nC=\"3\"\r\n#D=4\r\nE=\r\nF=6"
    assert parse(text) == {"A": "1", "B": "2", "C": "3", "E": "", "F": "6"}


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (SECRET, 1),
        (f"A=1\n{SECRET} B=2\n", 2),
        (f'A=1\n\nB="{SECRET}', 3),
        (f"B='{SECRET}", 1),
        (f'B="{SECRET}" {SECRET}', 1),
        (f"1A={SECRET}", 1),
        (f"A B={SECRET}", 1),
        (f'A="1\n2"\n= {SECRET}', 3),
    ],
)
def test_what_is_no_setting_is_told_by_its_line(text: str, line: int) -> None:
    with pytest.raises(ToolError, match=rf"line {line}: this is no setting") as raised:
        parse(text)
    assert SECRET not in str(raised.value)


def test_a_file_that_is_not_there_has_no_settings(tmp_path: Path) -> None:
    assert read(tmp_path / ".env") == {}
    assert read(tmp_path) == {}


def test_a_file_of_another_editor_is_read(tmp_path: Path) -> None:
    path = tmp_path / ".env"
    path.write_bytes(b"\xef\xbb\xbfKEY=a\r\n")
    assert read(path) == {"KEY": "a"}
    path.write_bytes(b"KEY=\xff")
    with pytest.raises(ToolError, match="no text in UTF-8"):
        read(path)


def test_a_file_that_may_not_be_read_is_told_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> str:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "read_text", refuse)
    with pytest.raises(ToolError, match="cannot be read: Permission denied"):
        read(tmp_path / ".env")
