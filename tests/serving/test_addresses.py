"""How URLs are read, and which addresses are allowed."""

from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roadworthy.serving.addresses import NEVER, Target, allowed, follow, parse, to_addresses

OWN = (ip_network("10.1.0.0/16"), ip_network("127.0.0.1/32"), ip_network("fd12::/16"))
EVERYTHING = (ip_network("0.0.0.0/0"), ip_network("::/0"))
CLOSED = (
    "0.0.0.0 0.1.2.3 10.0.0.1 100.64.0.1 100.127.255.255 127.0.0.1 169.254.169.254 172.31.0.1 "
    "192.0.0.1 192.0.2.1 192.88.99.1 192.168.0.1 198.19.0.1 198.51.100.1 203.0.113.1 224.0.0.1 "
    "239.1.1.1 240.0.0.1 255.255.255.255 168.63.129.16 :: ::1 ::127.0.0.1 ::8.8.8.8 "
    "::ffff:127.0.0.1 ::ffff:8.8.8.8 ::ffff:0:8.8.8.8 64:ff9b::10.0.0.1 64:ff9b::169.254.169.254 "
    "64:ff9b::168.63.129.16 64:ff9b:1::8.8.8.8 100::1 2001::1 2001:db8::1 2002:808:808:: 3fff::1 "
    "4000::1 5f00::1 fc00::1 fd00:ec2::254 fe80::1 fe80::1%lo fec0::1 ff02::1"
)


@pytest.mark.parametrize("text", CLOSED.split())
def test_special_addresses_are_closed(text: str) -> None:
    """No special-purpose address is public, in whatever notation, also on the web's ports."""
    assert not allowed(ip_address(text), 80)
    assert not allowed(ip_address(text), 443)


@pytest.mark.parametrize("text", ["8.8.8.8", "1.1.1.1", "2606:4700::1111", "64:ff9b::8.8.8.8"])
def test_public_addresses_are_open_on_the_ports_of_the_web(text: str) -> None:
    """Pictures of the web can be fetched, and nothing can be scanned."""
    assert allowed(ip_address(text), 80) and allowed(ip_address(text), 443)
    assert not any(allowed(ip_address(text), port) for port in (22, 25, 6379, 8080, 65535))


def test_an_operator_opens_networks() -> None:
    """Only those, on every port; never those where credentials are kept."""
    assert allowed(ip_address("10.1.2.3"), 9000, OWN)
    assert allowed(ip_address("fd12::3"), 9000, OWN)
    assert not allowed(ip_address("10.2.2.3"), 80, OWN)
    assert not allowed(ip_address("::ffff:10.1.2.3"), 80, OWN)
    for network in NEVER:
        assert not allowed(network[0], 80, EVERYTHING)


@given(st.ip_addresses(v=4))
def test_an_embedded_address_is_never_more_open(address: IPv4Address) -> None:
    """Writing an IPv4 address into an IPv6 one opens nothing."""
    for prefix in ("::", "::ffff:0:0", "::ffff:0:0:0", "64:ff9b::", "64:ff9b:1::", "2001::"):
        assert not allowed(IPv6Address(int(IPv6Address(prefix)) | int(address)), 80) or allowed(
            address, 80
        )
    sixtofour = IPv6Address(int(IPv6Address("2002::")) | int(address) << 80)
    assert not allowed(sixtofour, 80)


@given(st.ip_addresses(v=6))
def test_only_given_out_ipv6_is_open(address: IPv6Address) -> None:
    """Whatever is open begins with 2000::/3, or is a public IPv4 address behind NAT64."""
    if allowed(address, 443):
        assert address.exploded[0] in "23" or address in ip_network("64:ff9b::/96")


def test_reads_a_url() -> None:
    """What is asked is what was written, and the host is told as servers expect it."""
    target = parse("HTTPS://Example.ORG:8443/a%20b/ü.jpg?x=1&y=ü#part")
    assert target == Target("https", "example.org", 8443, "/a%20b/%C3%BC.jpg?x=1&y=%C3%BC")
    assert (target.authority, target.filename) == ("example.org:8443", "ü.jpg")
    assert parse("http://[2606:4700:0:0::1111]").authority == "[2606:4700::1111]"
    assert parse("http://example.org:80?q").path == "/?q"
    assert parse("http://bücher.example/").host == "xn--bcher-kva.example"
    assert parse("http://example.org/").filename == "example.org"
    assert parse("http://example.org/a%0d%0ab").filename == "ab"


def test_follows_a_redirect() -> None:
    """Relative, of the same scheme, and to another host; what is left must be a URL of ours."""
    start = parse("http://example.org/a/b.jpg?c")
    assert str(follow(start, "d.jpg")) == "http://example.org/a/d.jpg"
    assert str(follow(start, "//other.org/d")) == "http://other.org/d"
    assert str(follow(start, "https://other.org/d")) == "https://other.org/d"
    secure = parse("https://example.org:8443/a")
    assert str(follow(secure, "/b")) == "https://example.org:8443/b"
    with pytest.raises(ValueError, match="https to http"):
        follow(secure, "http://example.org/b")
    for bad in ("file:///etc/passwd", "\\\\other", " /b", "/b\r\nX: 1", "http://a@b/", "http://["):
        with pytest.raises(ValueError):
            follow(start, bad)


@given(st.text(max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    """Nothing but a ValueError, and what is read can be sent."""
    for url in (text, f"http://{text}", f"http://example.org/{text}"):
        try:
            target = parse(url)
        except ValueError:
            continue
        assert str(target).isascii() and str(target).isprintable() and " " not in str(target)
        assert parse(str(target)) == target


def test_each_address_once() -> None:
    """A resolver names an address for each kind of socket."""
    assert to_addresses(["1.1.1.1", "::1", "1.1.1.1"]) == [ip_address("1.1.1.1"), ip_address("::1")]
