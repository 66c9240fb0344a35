"""Packets as bytes: laws about both ways, and bytes that others have made."""

from __future__ import annotations

import errno
import socket
import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simnet.codec import checksum, decode, encode
from simnet.wire import ACK, FIN, PSH, SYN, URG, Datagram, Packet, Segment, Unreachable
from tests.properties.profiles import examples

PORTS = st.integers(0, 65535)
ADDRESSES4 = st.ip_addresses(v=4).map(str)
ADDRESSES6 = (
    st.ip_addresses(v=6)
    .filter(lambda ip: ip.ipv4_mapped is None)
    .map(lambda ip: socket.inet_ntop(socket.AF_INET6, ip.packed))
)
PAYLOADS = st.binary(max_size=80) | st.integers(0, 1500).map(bytes)


@st.composite
def ends(draw: Any) -> tuple[tuple[str, int], tuple[str, int]]:
    """A source and a destination of the same family."""
    ips = draw(st.sampled_from([ADDRESSES4, ADDRESSES6]))
    return (draw(ips), draw(PORTS)), (draw(ips), draw(PORTS))


@st.composite
def segments(draw: Any) -> Segment:
    """TCP segments, sensible or not; only SYNs have options."""
    number, short = st.integers(0, 2**32 - 1), st.integers(0, 65535)
    fields = draw(st.tuples(number, number, st.integers(0, 63), short, PAYLOADS, short, short))
    wscale = draw(st.none() | st.integers(0, 255))
    segment = Segment(*draw(ends()), *fields, wscale, draw(st.integers(0, 255)))
    return segment if segment.flags & SYN else segment._replace(mss=0, wscale=None)


@st.composite
def datagrams(draw: Any) -> Datagram:
    """UDP datagrams."""
    octet = st.integers(0, 255)
    return Datagram(*draw(ends()), draw(PAYLOADS), draw(octet), draw(octet))


@st.composite
def messages(draw: Any) -> Unreachable:
    """ICMP messages, about packets that are short enough to be quoted whole."""
    about = draw(segments() | datagrams())
    about = about._replace(payload=about.payload[:500])
    four = ":" not in about.source[0]
    errors = [errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ECONNREFUSED, errno.EMSGSIZE]
    errors += [errno.ENOPROTOOPT, errno.EHOSTDOWN, errno.ENONET] if four else [errno.EACCES]
    error = draw(st.sampled_from(errors))
    mtu = draw(st.integers(68, 65535)) if error == errno.EMSGSIZE else 0
    router = draw(ADDRESSES4 if four else ADDRESSES6)
    return Unreachable((router, 0), (about.source[0], 0), error, about, mtu)


def whole(packet: Packet) -> bool:
    """Whether an ICMP message has room for what it quotes."""
    if not isinstance(packet, Unreachable):
        return True
    return packet.about.size <= (548 if ":" not in packet.source[0] else 1232)


PACKETS = st.one_of(segments(), datagrams(), messages().filter(whole))


@given(packet=PACKETS)
@examples(300)
def test_what_is_encoded_is_decoded_again(packet: Packet) -> None:
    """Nothing that the wire carries is lost, and the packet is as large as it says."""
    data = encode(packet)
    assert decode(data) == packet
    assert len(data) == packet.size


@given(packet=PACKETS, bit=st.integers(0, 10**6))
@examples(200)
def test_a_flipped_bit_is_found(packet: Packet, bit: int) -> None:
    """Whatever bit it is, what comes out is an error or the packet itself, never another one."""
    data = bytearray(encode(packet))
    bit %= len(data) * 8
    data[bit // 8] ^= 1 << bit % 8
    try:
        found = decode(bytes(data))
    except ValueError:
        return
    # Not covered by any checksum: IPv6's own header, except its addresses; padding after a shorter
    # length; and a UDP checksum that has become 0, which means that there is none.
    assert (":" in packet.source[0] and bit < 64) or found == packet


@given(data=st.binary(max_size=120), version=st.sampled_from([0x45, 0x60, 0x46]))
@examples(300)
def test_any_bytes_are_a_packet_or_a_value_error(data: bytes, version: int) -> None:
    """Nothing else is raised, whether or not the checksums are looked at."""
    for verify in (True, False):
        try:
            found = decode(bytes([version]) + data, verify)
        except ValueError:
            continue
        assert isinstance(found, (Segment, Datagram, Unreachable))


@given(packet=PACKETS, end=st.integers(0, 2000))
@examples(200)
def test_a_packet_cut_short_is_an_error(packet: Packet, end: int) -> None:
    """IP says how long it is."""
    data = encode(packet)
    with pytest.raises(ValueError, match=r"bytes|nothing"):
        decode(data[: end % len(data)])


def test_what_follows_a_packet_is_padding() -> None:
    """As the shortest Ethernet frames have it."""
    packet = Datagram(("10.0.0.1", 1), ("10.0.0.2", 2), b"x")
    assert decode(encode(packet) + bytes(17)) == packet


# Bytes that others have made


def test_the_checksum_of_the_rfc() -> None:
    """RFC 1071, section 3: the sum of these is ddf2."""
    assert checksum(bytes.fromhex("0001f203f4f5f6f7")) == 0xFFFF - 0xDDF2


def test_an_ipv4_header_whose_checksum_is_known() -> None:
    """The example of many textbooks: b861."""
    header = bytes.fromhex("4500 0073 0000 4000 4011 b861 c0a8 0001 c0a8 00c7")
    assert checksum(header) == 0
    assert checksum(header[:10] + b"\0\0" + header[12:]) == 0xB861


# Taken from a TUN device: Linux 6.18 connects to port 80.
SYN4 = (
    "4500003c41de40004006e4c90a0900010a090002"
    "b43a005000edd09e00000000a002faf0c9690000020405b40402080ad0b818bf000000000103030a"
)
SYN6 = (
    "6009f47f0028064020010db800090000000000000000000120010db8000900000000000000000002"
    "b2960050b84f635e00000000a002fd20800d0000020405a00402080a716e2f59000000000103030a"
)


@pytest.mark.parametrize(
    ("data", "ends", "seq", "window", "mss"),
    [
        (SYN4, (("10.9.0.1", 46138), ("10.9.0.2", 80)), 0x00EDD09E, 64240, 1460),
        (SYN6, (("2001:db8:9::1", 45718), ("2001:db8:9::2", 80)), 0xB84F635E, 64800, 1440),
    ],
)
def test_a_syn_of_the_kernel(data: str, ends: Any, seq: int, window: int, mss: int) -> None:
    """Its checksums are right; selective acknowledgements and timestamps are skipped."""
    segment = decode(bytes.fromhex(data))
    assert segment == Segment(*ends, seq, 0, SYN, window, mss=mss, wscale=10)


def test_a_segment_by_hand() -> None:
    """Every field of RFC 9293, section 3.1, in its place."""
    segment = Segment(
        ("1.2.3.4", 0x0102),
        ("5.6.7.8", 0x0304),
        0x05060708,
        0x090A0B0C,
        FIN | PSH | ACK | URG,
        0x0D0E,
        b"hi!",
        urgent=0x0F10,
        hops=7,
    )
    data = encode(segment)
    assert data[:10] == bytes.fromhex("4500002b 0000 4000 0706")
    assert data[12:36] == bytes.fromhex("01020304 05060708 0102 0304 05060708 090a0b0c 50 39 0d0e")
    assert data[38:] == b"\x0f\x10hi!"


def test_a_datagram_over_ipv6_by_hand() -> None:
    """Every field of RFC 8200 and RFC 768 in its place."""
    data = encode(Datagram(("2001:db8::1", 1), ("2001:db8::2", 2), b"x", tos=0xAB, hops=9))
    header = "6ab00000 0009 11 09 20010db8000000000000000000000001 20010db8000000000000000000000002"
    assert data[:46] == bytes.fromhex(header + "0001 0002 0009")
    # By hand: 2 * (2001 + db8) + 1 + 2, then 9 + 17, then 1 + 2 + 9 + 7800.
    total = 2 * (0x2001 + 0x0DB8) + 3 + 9 + 17 + 12 + 0x7800
    assert int.from_bytes(data[46:48], "big") == 0xFFFF - total


@pytest.mark.parametrize("verify", [True, False])
def test_what_the_kernel_sends_is_understood(verify: bool) -> None:
    """Where raw sockets may be opened: an ICMP message of the kernel's about a datagram."""
    try:
        raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
    except PermissionError:
        pytest.skip("raw sockets need CAP_NET_RAW")
    with raw, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as closed:
        closed.bind(("127.0.0.1", 0))
        to = closed.getsockname()
        closed.close()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            sender.bind(("127.0.0.1", 0))
            sender.sendto(b"y" * 1200, to)
            raw.settimeout(5)
            wanted = Datagram(sender.getsockname(), to, b"y" * 520)
            for _ in range(100):
                message = decode(raw.recv(2000), verify)
                if isinstance(message, Unreachable) and message.about == wanted:
                    break
    ends = ("127.0.0.1", 0), ("127.0.0.1", 0)
    assert message == Unreachable(*ends, errno.ECONNREFUSED, wanted)


# Addresses


@pytest.mark.parametrize(
    ("ip", "read"), [("fe80::1%2", "fe80::1"), ("::ffff:10.0.0.1", "10.0.0.1"), ("::1", "::1")]
)
def test_a_zone_stays_at_home_and_a_mapped_address_is_ipv4(ip: str, read: str) -> None:
    """The wire knows neither."""
    packet = decode(encode(Datagram((ip, 1), (ip, 2), b"")))
    assert (packet.source, packet.destination) == ((read, 1), (read, 2))


def test_an_ipv4_address_in_an_ipv6_header_is_refused() -> None:
    """Mapped addresses are for programs, not for the wire (RFC 4291, section 2.5.5.2)."""
    data = bytearray(encode(Datagram(("::1", 1), ("::1", 2), b"")))
    data[8:24] = socket.inet_pton(socket.AF_INET6, "::ffff:1.2.3.4")
    with pytest.raises(ValueError, match="an IPv4 address in an IPv6 header"):
        decode(bytes(data), verify=False)


# Quotations


@pytest.mark.parametrize(("ip", "room"), [("10.0.0.1", 548 - 28), ("2001:db8::5", 1232 - 48)])
def test_icmp_quotes_as_much_as_fits(ip: str, room: int) -> None:
    """So that the message has 576 bytes, or 1280."""
    about = Datagram((ip, 1), (ip, 2), b"z" * 3000)
    message = Unreachable((ip, 0), (ip, 0), errno.EMSGSIZE, about, 1400)
    data = encode(message)
    assert len(data) == message.size == (576 if "." in ip else 1280)
    assert decode(data) == message._replace(about=about._replace(payload=b"z" * room))


def test_eight_bytes_of_a_quoted_segment_are_enough() -> None:
    """RFC 792 promises no more: the ports and the sequence number."""
    segment = Segment(("10.0.0.1", 5), ("10.0.0.2", 6), 77, 88, ACK, 99, b"data")
    data = encode(Unreachable(("10.0.0.3", 0), ("10.0.0.1", 0), errno.EHOSTUNREACH, segment))
    cut = struct.pack("!BBH", 0x45, 0, 56) + data[4:56]
    found = decode(cut, verify=False)
    assert isinstance(found, Unreachable)
    assert found.about == Segment(("10.0.0.1", 5), ("10.0.0.2", 6), 77, 0, 0, 0)


# What is refused


def altered(packet: Packet, **at: int) -> bytes:
    """The packet's bytes with some changed: b9=17 makes the tenth 17."""
    data = bytearray(encode(packet))
    for place, value in at.items():
        data[int(place[1:])] = value
    return bytes(data)


SEGMENT = Segment(("10.0.0.1", 1), ("10.0.0.2", 2), 3, 4, SYN, 5, mss=1460, wscale=7)
DATAGRAM = Datagram(("10.0.0.1", 1), ("10.0.0.2", 2), b"12345678")
REFUSED = Unreachable(("10.0.0.2", 0), ("10.0.0.1", 0), errno.ECONNREFUSED, DATAGRAM)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "nothing at all"),
        (b"\x55" + bytes(40), "IP version 5"),
        (b"\x45", "an IPv4 header of 1 bytes"),
        (b"\x60" + bytes(8), "an IPv6 header of 9 bytes"),
        (altered(SEGMENT, b0=0x44), "an IPv4 header of 16 bytes in a packet of 48"),
        (altered(SEGMENT, b3=200), "48 bytes of an IPv4 packet of 200"),
        (altered(SEGMENT, b6=0x20), "a fragment"),
        (altered(SEGMENT, b7=1), "a fragment"),
        (altered(SEGMENT, b9=2), "IP protocol 2 is none of TCP, UDP and ICMP"),
        (altered(SEGMENT, b9=58), "IP protocol 58 is none of TCP, UDP and ICMP"),
        (altered(SEGMENT, b32=0x40), "a TCP header of 16 bytes in a segment of 28"),
        (altered(SEGMENT, b32=0xF0), "a TCP header of 60 bytes in a segment of 28"),
        (altered(SEGMENT, b41=9), "TCP option 2 of 9 bytes does not fit"),
        (altered(SEGMENT, b41=1), "TCP option 2 of 1 bytes does not fit"),
        (altered(SEGMENT, b3=39)[:39], "a TCP header of 19 bytes"),
        (altered(DATAGRAM, b25=7), "a UDP datagram of 7 bytes in a packet with 16"),
        (altered(DATAGRAM, b25=17), "a UDP datagram of 17 bytes in a packet with 16"),
        (altered(DATAGRAM, b3=27), "a UDP header of 7 bytes"),
        (altered(REFUSED, b3=27), "an ICMP header of 7 bytes"),
        (altered(REFUSED, b20=8), "ICMP type 8 code 3 does not say that something is unreachable"),
        (altered(REFUSED, b21=16), "ICMP type 3 code 16 does not say"),
        (altered(REFUSED, b37=1), "ICMP about IP protocol 1, neither TCP nor UDP"),
    ],
)
def test_it_says_what_is_wrong_with_a_packet(data: bytes, message: str) -> None:
    """Each of them is something else than what the simulator has."""
    with pytest.raises(ValueError, match=message):
        decode(data, verify=False)


@pytest.mark.parametrize(
    ("packet", "at", "message"),
    [
        (SEGMENT, "b8", "the IPv4 header's checksum is wrong"),
        (SEGMENT, "b25", "the TCP checksum is wrong"),
        (DATAGRAM, "b30", "the UDP checksum is wrong"),
        (REFUSED, "b50", "the ICMP checksum is wrong"),
        (Datagram(("::1", 1), ("::1", 2), b"1234"), "b49", "the UDP checksum is wrong"),
    ],
)
def test_it_says_which_checksum_is_wrong(packet: Packet, at: str, message: str) -> None:
    """And does not mind when it is not to look."""
    data = altered(packet, **{at: 255})
    with pytest.raises(ValueError, match=message):
        decode(data)
    assert decode(data, verify=False)


def test_a_datagram_without_a_checksum_is_welcome_over_ipv4_only() -> None:
    """RFC 768 has it optional, RFC 8200 not."""
    assert decode(altered(DATAGRAM, b26=0, b27=0)) == DATAGRAM
    data = bytearray(encode(Datagram(("::1", 1), ("::1", 2), b"1234")))
    data[46:48] = b"\0\0"
    with pytest.raises(ValueError, match="the UDP checksum is wrong"):
        decode(bytes(data))


@pytest.mark.parametrize(
    ("packet", "message"),
    [
        (SEGMENT._replace(window=65536), "this has no place in a packet"),
        (SEGMENT._replace(seq=-1), "this has no place in a packet"),
        (SEGMENT._replace(flags=0x40), "TCP has no flags 0x40"),
        (SEGMENT._replace(source=("nowhere", 1)), "this has no place in a packet"),
        (SEGMENT._replace(source=("::1", 1)), "IPv4 and IPv6 do not mix"),
        (DATAGRAM._replace(payload=bytes(65508)), "this has no place in a packet"),
        (Datagram(("::1", 1), ("::1", 2), b"", tos=256), "a traffic class of 256"),
        (REFUSED._replace(error=errno.EPIPE), "no ICMP message says EPIPE"),
    ],
)
def test_what_has_no_place_in_a_packet_is_an_error(packet: Packet, message: str) -> None:
    """Never silently cut off."""
    with pytest.raises(ValueError, match=message):
        encode(packet)


@pytest.mark.parametrize(
    ("ip", "error", "what"),
    [
        ("10.0.0.1", errno.ENETUNREACH, (3, 0)),
        ("10.0.0.1", errno.EHOSTUNREACH, (3, 1)),
        ("10.0.0.1", errno.ECONNREFUSED, (3, 3)),
        ("10.0.0.1", errno.EMSGSIZE, (3, 4)),
        ("2001:db8::1", errno.ENETUNREACH, (1, 0)),
        ("2001:db8::1", errno.EHOSTUNREACH, (1, 3)),
        ("2001:db8::1", errno.ECONNREFUSED, (1, 4)),
        ("2001:db8::1", errno.EMSGSIZE, (2, 0)),
    ],
)
def test_errors_have_their_icmp_codes(ip: str, error: int, what: tuple[int, int]) -> None:
    """RFC 792, RFC 1191, RFC 4443."""
    about = Datagram((ip, 1), (ip, 2), b"")
    data = encode(Unreachable((ip, 0), (ip, 0), error, about))
    assert tuple(data[20:22] if "." in ip else data[40:42]) == what
