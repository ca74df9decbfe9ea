"""The URL that a callback is sent to."""

import re
from dataclasses import dataclass
from ipaddress import ip_address
from urllib.parse import urlsplit

from tandem.domain.addresses import Network, may_be_called

URL_CHARACTERS = 2048
HTTPS_PORT = 443

_PRINTABLE = re.compile(r"[!-~]+")
_NAME = re.compile(
    r"(?=.{1,253}\Z)[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?"
    r"(\.[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?)*"
)
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")


class InvalidCallbackUrl(ValueError):
    """No callback is sent to this URL; the message says why."""


@dataclass(frozen=True, slots=True)
class CallbackUrl:
    """A URL that callbacks may be sent to, as far as can be seen without resolving its name."""

    host: str
    """A name, or an address without brackets."""
    port: int
    target: str
    """The path, with the query."""


def parse_callback_url(text: str, allowed: tuple[Network, ...] = ()) -> CallbackUrl:
    """Return the parts of a URL.

    Args:
        text: the URL.
        allowed: networks that callbacks may be sent to although they are not public.

    Raises:
        InvalidCallbackUrl: it is not an https URL of a host that may be called.
    """
    if not _PRINTABLE.fullmatch(text) or "\\" in text or len(text) > URL_CHARACTERS:
        raise InvalidCallbackUrl(f"It is not a URL of up to {URL_CHARACTERS} ASCII characters.")
    try:
        parts = urlsplit(text)
        host, port = (parts.hostname or "").removesuffix("."), parts.port
    except ValueError:
        raise InvalidCallbackUrl("It is not a URL.") from None
    if parts.scheme != "https":
        raise InvalidCallbackUrl("Its scheme is not https.")
    if "@" in parts.netloc:
        raise InvalidCallbackUrl("It holds a user or a password.")
    if "#" in text:
        raise InvalidCallbackUrl("It has a fragment.")
    if port == 0:
        raise InvalidCallbackUrl("Its port is 0.")
    _check_host(host, allowed)
    query = f"?{parts.query}" if parts.query else ""
    return CallbackUrl(host, port or HTTPS_PORT, (parts.path or "/") + query)


def _check_host(host: str, allowed: tuple[Network, ...]) -> None:
    try:
        ip_address(host)
    except ValueError:
        _check_name(host)
        return
    if "%" in host or not may_be_called(host, allowed):
        raise InvalidCallbackUrl("Its address is not a public one.")


def _check_name(name: str) -> None:
    last = name.rpartition(".")[2]
    # Resolvers take 127.1, 0x7f.1 and 2130706433 for addresses: no name ends in a number.
    if not _NAME.fullmatch(name) or _NUMBER.fullmatch(last):
        raise InvalidCallbackUrl("Its host is neither a name nor an address.")
    if last == "localhost":
        raise InvalidCallbackUrl("Its host is this machine.")
