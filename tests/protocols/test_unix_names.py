"""The names of one host's unix sockets."""

from __future__ import annotations

import errno

import pytest

from simnet.protocols.unix import UnixNames
from tests.protocols.unix_stand_in import DGRAM, SEQPACKET, STREAM, StandIn, unix


def test_picked_names_are_counted() -> None:
    """Five hexadecimal digits after a zero byte, the same on every run."""
    host = StandIn()
    sockets = [unix(STREAM, host) for _ in range(3)]
    for each in sockets:
        each.bind(None)
    assert [each.getsockname() for each in sockets] == [b"\x0000000", b"\x0000001", b"\x0000002"]


def test_a_picked_name_that_is_taken_is_passed_over() -> None:
    """Somebody may have bound the next name."""
    host = StandIn()
    unix(STREAM, host).bind(b"\x0000000")
    sock = unix(STREAM, host)
    sock.bind("")
    assert sock.getsockname() == b"\x0000001"


def test_all_picked_names_may_be_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    """ENOSPC once the last is gone."""
    monkeypatch.setattr("simnet.protocols.unix_names._AUTOBIND_NAMES", 2)
    host = StandIn()
    for _ in range(2):
        unix(STREAM, host).bind(None)
    with pytest.raises(OSError, match=str(errno.ENOSPC)):
        unix(STREAM, host).bind(None)


def test_names_are_found_by_type() -> None:
    """An abstract name belongs to one type, a path to all."""
    host = StandIn()
    names: UnixNames = host.unix_names
    sock = unix(DGRAM, host)
    sock.bind(b"\0name")
    assert names.find(b"\0name", DGRAM) is sock
    with pytest.raises(ConnectionRefusedError):
        names.find(b"\0name", STREAM)
    other = unix(SEQPACKET, host)
    other.bind("/tmp/s")
    with pytest.raises(OSError, match=str(errno.EPROTOTYPE)):
        names.find("/tmp/s", STREAM)


def test_a_bind_that_comes_too_late_leaves_no_file() -> None:
    """EINVAL for a second name; the file that was made for it is removed."""
    host = StandIn()
    sock = unix(STREAM, host)
    sock.bind("/tmp/one")
    with pytest.raises(OSError, match=str(errno.EINVAL)):
        sock.bind("/tmp/two")
    assert not host.files.exists("/tmp/two")


def test_a_closed_socket_is_forgotten() -> None:
    """Its abstract name is free; its path stays and leads nowhere."""
    host = StandIn()
    for address in (b"\0name", "/tmp/s"):
        sock = unix(STREAM, host)
        sock.bind(address)
        sock.release()
        with pytest.raises(ConnectionRefusedError):
            host.unix_names.find(address, STREAM)
    assert host.files.exists("/tmp/s")
    unix(STREAM, host).bind(b"\0name")


def test_hosts_do_not_share_names() -> None:
    """Each host has its own."""
    for host in (StandIn(), StandIn()):
        unix(STREAM, host).bind("/tmp/s")
        unix(STREAM, host).bind(b"\0s")
