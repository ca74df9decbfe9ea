from ipaddress import IPv4Network, IPv6Network

import pytest

from tandem.callbacks.url import may_be_called

PUBLIC = [
    "8.8.8.8",
    "52.94.76.1",
    "2606:4700:4700::1111",
    "::ffff:8.8.8.8",
    "64:ff9b::8.8.8.8",
]
FORBIDDEN = {
    "loopback": "127.0.0.1",
    "loopback, another": "127.8.9.10",
    "private 10": "10.0.0.1",
    "private 172": "172.16.0.1",
    "private 192": "192.168.1.1",
    "link-local": "169.254.0.1",
    "metadata": "169.254.169.254",
    "task metadata": "169.254.170.2",
    "carrier-grade NAT": "100.64.0.1",
    "Alibaba's metadata, in CGNAT": "100.100.100.200",
    "this network": "0.0.0.0",  # noqa: S104 - an address to refuse
    "this network, another": "0.1.2.3",
    "benchmarking": "198.18.0.1",
    "documentation": "203.0.113.1",
    "protocol assignments": "192.0.0.1",
    "6to4 relay": "192.88.99.1",
    "multicast": "224.0.0.1",
    "reserved": "240.0.0.1",
    "broadcast": "255.255.255.255",
    "IPv6 loopback": "::1",
    "IPv6 unspecified": "::",
    "IPv6 link-local": "fe80::1",
    "IPv6 link-local with zone": "fe80::1%eth0",
    "IPv6 unique local": "fd12:3456::1",
    "IPv6 metadata": "fd00:ec2::254",
    "IPv6 site-local": "fec0::1",
    "IPv6 multicast": "ff02::1",
    "IPv6 global multicast": "ff0e::1",
    "IPv6 documentation": "2001:db8::1",
    "mapped loopback": "::ffff:127.0.0.1",
    "mapped metadata": "::ffff:169.254.169.254",
    "mapped private, in hexadecimal": "::ffff:a00:1",
    "IPv4-compatible loopback": "::127.0.0.1",
    "NAT64 of loopback": "64:ff9b::7f00:1",
    "NAT64 of metadata": "64:ff9b::a9fe:a9fe",
    "local NAT64": "64:ff9b:1::1",
    "6to4 of loopback": "2002:7f00:1::",
    "6to4 of a public address": "2002:808:808::",
    "Teredo": "2001:0:4136:e378:8000:63bf:3fff:fdd2",
    "discard": "100::1",
}


@pytest.mark.parametrize("address", PUBLIC)
def test_a_public_address_may_be_called(address: str) -> None:
    assert may_be_called(address)


@pytest.mark.parametrize("address", FORBIDDEN.values(), ids=FORBIDDEN)
def test_any_other_address_may_not(address: str) -> None:
    assert not may_be_called(address)


def test_an_operator_can_allow_networks_of_their_own() -> None:
    allowed = (IPv4Network("10.1.0.0/16"), IPv6Network("fd12::/16"))
    assert may_be_called("10.1.2.3", allowed)
    assert may_be_called("::ffff:10.1.2.3", allowed)
    assert may_be_called("fd12::1", allowed)
    assert not may_be_called("10.2.0.1", allowed)
    assert not may_be_called("fd13::1", allowed)


@pytest.mark.parametrize(
    "address",
    ["169.254.169.254", "fd00:ec2::254", "::ffff:169.254.169.254", "fe80::1", "224.0.0.1"],
)
def test_nobody_can_allow_the_metadata_services(address: str) -> None:
    everything = (IPv4Network("0.0.0.0/0"), IPv6Network("::/0"))
    assert not may_be_called(address, everything)


@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "::ffff:127.0.0.1"])
def test_the_functions_own_machine_is_allowed_by_a_network_of_it_alone(address: str) -> None:
    assert not may_be_called(address, (IPv4Network("0.0.0.0/0"), IPv6Network("::/0")))
    assert may_be_called(address, (IPv4Network("127.0.0.0/30"), IPv6Network("::1/128")))


def test_what_is_no_address_is_no_answer() -> None:
    with pytest.raises(ValueError, match="does not appear to be"):
        may_be_called("example.com")
