"""The receiver for a developer's machine verifies, says and answers what arrives."""

import os
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from functools import partial
from http.client import HTTPSConnection
from pathlib import Path
from threading import Event, Thread
from typing import Any

import httpx2
import pytest
from standardwebhooks.webhooks import Webhook

from tandem_tools.errors import ToolError
from tandem_tools.harness.receiver import Receiver, answer_with
from tandem_tools.harness.stack import eventually
from tandem_tools.paths import TOOLS
from tandem_tools.run import cli, commands, listen
from tandem_tools.run.authority import certificate, make_authority
from tandem_tools.run.cli import main
from tandem_tools.run.listen import MOST_BYTES, FixedKeys, Listener, Server

KEY, OTHER = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_TWluZSBpcyBhbm90aGVyIG9uZQ=="
BODY = b'{"type":"task.succeeded","data":{"task_id":"t"}}'
DEEP = b"[" * 100_000


def signed(body: bytes = BODY, key: str = KEY, **other: str) -> dict[str, str]:
    """Return the headers of a body as it is signed now, with other values where they are named."""
    now = datetime.now(UTC)
    headers = {
        "webhook-id": "t",
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": Webhook(key).sign("t", now, body.decode()),
    }
    return headers | {f"webhook-{name}": value for name, value in other.items()}


def unsigned(without: str) -> dict[str, str]:
    return {name: value for name, value in signed().items() if name != without}


@contextmanager
def served(folder: Path, listener: Listener) -> Iterator[Callable[..., httpx2.Response]]:
    """Serve a listener beside the block, which gets what posts to it."""
    trusted = make_authority(folder / "listen")
    context = ssl.create_default_context(cafile=str(trusted))
    with Server(0, listener, certificate(folder / "listen")) as server:
        Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        url = f"https://127.0.0.1:{server.server_port}/"
        with httpx2.Client(verify=context, trust_env=False) as client:
            yield lambda body, headers: client.post(url, content=body, headers=headers)
        server.shutdown()


@pytest.fixture
def said() -> list[str]:
    return []


def test_what_is_signed_is_answered_in_turn_and_counted(said: list[str]) -> None:
    listener = Listener(FixedKeys(KEY), said.append, answers=(500, 204))
    assert [listener.receive(BODY, signed()).status for _ in range(3)] == [500, 204, 204]
    assert [line.split("  ", 1)[1] for line in said] == [
        "task.succeeded  t  attempt 1, signed → 500",
        "task.succeeded  t  attempt 2, signed → 204",
        "task.succeeded  t  attempt 3, signed → 204",
    ]


ANOTHERS = "not signed with a key of this stack's client, or changed since"


@pytest.mark.parametrize(
    ("body", "sign", "why"),
    [
        (BODY, dict, "no webhook-id"),
        (BODY, partial(unsigned, "webhook-signature"), "no webhook-signature"),
        (BODY, partial(signed, key=OTHER), ANOTHERS),
        (BODY + b" ", signed, ANOTHERS),
        (BODY, partial(signed, timestamp="1"), "signed more than five minutes ago"),
        (
            BODY,
            partial(signed, timestamp="9999999999"),
            "signed more than five minutes ahead of this machine's clock",
        ),
        (BODY, partial(signed, timestamp="now"), "webhook-timestamp is no number"),
        (BODY, partial(signed, signature="v1"), "webhook-signature cannot be read"),
        (b"\xff", signed, "no JSON object"),
        (DEEP, partial(signed, DEEP), "no JSON object"),
        (b"[]", partial(signed, b"[]"), "no JSON object"),
    ],
)
def test_what_is_not_signed_is_refused_and_goes_nowhere(
    said: list[str], body: bytes, sign: Callable[[], dict[str, str]], why: str
) -> None:
    # Signed here, not when the tests are collected: a signature counts for five minutes.
    listener = Listener(FixedKeys(KEY), said.append, forward="http://127.0.0.1:9/")
    assert listener.receive(body, sign()).status == 401
    assert [line.split("  ", 1)[1] for line in said] == [f"refused, {why} → 401"]


def test_a_key_that_was_changed_is_asked_for(said: list[str]) -> None:
    class Rotated(FixedKeys):
        def renew(self) -> Sequence[str]:
            self.known = [OTHER]
            return self.known

    listener = Listener(Rotated(KEY), said.append)
    assert listener.receive(BODY, signed(key=OTHER)).status == 204
    assert listener.receive(BODY, signed(key=KEY)).status == 401


def test_a_body_is_shown_with_its_control_characters_escaped(said: list[str]) -> None:
    body = b'{"type":"\\u001b[2J"}'
    Listener(FixedKeys(KEY), said.append, shows_body=True).receive(body, signed(body))
    assert "\x1b" not in "".join(said)
    assert '"type": "\\u001b[2J"' in said[1]


def test_a_service_gets_the_very_bytes_and_its_answer_counts(said: list[str]) -> None:
    with Receiver("127.0.0.1", secure=False) as service:
        service.answer = answer_with(503)
        listener = Listener(FixedKeys(KEY), said.append, forward=f"{service.url}/hooks")
        headers = signed()
        assert listener.receive(BODY, headers).status == 503
        (request,) = service.requests
    assert (request.path, request.body) == ("/hooks", BODY)
    assert headers.items() <= request.headers.items()
    assert f"answer of {service.url}/hooks → 503" in said[0]


def test_a_service_is_reached_past_a_proxy_of_the_environment(
    said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    with Receiver("127.0.0.1", secure=False) as service:
        listener = Listener(FixedKeys(KEY), said.append, forward=service.url)
        assert listener.receive(BODY, signed()).status == 204


def test_of_a_service_that_never_ends_its_answer_the_status_counts(said: list[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as service, ThreadPoolExecutor(1) as threads:
        listener = Listener(
            FixedKeys(KEY), said.append, forward=f"http://127.0.0.1:{service.getsockname()[1]}/"
        )
        answer = threads.submit(listener.receive, BODY, signed())
        caller, _ = service.accept()
        with caller:
            caller.recv(1 << 16)
            caller.sendall(b"HTTP/1.1 202 Accepted\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n")
            assert answer.result(10).status == 202


def test_a_service_that_drips_its_answer_is_cut_off(
    said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def drip(handler: Any) -> None:
        with suppress(OSError):
            for _ in range(100):
                handler.wfile.write(b"H")
                handler.wfile.flush()
                time.sleep(0.05)

    monkeypatch.setattr(listen, "FORWARD_SECONDS", 0.5)
    with Receiver("127.0.0.1", secure=False) as service:
        service.answer = drip
        listener = Listener(FixedKeys(KEY), said.append, forward=service.url)
        assert listener.receive(BODY, signed()).status == 502
    assert "gave no answer: TimeoutError → 502" in said[0]


def test_the_wait_that_a_service_asks_for_is_passed_on(tmp_path: Path, said: list[str]) -> None:
    with Receiver("127.0.0.1", secure=False) as service:
        service.answer = answer_with(503, **{"Retry-After": "60"})
        with served(tmp_path, Listener(FixedKeys(KEY), said.append, forward=service.url)) as post:
            answer = post(BODY, signed())
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "60")


def test_what_a_forward_url_may_keep_secret_is_not_said(said: list[str]) -> None:
    with Receiver("127.0.0.1", secure=False) as service:
        url = service.url.replace("//", "//ada:hunter2@") + "/hooks?token=hunter2"
        assert Listener(FixedKeys(KEY), said.append, forward=url).receive(BODY, signed()).status
        assert service.requests[0].path == "/hooks?token=hunter2"
    assert f"answer of {service.url}/hooks → " in said[0]
    assert "hunter2" not in said[0]


def test_a_service_with_a_certificate_of_its_own_is_trusted_by_its_authority(
    tmp_path: Path, said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with Receiver("127.0.0.1", "127.0.0.1") as service:
        url = f"https://127.0.0.1:{service.port}/"
        listener = Listener(FixedKeys(KEY), said.append, forward=url)
        assert listener.receive(BODY, signed()).status == 502
        authority = service.write_authority(tmp_path / "authority.pem")
        monkeypatch.setenv("SSL_CERT_FILE", str(authority))
        assert listener.receive(BODY, signed()).status == 204
    assert "gave no answer: its certificate is not trusted (SSL_CERT_FILE names" in said[0]


def test_what_the_receiver_itself_fails_at_is_said_and_answered(
    tmp_path: Path, said: list[str]
) -> None:
    class Broken(FixedKeys):
        def renew(self) -> Sequence[str]:
            raise RuntimeError

    with served(tmp_path, Listener(Broken(KEY), said.append)) as post:
        assert post(BODY, signed(key=OTHER)).status_code == 500
        assert post(BODY, signed()).status_code == 204
    assert said[0].endswith("not received: RuntimeError → 500")


def test_one_that_waits_for_the_keys_holds_up_no_other(said: list[str]) -> None:
    asked, answered = Event(), Event()

    class Slow(FixedKeys):
        def renew(self) -> Sequence[str]:
            asked.set()
            assert answered.wait(30)
            return self.known

    listener = Listener(Slow(KEY), said.append)
    with ThreadPoolExecutor(1) as threads:
        unsigned = threads.submit(listener.receive, BODY, signed(key=OTHER))
        assert asked.wait(30)
        assert listener.receive(BODY, signed()).status == 204
        answered.set()
        assert unsigned.result(30).status == 401


def test_where_nobody_reads_it_any_more_it_ends() -> None:
    code = "from tandem_tools.run.listen import _say\nwhile True: _say('x' * 100)"
    process = subprocess.Popen(  # noqa: S603 - our own code
        [sys.executable, "-c", code],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": str(TOOLS)},
    )
    assert process.stdout is not None
    process.stdout.readline()
    process.stdout.close()
    assert process.wait(60) == -signal.SIGTERM
    assert process.stderr is not None
    assert process.stderr.read() == b""
    process.stderr.close()


def test_a_service_that_is_not_there_is_said(said: list[str]) -> None:
    listener = Listener(FixedKeys(KEY), said.append, forward="http://127.0.0.1:9/")
    assert listener.receive(BODY, signed()).status == 502
    assert "http://127.0.0.1:9/ gave no answer: ConnectError → 502" in said[0]


def test_it_speaks_tls_and_bounds_what_it_reads(tmp_path: Path, said: list[str]) -> None:
    trusted = make_authority(tmp_path / "listen")
    assert (tmp_path / "listen").stat().st_mode & 0o077 == 0
    context = ssl.create_default_context(cafile=str(trusted))
    listener = Listener(FixedKeys(KEY), said.append)
    with Server(0, listener, certificate(tmp_path / "listen")) as server:
        Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        url = f"https://127.0.0.1:{server.server_port}/"
        with httpx2.Client(verify=context, trust_env=False) as client:
            assert client.post(url, content=BODY, headers=signed()).status_code == 204
            assert client.get(url).status_code == 501
        for name, value in (
            ("Content-Length", str(MOST_BYTES + 1)),
            ("Content-Length", "-1"),
            ("Content-Length", "9" * 5000),
            ("Transfer-Encoding", "chunked"),
        ):
            raw = HTTPSConnection("127.0.0.1", server.server_port, context=context)
            raw.putrequest("POST", "/")
            raw.putheader(name, value)
            raw.endheaders()
            assert raw.getresponse().status == 413
            raw.close()
        server.shutdown()


def test_a_stack_that_was_started_again_is_said(tmp_path: Path, said: list[str]) -> None:
    make_authority(tmp_path / "listen")
    tls = certificate(tmp_path / "listen")
    trusted = make_authority(tmp_path / "listen")
    context = ssl.create_default_context(cafile=str(trusted))
    with Server(0, Listener(FixedKeys(KEY), said.append), tls) as server:
        Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        url = f"https://127.0.0.1:{server.server_port}/"
        with pytest.raises(httpx2.ConnectError):
            httpx2.post(url, content=BODY, headers=signed(), verify=context, trust_env=False)
        (line,) = eventually(lambda: said or None, 10)
        server.shutdown()
    assert "start this again too" in line


@pytest.fixture(autouse=True)
def _no_handlers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave the signals and the environment of the tests' own process alone."""
    monkeypatch.setattr(cli.signal, "signal", lambda *_: None)
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.setenv(name, "example.com")


def test_a_stack_of_another_kind_has_no_authority(tmp_path: Path) -> None:
    with pytest.raises(ToolError, match="trusts no receiver"):
        certificate(tmp_path)


def test_without_a_stack_it_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(commands, "STACK_FILE", tmp_path / "stack.json")
    assert main(["listen"]) == 1
    assert "make run" in capsys.readouterr().err


def test_no_proxy_stands_before_the_stack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commands, "STACK_FILE", tmp_path / "stack.json")
    main(["token"])
    assert {os.environ[name] for name in ("NO_PROXY", "no_proxy")} == {
        "example.com,127.0.0.1,localhost"
    }


@pytest.mark.parametrize(
    "words",
    [
        ["--answer", "x"],
        ["--answer", "99"],
        ["--answer", "2_0_4"],
        ["--answer", "\uff15\uff10\uff10"],
        ["--port", "x"],
    ],
)
def test_a_wrong_word_is_refused(words: list[str]) -> None:
    with pytest.raises(SystemExit):
        main(["listen", *words])


@pytest.mark.parametrize(
    "url",
    [
        "127.0.0.1:3000",
        "ftp://127.0.0.1/",
        "http://",
        "http://[",
        "http://127.0.0.1:99999",
        "http://a..b/",
        f"http://{'a' * 70}/",
    ],
)
def test_what_is_no_url_is_not_forwarded_to(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["listen", "--forward", url])
    assert f"{url!r} is no URL such as" in capsys.readouterr().err


@pytest.mark.parametrize("key", ["whsec_a?", "whsec_"])
def test_a_word_that_is_no_key_is_refused(key: str) -> None:
    with pytest.raises(ToolError, match="is none"):
        FixedKeys(key)
