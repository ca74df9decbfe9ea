"""`tandem listen`: a receiver on this machine for the callbacks of `make run`."""

import json
import ssl
import sys
import time
from base64 import b64decode
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from threading import Lock
from typing import Any

import httpx2
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

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
"""Less than what the stack waits for an answer."""
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
        except ValueError:
            raise ToolError("The key is none.", "GET /callback-keys shows it: whsec_…") from None
        self.known: Sequence[str] = [key]

    def renew(self) -> Sequence[str]:
        """Return it again."""
        return self.known


@dataclass
class Listener:
    """Verifies what arrives, says it in one line, and answers."""

    keys: Keys | FixedKeys
    say: Callable[[str], None]
    answers: Sequence[int] = (HTTPStatus.NO_CONTENT,)
    """What verified callbacks are answered with, one after another. The last one stays."""
    forward: str = ""
    """Where they are handed on, if anywhere. The answer is then that one's."""
    shows_body: bool = False
    _seen: Counter[str] = field(default_factory=Counter)
    _answered: int = 0
    _lock: Lock = field(default_factory=Lock)

    def receive(self, body: bytes, headers: dict[str, str]) -> int:
        """Return the status that a POST is answered with.

        Args:
            body: as it came.
            headers: their names in small letters.
        """
        with self._lock:
            event = self._verified(body, headers, self.keys.known)
            if isinstance(event, str):
                event = self._verified(body, headers, self.keys.renew())
            if isinstance(event, str):
                self._tell(f"refused, {event}", HTTPStatus.UNAUTHORIZED)
                return HTTPStatus.UNAUTHORIZED
            task_id = headers["webhook-id"]
            self._seen[task_id] += 1
            attempt = self._seen[task_id]
            status = self._status() if not self.forward else 0
        why = ""
        if self.forward:
            status, why = self._forwarded(body, headers)
        with self._lock:
            self._tell(f"{event.get('type')}  {task_id}  attempt {attempt}, signed{why}", status)
            if self.shows_body:
                self.say(json.dumps(event, indent=2))
        return status

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

    def _status(self) -> int:
        status = self.answers[min(self._answered, len(self.answers) - 1)]
        self._answered += 1
        return status

    def _forwarded(self, body: bytes, headers: dict[str, str]) -> tuple[int, str]:
        passed = {name: headers[name] for name in (*_SIGNED, "content-type") if name in headers}
        try:
            # No proxy of the environment: the service is the developer's own. Its status counts
            # alone, so what it says besides is not waited for.
            with httpx2.stream(
                "POST",
                self.forward,
                content=body,
                headers=passed,
                timeout=FORWARD_SECONDS,
                trust_env=False,
            ) as answer:
                return answer.status_code, f", answer of {self.forward}"
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            return (
                HTTPStatus.BAD_GATEWAY,
                f", {self.forward} gave no answer: {type(error).__name__}",
            )

    def _tell(self, what: str, status: int) -> None:
        plain = "".join(character if character.isprintable() else "?" for character in what)
        self.say(f"{datetime.now().astimezone():%H:%M:%S}  {plain} → {int(status)}")


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
            length = self.headers.get("Content-Length", "")
            if not (length.isascii() and length.isdecimal()) or int(length) > MOST_BYTES:
                listener.say(f"A POST with more than {MOST_BYTES:,} bytes, or no length → 413")
                status: int = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
            else:
                body = self.rfile.read(int(length))
                named = {name.lower(): value for name, value in self.headers.items()}
                status = listener.receive(body, named)
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

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
    listener = Listener(keys, partial(print, flush=True), answers, forward, shows_body)
    try:
        server = Server(port, listener, tls)
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or "no port has this number"
        raise ToolError(
            f"Port {port} on {LOOPBACK} cannot be used: {reason}.", "Choose another: --port"
        ) from None
    with server, suppress(KeyboardInterrupt):
        print(
            f'Listening: submit tasks with "callback_url": "https://{LOOPBACK}:{server.server_port}/"\n'
            "Signatures are verified with the keys of GET /callback-keys. Ctrl-C ends it.",
            flush=True,
        )
        server.serve_forever(0.1)
    print("\nStopped.")
