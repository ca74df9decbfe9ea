"""Loopback ports."""

import socket

from tandem_tools.errors import ToolError

LOOPBACK = "127.0.0.1"
LISTEN_PORT = 8765
"""Of `tandem listen`, where none is named."""


def free_port() -> int:
    """Return a loopback port that nothing listens on now."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        port: int = probe.getsockname()[1]
        return port


def require_free(port: int, variable: str) -> None:
    """Refuse a port that something already listens on.

    Raises:
        ToolError: the port is taken. The advice names the variable that chooses another.
    """
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError as error:
            raise ToolError(
                f"Port {port} on {LOOPBACK} cannot be used: {error.strerror}.",
                f"Stop what runs there (make down, if it is this stack), "
                f"or choose another: make run {variable}={port + 1}",
            ) from None
