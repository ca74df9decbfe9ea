"""An authority for receivers on this machine: a callback goes to https alone.

`make run` makes it, and its callback function trusts it. `tandem listen` shows a certificate of it.
"""

import ssl
from pathlib import Path

import trustme

from tandem_tools.errors import ToolError
from tandem_tools.ports import LOOPBACK

AUTHORITY = "listen"
"""Its folder, in a stack's."""


def make_authority(folder: Path) -> Path:
    """Make an authority in a folder that this user alone reads.

    Returns what the callback function is to trust: the authorities of this machine and this one.
    """
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
