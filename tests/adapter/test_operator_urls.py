"""Posting to the operator's URLs, against real receivers on loopback."""

import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from tandem.callbacks.ports import Unreachable
from tandem.posting import ANSWER_BYTES, OperatorPoster
from tandem.reports.ports import Reply
from tandem_tools.harness.receiver import Receiver, answer_with

BODY = b'{"type":"report.closed"}'


@pytest.fixture
def secured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    with Receiver("127.0.0.1") as running:
        authority = running.write_authority(tmp_path / "authority.pem")
        monkeypatch.setenv("SSL_CERT_FILE", str(authority))
        yield running


@pytest.fixture
def plain() -> Iterator[Receiver]:
    with Receiver("127.0.0.1", secure=False) as running:
        yield running


def post(url: str, *, seconds: float = 2) -> Reply:
    poster = OperatorPoster(connect_seconds=0.5, total_seconds=seconds)
    return poster.post(url, BODY, {"Content-Type": "application/json", "x-key": "1"})


@pytest.mark.parametrize("kind", ["secured", "plain"])
def test_the_receiver_gets_exactly_what_is_posted(
    kind: str, request: pytest.FixtureRequest
) -> None:
    receiver: Receiver = request.getfixturevalue(kind)
    receiver.answer = answer_with(200, b'{"partialSuccess":{}}')
    assert post(f"{receiver.url}/v1/metrics?a=b") == Reply(200, b'{"partialSuccess":{}}')
    (got,) = receiver.requests
    assert (got.method, got.path, got.body) == ("POST", "/v1/metrics?a=b", BODY)
    assert got.headers == {
        "host": f"127.0.0.1:{receiver.port}",
        "accept-encoding": "identity",
        "content-length": str(len(BODY)),
        "content-type": "application/json",
        "x-key": "1",
    }


def test_a_certificate_that_is_not_trusted_is_refused(
    secured: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SSL_CERT_FILE")
    with pytest.raises(Unreachable, match="certificate is not valid"):
        post(secured.url)
    assert secured.requests == []


def test_a_redirect_is_an_answer_and_is_not_followed(plain: Receiver) -> None:
    plain.answer = answer_with(307, location=f"{plain.url}/other")
    assert post(plain.url).status == 307
    assert len(plain.requests) == 1


def test_a_proxy_of_the_environment_is_not_used(
    plain: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    assert post(plain.url).status == 204


def test_no_more_of_an_answer_is_read_than_can_be_of_use(plain: Receiver) -> None:
    plain.answer = answer_with(500, b"x" * (4 * ANSWER_BYTES))
    assert post(plain.url) == Reply(500, b"x" * ANSWER_BYTES)


def test_a_slow_answer_is_cut_off_in_time(plain: Receiver) -> None:
    def drip(handler: Any) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", "1000")
        handler.end_headers()
        for _ in range(40):
            handler.wfile.write(b"x")
            handler.wfile.flush()
            time.sleep(0.05)

    plain.answer = drip
    began = time.monotonic()
    with pytest.raises(Unreachable, match=r"no answer within 0\.5 s"):
        post(plain.url, seconds=0.5)
    assert time.monotonic() - began < 1.5


def send(raw: bytes) -> Callable[[Any], None]:
    """Return an answer of these bytes, after which the connection ends."""

    def answer(handler: Any) -> None:
        with suppress(OSError):  # it may hang up before the end
            handler.wfile.write(raw)
        handler.close_connection = True

    return answer


OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
DIGITS = b"9" * 5000


@pytest.mark.parametrize(
    "raw",
    [
        b"HTTP/1.1 " + DIGITS + b" OK\r\n\r\n",
        b"HTTP/1.1 -200 OK\r\n\r\n",
        b"HTTP/" + DIGITS + b" 200 OK\r\n\r\n",
        b"\x00\xff\xfe\r\n\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\n" * 3,
        OK + b"X: " + b"x" * 70_000,
        OK + b"X: 1\r\n" * 200 + b"\r\n",
        CHUNKED + DIGITS + b"\r\nx",
        CHUNKED + b"g\r\nx",
        CHUNKED + b"\r\n",
        CHUNKED + b"ff\r\nx",
        CHUNKED + b"1" + b";" * 70_000,
    ],
    ids=lambda raw: ascii(raw[:60]),
)
def test_an_answer_that_breaks_http_is_no_answer(plain: Receiver, raw: bytes) -> None:
    plain.answer = send(raw)
    with pytest.raises(Unreachable):
        post(plain.url)


@pytest.mark.parametrize(
    ("raw", "body"),
    [
        (OK + b"Content-Length: " + DIGITS + b"\r\n\r\nx", b"x"),
        (OK + b"Content-Length: -1\r\n\r\nx", b"x"),
        (OK + b"Content-Length: \xb2\r\n\r\nx", b"x"),
        (OK + b"Transfer-Encoding: \xff\r\n\r\nx", b"x"),
        (OK + b"no header at all\r\n\r\nx", b"x"),
        (OK + b": \r\n=?utf-8?q?=ff?=: \xff\r\n\r\n", b""),
        (OK + b"Retry-After: \xff\x00\r\nRetry-After: 1\r\n\r\n", b""),
    ],
    ids=lambda raw: ascii(raw[:60]),
)
def test_an_odd_header_does_not_hide_the_answer(plain: Receiver, raw: bytes, body: bytes) -> None:
    plain.answer = send(raw)
    assert post(plain.url) == Reply(200, body)


def test_a_chunk_of_a_negative_size_is_no_way_around_the_bound(plain: Receiver) -> None:
    plain.answer = send(CHUNKED + b"-5\r\n" + b"x" * (64 * ANSWER_BYTES))
    assert len(post(plain.url).body) <= ANSWER_BYTES


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("http://127.0.0.1:9/", "connection failed"),
        ("http://nowhere.invalid/", "name has no address"),
        ("ftp://127.0.0.1/", "not one of http or https"),
        ("http://127.0.0.1:99999/", "not one of http or https"),
        ("http://127.0.0.1:" + "9" * 5000, "not one of http or https"),
        ("http://[::1", "not one of http or https"),
        ("http://a\x00b/", "name has no address"),
        ("http://" + "a" * 70 + ".example/", "name has no address"),
        ("http:///path", "name"),
    ],
)
def test_what_cannot_be_reached_says_why(url: str, why: str) -> None:
    with pytest.raises(Unreachable, match=why):
        post(url)
