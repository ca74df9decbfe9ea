"""The URL that a callback is sent to: to a public address, or one that the operator allows.

https://cheatsheetseries.owasp.org/cheatsheets/Server_Side_Request_Forgery_Prevention_Cheat_Sheet.html
"""

import re
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from urllib.parse import urlsplit

type Address = IPv4Address | IPv6Address
type Network = IPv4Network | IPv6Network

_NAT64 = IPv6Network("64:ff9b::/96")
_PUBLIC_IPV6 = IPv6Network("2000::/3")
_NEVER: tuple[Network, ...] = (
    IPv4Network("0.0.0.0/8"),
    IPv4Network("169.254.0.0/16"),  # link-local, with the metadata services
    IPv4Network("224.0.0.0/3"),  # multicast, reserved, broadcast
    IPv6Network("::/128"),
    IPv6Network("fe80::/10"),
    IPv6Network("fd00:ec2::/32"),  # AWS's metadata services
    IPv6Network("ff00::/8"),
)
"""What not even the operator can allow: nobody's receiver is there."""

_NOT_PUBLIC: tuple[Network, ...] = (
    IPv4Network("192.88.99.0/24"),  # relays of 6to4
    IPv6Network("2001::/32"),  # Teredo: holds another address
    IPv6Network("2002::/16"),  # 6to4: likewise
)
"""What `is_global` takes for public, or took in some Python."""


def may_be_called(address: str, allowed: tuple[Network, ...] = ()) -> bool:
    """Return whether a callback may be sent to an address, written as text.

    Raises:
        ValueError: it is not an address.
    """
    meant = _meant(ip_address(address))
    if _within(meant, _NEVER):
        return False
    if meant.is_loopback:
        # On AWS, Lambda's own runtime API listens there: 0.0.0.0/0 does not mean it.
        allowed = tuple(network for network in allowed if network.is_loopback)
    return _within(meant, allowed) or _public(meant)


def _meant(address: Address) -> Address:
    """Return the address that is reached: an IPv4 one can be written as an IPv6 one."""
    if isinstance(address, IPv4Address):
        return address
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFF_FFFF)
    return address


def _public(address: Address) -> bool:
    if isinstance(address, IPv6Address) and address not in _PUBLIC_IPV6:
        return False
    return address.is_global and not _within(address, _NOT_PUBLIC)


def _within(address: Address, networks: tuple[Network, ...]) -> bool:
    return any(address.version == network.version and address in network for network in networks)


URL_CHARACTERS = 2048
HTTPS_PORT = 443

_PRINTABLE = re.compile(r"[!-~]+")
_NAME = re.compile(
    r"(?=.{1,253}\Z)[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?"
    r"(\.[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?)*"
)
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")


class InvalidCallbackUrl(ValueError):
    """No callback is sent to this URL. The message says why."""


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
