"""What travels beside the data: credentials, and references to open sockets."""

from __future__ import annotations

import errno
import socket
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simnet.protocols import unix_ancillary
from simnet.protocols.unix_ancillary import SCM_CREDENTIALS, SCM_RIGHTS
from simnet.readiness import POLLHUP
from tests.protocols.unix_stand_in import DGRAM, STREAM, TYPES, StandIn, listener, pair, unix

SOL_SOCKET = socket.SOL_SOCKET
ROOM = 1024


class Token:
    """Something to pass: it counts who holds it."""

    def __init__(self) -> None:
        self.held = 1

    def hold(self) -> None:
        self.held += 1

    def release(self) -> None:
        self.held -= 1


def rights(*passed: Any) -> list[tuple[int, int, Any]]:
    return [(SOL_SOCKET, SCM_RIGHTS, passed)]


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["plain", "rights", "recv", "peek", "recv-without-room"]),
        st.integers(1, 4),
    ),
    max_size=40,
)


@pytest.mark.parametrize("type", TYPES.values(), ids=TYPES)
@given(steps=STEPS)
def test_holds_are_conserved(type: int, steps: list[tuple[str, int]]) -> None:
    """A passed object is held once by each message that it lies in, and once by each receiver."""
    a, b = pair(type)
    token = Token()
    received = 0
    for step, size in steps:
        if step in ("plain", "rights"):
            a.send(bytes(size), 0, None, rights(*[token] * size) if step == "rights" else ())
        else:
            room = 0 if step == "recv-without-room" else ROOM
            got = b.recv(size, socket.MSG_PEEK if step == "peek" else 0, room)
            for _, _, passed in got.ancillary if got else ():
                received += len(passed)
        queued = sum(len(piece[4] or ()) for piece in b.queue)
        assert token.held == 1 + queued + received
    b.release()
    assert token.held == 1 + received


def test_rights_join_what_came_before_and_end_the_read() -> None:
    """One read gives the plain bytes before, the piece with the rights, and stops."""
    a, b = pair(STREAM)
    token = Token()
    a.send(b"before", 0)
    a.send(b"with", 0, None, rights(token))
    a.send(b"after", 0)
    got = b.recv(100, 0, ROOM)
    assert got is not None
    assert (got.data, list(got.ancillary)) == (b"beforewith", rights(token))
    rest = b.recv(100, 0, ROOM)
    assert rest is not None
    assert (rest.data, rest.ancillary) == (b"after", [])


def test_an_empty_write_to_a_stream_passes_nothing() -> None:
    """There is no piece for the rights to go with."""
    a, b = pair(STREAM)
    token = Token()
    assert a.send(b"", 0, None, rights(token)) == 0
    assert token.held == 1
    assert b.recv(1, 0, ROOM) is None


@pytest.mark.parametrize(("count", "error"), [(253, None), (254, errno.EINVAL)])
def test_how_many_may_be_passed(count: int, error: int | None) -> None:
    """253 in all items of one send together."""
    a, _ = pair(STREAM)
    token = Token()
    items = rights(*[token] * (count - 1)) + rights(token)
    if error is None:
        assert a.send(b"x", 0, None, items) == 1
    else:
        with pytest.raises(OSError, match=str(error)):
            a.send(b"x", 0, None, items)
        assert token.held == 1


@pytest.mark.parametrize(("room", "fit"), [(0, 0), (16, 0), (20, 1), (24, 2), (28, 3), (64, 3)])
def test_a_small_control_buffer_cuts(room: int, fit: int) -> None:
    """What does not fit is let go, and MSG_CTRUNC tells."""
    a, b = pair(STREAM)
    token = Token()
    a.send(b"x", 0, None, rights(token, token, token))
    got = b.recv(1, 0, room)
    assert got is not None
    assert sum(len(item[2]) for item in got.ancillary) == fit
    assert got.flags == (0 if fit == 3 else socket.MSG_CTRUNC)
    assert token.held == 1 + fit


def test_a_receiver_may_refuse_rights() -> None:
    """Without SO_PASSRIGHTS the sender gets EPERM, and nothing is held."""
    for type in TYPES.values():
        a, b = pair(type)
        b.passrights = False
        token = Token()
        with pytest.raises(PermissionError):
            a.send(b"x", 0, None, rights(token))
        assert token.held == 1


@pytest.mark.parametrize(
    ("own", "claimed", "error"),
    [
        ((7, 0, 0), (7, 0, 0), None),
        ((7, 0, 0), (7, 5, 6), None),
        ((7, 0, 0), (8, 0, 0), errno.ESRCH),
        ((7, 0, 0), (7, -1, 0), errno.EINVAL),
        ((7, 1000, 1000), (7, 1000, 1000), None),
        ((7, 1000, 1000), (7, 0, 1000), errno.EPERM),
        ((7, 1000, 1000), (8, 1000, 1000), errno.EPERM),
    ],
)
def test_who_one_may_claim_to_be(own: Any, claimed: Any, error: int | None) -> None:
    """Oneself; root may claim any user."""
    items = [(SOL_SOCKET, SCM_CREDENTIALS, claimed)]
    if error is None:
        assert unix_ancillary.outgoing(items, own) == (claimed, None)
    else:
        with pytest.raises(OSError, match=str(error)):
            unix_ancillary.outgoing(items, own)


def test_unknown_items() -> None:
    """Those of another level are ignored, those of SOL_SOCKET refused."""
    assert unix_ancillary.outgoing([(socket.IPPROTO_IPV6, 77, b"")], (7, 0, 0)) == (None, None)
    with pytest.raises(OSError, match=str(errno.EINVAL)):
        unix_ancillary.outgoing([(SOL_SOCKET, 77, b"")], (7, 0, 0))


def test_credentials_are_told_to_who_asks() -> None:
    """They go along if either end has SO_PASSCRED; the receiver's counts again on reading."""
    a, b = pair(STREAM)
    a.send(b"1", 0)
    b.passcred = True
    a.send(b"2", 0)
    own = a.host.credentials()
    for expected in (unix_ancillary.NO_CREDENTIALS, own):
        got = b.recv(10, 0, ROOM)
        assert got is not None
        assert list(got.ancillary) == [(SOL_SOCKET, SCM_CREDENTIALS, expected)]


def test_a_socket_in_flight_stays_open() -> None:
    """The receiver of a message keeps the passed socket's connection alive."""
    host = StandIn()
    a, b = pair(STREAM, host)
    c, d = pair(STREAM, host)
    a.send(b"x", 0, None, rights(c))
    c.release()
    assert not d.poll() & POLLHUP
    got = b.recv(1, 0, ROOM)
    assert got is not None
    ((_, _, (received,)),) = got.ancillary
    assert received is c
    assert not host.unix_names.in_flight
    received.release()
    assert d.poll() & POLLHUP


def close_any(host: StandIn) -> None:
    """Closing any unix socket makes the collector look."""
    unix(DGRAM, host).release()


def test_a_socket_in_its_own_queue_is_collected() -> None:
    """Its peer sees it hang up, without a reset for what nobody can read."""
    host = StandIn()
    a, b = pair(STREAM, host)
    b.send(b"x", 0, None, rights(a))
    a.release()
    close_any(host)
    assert b.poll() & POLLHUP
    assert b.error == 0
    assert b.used == 0
    assert not host.unix_names.in_flight


def test_a_cycle_that_somebody_can_read_is_kept() -> None:
    """Two sockets in each other's queues live while one of them has a descriptor."""
    host = StandIn()
    a, b = pair(STREAM, host)
    c, d = pair(STREAM, host)
    b.send(b"x", 0, None, rights(c))
    d.send(b"x", 0, None, rights(a))
    a.release()
    close_any(host)
    assert not b.poll() & POLLHUP
    c.release()
    close_any(host)
    assert b.poll() & POLLHUP
    assert d.poll() & POLLHUP


def test_a_listener_in_the_queue_of_its_own_connection_is_collected() -> None:
    """A connection that waits to be accepted belongs to its listener."""
    host = StandIn()
    server = listener(STREAM, host)
    client = unix(STREAM, host)
    client.connect(server.getsockname())
    client.send(b"x", 0, None, rights(server))
    server.release()
    close_any(host)
    assert client.poll() & POLLHUP
    assert not host.unix_names.in_flight


def test_what_only_a_cycle_held_is_closed_as_usual() -> None:
    """A socket outside the cycle is closed with what is unread in it: its peer is reset."""
    host = StandIn()
    a, b = pair(STREAM, host)
    c, d = pair(STREAM, host)
    d.send(b"unread", 0)
    b.send(b"x", 0, None, rights(a, c))
    c.release()
    a.release()
    close_any(host)
    assert b.error == 0
    assert d.error == errno.ECONNRESET
