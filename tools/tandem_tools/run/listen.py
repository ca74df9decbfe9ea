"""`tandem listen`: a receiver on this machine for the callbacks of `make run`."""

import asyncio
import json
import os
import re
import signal
import ssl
import sys
import time
from base64 import b64decode
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from io import TextIOWrapper
from threading import Lock
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import httpx2
from standardwebhooks.webhooks import (
    EmptyWebhookSecretError,
    Webhook,
    WebhookVerificationError,
)

from tandem_tools.errors import ToolError
from tandem_tools.paths import STATE
from tandem_tools.ports import LOOPBACK
from tandem_tools.run.authority import AUTHORITY, TlsServer, certificate
from tandem_tools.run.commands import running
from tandem_tools.run.stack import StackDescription
from tandem_tools.run.tokens import request_token

MOST_BYTES = 1 << 20
"""Of a body. A callback has no input and no output in it, and is far smaller."""
RENEW_SECONDS = 5
FORWARD_SECONDS = 14
"""For all of an answer's head: less than what the stack waits for one."""
_LENGTH = re.compile(r"[0-9]{1,7}")
"""A Content-Length that can be one of MOST_BYTES at the most."""
_SIGNED = ("webhook-id", "webhook-timestamp", "webhook-signature")
_NO_OBJECT = "no JSON object"
_OTHER_KEY = "No matching signature found"
_WHY = {
    _OTHER_KEY: "not signed with a key of this stack's client, or changed since",
    "Message timestamp too old": "signed more than five minutes ago",
    "Message timestamp too new": "signed more than five minutes ahead of this machine's clock",
    "Invalid Signature Headers": "webhook-timestamp is no number",
}
"""What the verifier's words mean to a reader."""


class Keys:
    """The keys that verify the callbacks of a stack's own client."""

    def __init__(self, stack: StackDescription) -> None:
        """Ask the stack for them.

        Raises:
            ToolError: it does not answer, or takes another issuer's tokens.
        """
        if not stack.token_url:
            raise ToolError(
                "The stack takes another issuer's tokens, so its keys cannot be asked for.",
                "Name one: --key whsec_… (from GET /callback-keys)",
            )
        self._stack = stack
        self.known = self._ask()

    def renew(self) -> Sequence[str]:
        """Return them as they are now: the secret may have been changed.

        Whoever reaches the port can have them asked for, so they are asked for now and then.
        """
        if time.monotonic() - self._asked > RENEW_SECONDS:
            with suppress(ToolError):
                self.known = self._ask()
        return self.known

    def _ask(self) -> Sequence[str]:
        stack = self._stack
        self._asked = time.monotonic()
        try:
            token = request_token(stack.token_url, stack.client_id, stack.client_secret)
            answer = httpx2.get(
                f"{stack.url}/callback-keys",
                headers={"Authorization": f"Bearer {token.value}"},
                timeout=30,
            )
            answer.raise_for_status()
        except httpx2.HTTPError as error:
            raise ToolError(
                f"The stack gives no keys: {type(error).__name__}.",
                "Start it again: make down, then make run",
            ) from None
        return [key["key"] for key in answer.json()["keys"]]


class FixedKeys:
    """A key that was named."""

    def __init__(self, key: str) -> None:
        """Take a key as GET /callback-keys shows it.

        Raises:
            ToolError: it is none.
        """
        try:
            b64decode(key.removeprefix("whsec_"), validate=True)
            Webhook(key)
        except (ValueError, EmptyWebhookSecretError):
            raise ToolError("The key is none.", "GET /callback-keys shows it: whsec_…") from None
        self.known: Sequence[str] = [key]

    def renew(self) -> Sequence[str]:
        """Return it again."""
        return self.known


class Answer(NamedTuple):
    """What a POST is answered with."""

    status: int
    retry_after: str | None = None
    """The header of that name."""


@dataclass
class Listener:
    """Verifies what arrives, says it in one line, and answers."""

    keys: Keys | FixedKeys
    say: Callable[[str], None]
    answers: Sequence[int] = (HTTPStatus.NO_CONTENT,)
    """What verified callbacks are answered with, one after another. The last one stays."""
    forward: str = ""
    """The URL that they are handed on to, if any. The answer is then that one's."""
    shows_body: bool = False
    _seen: Counter[str] = field(default_factory=Counter)
    _answered: int = 0
    _lock: Lock = field(default_factory=Lock)

    def receive(self, body: bytes, headers: dict[str, str]) -> Answer:
        """Return what a POST is answered with.

        Args:
            body: as it came.
            headers: their names in small letters.
        """
        event = self._verified(body, headers, self.keys.known)
        if isinstance(event, str):
            event = self._verified(body, headers, self.keys.renew())
        if isinstance(event, str):
            self.tell(f"refused, {event}", HTTPStatus.UNAUTHORIZED)
            return Answer(HTTPStatus.UNAUTHORIZED)
        task_id = headers["webhook-id"]
        with self._lock:
            self._seen[task_id] += 1
            attempt = self._seen[task_id]
        answer, why = self._forwarded(body, headers) if self.forward else (self._next(), "")
        what = f"{event.get('type')}  {task_id}  attempt {attempt}, signed{why}"
        shown = (json.dumps(event, indent=2),) if self.shows_body else ()
        self.tell(what, answer.status, *shown)
        return answer

    def _verified(
        self, body: bytes, headers: dict[str, str], keys: Sequence[str]
    ) -> dict[str, Any] | str:
        """Return what a body says, or why it is not taken."""
        if missing := [name for name in _SIGNED if name not in headers]:
            return f"no {missing[0]}"
        why = "no key is known"
        for key in keys:
            try:
                Webhook(key).verify(body, headers, json_parse=False)
            except WebhookVerificationError as error:
                why = _WHY.get(str(error), _WHY[_OTHER_KEY])
            except UnicodeDecodeError:
                return _NO_OBJECT
            except ValueError:
                return "webhook-signature cannot be read"
            else:
                return _object(body)
        return why

    def _next(self) -> Answer:
        with self._lock:
            status = self.answers[min(self._answered, len(self.answers) - 1)]
            self._answered += 1
        return Answer(status)

    def _forwarded(self, body: bytes, headers: dict[str, str]) -> tuple[Answer, str]:
        passed = {name: headers[name] for name in (*_SIGNED, "content-type") if name in headers}
        parts = urlsplit(self.forward)
        # Without a user, a password and a query, which may hold a token.
        service = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
        try:
            answer = asyncio.run(_post(self.forward, body, passed))
        except (httpx2.HTTPError, httpx2.InvalidURL, TimeoutError, ValueError) as error:
            return Answer(HTTPStatus.BAD_GATEWAY), f", {service} gave no answer: {_reason(error)}"
        return answer, f", answer of {service}"

    def tell(self, what: str, status: int, *more: str) -> None:
        """Say in a line what came and what it is answered with, and what more there is to say."""
        plain = "".join(character if character.isprintable() else "?" for character in what)
        with self._lock:
            self.say(f"{datetime.now().astimezone():%H:%M:%S}  {plain} → {int(status)}")
            for text in more:
                self.say(text)


def _reason(error: BaseException) -> str:
    """Return why there was no answer. A certificate is what a developer can do something about."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return "its certificate is not trusted (SSL_CERT_FILE names the authorities)"
        cause = cause.__cause__ or cause.__context__
    return type(error).__name__


async def _post(url: str, body: bytes, headers: dict[str, str]) -> Answer:
    """Return what a service answers within the time for it.

    Its status and its Retry-After count alone: what it says besides is not waited for.
    """
    # No proxy of the environment: the service is the developer's own. Its authorities count.
    trusted = ssl.create_default_context()
    async with (
        asyncio.timeout(FORWARD_SECONDS),
        httpx2.AsyncClient(verify=trusted, timeout=None, trust_env=False) as client,
        client.stream("POST", url, content=body, headers=headers) as answer,
    ):
        return Answer(answer.status_code, answer.headers.get("retry-after"))


def _object(body: bytes) -> dict[str, Any] | str:
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return _NO_OBJECT
    return found if isinstance(found, dict) else _NO_OBJECT


class Server(TlsServer):
    """Serves a listener over TLS."""

    def __init__(self, port: int, listener: Listener, tls: ssl.SSLContext) -> None:
        super().__init__((LOOPBACK, port), _handler(listener), tls)
        self._say = listener.say

    def handle_error(self, *_: Any) -> None:
        """Say what a stack's callbacks may fail at, and nothing of other clients that hang up."""
        error = sys.exception()
        if isinstance(error, ssl.SSLError) and "UNKNOWN_CA" in (error.reason or ""):
            self._say(
                "A client does not trust this receiver. If make run was started again since, start "
                "this again too."
            )


def _handler(listener: Listener) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            try:
                answer = self._answer()
            except Exception as error:  # noqa: BLE001 - a line and an answer, whatever it is
                answer = Answer(HTTPStatus.INTERNAL_SERVER_ERROR)
                listener.tell(f"not received: {type(error).__name__}", answer.status)
            self.send_response(answer.status)
            if answer.retry_after is not None:
                self.send_header("Retry-After", answer.retry_after)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def _answer(self) -> Answer:
            length = self.headers.get("Content-Length", "")
            if not _LENGTH.fullmatch(length) or int(length) > MOST_BYTES:
                status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
                listener.tell(f"a POST with more than {MOST_BYTES:,} bytes, or no length", status)
                return Answer(status)
            body = self.rfile.read(int(length))
            named = {name.lower(): value for name, value in self.headers.items()}
            return listener.receive(body, named)

        def log_message(self, *_: Any) -> None:
            """Say nothing: the listener does."""

    return Handler


def listen(
    port: int, answers: Sequence[int], forward: str, key: str, *, shows_body: bool = False
) -> None:
    """Listen until interrupted."""
    stack = running()
    tls = certificate(STATE / AUTHORITY)
    keys = FixedKeys(key) if key else Keys(stack)
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    listener = Listener(keys, _say, answers, forward, shows_body)
    try:
        server = Server(port, listener, tls)
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or "no port has this number"
        raise ToolError(
            f"Port {port} on {LOOPBACK} cannot be used: {reason}.", "Choose another: --port"
        ) from None
    named = "the key that was named" if key else "the keys of GET /callback-keys"
    with server, suppress(KeyboardInterrupt):
        print(
            f'Listening: submit tasks with "callback_url": "https://{LOOPBACK}:{server.server_port}/"\n'
            f"Signatures are verified with {named}. Ctrl-C ends it.",
            flush=True,
        )
        server.serve_forever(0.1)
    _say("\nStopped.")


def _say(text: str) -> None:
    """Print a line. Where nobody reads it any more, end as Ctrl-C does."""
    try:
        print(text, flush=True)
    except BrokenPipeError:
        # Else Python would try once more to write what is left, when it ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        signal.raise_signal(signal.SIGTERM)
