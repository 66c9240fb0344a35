"""Packets as bytes: IP with TCP, UDP or ICMP inside, as captures and real kernels have them.

Two laws: `decode(encode(packet)) == packet`, and `len(encode(packet)) == packet.size`, for what the
wire carries. What it does not carry is not kept: the zone of an address, the ports of an ICMP
message (0), the interface and the loop of a datagram, and what a quotation is too short for.

Not modelled: fragments, IPv6 extension headers, ECN, TCP options except the segment size and the
window scale (others are skipped), ICMP messages except 'unreachable' and 'too big'. ValueError says
which of these a packet is, or what is wrong with it.
"""

from __future__ import annotations

import errno
import socket
import struct
from typing import NamedTuple

from simnet.addresses import IP, InetAddress, is_ipv4, packed
from simnet.errors import name_of
from simnet.wire import Datagram, Packet, Segment, Unreachable

ICMP, TCP, UDP, ICMPV6 = 1, 6, 17, 58
_NAMES = {ICMP: "ICMP", TCP: "TCP", UDP: "UDP", ICMPV6: "ICMPv6"}

_IPV4 = struct.Struct("!BBHHHBBH4s4s")
_IPV6 = struct.Struct("!IHBB16s16s")
_TCP = struct.Struct("!HHIIBBHHH")
_UDP = struct.Struct("!HHHH")
_ICMP = struct.Struct("!BBHI")

_DONT_FRAGMENT, _MORE_FRAGMENTS, _FRAGMENT_OFFSET = 0x4000, 0x2000, 0x1FFF
# The six flags of RFC 9293 that are not ECN's.
_FLAGS = 0x3F
_MAPPED = "::ffff:"
_MAPPED_BYTES = bytes(10) + b"\xff\xff"

# TCP options (RFC 9293, section 3.2; RFC 7323).
_END, _NOP, _MSS, _WSCALE = 0, 1, 2, 3

# ICMP messages quote as much of a packet as fits into this (RFC 1812, section 4.3.2.3; RFC 4443,
# section 2.4); those over IPv4 have the precedence of internetwork control (measured).
QUOTING4, QUOTING6 = 576, 1280
_INTERNET_CONTROL = 0xC0
_UNREACHABLE4, _UNREACHABLE6, _TOO_BIG6 = 3, 1, 2
# The errno that Linux reports for each code (measured with SO_ERROR, under IP_RECVERR).
_ERRORS4 = (
    errno.ENETUNREACH,
    errno.EHOSTUNREACH,
    errno.ENOPROTOOPT,
    errno.ECONNREFUSED,
    errno.EMSGSIZE,
    errno.EOPNOTSUPP,
    errno.ENETUNREACH,
    errno.EHOSTDOWN,
    errno.ENONET,
    errno.ENETUNREACH,
    errno.EHOSTUNREACH,
    errno.ENETUNREACH,
    errno.EHOSTUNREACH,
    errno.EHOSTUNREACH,
    errno.EHOSTUNREACH,
    errno.EHOSTUNREACH,
)
_ERRORS6 = (
    errno.ENETUNREACH,
    errno.EACCES,
    errno.EHOSTUNREACH,
    errno.EHOSTUNREACH,
    errno.ECONNREFUSED,
    errno.EACCES,
    errno.EACCES,
)
_ADDRESS_UNREACHABLE6 = 3


class _Frame(NamedTuple):
    """What the IP header says, and what follows it."""

    source: IP
    destination: IP
    protocol: int
    tos: int
    hops: int
    body: bytes
    # How long the body was, if this is a quotation that may be cut short.
    length: int


def encode(packet: Packet) -> bytes:
    """The whole IP packet, with every checksum; ValueError if a field does not fit its place."""
    try:
        if isinstance(packet, Segment):
            return _ip(packet, TCP, _tcp(packet), hops=packet.hops)
        if isinstance(packet, Datagram):
            return _ip(packet, UDP, _udp(packet), packet.tos, packet.hops)
        return _unreachable(packet)
    except (struct.error, OSError) as error:
        raise ValueError(f"this has no place in a packet: {error}: {packet!r}") from None


def decode(data: bytes, verify: bool = True) -> Packet:
    """The packet that an IP packet is; ValueError says what is wrong with it.

    `verify` checks the checksums. What follows the packet is ignored, as padding is.
    """
    frame = _frame(data, verify)
    if verify and frame.protocol in _NAMES:
        _verify(frame)
    if frame.protocol == TCP:
        return _segment(frame)
    if frame.protocol == UDP:
        return _datagram(frame)
    if frame.protocol == (ICMP if is_ipv4(frame.source) else ICMPV6):
        return _message(frame)
    raise ValueError(f"IP protocol {frame.protocol} is none of TCP, UDP and ICMP")


def checksum(data: bytes) -> int:
    """The Internet checksum (RFC 1071) of data that is not all zeros.

    As 2**16 is 1 modulo 2**16 - 1, the sum of the 16-bit words is the whole number's remainder.
    """
    if len(data) % 2:
        data += b"\0"
    return -int.from_bytes(data, "big") % 0xFFFF


# Encoding


def _address(ip: IP) -> bytes:
    """4 or 16 bytes: a mapped IPv4 address is one of IPv4, and a zone stays at home."""
    if ip.startswith(_MAPPED) and "." in ip:
        ip = ip[len(_MAPPED) :]
    return packed(ip)


def _ends(source: InetAddress, destination: InetAddress) -> tuple[bytes, bytes]:
    ends = _address(source[0]), _address(destination[0])
    if len(ends[0]) != len(ends[1]):
        raise ValueError(f"from {source[0]} to {destination[0]}: IPv4 and IPv6 do not mix")
    return ends


def _ip(packet: Packet, protocol: int, body: bytes, tos: int = 0, hops: int = 64) -> bytes:
    source, destination = _ends(packet.source, packet.destination)
    if len(source) == 16:
        if not 0 <= tos <= 255:
            raise ValueError(f"a traffic class of {tos}: {packet!r}")
        header = _IPV6.pack(6 << 28 | tos << 20, len(body), protocol, hops, source, destination)
        return header + body
    whole = isinstance(packet, Segment) or (isinstance(packet, Datagram) and packet.piece)
    fragment = _DONT_FRAGMENT if whole else 0
    length = _IPV4.size + len(body)
    fields = 0x45, tos, length, 0, fragment, hops, protocol, 0, source, destination
    header = _IPV4.pack(*fields)
    return header[:10] + checksum(header).to_bytes(2, "big") + header[12:] + body


def _pseudo_header(source: bytes, destination: bytes, protocol: int, length: int) -> bytes:
    """What TCP's and UDP's checksums cover besides (RFC 9293, section 3.1; RFC 8200, 8.1)."""
    if len(source) == 4:
        return source + destination + struct.pack("!xBH", protocol, length)
    return source + destination + struct.pack("!IxxxB", length, protocol)


def _tcp(segment: Segment) -> bytes:
    options = b""
    if segment.mss:
        options += struct.pack("!BBH", _MSS, 4, segment.mss)
    if segment.wscale is not None:
        options += struct.pack("!BBBB", _NOP, _WSCALE, 3, segment.wscale)
    if segment.flags & ~_FLAGS:
        raise ValueError(f"TCP has no flags {segment.flags:#x}: {segment!r}")
    header = _TCP.pack(
        segment.source[1],
        segment.destination[1],
        segment.seq,
        segment.ack,
        (_TCP.size + len(options)) << 2,
        segment.flags,
        segment.window,
        0,
        segment.urgent,
    )
    body = header + options + segment.payload
    pseudo = _pseudo_header(*_ends(segment.source, segment.destination), TCP, len(body))
    return body[:16] + checksum(pseudo + body).to_bytes(2, "big") + body[18:]


def _udp(datagram: Datagram) -> bytes:
    length = _UDP.size + len(datagram.payload)
    header = _UDP.pack(datagram.source[1], datagram.destination[1], length, 0)
    body = header + datagram.payload
    pseudo = _pseudo_header(*_ends(datagram.source, datagram.destination), UDP, length)
    # 0 would mean that there is no checksum (RFC 768).
    total = checksum(pseudo + body) or 0xFFFF
    return body[:6] + total.to_bytes(2, "big") + body[8:]


def _unreachable(packet: Unreachable) -> bytes:
    source, destination = _ends(packet.source, packet.destination)
    four = len(source) == 4
    errors = _ERRORS4 if four else _ERRORS6
    kind, code = _UNREACHABLE4 if four else _UNREACHABLE6, 0
    if not four and packet.error == errno.EMSGSIZE:
        kind = _TOO_BIG6
    elif not four and packet.error == errno.EHOSTUNREACH:
        code = _ADDRESS_UNREACHABLE6
    elif packet.error in errors:
        code = errors.index(packet.error)
    else:
        raise ValueError(f"no ICMP message says {name_of(packet.error)}")
    room = QUOTING4 - 28 if four else QUOTING6 - 48
    body = _ICMP.pack(kind, code, 0, packet.mtu) + encode(packet.about)[:room]
    protocol = ICMP if four else ICMPV6
    pseudo = b"" if four else _pseudo_header(source, destination, protocol, len(body))
    body = body[:2] + checksum(pseudo + body).to_bytes(2, "big") + body[4:]
    return _ip(packet, protocol, body, _INTERNET_CONTROL if four else 0)


# Decoding


def _frame(data: bytes, verify: bool, quoted: bool = False) -> _Frame:
    """The IP header; a quotation may be cut short behind it."""
    version = data[0] >> 4 if data else None
    if version == 4:
        return _frame4(data, verify, quoted)
    if version == 6:
        return _frame6(data, quoted)
    raise ValueError("nothing at all" if version is None else f"IP version {version}")


def _frame4(data: bytes, verify: bool, quoted: bool) -> _Frame:
    if len(data) < _IPV4.size:
        raise ValueError(f"an IPv4 header of {len(data)} bytes")
    first, tos, length, _, fragment, hops, protocol, _, source, destination = _IPV4.unpack_from(
        data
    )
    header = (first & 15) * 4
    if not _IPV4.size <= header <= min(length, len(data)):
        raise ValueError(f"an IPv4 header of {header} bytes in a packet of {length}")
    if length > len(data) and not quoted:
        raise ValueError(f"{len(data)} bytes of an IPv4 packet of {length}")
    if verify and checksum(data[:header]):
        raise ValueError("the IPv4 header's checksum is wrong")
    if fragment & (_MORE_FRAGMENTS | _FRAGMENT_OFFSET):
        raise ValueError("a fragment")
    ends = socket.inet_ntoa(source), socket.inet_ntoa(destination)
    return _Frame(*ends, protocol, tos, hops, data[header:length], length - header)


def _frame6(data: bytes, quoted: bool) -> _Frame:
    if len(data) < _IPV6.size:
        raise ValueError(f"an IPv6 header of {len(data)} bytes")
    first, length, protocol, hops, source, destination = _IPV6.unpack_from(data)
    end = _IPV6.size + length
    if end > len(data) and not quoted:
        raise ValueError(f"{len(data)} bytes of an IPv6 packet of {end}")
    for address in (source, destination):
        if address.startswith(_MAPPED_BYTES):
            raise ValueError("an IPv4 address in an IPv6 header")
    from_ip = socket.inet_ntop(socket.AF_INET6, source)
    to_ip = socket.inet_ntop(socket.AF_INET6, destination)
    body = data[_IPV6.size : end]
    return _Frame(from_ip, to_ip, protocol, first >> 20 & 0xFF, hops, body, length)


def _verify(frame: _Frame) -> None:
    """ValueError unless the checksum within the IP packet is right."""
    body, four = frame.body, is_ipv4(frame.source)
    if frame.protocol == UDP:
        body = body[: int.from_bytes(body[4:6], "big")]
        if four and body[6:8] == b"\0\0":
            return
    pseudo = b""
    if not (four and frame.protocol == ICMP):
        ends = packed(frame.source), packed(frame.destination)
        pseudo = _pseudo_header(*ends, frame.protocol, len(body))
    if checksum(pseudo + body) or (frame.protocol == UDP and body[6:8] == b"\0\0"):
        raise ValueError(f"the {_NAMES[frame.protocol]} checksum is wrong")


def _segment(frame: _Frame, quoted: bool = False) -> Segment:
    body = frame.body
    if quoted and 8 <= len(body) < _TCP.size:
        from_port, to_port, seq = struct.unpack_from("!HHI", body)
        ends = (frame.source, from_port), (frame.destination, to_port)
        return Segment(*ends, seq, 0, 0, 0, hops=frame.hops)
    if len(body) < _TCP.size:
        raise ValueError(f"a TCP header of {len(body)} bytes")
    from_port, to_port, seq, ack, offset, flags, window, _, urgent = _TCP.unpack_from(body)
    header = (offset >> 4) * 4
    if header < _TCP.size or header > frame.length:
        raise ValueError(f"a TCP header of {header} bytes in a segment of {frame.length}")
    mss, wscale = _options(body[_TCP.size : header], quoted)
    return Segment(
        (frame.source, from_port),
        (frame.destination, to_port),
        seq,
        ack,
        flags & _FLAGS,
        window,
        body[header:],
        urgent,
        mss,
        wscale,
        frame.hops,
    )


def _options(options: bytes, quoted: bool) -> tuple[int, int | None]:
    """The segment size (0: not given) and the window scale."""
    mss, wscale, at = 0, None, 0
    while at < len(options) and options[at] != _END:
        if options[at] == _NOP:
            at += 1
            continue
        length = options[at + 1] if at + 1 < len(options) else 0
        if length < 2 or at + length > len(options):
            if quoted:
                break
            raise ValueError(f"TCP option {options[at]} of {length} bytes does not fit")
        value = options[at + 2 : at + length]
        if options[at] == _MSS and length == 4:
            mss = int.from_bytes(value, "big")
        elif options[at] == _WSCALE and length == 3:
            wscale = value[0]
        at += length
    return mss, wscale


def _datagram(frame: _Frame, quoted: bool = False) -> Datagram:
    body = frame.body
    if len(body) < _UDP.size:
        raise ValueError(f"a UDP header of {len(body)} bytes")
    from_port, to_port, length, _ = _UDP.unpack_from(body)
    if not _UDP.size <= length <= frame.length:
        raise ValueError(f"a UDP datagram of {length} bytes in a packet with {frame.length}")
    ends = (frame.source, from_port), (frame.destination, to_port)
    return Datagram(*ends, body[_UDP.size : length], frame.tos, frame.hops)


def _message(frame: _Frame) -> Unreachable:
    body, four = frame.body, is_ipv4(frame.source)
    if len(body) < _ICMP.size:
        raise ValueError(f"an ICMP header of {len(body)} bytes")
    kind, code, _, rest = _ICMP.unpack_from(body)
    # Over IPv4 the upper half is for something else (RFC 4884).
    mtu = rest & 0xFFFF if four else rest
    errors = _ERRORS4 if four else _ERRORS6
    if not four and kind == _TOO_BIG6:
        error = errno.EMSGSIZE
    elif kind == (_UNREACHABLE4 if four else _UNREACHABLE6) and code < len(errors):
        error = errors[code]
    else:
        raise ValueError(f"ICMP type {kind} code {code} does not say that something is unreachable")
    quotation = _frame(body[_ICMP.size :], verify=False, quoted=True)
    about: Segment | Datagram
    if quotation.protocol == TCP:
        about = _segment(quotation, quoted=True)
    elif quotation.protocol == UDP:
        about = _datagram(quotation, quoted=True)
    else:
        raise ValueError(f"ICMP about IP protocol {quotation.protocol}, neither TCP nor UDP")
    ends = (frame.source, 0), (frame.destination, 0)
    return Unreachable(*ends, error, about, mtu if error == errno.EMSGSIZE else 0)
