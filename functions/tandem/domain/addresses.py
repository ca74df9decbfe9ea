"""Which addresses a callback may be sent to: public ones, and those that the operator allows.

https://cheatsheetseries.owasp.org/cheatsheets/Server_Side_Request_Forgery_Prevention_Cheat_Sheet.html
"""

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

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
    return any(address.version == one.version and address in one for one in networks)
