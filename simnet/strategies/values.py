"""Addresses, ports, names and payloads: the values that socket calls take.

Not drawn: addresses that no host can have (loopback, groups, wildcards, broadcasts), IPv6 addresses
of one link, names with other letters than ASCII.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from simnet.strategies.bounds import check_between, check_range

VERSIONS = (4, 6)
# Around the ephemeral range of Linux, and at the end.
_EDGES_OF_PORTS = (80, 443, 1023, 1024, 32767, 32768, 60999, 61000, 65535)
# Sizes at which something changes: what a segment carries (MTU 576 and 1500, with IPv4 and IPv6,
# with and without timestamps; the loopback), a page, buffers, what a datagram carries at most.
EDGES_OF_SIZES = (536, 1220, 1428, 1440, 1448, 1460, 4096, 8192, 16384, 65483, 65507, 65536)
# The first two octets: of private blocks, and of one that is not; None: any.
_BLOCKS: tuple[tuple[int, int | None], ...] = ((10, None), (192, 168), (172, 16), (203, 0))
# As long as a name and its parts may be (RFC 1035, section 2.3.4), without the dot at the end.
_LONGEST_NAME, _LONGEST_LABEL = 253, 63
# What the address of a unix socket has room for (unix(7)).
_LONGEST_UNIX_NAME = 107
LINE_ENDS = (b"\r\n", b"\n", b"\r")
_LETTERS, _DIGITS = "abcdefghijklmnopqrstuvwxyz", "0123456789"


def check_versions(versions: Sequence[int]) -> Sequence[int]:
    """4, 6, or both, in either order."""
    if not versions or len(set(versions)) < len(versions) or not set(versions) <= set(VERSIONS):
        raise ValueError(f"versions is (4,), (6,) or (4, 6), not {versions!r}")
    return versions


# Addresses


def _ipv4(block: int, *octets: int) -> str:
    first, second = _BLOCKS[block]
    middle, third, last = octets
    return f"{first}.{middle if second is None else second}.{third}.{last}"


def _ipv6(prefix: str, subnet: int, host: int) -> str:
    return f"{prefix}{f'{subnet:x}::' if subnet else ':'}{host:x}"


# Every address is drawn in the same number of steps: so it can shrink from one block to another.
# The last octet is never 0 or 255, which may be that of a subnet or of its broadcast address.
_ADDRESSES = {
    4: st.builds(
        _ipv4,
        st.integers(0, len(_BLOCKS) - 1),
        *(st.integers(0, 255),) * 2,
        st.integers(1, 254),
    ),
    6: st.builds(
        _ipv6,
        st.sampled_from(("fd00:", "2001:db8:")),
        st.integers(0, 0xFFFF),
        st.integers(1, 0xFFFF),
    ),
}


def ip_addresses(versions: Sequence[int] = VERSIONS) -> SearchStrategy[str]:
    """An address that a host can have, as a text: private, global, IPv4 or IPv6.

    Shrinks toward 10.0.0.1, of IPv6 toward fd00::1. ValueError for other versions than 4 and 6.

    >>> strategies.ip_addresses((6,)).example()
    'fd00::1'
    """
    return st.one_of(*(_ADDRESSES[version] for version in check_versions(versions)))


def ports(min_port: int = 1, max_port: int = 65535) -> SearchStrategy[int]:
    """The number of a port, often one at an edge of a range that means something.

    Shrinks toward 80, or the lowest. ValueError for bounds outside 1 to 65535.

    >>> strategies.ports(1024).example()
    32768
    """
    check_range("port", min_port, max_port, 1, 65535)
    edges = [port for port in _EDGES_OF_PORTS if min_port <= port <= max_port]
    among = st.integers(min_port, max_port)
    return st.one_of(st.sampled_from(edges), among) if edges else among


def socket_addresses(
    versions: Sequence[int] = VERSIONS, *, ports: SearchStrategy[int] | None = None
) -> SearchStrategy[tuple[str, int] | tuple[str, int, int, int]]:
    """(ip, port), of IPv6 (ip, port, 0, 0), as `getsockname()` gives it.

    Shrinks toward ("10.0.0.1", 80). ValueError for other versions than 4 and 6.

    >>> strategies.socket_addresses((4,), ports=strategies.ports(8000, 8100)).example()
    ('192.168.3.7', 8000)
    """
    port = _PORTS if ports is None else ports

    def whole(ip: str, port: int) -> tuple[str, int] | tuple[str, int, int, int]:
        return (ip, port, 0, 0) if ":" in ip else (ip, port)

    return st.builds(whole, ip_addresses(versions), port)


def unix_names() -> SearchStrategy[str]:
    """The abstract name of a unix socket: NUL and 1 to 106 letters.

    Shrinks toward the shortest.

    >>> strategies.unix_names().example()
    '\\x00abc'
    """
    return _of_length(_LONGEST_UNIX_NAME - 1, (2, 5, 105, 106)).map("\0".__add__)


def host_names(max_labels: int = 3) -> SearchStrategy[str]:
    """A name that can be looked up: labels of letters, digits and hyphens, up to the longest.

    Shrinks toward "a". ValueError unless at least one label is allowed.

    >>> strategies.host_names().example()
    'a.w-3'
    """
    check_between("max_labels", max_labels, 1, 127)
    # A name of digits alone would be an address.
    first, last = st.sampled_from(_LETTERS), st.sampled_from(_LETTERS + _DIGITS)
    middle = st.text(_LETTERS + _DIGITS + "-", max_size=8)
    label = st.one_of(
        first,
        st.tuples(first, middle, last).map("".join),
        st.just("a" * _LONGEST_LABEL),
    )
    labels = st.lists(label, min_size=1, max_size=max_labels)
    return labels.map(".".join).filter(lambda name: len(name) <= _LONGEST_NAME)


def _of_length(longest: int, edges: Sequence[int]) -> SearchStrategy[str]:
    """So many letters, each other than the one before."""
    length = st.one_of(st.integers(1, min(5, longest)), st.sampled_from(edges))
    return length.map(lambda length: (_LETTERS * (length // 26 + 1))[:length])


_PORTS = ports()

# Payloads


@cache
def counted(size: int) -> bytes:
    """So many bytes that say at which place each piece of six of them was: b'00000 00006 ...'."""
    pieces = (b"%05d " % (place % 100_000) for place in range(0, size, 6))
    return b"".join(pieces)[:size]


def payloads(min_size: int = 0, max_size: int = 20_000) -> SearchStrategy[bytes]:
    """Bytes to send: short ones of any values, and long ones around sizes at which things change.

    Those are what a segment or a datagram carries, a page, the sizes of buffers, each with one byte
    more or less; those of datagrams are beyond the usual maximum. A long payload is
    b"00000 00006 00012 ...", so that each piece of it says where it belongs. Shrinks toward as few
    bytes as are allowed, each of them NUL. ValueError for impossible bounds.

    >>> strategies.payloads(max_size=3).example()
    b'\\x00'
    """
    check_range("size", min_size, max_size, 0, float("inf"))
    near = {edge + more for edge in EDGES_OF_SIZES for more in (-1, 0, 1)}
    edges = sorted(size for size in near if min_size <= size <= max_size)
    short = st.binary(min_size=min_size, max_size=min(max_size, max(64, min_size)))
    if not edges:
        return short
    return st.one_of(short, short, st.sampled_from(edges).map(counted))


def lines(
    ends: Sequence[bytes] = LINE_ENDS, *, max_lines: int = 8, min_lines: int = 0
) -> SearchStrategy[bytes]:
    r"""A text in lines, as bytes, with ends of several kinds in it; the last may lack its end.

    Some lines are empty, some long, some have a letter of several bytes. Shrinks toward few and
    empty lines that all have the first end. ValueError for impossible bounds, or without ends.

    >>> strategies.lines([b"\r\n"]).example()
    b'a\r\n\r\n'
    """
    check_range("lines", min_lines, max_lines, 0, float("inf"))
    if not ends or not all(ends):
        raise ValueError(f"ends: expected bytes that end a line, not {ends!r}")
    word = st.one_of(
        st.text("ab: ", max_size=6),
        st.sampled_from(("é", "x" * 80, "y" * 1460, "\x00")),
    ).map(str.encode)
    # What ends a line does not stand in one.
    content = word.filter(lambda word: not any(end in word for end in ends))
    line = st.tuples(content, st.sampled_from(tuple(ends))).map(b"".join)
    whole = st.lists(line, min_size=min_lines, max_size=max_lines).map(b"".join)
    return st.builds(bytes.__add__, whole, st.one_of(st.just(b""), content))
