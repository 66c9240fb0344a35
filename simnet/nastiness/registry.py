"""The families by their names, and what each puts in front of which kind of thing."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from types import MappingProxyType

import attrs

from simnet.descriptors import DescriptorTable
from simnet.nastiness import accepting, crossing, interrupting, readiness, shortages, streams
from simnet.ports import PortTable
from simnet.protocols.pipes import ReadEnd, WriteEnd
from simnet.protocols.tcp import Tcp
from simnet.protocols.udp import Udp
from simnet.protocols.unix_stream import UnixStream


@attrs.frozen
class Family:
    """One kind of nastiness."""

    name: str
    # What happens, and who allows it, in a line each, for people.
    what: str
    law: str
    # By the kind class, the variation that stands in front of it.
    variations: Mapping[type, type]
    # Whether every byte has to cross in a packet for it.
    packets: bool = False


_STREAMS = (Tcp, UnixStream)
_ALL = (
    Family(
        streams.SHORT_READS,
        "`recv` of a stream, and a read of a pipe, give a part of what is there",
        "recv(2), read(2): a signal, or the rest comes a moment later",
        {**dict.fromkeys(_STREAMS, streams.ShortReads), ReadEnd: streams.ShortReadsOfPipe},
    ),
    Family(
        streams.SHORT_SENDS,
        "`send` on a stream takes a part of the data, of a write to a pipe only above PIPE_BUF",
        "send(2), pipe(7): no room for more, or a signal where it waits for memory",
        {**dict.fromkeys(_STREAMS, streams.ShortSends), WriteEnd: streams.ShortWritesToPipe},
    ),
    Family(
        readiness.WOULD_BLOCK,
        "TCP and UDP: EAGAIN although there is something, readiness although there is nothing",
        "select(2), BUGS; accept(2)",
        {Tcp: readiness.TcpWouldBlock, Udp: readiness.UdpWouldBlock},
    ),
    Family(
        interrupting.INTERRUPTED,
        "what waits ends early: `send`, MSG_WAITALL, a write to a pipe, a lingering `close`; "
        "`connect` ends in the background",
        "PEP 475 hides EINTR, but no short count; signal(7)",
        {
            UnixStream: interrupting.Interrupted,
            Tcp: interrupting.TcpInterrupted,
            WriteEnd: interrupting.Interrupted,
        },
    ),
    Family(
        crossing.SEGMENTS,
        "TCP segments are split at any byte, or arrive together with the next, also on loopback",
        "RFC 9293: a stream has no other boundaries",
        {Tcp: crossing.Segments},
        packets=True,
    ),
    Family(
        crossing.REORDERING,
        "UDP datagrams are overtaken by later ones, also on loopback",
        "udp(7)",
        {Udp: crossing.Reordering},
    ),
    Family(
        accepting.DELAYED_ACCEPTS,
        "a TCP connection comes to `accept` later than its client has it",
        "RFC 9293: the last acknowledgement of the handshake is late",
        {Tcp: accepting.DelayedAccepts},
    ),
    Family(
        accepting.ABORTED_ACCEPTS,
        "`accept` of TCP fails with ECONNABORTED or a network error, and works when tried again",
        "accept(2): a stranger's connection has gone",
        {Tcp: accepting.AbortedAccepts},
    ),
    Family(
        shortages.DESCRIPTOR_LIMITS,
        "EMFILE or ENFILE from whatever makes a descriptor",
        "socket(2), accept(2), dup(2), pipe(2)",
        {DescriptorTable: shortages.DescriptorLimits},
    ),
    Family(
        shortages.NO_BUFFERS,
        "ENOBUFS or ENOMEM from `send` of UDP, and from `connect` and `accept` of TCP",
        "send(2), connect(2) of POSIX, accept(2)",
        {Udp: shortages.NoBuffersForDatagrams, Tcp: shortages.NoBuffersForConnections},
    ),
    Family(
        shortages.PORTS,
        "no port is free that the kernel should choose: EADDRNOTAVAIL, EADDRINUSE, EAGAIN of UDP",
        "ip(7), bind(2), connect(2)",
        {PortTable: shortages.PortsRunOut},
    ),
)
FAMILIES: Mapping[str, Family] = MappingProxyType({family.name: family for family in _ALL})


def table() -> str:
    """The families, for the README."""
    rows = [f"| `{family.name}` | {family.what} | {family.law} |" for family in _ALL]
    return "\n".join(
        ("| `nasty=` | what happens | whose law it is |", "| --- | --- | --- |", *rows)
    )


def families(nasty: bool | str | Iterable[str]) -> tuple[str, ...]:
    """The families that `World(nasty=...)` names, in their order: True is all of them.

    ValueError for a name that is none.
    """
    if isinstance(nasty, bool):
        return tuple(FAMILIES) if nasty else ()
    named = [nasty] if isinstance(nasty, str) else list(nasty)
    for name in named:
        if name not in FAMILIES:
            close = difflib.get_close_matches(str(name), FAMILIES, 1)
            hint = f" (did you mean {close[0]!r}?)" if close else ""
            raise ValueError(
                f"no world is nasty in the way {name!r}{hint}; the ways are {', '.join(FAMILIES)}"
            )
    return tuple(name for name in FAMILIES if name in named)
