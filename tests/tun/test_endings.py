"""Refusals, resets, halves, closed windows, probes and datagrams, against the real kernel."""

from __future__ import annotations

import errno
import socket
import struct

import pytest

from simnet.api import Network, Socket
from tests.conformance.outcomes import fill, outcome
from tests.tun.meeting import KERNEL, OURS, Meeting
from tests.tun.ways import PATIENCE, SERVERS, connected, nothing_is_left, receive_all, send_all

TCP, SOL = socket.IPPROTO_TCP, socket.SOL_SOCKET
KEEPIDLE, KEEPINTVL, KEEPCNT = 4, 5, 6


def both_ways(
    meeting: Meeting, ends: tuple[Socket, Socket]
) -> list[tuple[Network, Socket, Socket]]:
    """(host, its end, the other end), for the kernel and for us."""
    theirs, mine = ends
    return [(meeting.kernel, theirs, mine), (meeting.ours, mine, theirs)]


def on(meeting: Meeting, host: Network, call: object, *args: object) -> object:
    """What a call gave on one of the hosts."""
    task = host.spawn(outcome, call, *args)
    meeting.run(task)
    return task.result()


def test_nobody_listens(meeting: Meeting) -> None:
    """The reset that answers a SYN is understood."""
    for host, address in ((meeting.kernel, OURS[0]), (meeting.ours, KERNEL[0])):
        with host.socket() as sock:
            sock.settimeout(PATIENCE)
            assert on(meeting, host, sock.connect, (address, 81)) == "ECONNREFUSED"


@pytest.mark.parametrize("side", [0, 1], ids=["the kernel", "we"])
def test_a_reset_ends_the_other_side(meeting: Meeting, side: int) -> None:
    """SO_LINGER 0: what had arrived is read first."""
    meeting.world.link("ours", "kernel", latency=0.001)
    _, end, other = both_ways(meeting, connected(meeting, "kernel"))[side]
    host = (meeting.ours, meeting.kernel)[side]
    end.send(b"last")
    meeting.pass_time(0.1)
    end.setsockopt(SOL, socket.SO_LINGER, struct.pack("ii", 1, 0))
    end.close()
    meeting.pass_time(0.1)
    assert on(meeting, host, other.recv, 10) == b"last"
    assert on(meeting, host, other.recv, 10) == "ECONNRESET"
    assert on(meeting, host, other.send, b"x") == "EPIPE"
    assert nothing_is_left(meeting)
    other.close()


@pytest.mark.parametrize("server", SERVERS)
def test_data_for_a_closed_end_is_answered_with_a_reset(meeting: Meeting, server: str) -> None:
    """By both; the sender gets EPIPE after that."""
    for side in (0, 1):
        host, end, other = both_ways(meeting, connected(meeting, server))[side]
        other.close()
        meeting.pass_time(0.1)
        assert on(meeting, host, end.send, b"x") == 1
        meeting.pass_time(0.1)
        assert on(meeting, host, end.send, b"x") == "EPIPE"
        end.close()
        assert nothing_is_left(meeting)


@pytest.mark.parametrize("side", [0, 1], ids=["the kernel", "we"])
def test_half_a_connection_goes_on(meeting: Meeting, side: int) -> None:
    """Who has said that it sends no more still receives."""
    meeting.world.link("ours", "kernel", latency=0.001, loss=0.05)
    host, end, other = both_ways(meeting, connected(meeting, "ours"))[side]
    answering = (meeting.ours, meeting.kernel)[side]
    end.shutdown(socket.SHUT_WR)
    reading = host.spawn(receive_all, end)
    asked = answering.spawn(receive_all, other)
    meeting.run(reading, asked, answering.spawn(send_all, other, b"answer" * 20000))
    assert (asked.result(), reading.result()) == (b"", b"answer" * 20000)
    end.close()
    other.close()
    assert nothing_is_left(meeting)


def test_both_close_at_the_same_moment(meeting: Meeting) -> None:
    """Simultaneous close (RFC 9293, figure 13): the FINs cross on the way."""
    meeting.world.link("ours", "kernel", latency=0.05)
    theirs, mine = connected(meeting, "kernel")
    theirs.close()
    mine.close()
    assert nothing_is_left(meeting)


@pytest.mark.parametrize("side", [0, 1], ids=["the kernel", "we"])
def test_a_closed_window_opens_again(meeting: Meeting, side: int) -> None:
    """Nothing is read for a while: what was written waits behind probes, and all of it arrives."""
    meeting.world.link("ours", "kernel", latency=0.001)
    _, end, other = both_ways(meeting, connected(meeting, "ours"))[side]
    reading = (meeting.ours, meeting.kernel)[side]
    other.setsockopt(SOL, socket.SO_RCVBUF, 8192)
    end.setblocking(False)
    written = 0
    for _ in range(10):
        written += fill(end)
        meeting.pass_time(0.05)
    assert not fill(end)
    end.settimeout(PATIENCE)
    end.close()
    task = reading.spawn(receive_all, other)
    meeting.run(task)
    assert len(task.result()) == written
    other.close()
    assert nothing_is_left(meeting)


def test_each_answers_the_probes_of_the_other(meeting: Meeting) -> None:
    """Keepalive with the shortest settings finds both alive, and then nobody on a dead link."""
    theirs, mine = connected(meeting, "kernel")
    for end in (theirs, mine):
        for option, value in ((KEEPIDLE, 1), (KEEPINTVL, 1), (KEEPCNT, 1)):
            end.setsockopt(TCP, option, value)
        end.setsockopt(SOL, socket.SO_KEEPALIVE, 1)
    meeting.pass_time(2.2)
    for host, end, other in both_ways(meeting, (theirs, mine)):
        assert other.send(b"alive") == 5
        assert on(meeting, host, end.recv, 10) == b"alive"
    meeting.world.partition("ours", "kernel")
    waiting = [
        host.spawn(outcome, end.recv, 10) for host, end, _ in both_ways(meeting, (theirs, mine))
    ]
    meeting.run(*waiting)
    assert [task.result() for task in waiting] == ["ETIMEDOUT", "ETIMEDOUT"]
    theirs.close()
    mine.close()


def test_urgent_data_arrives_where_it_belongs(meeting: Meeting) -> None:
    """The pointer means the same to both (SO_OOBINLINE off)."""
    for host, end, other in both_ways(meeting, connected(meeting, "kernel")):
        other.send(b"abc")
        other.send(b"!", socket.MSG_OOB)
        other.send(b"def")
        meeting.pass_time(0.1)
        assert on(meeting, host, end.recv, 10, socket.MSG_OOB) == b"!"
        assert on(meeting, host, end.recv, 10) == b"abc"
        assert on(meeting, host, end.recv, 10) == b"def"
    end.close()
    other.close()


@pytest.mark.parametrize("version", [4, 6])
def test_datagrams_and_refusals(meeting: Meeting, version: int) -> None:
    """Both ways, with the addresses; a dead port answers in ICMP, which the other understands."""
    family = socket.AF_INET if version == 4 else socket.AF_INET6
    index = 0 if version == 4 else 1
    ends = []
    for host in (meeting.kernel, meeting.ours):
        sock = host.socket(family, socket.SOCK_DGRAM)
        sock.bind(("", 9))
        sock.settimeout(PATIENCE)
        ends.append(sock)
    theirs, mine = ends
    for data in (b"", b"x", b"x" * 1400):
        theirs.sendto(data, (OURS[index], 9))
        mine.sendto(data, (KERNEL[index], 9))
        for host, sock, ip in (
            (meeting.kernel, theirs, OURS[index]),
            (meeting.ours, mine, KERNEL[index]),
        ):
            task = host.spawn(sock.recvfrom, 2000)
            meeting.run(task)
            gave, address = task.result()
            assert (gave, address[:2]) == (data, (ip, 9))
    theirs.connect((OURS[index], 77))
    mine.connect((KERNEL[index], 77))
    theirs.send(b"x")
    mine.send(b"x")
    meeting.pass_time(0.1)
    assert theirs.getsockopt(SOL, socket.SO_ERROR) == errno.ECONNREFUSED
    assert mine.getsockopt(SOL, socket.SO_ERROR) == errno.ECONNREFUSED
    theirs.close()
    mine.close()
