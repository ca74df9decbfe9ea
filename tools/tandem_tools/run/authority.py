"""An authority for receivers on this machine: a callback goes to https alone.

`make run` makes it, and its callback function trusts it. `tandem listen` shows a certificate of it.
"""

import ssl
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any

from tandem_tools.errors import ToolError
from tandem_tools.ports import LOOPBACK

AUTHORITY = "listen"
"""Its folder, in a stack's."""
SILENT_SECONDS = 30
"""How long a client of a receiver may say nothing."""


def make_authority(folder: Path) -> Path:
    """Make an authority in a folder that this user alone reads.

    Returns what the callback function is to trust: the authorities of this machine and this one.
    """
    import trustme

    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder.chmod(0o700)
    authority = trustme.CA(organization_name="Tandem on this machine")
    authority.cert_pem.write_to_path(folder / "authority.pem")
    authority.private_key_pem.write_to_path(folder / "authority.key")
    usual = ssl.get_default_verify_paths().cafile
    trusted = folder / "trusted.pem"
    trusted.write_bytes((Path(usual).read_bytes() if usual else b"") + authority.cert_pem.bytes())
    return trusted


def certificate(folder: Path) -> ssl.SSLContext:
    """Return a server's TLS with a certificate of the authority in a folder.

    Raises:
        ToolError: there is none.
    """
    import trustme

    try:
        authority = trustme.CA.from_pem(
            (folder / "authority.pem").read_bytes(), (folder / "authority.key").read_bytes()
        )
    except OSError:
        raise ToolError(
            "The stack that runs here trusts no receiver on this machine.",
            "Start it with make run, of this version.",
        ) from None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(LOOPBACK).configure_cert(context)
    return context


class TlsServer(ThreadingHTTPServer):
    """A server that speaks TLS, where it has a certificate for that."""

    daemon_threads = True
    request_queue_size = 128
    """As many as may connect at once: who finds no place tries again a second later."""

    def __init__(
        self, address: tuple[str, int], handler: Any, tls: ssl.SSLContext | None = None
    ) -> None:
        super().__init__(address, handler)
        self._tls = tls

    def finish_request(self, request: Any, client_address: Any) -> None:
        """Serve one connection."""
        request.settimeout(SILENT_SECONDS)
        if self._tls is None:
            super().finish_request(request, client_address)
            return
        with self._tls.wrap_socket(request, server_side=True) as secured:
            super().finish_request(secured, client_address)

    def handle_error(self, *_: Any) -> None:
        """Say nothing of a client that hangs up, or that does not trust the certificate."""
