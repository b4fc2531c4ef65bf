"""Which addresses may be asked, and the address a name has now. Opens no connection."""

import asyncio
import os
import socket
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from urllib.parse import SplitResult, urlsplit

from backends.base import BackendRefused, BackendUnavailable

IPAddress = IPv4Address | IPv6Address

_PORTS = {"http": 80, "https": 443}

# Where clouds tell a machine its own secrets, and what no server can be behind. Link-local
# (169.254.0.0/16, fe80::/10), multicast and reserved ranges are known to `ipaddress`.
_NEVER = [
    ip_network(text)
    for text in (
        "0.0.0.0/8",  # this very network: systems take it for themselves
        "100.100.100.200/32",  # Alibaba Cloud
        "168.63.129.16/32",  # Azure, a public address
        "192.0.0.192/32",  # Oracle Cloud
        "fd00:ec2::/32",  # AWS
        "fd20:ce::254/128",  # Google Cloud
    )
]
# IPv4 in the clothes of IPv6: where in the 128 bits the other address is.
_CARRIERS = [
    (ip_network("::ffff:0:0/96"), 0),  # mapped
    (ip_network("::ffff:0:0:0/96"), 0),  # translated
    (ip_network("64:ff9b::/96"), 0),  # NAT64
    (ip_network("2002::/16"), 80),  # 6to4
]


PRIVATE_HOSTS = "GRADLESS_PRIVATE_HOSTS"  # the service's setting, handed on by environment


def private_allowed() -> bool:
    """Whether the operator lets servers on this machine and in its own network be asked."""
    return os.environ.get(PRIVATE_HOSTS, "1").lower() in ("1", "true", "yes", "on")


def split_url(url: str) -> SplitResult:
    """The parts of a base URL that is well formed. Asks no name server.

    Raises:
        BackendRefused: it is not http or https, or carries more than host, port and path.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise BackendRefused("base_url cannot be read: http://host:port/v1 is wanted") from None
    if "@" in parts.netloc:  # not repeated: what is there may be a password
        raise BackendRefused("base_url has a user or password in it: leave them out")
    strange = any(char <= " " or char == "\\" or char == "\x7f" for char in url)
    if parts.scheme not in _PORTS or not parts.hostname or port == 0 or strange:
        raise BackendRefused(f"base_url {url!r}: http://host:port/v1 or https is wanted")
    if "?" in url or "#" in url:
        raise BackendRefused("base_url has a query or fragment in it: leave it out")
    return parts


def check_url(url: str, allow_private: bool) -> None:
    """Nothing, if this base URL may be asked; every address of its name is looked at.

    Loopback and private addresses are only allowed where `allow_private` is true; link-local,
    multicast, reserved and cloud metadata addresses never.

    Raises:
        BackendRefused: it may not, and why.
        BackendUnavailable: its name has no address at the moment.
    """
    parts = split_url(url)
    host, port = str(parts.hostname), parts.port or _PORTS[parts.scheme]
    if (literal := _literal(host)) is None:
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            raise _unknown(host, error) from None
        _checked(host, _addresses(found), allow_private)
    else:
        _checked(host, [literal], allow_private)


async def resolve(host: str, port: int, allow_private: bool) -> list[str]:
    """The addresses that a name has right now, each of them checked: connect to these alone.

    Raises:
        BackendRefused: one of them may not be asked; with two answers, one is a trick.
        OSError: it has none.
    """
    if (literal := _literal(host)) is not None:
        return _checked(host, [literal], allow_private)
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except UnicodeError as error:
        raise OSError(f"{host!r} is no name: {error}") from None
    return _checked(host, _addresses(found), allow_private)


def refusal(address: IPAddress, allow_private: bool) -> str | None:
    """Why this address may not be asked; None: it may."""
    if isinstance(address, IPv6Address):
        for network, shift in _CARRIERS:
            if address in network:
                inner = IPv4Address(int(address) >> shift & 0xFFFFFFFF)
                return refusal(inner, allow_private)
    if any(address in network for network in _NEVER) or address.is_link_local:
        return "link-local and cloud metadata addresses are never asked"
    if address.is_multicast or address.is_unspecified:
        return "it is no one machine's address"
    if address.is_loopback:
        return None if allow_private else "it is this machine's own"
    if address.is_reserved:
        return "it is reserved"
    local = isinstance(address, IPv6Address) and address.is_site_local
    if (local or not address.is_global) and not allow_private:
        return "it is in a private network"
    return None


def _checked(host: str, addresses: Iterable[IPAddress], allow_private: bool) -> list[str]:
    addresses = list(addresses)
    for address in addresses:
        if why := refusal(address, allow_private):
            raise BackendRefused(f"host {host!r} is at {address}, which may not be asked: {why}")
    return [str(address) for address in addresses]


def _literal(host: str) -> IPAddress | None:
    try:
        return ip_address(host)
    except ValueError:
        return None


def _addresses(found: Iterable[tuple[object, ...]]) -> list[IPAddress]:
    """Those that getaddrinfo told, each once, in its order."""
    sockets = [entry[4] for entry in found]
    return [ip_address(host) for host in dict.fromkeys(str(at[0]) for at in sockets)]  # type: ignore[index]


def _unknown(host: str, error: Exception) -> BackendUnavailable:
    return BackendUnavailable(f"host {host!r} has no address at the moment: {error}")
