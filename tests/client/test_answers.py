"""What the client makes of answers that no Tandem gives: another service may be at the address."""

from contextlib import ExitStack
from pathlib import Path

import httpx2
import pytest

from tandem_client import TandemError
from tandem_client.auth import _token_in
from tandem_client.errors import refused, refused_token
from tandem_client.results import StoredResult

ANSWERS = [
    b"",
    b"\xff\xfe",
    b"[" * 100_000,
    b'{"access_token": ' * 50_000,
    b"[1]",
    b"7",
    b"null",
    b'"text"',
    b"9" * 5000,
    b"<html>",
    b'{"access_token": "x", "expires_in": []}',
    b'{"access_token": "x", "expires_in": {}}',
    b'{"access_token": "x", "expires_in": "soon"}',
    b'{"expires_in": 1}',
]


def answer(status: int, content: bytes, **headers: str) -> httpx2.Response:
    request = httpx2.Request("POST", "https://tokens.example.com/")
    return httpx2.Response(status, content=content, headers=headers, request=request)


@pytest.mark.parametrize("content", ANSWERS, ids=lambda content: ascii(content[:30]))
def test_an_answer_without_a_token_is_one_clear_error(content: bytes) -> None:
    with pytest.raises(TandemError, match="with no token: is its URL right"):
        _token_in(answer(200, content))


@pytest.mark.parametrize("content", ANSWERS, ids=lambda content: ascii(content[:30]))
def test_a_refusal_of_any_form_is_one_clear_error(content: bytes) -> None:
    assert refused_token(answer(400, content)).status == 400
    assert refused(answer(502, content)).status == 502


@pytest.mark.parametrize(
    ("disposition", "name"),
    [
        ('attachment; filename="table.csv"', "table.csv"),
        ("attachment; filename*=UTF-8''%C3%BC.csv", "ü.csv"),
        ('attachment; filename="../../etc/passwd"', "passwd"),
        ('attachment; filename="C:\\\\x\\\\y.csv"', "y.csv"),
        ("attachment; filename=..", "result.json"),
        ("attachment; filename=.", "result.json"),
        ("attachment; filename*=UTF-8''%00.csv", "result.json"),
        ("attachment; filename*=UTF-8''a%0Ab.csv", "result.json"),
        ("attachment; filename*=UTF-8''a%E2%80%AEvsc.exe", "result.json"),
        (f"attachment; filename={'x' * 300}", "result.json"),
        (f"attachment; filename={'x' * 255}", "x" * 255),
        (f"attachment; filename*{'9' * 5000}=a; filename*0=b", "result.json"),
        ("attachment; filename*=bogus'x'%ff", "ÿ"),
        ("attachment; filename*=UTF-8''%F0%9F%91%A8%E2%80%8D%F0%9F%91%A7", "👨\u200d👧"),
        (";;;==;filename", "result.json"),
        ("", "result.json"),
    ],
    ids=lambda text: text[:45],
)
def test_a_result_is_saved_under_no_name_that_leads_elsewhere(
    tmp_path: Path, disposition: str, name: str
) -> None:
    headers = {"content-disposition": disposition}
    result = StoredResult(answer(200, b"1", **headers), ExitStack())
    assert result.save(tmp_path) == tmp_path / name
    assert [path.name for path in tmp_path.iterdir()] == [name]
