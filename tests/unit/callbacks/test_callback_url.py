from ipaddress import IPv4Network

import pytest

from tandem.callbacks.url import CallbackUrl, InvalidCallbackUrl, parse_callback_url

GOOD = {
    "https://example.com": CallbackUrl("example.com", 443, "/"),
    "https://Example.COM./a?b=c": CallbackUrl("example.com", 443, "/a?b=c"),
    "https://example.com:8443/hooks/1": CallbackUrl("example.com", 8443, "/hooks/1"),
    "https://xn--bcher-kva.example/": CallbackUrl("xn--bcher-kva.example", 443, "/"),
    "https://8.8.8.8/x": CallbackUrl("8.8.8.8", 443, "/x"),
    "https://[2606:4700:4700::1111]:444/": CallbackUrl("2606:4700:4700::1111", 444, "/"),
}
REFUSED = {
    "no URL": "hello",
    "empty": "",
    "http": "http://example.com/",
    "another scheme": "ftp://example.com/",
    "a file": "file:///etc/passwd",
    "no scheme": "//example.com/",
    "no host": "https:///path",
    "a user": "https://user@example.com/",
    "a user and a password": "https://user:secret@example.com/",
    "an empty user": "https://@example.com/",
    "a fragment": "https://example.com/#here",
    "port 0": "https://example.com:0/",
    "a port too high": "https://example.com:65536/",
    "a port that is none": "https://example.com:x/",
    "a space": "https://example.com/a b",
    "a line break": "https://example.com/\r\nHost: other",
    "a tab": "https://exam\tple.com/",
    "a backslash": "https://example.com\\@127.0.0.1/",
    "not ASCII": "https://bücher.example/",
    "full-width digits": "https://\uff11\uff12\uff17.0.0.1/",
    "too long": "https://example.com/" + "x" * 2048,
    "a label too long": f"https://{'x' * 64}.example/",
    "an empty label": "https://example..com/",
    "localhost": "https://localhost/",
    "LOCALHOST with a dot": "https://LOCALHOST./",
    "below localhost": "https://hooks.localhost/",
    "loopback": "https://127.0.0.1/",
    "loopback, short": "https://127.1/",
    "loopback, a number": "https://2130706433/",
    "loopback, hexadecimal": "https://0x7f000001/",
    "loopback, octal": "https://0177.0.0.1/",
    "metadata": "https://169.254.169.254/latest/meta-data/",
    "private": "https://10.0.0.1/",
    "IPv6 loopback": "https://[::1]/",
    "IPv6 mapped": "https://[::ffff:169.254.169.254]/",
    "IPv6 with a zone": "https://[fe80::1%25eth0]/",
    "a bracket": "https://[example.com/",
}


@pytest.mark.parametrize("text", GOOD)
def test_an_https_url_of_a_public_host_is_taken(text: str) -> None:
    assert parse_callback_url(text) == GOOD[text]


@pytest.mark.parametrize("text", REFUSED.values(), ids=REFUSED)
def test_any_other_url_is_refused(text: str) -> None:
    with pytest.raises(InvalidCallbackUrl):
        parse_callback_url(text)


def test_an_address_of_an_allowed_network_is_taken() -> None:
    allowed = (IPv4Network("10.1.0.0/16"),)
    assert parse_callback_url("https://10.1.2.3/", allowed).host == "10.1.2.3"


@pytest.mark.parametrize("text", ["https://user:hunter2@example.com/", "https://[bad/?t=hunter2"])
def test_a_refusal_repeats_nothing_of_the_url(text: str) -> None:
    with pytest.raises(InvalidCallbackUrl) as refused:
        parse_callback_url(text)
    assert "hunter2" not in str(refused.value)
