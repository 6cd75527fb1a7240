"""What the server may fetch from: how a URL must be written, and which IP addresses are allowed.

One parser reads a URL, and what it read is what is resolved, checked, connected to and verified.
Whatever two parsers could read differently is refused instead of guessed at.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)
from urllib.parse import quote, unquote, urljoin, urlsplit

import httpcore
import idna

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

PORTS = {"http": 80, "https": 443}
LONGEST = 2048
AUTHORITY = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[^:\[\]@%]+)(?::([0-9]{1,5}))?")
LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?")
NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")
HIDDEN = re.compile(r"[\x00-\x20\x7f-\xa0\u00ad\u200b-\u200f\u2028-\u202f\u2060-\u206f\ufeff\\]|\s")
PLAIN = "/:@!$&'()*+,;=~-._?%"
"""What stays as it is in the path and the query; `%` because it is encoded already."""


def _networks(text: str) -> tuple[Network, ...]:
    return tuple(ip_network(part) for part in text.split())


# No setting opens these: nobody keeps pictures there, and cloud machines keep their credentials
# there (169.254.169.254 and what Azure, Alibaba, Oracle, AWS and Google have besides).
NEVER = _networks(
    "0.0.0.0/8 169.254.0.0/16 224.0.0.0/4 255.255.255.255/32 "
    "168.63.129.16/32 100.100.100.200/32 192.0.0.192/32 "
    "::/128 fe80::/10 ff00::/8 fd00:ec2::/32 fd20:ce::/32"
)
# The IANA special-purpose registries: `ipaddress` of Python 3.11 calls some of these global.
SPECIAL = _networks(
    "10.0.0.0/8 100.64.0.0/10 127.0.0.0/8 172.16.0.0/12 192.0.0.0/24 192.0.2.0/24 "
    "192.88.99.0/24 192.168.0.0/16 198.18.0.0/15 198.51.100.0/24 203.0.113.0/24 240.0.0.0/4 "
    "2001::/23 2001:db8::/32 2002::/16 3fff::/20"
)
GLOBAL_UNICAST = IPv6Network("2000::/3")
"""The only IPv6 addresses that are given out; mapped, compatible and local ones lie outside."""
NAT64 = IPv6Network("64:ff9b::/96")
"""What networks without IPv4 put before a public IPv4 address (RFC 6052)."""


@dataclass(frozen=True)
class Target:
    """A URL, read."""

    scheme: str
    """`http` or `https`."""
    host: str
    """Name in ASCII, or an IP address without brackets."""
    port: int
    path: str
    """With the query, percent-encoded."""

    def __str__(self) -> str:
        return f"{self.scheme}://{self.authority}{self.path}"

    @property
    def authority(self) -> str:
        """What the `Host` header says."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def url(self) -> httpcore.URL:
        """For httpcore, in parts: it parses nothing again."""
        return httpcore.URL(scheme=self.scheme, host=self.host, port=self.port, target=self.path)

    @property
    def filename(self) -> str:
        """The last part of the path, or the host."""
        name = unquote(self.path.partition("?")[0].rpartition("/")[2])
        return "".join(letter for letter in name if letter.isprintable()) or self.host


def parse(url: str) -> Target:
    """Read a URL.

    Raises:
        ValueError: the reason, in a few words.
    """
    if len(url) > LONGEST:
        raise ValueError(f"is over {LONGEST} characters")
    if HIDDEN.search(url):
        raise ValueError("has spaces, control characters or backslashes")
    try:
        parts = urlsplit(url)
    except ValueError:
        raise ValueError("has no usable host") from None
    if parts.scheme not in PORTS or not url[len(parts.scheme) :].startswith("://"):
        raise ValueError("does not begin with http:// or https://")
    if "@" in parts.netloc:
        raise ValueError("has a user name or a password")
    found = AUTHORITY.fullmatch(parts.netloc)
    if not found:
        raise ValueError("has no usable host")
    port = int(found[2]) if found[2] else PORTS[parts.scheme]
    if not 0 < port < 65536:
        raise ValueError("has no usable port")
    path = quote(parts.path or "/", PLAIN) + (
        f"?{quote(parts.query, PLAIN)}" if parts.query else ""
    )
    return Target(parts.scheme, _host(found[1]), port, path)


def follow(target: Target, location: str) -> Target:
    """Where a redirect leads.

    Raises:
        ValueError: the reason, in a few words.
    """
    if HIDDEN.search(location):
        raise ValueError("has spaces, control characters or backslashes")
    following = parse(urljoin(str(target), location))
    if (target.scheme, following.scheme) == ("https", "http"):
        raise ValueError("leads from https to http")
    return following


def allowed(address: Address, port: int, networks: Sequence[Network] = ()) -> bool:
    """Whether an image may be fetched from there.

    Allowed are the usual two ports of public addresses, and any port in `networks`.

    Args:
        networks: allowed by the operator.
    """
    if any(address in network for network in NEVER):
        return False
    if any(address in network for network in networks):
        return True
    return port in PORTS.values() and _is_public(address)


def _is_public(address: Address) -> bool:
    if isinstance(address, IPv6Address):
        if address in NAT64:
            inner = IPv4Address(int(address) & 0xFFFFFFFF)
            return _is_public(inner) and not any(inner in network for network in NEVER)
        if address not in GLOBAL_UNICAST:
            return False
    return address.is_global and not any(address in network for network in SPECIAL)


def _host(text: str) -> str:
    """A host name in ASCII, or an IP address in its one usual form."""
    try:
        if text.startswith("["):
            return str(IPv6Address(text[1:-1]))
        host = text.lower() if text.isascii() else idna.encode(text.lower()).decode()
        labels = host.split(".")
        # Other programs read 2130706433, 0x7f.1 and 127.1 as IPv4 addresses.
        if NUMBER.fullmatch(labels[-1]):
            return str(IPv4Address(host))
    except ValueError:
        raise ValueError("has no usable host") from None
    if len(host) > 253 or not all(LABEL.fullmatch(label) for label in labels):
        raise ValueError("has no usable host")
    return host


def to_addresses(answers: Sequence[str]) -> list[Address]:
    """Each address that a resolver answered, once, in its order."""
    return list(dict.fromkeys(ip_address(answer) for answer in answers))
