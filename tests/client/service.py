"""The real application behind a real socket: its Lambda handler, a token endpoint and a store."""

import base64
import json
from datetime import timedelta
from email import message_from_bytes
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import Any
from urllib.parse import unquote

from tandem.files.blobs import UploadForm
from tandem.http.app import create_app
from tandem.http.lambda_handler import LambdaHandler
from tandem.lambda_events import LambdaContextStub, http_event
from tandem.testing import MemoryBlobStore, MemoryWiring
from tandem.testing.app import run_queued

CLIENTS = {
    "machine": ("s3cret:+%", ("tasks:read", "tasks:write")),
    "operator": ("0perator", ("tasks:read", "tasks:write", "reports:read", "admin")),
}

type Seen = tuple[str, str, dict[str, str]]
type Fault = tuple[int, dict[str, str], str]


class ReachableBlobStore(MemoryBlobStore):
    """A blob store whose forms and URLs lead to the service."""

    url = ""

    def upload_form(self, key: str, **about: Any) -> UploadForm:
        return UploadForm(f"{self.url}/store", super().upload_form(key, **about).fields)

    def download_url(self, key: str, *, lifetime: timedelta, filename: str | None = None) -> str:
        return f"{self.url}/store/{key}?signature=x&filename={filename}"


class Service:
    """The application, for clients that speak HTTP to it."""

    def __init__(self, wiring: MemoryWiring | None = None, *, base_path: str = "") -> None:
        """Serve it below a path, as an API mapping does."""
        self.wiring = wiring or MemoryWiring()
        self._base_path = base_path
        self.blobs = self.wiring.blobs = ReachableBlobStore(self.wiring.clock)
        self.handler = LambdaHandler(create_app(self.wiring), url=f"https://api.test{base_path}")
        self.seen: list[Seen] = []
        self.faults: list[Fault | None] = []
        self.tokens: dict[str, str] = {}
        self.token_lifetime_seconds = 3600
        handler = type("Bound", (_Handler,), {"service": self})
        self._server = HTTPServer(("127.0.0.1", 0), handler)
        self._thread = Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        self.url = self.blobs.url = f"http://127.0.0.1:{self._server.server_port}"
        self.token_url = f"{self.url}/oauth2/token"

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
        self.handler.stop()

    def work(self) -> None:
        """Run what is queued."""
        run_queued(self.wiring)

    def requests(self, path: str) -> list[Seen]:
        """Return the requests to a path."""
        return [one for one in self.seen if one[1] == path]

    def revoke_tokens(self) -> None:
        self.tokens.clear()

    def token(self, authorization: str) -> Fault:
        """Answer as the token endpoint."""
        name, _, secret = (
            base64.b64decode(authorization.removeprefix("Basic ")).decode().partition(":")
        )
        if CLIENTS.get(name, ("", ()))[0] != secret:
            return 401, {}, '{"error":"invalid_client"}'
        token = f"token-{name}-{len(self.seen)}"
        self.tokens[token] = name
        answer = {"access_token": token, "expires_in": self.token_lifetime_seconds}
        return 200, {}, json.dumps(answer)

    def api(self, method: str, path: str, query: str, headers: dict[str, str], body: str) -> Fault:
        """Answer as API Gateway: with what the function says, or 401 before it."""
        name = self.tokens.get(headers.get("authorization", "").removeprefix("Bearer "))
        if name is None and path != "/health":
            return 401, {"apigw-requestid": "gateway-1"}, '{"message":"Unauthorized"}'
        scopes = CLIENTS[name][1] if name else ()
        if not path.startswith(f"{self._base_path}/"):
            return 404, {}, '{"message":"Not Found"}'
        path = path.removeprefix(self._base_path)
        event = http_event(
            method, path, body or None, tenant=name, scopes=scopes, query=query, headers=headers
        )
        answer = self.handler(event, LambdaContextStub())
        return answer["statusCode"], answer["headers"], answer["body"]

    def store(self, headers: dict[str, str], body: bytes) -> Fault:
        """Take a file as S3's POST does."""
        form = message_from_bytes(b"content-type: %s\n\n" % headers["content-type"].encode() + body)
        fields = {
            part.get_param("name", header="content-disposition"): part.get_payload(decode=True)
            for part in form.get_payload()
        }
        self.blobs.put(
            fields["key"].decode(),
            fields["file"],
            content_type=fields["Content-Type"].decode(),
            filename=fields["x-amz-meta-filename"].decode(),
        )
        return 204, {}, ""


class _Handler(BaseHTTPRequestHandler):
    service: Service

    def _serve(self) -> None:
        service = self.service
        headers = {name.lower(): value for name, value in self.headers.items()}
        body = self.rfile.read(int(headers.get("content-length", "0")))
        path, _, query = self.path.partition("?")
        service.seen.append((self.command, path, headers))
        fault = service.faults.pop(0) if service.faults else None
        if fault is not None and not fault[0]:
            return  # hang up
        if fault is not None:
            self._answer(fault[0], fault[1], fault[2].encode())
        elif path == "/oauth2/token":
            self._text(*service.token(headers["authorization"]))
        elif path == "/store":
            self._text(*service.store(headers, body))
        elif path.startswith("/store/"):
            self._file(unquote(path.removeprefix("/store/")), query)
        else:
            self._text(*service.api(self.command, path, query, headers, body.decode()))

    def _file(self, key: str, query: str) -> None:
        info = self.service.blobs.info(key)
        named = {"content-disposition": f'attachment; filename="{query.rpartition("=")[2]}"'}
        self._answer(200, {"content-type": info.content_type, **named}, self.service.blobs.get(key))

    def _text(self, status: int, headers: dict[str, str], text: str) -> None:
        self._answer(status, headers, text.encode())

    def _answer(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.send_response_only(status)
        for name, value in headers.items():
            if name.lower() != "content-length":
                self.send_header(name, value)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass

    do_GET = do_POST = do_DELETE = _serve  # noqa: N815
