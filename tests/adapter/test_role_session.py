"""What is signed ends with the session of the role that signed it, where that is sooner."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import pytest

from tandem.aws import clients
from tandem.aws.wiring import Wiring
from tandem.files.blobs import UploadForm
from tandem.settings import Settings

END = (datetime.now(UTC) + timedelta(minutes=40)).replace(microsecond=0)


class Credentials(BaseHTTPRequestHandler):
    """Answers as Lambda does where a function has SnapStart."""

    def do_GET(self) -> None:
        said = {
            "AccessKeyId": "key",
            "SecretAccessKey": "secret",
            "Token": "token",
            "Expiration": f"{END:%Y-%m-%dT%H:%M:%SZ}",
        }
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps(said).encode())

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def endpoint() -> Iterator[str]:
    """Where credentials are asked for."""
    with HTTPServer(("127.0.0.1", 0), Credentials) as server:
        thread = Thread(target=server.serve_forever, args=[0.05])
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/credentials"
        server.shutdown()
        thread.join()


@pytest.fixture(autouse=True)
def own_session(monkeypatch: pytest.MonkeyPatch, tmp_path: object) -> Iterator[None]:
    """Let nothing of this machine's AWS settings in, and nothing of the tests' out."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(clients, "_SET_AT_START", {})
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, f"{tmp_path}/none")
    monkeypatch.setenv("AWS_REGION", "eu-central-1")
    forget()
    yield
    forget()


def forget() -> None:
    clients._client.cache_clear()
    clients._session.cache_clear()


def signed() -> UploadForm:
    return Wiring(Settings(bucket_name="bucket")).blobs.upload_form(
        "uploads/acme/1",
        filename="a.csv",
        content_type="text/csv",
        max_bytes=1,
        lifetime=timedelta(hours=1),
    )


def test_a_form_says_when_the_session_ends_that_signed_it(
    endpoint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", endpoint)
    form = signed()
    assert form.fields["x-amz-security-token"] == "token"
    assert form.session_ends_at == END


def test_a_session_from_the_environment_has_no_end_that_is_known(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.setenv(name, "test")
    assert signed().session_ends_at is None
