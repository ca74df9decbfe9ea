"""The sender of callbacks, against real TLS receivers on loopback."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest

from tandem.callbacks.ports import AddressForbidden, Answered, Unreachable
from tandem.callbacks.url import CallbackUrl
from tandem.posting import HttpsSender
from tandem_tools.harness.receiver import Receiver, answer_with

NAME = "hooks.example.com"
LOOPBACK = (ip_network("127.0.0.0/8"),)
BODY = b'{"type": "task.succeeded"}'


class Names:
    """A resolver that knows what a test says, and counts how often it is asked."""

    def __init__(self, *addresses: str) -> None:
        self.addresses = addresses
        self.asked: list[str] = []

    def __call__(self, name: str, port: int, **_: Any) -> Any:
        self.asked.append(name)
        if not self.addresses:
            raise socket.gaierror
        return [
            (
                socket.AF_INET6 if ":" in address else socket.AF_INET,
                socket.SOCK_STREAM,
                socket.IPPROTO_TCP,
                "",
                (address, port),
            )
            for address in self.addresses
        ]


@pytest.fixture
def receiver(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    with Receiver("127.0.0.1", NAME) as running:
        authority = running.write_authority(tmp_path / "authority.pem")
        monkeypatch.setenv("SSL_CERT_FILE", str(authority))
        yield running


def sender(names: Names, *, seconds: float = 20, allowed: Any = LOOPBACK) -> HttpsSender:
    return HttpsSender(allowed=allowed, connect_seconds=5, total_seconds=seconds, resolve=names)


def post(receiver: Receiver, names: Names, **options: Any) -> Answered:
    url = CallbackUrl(NAME, receiver.port, "/tandem?a=b")
    headers = {"Content-Type": "application/json", "webhook-id": "1"}
    return sender(names, **options).post(url, BODY, headers)


def test_the_receiver_gets_exactly_what_is_posted_under_its_name(receiver: Receiver) -> None:
    names = Names("127.0.0.1")
    assert post(receiver, names) == Answered(204)
    (request,) = receiver.requests
    assert (request.method, request.path, request.body) == ("POST", "/tandem?a=b", BODY)
    assert request.headers == {
        "host": f"{NAME}:{receiver.port}",
        "accept-encoding": "identity",
        "content-length": str(len(BODY)),
        "content-type": "application/json",
        "webhook-id": "1",
    }
    assert receiver.names == [NAME]
    assert names.asked == [NAME]


def test_an_answer_is_its_status_and_retry_after(receiver: Receiver) -> None:
    receiver.answer = answer_with(503, retry_after="120")
    assert post(receiver, Names("127.0.0.1")) == Answered(503, "120")


@pytest.mark.parametrize(
    "addresses",
    [
        ("10.0.0.1",),
        ("169.254.169.254",),
        ("8.8.8.8", "192.168.0.1"),
        ("127.0.0.1", "::1"),
        ("::ffff:10.0.0.1",),
    ],
)
def test_a_name_with_any_forbidden_address_is_not_called(
    receiver: Receiver, addresses: tuple[str, ...]
) -> None:
    with pytest.raises(AddressForbidden) as refused:
        post(receiver, Names(*addresses))
    assert not any(address in str(refused.value) for address in addresses)
    assert receiver.requests == receiver.names == []


def test_loopback_is_forbidden_where_nobody_allowed_it(receiver: Receiver) -> None:
    with pytest.raises(AddressForbidden):
        post(receiver, Names("127.0.0.1"), allowed=())
    assert receiver.requests == []


def test_the_address_that_was_checked_is_the_one_that_is_called(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A name that changes between check and use is of no use to an attacker: it is asked once.
    def asked_again(*_: Any, **__: Any) -> Any:
        raise AssertionError

    monkeypatch.setattr(socket, "getaddrinfo", asked_again)
    assert post(receiver, Names("127.0.0.1")) == Answered(204)


def test_a_redirect_is_an_answer_and_is_not_followed(receiver: Receiver) -> None:
    receiver.answer = answer_with(307, location=f"https://127.0.0.1:{receiver.port}/other")
    assert post(receiver, Names("127.0.0.1")) == Answered(307)
    assert len(receiver.requests) == 1


def test_a_proxy_of_the_environment_is_not_used(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    assert post(receiver, Names("127.0.0.1")) == Answered(204)


def test_the_next_address_is_tried_when_one_takes_no_connection(receiver: Receiver) -> None:
    assert post(receiver, Names("127.0.0.2", "127.0.0.1")) == Answered(204)


def test_a_certificate_of_another_name_is_refused(receiver: Receiver) -> None:
    url = CallbackUrl("other.example.com", receiver.port, "/")
    with pytest.raises(Unreachable, match=r"certificate is not valid: .*mismatch") as refused:
        sender(Names("127.0.0.1")).post(url, BODY, {})
    assert "other.example.com" not in str(refused.value)  # a tenant's input, in a line of the log
    assert receiver.requests == []


def test_a_certificate_of_an_unknown_authority_is_refused(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SSL_CERT_FILE")
    with pytest.raises(Unreachable, match="certificate is not valid"):
        post(receiver, Names("127.0.0.1"))
    assert receiver.requests == []


def test_a_name_without_an_address_says_so(receiver: Receiver) -> None:
    with pytest.raises(Unreachable, match="name has no address"):
        post(receiver, Names())


@pytest.mark.parametrize(
    "error", [socket.gaierror(), UnicodeError(), ValueError(), OverflowError(), TypeError()]
)
def test_a_name_that_the_resolver_chokes_on_has_no_address(error: Exception) -> None:
    def choke(*_: Any, **__: Any) -> Any:
        raise error

    choking = HttpsSender(connect_seconds=0.5, total_seconds=2, resolve=choke)
    with pytest.raises(Unreachable, match="name has no address"):
        choking.post(CallbackUrl(NAME, 443, "/"), BODY, {})


def test_a_request_that_cannot_be_written_is_not_sent(receiver: Receiver) -> None:
    url = CallbackUrl(NAME, receiver.port, "/")
    with pytest.raises(Unreachable, match="the exchange failed: ValueError"):
        sender(Names("127.0.0.1")).post(url, BODY, {"x": "1\r\nhost: other"})
    assert receiver.requests == []


def test_nobody_at_the_port_says_so(receiver: Receiver) -> None:
    url = CallbackUrl(NAME, 9, "/")
    with pytest.raises(Unreachable, match="Connection refused"):
        sender(Names("127.0.0.1")).post(url, BODY, {})


def drip(text: bytes) -> Callable[[Any], None]:
    """Return an answer that sends a byte at a time, and never ends by itself."""

    def answer(handler: Any) -> None:
        for byte in text:
            handler.wfile.write(bytes([byte]))
            handler.wfile.flush()
            time.sleep(0.05)

    return answer


@pytest.mark.parametrize(
    "answer",
    [
        drip(b"HTTP/1.1 200 OK\r\nX-Slow: " + b"x" * 2000),
        drip(b"HTTP/1.1 " + b" " * 2000),
        drip(b"HTTP/1.1 100 Continue\r\n\r\n" * 100),
        lambda _: time.sleep(20),
    ],
    ids=["headers", "status", "continues", "silence"],
)
def test_a_slow_receiver_is_cut_off_in_time(
    receiver: Receiver, answer: Callable[[Any], None]
) -> None:
    receiver.answer = answer
    began = time.monotonic()
    with pytest.raises(Unreachable, match=r"no answer within 0\.5 s"):
        post(receiver, Names("127.0.0.1"), seconds=0.5)
    assert time.monotonic() - began < 2


def test_a_receiver_that_never_shakes_hands_is_cut_off_in_time() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = CallbackUrl(NAME, listener.getsockname()[1], "/")
        began = time.monotonic()
        with pytest.raises(Unreachable, match=r"no answer within 0\.5 s"):
            sender(Names("127.0.0.1"), seconds=0.5).post(url, BODY, {})
        assert time.monotonic() - began < 2


def test_an_endless_body_is_not_read(receiver: Receiver) -> None:
    def endless(handler: Any) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", str(10**12))
        handler.end_headers()
        drip(b"x" * 2000)(handler)

    receiver.answer = endless
    began = time.monotonic()
    assert post(receiver, Names("127.0.0.1")) == Answered(200)
    assert time.monotonic() - began < 1


@pytest.mark.parametrize(
    "raw", [b"SSH-2.0-OpenSSH\r\n", b"HTTP/1.1 abc\r\n\r\n", b"", b"HTTP/1.1 200 " + b"x" * 70_000]
)
def test_what_is_not_http_says_so(receiver: Receiver, raw: bytes) -> None:
    def answer(handler: Any) -> None:
        handler.wfile.write(raw)
        handler.close_connection = True

    receiver.answer = answer
    with pytest.raises(Unreachable, match=r"not HTTP|connection failed|TLS failed"):
        post(receiver, Names("127.0.0.1"))


def test_no_thread_is_left_behind(receiver: Receiver) -> None:
    def timers() -> set[threading.Thread]:
        return {one for one in threading.enumerate() if isinstance(one, threading.Timer)}

    before = timers()
    post(receiver, Names("127.0.0.1"))
    for timer in timers() - before:
        timer.join(1)
    assert timers() == before
