"""Ancillary data between programs and endpoints: what is checked, and what fits."""

from __future__ import annotations

import socket
import struct
from typing import Any

import pytest

from simnet import ancillary
from simnet.ancillary import SCM_CREDENTIALS, SCM_RIGHTS, incoming, outgoing, parse
from simnet.descriptors import FIRST
from simnet.host import Host
from simnet.protocols.base import Endpoint
from simnet.world import World

SOL = socket.SOL_SOCKET
HEADER = 16


@pytest.fixture
def host() -> Host:
    """A host to have descriptors on."""
    return World().host("here")


def opened(host: Host, count: int) -> tuple[list[int], list[Endpoint]]:
    """So many open descriptors, and what they refer to."""
    endpoints = [
        end
        for _ in range((count + 1) // 2)
        for end in host.create_pair(int(socket.AF_UNIX), int(socket.SOCK_STREAM), 0)
    ][:count]
    return [host.descriptors.install(end).number for end in endpoints], endpoints


def sent(host: Host, numbers: list[int]) -> Any:
    """The descriptors on their way, held as a message in a queue holds them."""
    _, (endpoint,) = opened(host, 1)
    data = struct.pack(f"{len(numbers)}i", *numbers)
    items = outgoing(endpoint, [(SOL, SCM_RIGHTS, data)])
    for passed in items[0][2]:
        passed.hold()
    return items


# What programs write


def test_items_are_triples_of_two_integers_and_bytes() -> None:
    """Of any sequence, with anything that has a buffer."""
    assert parse([(1, True, b"x"), [2, 3, bytearray(b"yz")]]) == [(1, 1, b"x"), (2, 3, b"yz")]


@pytest.mark.parametrize(
    "ancdata",
    [
        1,
        [1],
        [None],
        [b"abc"],
        [(1, 1)],
        ["abc"],
        [("a", 1, b"")],
        [(1, 1, "x")],
        [(1, 1 << 40, b"")],
    ],
    ids=repr,
)
def test_what_is_no_item_is_refused(ancdata: Any) -> None:
    """With the class and the words of the real sendmsg()."""
    a, b = socket.socketpair()
    with a, b:
        with pytest.raises((TypeError, OverflowError)) as real:
            a.sendmsg([b"x"], ancdata)
    with pytest.raises(real.type) as simulated:
        parse(ancdata)
    assert str(simulated.value) == str(real.value)


# What endpoints carry


def test_descriptors_become_what_they_refer_to(host: Host) -> None:
    """Whole numbers only: what is left of the last one is ignored."""
    numbers, endpoints = opened(host, 2)
    data = struct.pack("2i", *numbers) + b"\0\0"
    assert outgoing(endpoints[0], [(SOL, SCM_RIGHTS, data)]) == [
        (SOL, SCM_RIGHTS, tuple(endpoints))
    ]


def test_a_descriptor_that_is_not_open(host: Host) -> None:
    """EBADF, for a number of the simulation and for one of the machine."""
    _, (endpoint,) = opened(host, 1)
    for number in (FIRST + 99, 1 << 20, -1):
        with pytest.raises(OSError, match="Bad file descriptor"):
            outgoing(endpoint, [(SOL, SCM_RIGHTS, struct.pack("i", number))])


def test_credentials_are_three_integers(host: Host) -> None:
    """Of the right size, or EINVAL."""
    _, (endpoint,) = opened(host, 1)
    assert outgoing(endpoint, [(SOL, SCM_CREDENTIALS, struct.pack("3i", 1, 2, 3))]) == [
        (SOL, SCM_CREDENTIALS, (1, 2, 3))
    ]
    with pytest.raises(OSError, match="Invalid argument"):
        outgoing(endpoint, [(SOL, SCM_CREDENTIALS, b"short")])


# What fits


@pytest.mark.parametrize("fitting", [0, 1, 2, 3])
def test_descriptors_that_fit_are_opened(host: Host, fitting: int) -> None:
    """The others are closed, with MSG_CTRUNC."""
    numbers, endpoints = opened(host, 3)
    items = sent(host, numbers)
    received, flags = incoming(host, items, HEADER + 4 * fitting)
    assert flags == (0 if fitting == 3 else socket.MSG_CTRUNC)
    fresh = [n for *_, data in received for n in struct.unpack(f"{len(data) // 4}i", data)]
    assert [host.descriptors.get(n).endpoint for n in fresh] == endpoints[:fitting]
    assert not set(fresh) & set(numbers)


@pytest.mark.parametrize("inheritable", [True, False])
def test_received_descriptors_are_inheritable_unless_asked(host: Host, inheritable: bool) -> None:
    """MSG_CMSG_CLOEXEC asks."""
    items = sent(host, opened(host, 1)[0])
    ((_, _, data),), _ = incoming(host, items, 100, inheritable)
    assert host.descriptors.get(struct.unpack("i", data)[0]).inheritable is inheritable


@pytest.mark.parametrize(
    ("space", "length"), [(HEADER + 12, 12), (HEADER + 5, 5), (HEADER - 1, None)]
)
def test_credentials_are_cut(host: Host, space: int, length: int | None) -> None:
    """To the room behind a header, or left out where not even that fits."""
    received, flags = incoming(host, [(SOL, SCM_CREDENTIALS, (1, 2, 3))], space)
    whole = struct.pack("3i", 1, 2, 3)
    assert received == ([] if length is None else [(SOL, SCM_CREDENTIALS, whole[:length])])
    assert bool(flags) == (length != 12)


def test_items_are_aligned_one_behind_the_other(host: Host) -> None:
    """The second starts at a multiple of 8."""
    items = [(SOL, SCM_CREDENTIALS, (1, 2, 3))] * 2
    assert ancillary.incoming(host, items, 2 * socket.CMSG_SPACE(12))[1] == 0
    assert ancillary.incoming(host, items, 2 * socket.CMSG_LEN(12))[1] == socket.MSG_CTRUNC
