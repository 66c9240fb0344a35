"""Captures: what is in them, and that others can read them."""

from __future__ import annotations

import io
import shutil
import struct
import subprocess
from pathlib import Path
from typing import NamedTuple

import pytest

from simnet import World
from simnet.codec import decode
from simnet.views import pcap
from simnet.views.story import read
from simnet.wire import FIN, SYN, Packet, Segment
from tests.views.stories import chat_on_one_host, lossy_world, lost_syn

TSHARK = shutil.which("tshark")
# What streams carry is not put together: tshark complains of every segment that comes again.
CHECKS = [f"-o{name}.check_checksum:TRUE" for name in ("ip", "tcp", "udp")]
CHECKS.append("-otcp.desegment_tcp_streams:FALSE")


class Read(NamedTuple):
    """A packet of a capture."""

    interface: str
    now_ns: int
    packet: Packet
    comment: str


def blocks(data: bytes) -> list[tuple[int, bytes]]:
    """Kind and body of each block; every length is there twice, and right."""
    found, at = [], 0
    while at < len(data):
        kind, length = struct.unpack_from("<II", data, at)
        assert struct.unpack_from("<I", data, at + length - 4) == (length,)
        found.append((kind, data[at + 8 : at + length - 4]))
        at += length
    return found


def options(data: bytes) -> dict[int, bytes]:
    """Options by their code."""
    found, at = {}, 0
    while True:
        code, length = struct.unpack_from("<HH", data, at)
        if code == 0:
            assert at + 4 == len(data)
            return found
        found[code] = data[at + 4 : at + 4 + length]
        at += 4 + length + -length % 4


def capture(world: World, **where: object) -> list[Read]:
    """What a capture holds."""
    file = io.BytesIO()
    count = pcap.write(world, file, **where)  # type: ignore[arg-type]
    first, *rest = blocks(file.getvalue())
    assert first[0] == 0x0A0D0D0A
    names, found = [], []
    for kind, body in rest:
        if kind == 1:
            settings = options(body[8:])
            assert settings[9] == b"\x09"
            assert struct.unpack_from("<H", body) == (101,)
            names.append(settings[2].decode())
            continue
        interface, high, low, length, original = struct.unpack_from("<IIIII", body)
        assert length == original
        said = options(body[20 + length + -length % 4 :])
        packet = decode(body[20 : 20 + length])
        comment = said.get(1, b"").decode()
        found.append(Read(names[interface], high << 32 | low, packet, comment))
    assert names == list(world.hosts)
    assert count == len(found)
    return found


def test_a_capture_of_everything_has_each_packet_once() -> None:
    """At its sender, when it was sent, with what became of it."""
    found = capture(lost_syn())
    assert [(each.interface, each.now_ns, each.comment) for each in found] == [
        ("client", 0, "lost at client->server: first_syn"),
        ("client", 1_000_000_000, "sent again"),
        ("server", 1_010_000_000, ""),
    ]


def test_a_host_sees_what_it_sent_and_what_reached_it() -> None:
    """The lost SYN never came to the server."""
    world = lost_syn()
    assert [each.now_ns for each in capture(world, host="server")] == [
        1_010_000_000,
        1_010_000_000,
    ]
    assert [each.now_ns for each in capture(world, host=world.hosts["client"])] == [
        0,
        1_000_000_000,
        1_020_000_000,
    ]


def test_a_link_has_what_two_hosts_sent_each_other() -> None:
    """And nothing of anybody else's."""
    world = lost_syn()
    other = world.host("other")
    with other.socket() as sock:
        sock.connect_ex(("server", 80))
    assert len(capture(world)) == 5
    assert len(capture(world, link=("client", "server"))) == 3
    assert len(capture(world, link=("server", "other"))) == 2
    assert len(capture(world, link=("client", "other"))) == 0


def test_the_loopback_shows_each_packet_once() -> None:
    """As a capture on lo does."""
    world = chat_on_one_host()
    assert len(capture(world, host="localhost")) == len(read(world.trace).passages)


def test_a_packet_that_arrives_twice_is_seen_twice() -> None:
    """The comment says so at the sender's."""
    world = lossy_world()
    passages = read(world.trace).passages
    arrivals = sum(len(each.arrived) for each in passages if each.target == "client")
    sent = sum(each.source == "client" for each in passages)
    assert len(capture(world, host="client")) == arrivals + sent
    assert any("arrived 2 times" in each.comment for each in capture(world))


@pytest.mark.parametrize(
    ("where", "message"),
    [
        ({"host": "nobody"}, "'nobody' is no host of this world"),
        ({"link": ("client", "nobody")}, "'nobody' is no host of this world"),
        ({"host": "client", "link": ("client", "server")}, "not both"),
    ],
)
def test_it_says_what_is_wrong_with_the_place(where: dict[str, object], message: str) -> None:
    """Of a host or a link that there is not."""
    with pytest.raises(ValueError, match=message):
        capture(lost_syn(), **where)


def test_a_world_that_does_not_record_cannot_be_captured(tmp_path: Path) -> None:
    """No file is left behind."""
    world = World()
    world.host("a")
    with pytest.raises(ValueError, match="record=True"):
        pcap.write(world, tmp_path / "a.pcapng")
    assert not list(tmp_path.iterdir())


# With others' eyes


def tshark(file: Path, *arguments: str) -> list[str]:
    """The lines that tshark prints; nothing on its error output."""
    if TSHARK is None:
        pytest.skip("tshark is not installed")
    ran = subprocess.run(
        [TSHARK, "-n", *CHECKS, "-r", str(file), *arguments], capture_output=True, text=True
    )
    complaints = [line for line in ran.stderr.splitlines() if "Running as user" not in line]
    assert (ran.returncode, complaints) == (0, [])
    return ran.stdout.splitlines()


@pytest.mark.parametrize("make", [lossy_world, chat_on_one_host, lost_syn])
def test_tshark_finds_nothing_malformed(tmp_path: Path, make: object) -> None:
    """And every checksum right, at every host and on the whole."""
    world: World = make()  # type: ignore[operator]
    for host in (None, *world.hosts):
        file = tmp_path / f"{host}.pcapng"
        count = pcap.write(world, file, host=host)
        wrong = "_ws.malformed or ip.checksum.status == 0 or tcp.checksum.status == 0"
        wrong += " or udp.checksum.status == 0 or icmp.checksum.status == 0"
        wrong += " or icmpv6.checksum.status == 0"
        assert tshark(file, "-Y", wrong) == []
        assert len(tshark(file)) == count


def test_tshark_sees_the_same_connection(tmp_path: Path) -> None:
    """Its beginning and end, its names and times, and what was sent again."""
    world = lossy_world()
    file = tmp_path / "client.pcapng"
    pcap.write(world, file, host="client")
    story = read(world.trace)

    def count(flag: int) -> int:
        return sum(
            (passage.source == "client") + (passage.target == "client") * len(passage.arrived)
            for passage in story.passages
            if isinstance(passage.packet, Segment) and passage.packet.flags & flag
        )

    assert len(tshark(file, "-Y", "tcp.flags.syn == 1")) == count(SYN)
    assert len(tshark(file, "-Y", "tcp.flags.fin == 1")) == count(FIN)
    fields = "-Tfields", "-eframe.interface_name", "-etcp.stream", "-eframe.time_epoch"
    lines = [line.split("\t") for line in tshark(file, *fields)]
    assert {(name, stream) for name, stream, _ in lines} == {("client", "0")}
    assert lines[0][2] == "946684800.001000000"
    again = tshark(file, "-Y", 'frame.comment contains "sent again"')
    assert len(again) >= 1
    # The stream is whole: what the client read is what tshark puts together.
    followed = tshark(file, "-q", "-z", "follow,tcp,raw,0")
    sent = "".join(line.strip() for line in followed if line.startswith("\t"))
    assert len(bytes.fromhex(sent)) == 20_000
