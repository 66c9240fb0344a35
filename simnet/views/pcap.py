"""Captures: the packets of a recording world as pcapng, for Wireshark, tshark and their kin.

One interface for each host, with raw IP packets, timestamps in nanoseconds of virtual time since
the world's epoch (1 January 2000), and a comment on each packet that was lost or sent again. At a
host there is what it sent and what reached it, as its own tcpdump would have it; on a link what was
put on it, lost or not. Without either each packet is there once, at the host that sent it.

Not there: unix sockets, fragments (a datagram larger than the MTU is one packet).
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, NamedTuple

from simnet.clock import EPOCH
from simnet.codec import encode
from simnet.views.story import Passage, Story, read

if TYPE_CHECKING:
    from simnet.host import Host
    from simnet.world import World

# draft-ietf-opsawg-pcapng, sections 4.1, 4.2 and 4.3; LINKTYPE_RAW.
_SECTION, _INTERFACE, _PACKET = 0x0A0D0D0A, 1, 6
_BYTE_ORDER = 0x1A2B3C4D
_RAW_IP = 101
_COMMENT, _IF_NAME, _IF_DESCRIPTION, _IF_TSRESOL, _IF_TSOFFSET, _APPLICATION = 1, 2, 3, 9, 14, 4
_PACKET_FLAGS = 2
_INBOUND, _OUTBOUND = 1, 2
_NANOSECONDS = 9


class _Seen(NamedTuple):
    """A packet as one interface sees it."""

    instant: int
    host: str
    direction: int
    passage: Passage


def write(
    world: World,
    file: str | os.PathLike[str] | BinaryIO,
    *,
    host: Host | str | None = None,
    link: tuple[Host | str, Host | str] | None = None,
) -> int:
    """Write what one host saw, or what crossed between two, or everything; how many packets.

    ValueError if the world does not record, or has no such host.
    """
    if host is not None and link is not None:
        raise ValueError("a capture is at a host or on a link, not both")
    story = read(world.trace)
    if host is not None:
        seen = list(_at_host(story, _name(world, host)))
    elif link is not None:
        one, other = (_name(world, end) for end in link)
        seen = list(_sent(story, {(one, other), (other, one)}))
    else:
        seen = list(_sent(story, None))
    seen.sort(key=lambda each: each.instant)
    data = b"".join(_blocks(world, story, seen))
    if isinstance(file, (str, os.PathLike)):
        Path(file).write_bytes(data)
    else:
        file.write(data)
    return len(seen)


def _name(world: World, host: Host | str) -> str:
    name = host if isinstance(host, str) else host.name
    if name not in world.hosts:
        raise ValueError(f"{name!r} is no host of this world")
    return name


def _at_host(story: Story, host: str) -> Iterator[_Seen]:
    for passage in story.passages:
        if passage.source == host != passage.target:
            yield _Seen(passage.sent, host, _OUTBOUND, passage)
        if passage.target == host:
            for instant in passage.arrived:
                yield _Seen(instant, host, _INBOUND, passage)


def _sent(story: Story, ways: set[tuple[str, str]] | None) -> Iterator[_Seen]:
    for passage in story.passages:
        if ways is None or (passage.source, passage.target) in ways:
            yield _Seen(passage.sent, passage.source, _OUTBOUND, passage)


def comment(passage: Passage) -> str:
    """What happened to a packet that was lost, repeated or came twice; else nothing."""
    words = []
    if passage.remark == "again":
        words.append("sent again")
    elif passage.remark:
        words.append(passage.remark)
    words += [f"lost at {loss.where}: {loss.reason}" for loss in passage.lost]
    if len(passage.arrived) > 1:
        words.append(f"arrived {len(passage.arrived)} times")
    return "; ".join(words)


def _blocks(world: World, story: Story, seen: Iterable[_Seen]) -> Iterator[bytes]:
    header = struct.pack("<IHHq", _BYTE_ORDER, 1, 0, -1)
    yield _block(_SECTION, header, [(_APPLICATION, b"simnet")])
    interfaces = {}
    for number, host in enumerate(world.hosts.values()):
        interfaces[host.name] = number
        options = [
            (_IF_NAME, host.name.encode()),
            (_IF_DESCRIPTION, " ".join(host.addresses).encode()),
            (_IF_TSRESOL, bytes([_NANOSECONDS])),
            (_IF_TSOFFSET, struct.pack("<q", EPOCH)),
        ]
        yield _block(_INTERFACE, struct.pack("<HHI", _RAW_IP, 0, 0), options)
    for instant, host_name, direction, passage in seen:
        data = encode(passage.packet)
        now_ns = story.times_ns[instant]
        high, low = now_ns >> 32, now_ns & 0xFFFFFFFF
        fields = interfaces[host_name], high, low, len(data), len(data)
        options = [(_PACKET_FLAGS, struct.pack("<I", direction))]
        text = comment(passage)
        if text:
            options.append((_COMMENT, text.encode()))
        yield _block(_PACKET, struct.pack("<IIIII", *fields) + _padded(data), options)


def _block(kind: int, body: bytes, options: Iterable[tuple[int, bytes]]) -> bytes:
    for code, value in options:
        body += struct.pack("<HH", code, len(value)) + _padded(value)
    body += struct.pack("<HH", 0, 0)
    length = struct.pack("<I", 12 + len(body))
    return struct.pack("<I", kind) + length + body + length


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 4)
