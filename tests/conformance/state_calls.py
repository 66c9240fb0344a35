"""Calls: for each method, the typical ways to call it, and what came of one in a state as a line.

A line is what the calls gave, one after the other, then the poll bits of the socket and those of
its peer: ``b'0123', EAGAIN | OUT | peer OUT``. Ports, paths and descriptors become symbols.
"""

from __future__ import annotations

import io
import re
import socket
from collections.abc import Callable
from typing import Any

from simnet.api import Network, Socket
from tests.conformance.outcomes import outcome as kernel_outcome
from tests.conformance.states import FAMILIES, NAMED, Place

Call = Callable[[Place, Socket], Any]

# Bind addresses and unix names that the kernel picks.
_AUTOBOUND = re.compile(rb"\0[0-9a-f]{5}")


def outcome(call: Callable[..., Any], *args: Any) -> Any:
    """The value of a call, or the name of its error; a refused argument counts too."""
    try:
        return kernel_outcome(call, *args)
    except (ValueError, TypeError) as error:
        return type(error).__name__


def times(count: int, call: Call) -> Call:
    """The same call several times over: what it gave each time."""
    return lambda place, sock: Several(outcome(call, place, sock) for _ in range(count))


def steps(*calls: Call) -> Call:
    """Several calls in a row: what each gave."""
    return lambda place, sock: Several(outcome(call, place, sock) for call in calls)


class Several(list[Any]):
    """Outcomes of calls made one after the other."""


def given(argument: Callable[[Place], Any], call: Callable[[Socket, Any], Any], count: int) -> Call:
    """The same call several times with one argument that is made first."""

    def calls(place: Place, sock: Socket) -> Several:
        value = argument(place)
        return Several(outcome(call, sock, value) for _ in range(count))

    return calls


def _received(method: str, *args: int) -> Call:
    """recv_into and its kin: the result and the bytes that it stands for."""

    def call(_: Place, sock: Socket) -> Any:
        buffer = bytearray(4)
        target = [buffer] if method == "recvmsg_into" else buffer
        result = getattr(sock, method)(target, *args)
        count = result if isinstance(result, int) else result[0]
        return result, bytes(buffer[:count])

    return call


def _timed_recv(_: Place, sock: Socket) -> Any:
    sock.settimeout(0.001)
    try:
        return sock.recv(4)
    finally:
        sock.settimeout(0)


def _dup_outlives(place: Place, sock: Socket) -> Any:
    copy = place.keep(sock.dup())
    sock.close()
    return Several([outcome(copy.send, b"x"), outcome(copy.recv, 4), place.bits(copy)])


def _detach(place: Place, sock: Socket) -> Any:
    number = sock.detach()
    if number == -1:
        return "-1"
    copy = place.keep(place.net.socket(fileno=number))
    same = (copy.family, copy.type) == (place.named.family, place.named.type)
    return Several(["descriptor", same, sock.fileno(), outcome(sock.send, b"x")])


def _file_outlives(_: Place, sock: Socket) -> Any:
    with sock.makefile("rb", 0) as file:
        sock.close()
        return Several([outcome(file.read, 4), sock.fileno() >= 0, outcome(sock.send, b"x")])


def _file_written(_: Place, sock: Socket) -> Any:
    with sock.makefile("wb", 0) as file:
        return file.write(b"xy")


def _repr(place: Place, sock: Socket) -> str:
    """The shape of repr: closed or not, and the names where known."""
    text = re.sub(r"^<.*? (?=\[closed]|fd=)", "<", repr(sock))
    text = re.sub(r"fd=\d+", "fd=N", text)
    text = re.sub(r"(family|type|proto)=[^,>]+(, )?", "", text)
    for key, symbol in place.symbols.items():
        text = text.replace(f"{key!r}", symbol).replace(f" {key})", f" {symbol})")
        text = text.replace(f"={key},", f"={symbol},").replace(f"={key}>", f"={symbol}>")
    return re.sub(r"b'\\x00[0-9a-f]{5}'", "AUTO", text)


def _option(level: int, name: int) -> Call:
    return lambda _, sock: sock.getsockopt(level, name)


def _shut(how: int) -> Call:
    return times(2, lambda _, sock: sock.shutdown(how))


SOL, PEEK, OOB = socket.SOL_SOCKET, socket.MSG_PEEK, socket.MSG_OOB

METHODS: dict[str, dict[str, Call]] = {
    "accept": {"accept() x2": times(2, lambda _, s: s.accept())},
    "bind": {
        "bind(fresh)": given(lambda p: p.fresh("FRESH"), lambda s, a: s.bind(a), 1),
        "bind(taken)": given(lambda p: p.bound("TAKEN").getsockname(), lambda s, a: s.bind(a), 1),
    },
    "close": {
        "close(), close(), send": steps(
            lambda _, s: s.close(), lambda _, s: s.close(), lambda _, s: s.send(b"x")
        )
    },
    "connect": {
        "connect(nobody) x3": given(lambda p: p.nobody(), lambda s, a: s.connect(a), 3),
        "connect(somebody) x3": given(lambda p: p.target(), lambda s, a: s.connect(a), 3),
    },
    "connect_ex": {
        "connect_ex(nobody) x2": given(
            lambda p: p.nobody(), lambda s, a: _name(s.connect_ex(a)), 2
        ),
        "connect_ex(somebody) x2": given(
            lambda p: p.target(), lambda s, a: _name(s.connect_ex(a)), 2
        ),
    },
    "detach": {"detach()": _detach},
    "disconnect": {"connect(AF_UNSPEC) x2": times(2, lambda p, s: p.net.disconnect(s))},
    "dup": {"dup(), close(), copy.send, copy.recv": _dup_outlives},
    "fileno": {"fileno() >= 0": lambda _, s: s.fileno() >= 0},
    "getpeername": {"getpeername()": lambda _, s: s.getpeername()},
    "getsockname": {"getsockname()": lambda _, s: s.getsockname()},
    "getsockopt": {
        "SO_ACCEPTCONN": _option(SOL, socket.SO_ACCEPTCONN),
        "SO_ERROR x2": times(2, lambda _, s: _name(s.getsockopt(SOL, socket.SO_ERROR))),
    },
    "listen": {"listen(1) x2": times(2, lambda _, s: s.listen(1))},
    "makefile": {
        "makefile('rb', 0), close(), file.read(4)": _file_outlives,
        "makefile('wb', 0).write(b'xy')": _file_written,
    },
    "recv": {
        "recv(0)": lambda _, s: s.recv(0),
        "recv(4) x4": times(4, lambda _, s: s.recv(4)),
        "recv(4, MSG_PEEK) x2": times(2, lambda _, s: s.recv(4, PEEK)),
        "recv(4, MSG_OOB) x2": times(2, lambda _, s: s.recv(4, OOB)),
    },
    "recv_into": {"recv_into(4) x3": times(3, _received("recv_into"))},
    "recvfrom": {"recvfrom(4) x3": times(3, lambda _, s: s.recvfrom(4))},
    "recvfrom_into": {"recvfrom_into(4) x2": times(2, _received("recvfrom_into"))},
    "recvmsg": {"recvmsg(4) x3": times(3, lambda _, s: s.recvmsg(4))},
    "recvmsg_into": {"recvmsg_into(4) x2": times(2, _received("recvmsg_into"))},
    "repr": {"repr": _repr},
    "send": {
        "send(b'') x2": times(2, lambda _, s: s.send(b"")),
        "send(b'x') x3": times(3, lambda _, s: s.send(b"x")),
        "send(b'x', MSG_OOB)": lambda _, s: s.send(b"x", OOB),
    },
    "sendall": {"sendall(b'xy') x2": times(2, lambda _, s: s.sendall(b"xy"))},
    "sendfile": {"sendfile()": lambda _, s: s.sendfile(io.BytesIO(b"xy"))},
    "sendmsg": {"sendmsg(2 buffers) x2": times(2, lambda _, s: s.sendmsg([b"x", b"y"]))},
    "sendto": {
        "sendto(nobody) x2": given(lambda p: p.nobody(), lambda s, a: s.sendto(b"x", a), 2),
        "sendto(somebody) x2": given(lambda p: p.target(), lambda s, a: s.sendto(b"x", a), 2),
    },
    "setblocking": {
        "setblocking(True), getblocking(), setblocking(False), getblocking()": steps(
            lambda _, s: s.setblocking(True),
            lambda _, s: s.getblocking(),
            lambda _, s: s.setblocking(False),
            lambda _, s: s.getblocking(),
        )
    },
    "setsockopt": {
        "SO_REUSEADDR": steps(
            lambda _, s: s.setsockopt(SOL, socket.SO_REUSEADDR, 1),
            _option(SOL, socket.SO_REUSEADDR),
        )
    },
    "settimeout": {
        "settimeout(2), gettimeout(), settimeout(0)": steps(
            lambda _, s: s.settimeout(2),
            lambda _, s: s.gettimeout(),
            lambda _, s: s.settimeout(0),
        ),
        "settimeout(0.001), recv(4)": _timed_recv,
    },
    "shutdown": {
        "SHUT_RD x2": _shut(socket.SHUT_RD),
        "SHUT_WR x2": _shut(socket.SHUT_WR),
        "SHUT_RDWR x2": _shut(socket.SHUT_RDWR),
        "99": lambda _, s: s.shutdown(99),
    },
}


def _name(number: Any) -> Any:
    """An error number by name, as `outcome` gives it."""

    def raise_it() -> int:
        raise OSError(number, "")

    return outcome(raise_it) if number else 0


def text(place: Place, value: Any) -> str:
    """A value with its ports, paths and descriptors replaced by symbols."""
    if isinstance(value, Several):
        return ", ".join(text(place, each) for each in value)
    if isinstance(value, Socket):
        place.keep(value)
        return f"socket[{place.bits(value)}]"
    if isinstance(value, tuple):
        if len(value) in (2, 4) and isinstance(value[0], str) and isinstance(value[1], int):
            port = place.symbols.get(value[1], "PORT" if value[1] else 0)
            value = (value[0], port, *value[2:])
            return "(" + ", ".join(str(each) for each in value) + ")"
        return "(" + ", ".join(text(place, each) for each in value) + ")"
    if isinstance(value, (str, bytes)) and value in place.symbols:
        return place.symbols[value]
    if isinstance(value, bytes) and _AUTOBOUND.fullmatch(value):
        return "AUTO"
    return value if isinstance(value, str) and value else repr(value)


def line(net: Network, family: str, state: str, call: Call) -> str:
    """What a call gives in a state, and the readiness after it."""
    place = Place(net, NAMED[family])
    with place.stack:
        sock = FAMILIES[family][state](place)
        if sock.fileno() != -1:
            place.meet("OWN", sock)
        place.others.pop("OWN", None)
        gave = text(place, outcome(call, place, sock))
        parts = [gave, place.bits(sock)]
        if "PEER" in place.others:
            parts.append(f"peer {place.bits(place.others['PEER'])}")
        return " | ".join(parts)


def lines(net: Network, family: str, state: str, method: str) -> dict[str, str]:
    """Every typical call of a method in a state, each in a place of its own."""
    return {
        f"{method}: {label}": line(net, family, state, call)
        for label, call in METHODS[method].items()
    }


CASES = [
    (family, state, method)
    for family, states in FAMILIES.items()
    for state in states
    for method in METHODS
]
