"""A program as data: steps that call sockets, non-blocking, and what each step gave.

A program runs on any `Network`. Addresses are written as symbols (`Inet("H0", "P0")`, `Unix("path",
0)`) that every run replaces by fresh ones, so that runs do not meet, and results are translated
back: ephemeral ports and autobound names become symbols in the order in which they appear, and
descriptors become the names of the variables that hold them.

An outcome is what the call gave and, after it, the poll bits of every open socket. What Linux does
not repeat from run to run is left out: here the bytes of MSG_TRUNC reads (their length counts) and
TCP's buffer sizes, which it tunes itself; in `machine`, what must not even be drawn.
"""

from __future__ import annotations

import array
import errno
import itertools
import os
import random
import re
import select
import socket
import struct
from collections.abc import Callable
from typing import Any

import attrs

from simnet.api import Network, Socket

ALL_BITS = select.POLLIN | select.POLLPRI | select.POLLOUT | select.POLLRDHUP
_AUTOBOUND = re.compile(rb"\0[0-9a-f]{5}")
_TUNED = {(socket.SOL_SOCKET, socket.SO_SNDBUF), (socket.SOL_SOCKET, socket.SO_RCVBUF)}
FILL_LIMIT = 2000  # more small messages than any default queue holds

# Every run gets addresses and ports of its own. Ports that are bound on all addresses, or on the
# one address of IPv6 loopback, come from below the ephemeral range, in an order of this process's
# own: one that follows another would meet nothing but its remnants in TIME_WAIT.
_RUNS = itertools.count(random.Random(os.getpid()).randrange(60_000))
_PORTS = itertools.cycle(random.Random(os.getpid()).sample(range(10_240, 32_240), 22_000))


@attrs.frozen
class Inet:
    """(host, port): H0 and H1 are fresh addresses in 127/8, P0 and P1 fresh ports."""

    host: str
    port: int | str
    v6: bool = False


@attrs.frozen
class Unix:
    """A fresh name: 'path' or 'abstract', and which."""

    kind: str
    number: int


@attrs.frozen
class NameOf:
    """What getsockname() of a socket gives at that moment."""

    on: str


@attrs.frozen
class Var:
    """A socket, as an argument."""

    name: str


@attrs.frozen
class Data:
    """That many bytes of one letter."""

    letter: str
    size: int

    def bytes(self) -> bytes:
        return self.letter.encode() * self.size


@attrs.frozen
class Step:
    """One call: a method, what it is called on, its arguments, and the variables it makes."""

    call: str
    on: str | None = None
    args: tuple[Any, ...] = ()
    into: tuple[str, ...] = ()

    def needs(self) -> set[str]:
        """The variables that must exist."""
        names = {self.on} if self.on else set()
        for arg in self.args:
            if isinstance(arg, Var):
                names.add(arg.name)
            elif isinstance(arg, NameOf):
                names.add(arg.on)
        return names


@attrs.frozen
class Outcome:
    """What a step gave, as values that compare; and the poll bits of the open sockets after it."""

    value: Any
    bits: tuple[tuple[str, int], ...]


def error_name(error: Exception) -> tuple[str, ...]:
    """Class and errno of an error; the text of one that no socket call should raise."""
    if isinstance(error, OSError):
        number = error.errno
        return type(error).__name__, errno.errorcode.get(number or 0, str(number))
    if isinstance(error, (TypeError, ValueError, OverflowError)):
        return (type(error).__name__,)
    return type(error).__name__, str(error)


class Runner:
    """One run of a program on a network."""

    def __init__(self, net: Network) -> None:
        self.net = net
        self.vars: dict[str, Any] = {}
        self._poller = net.poll()
        self._numbers: dict[int, str] = {}  # open descriptors
        self._watched: dict[str, dict[int, str]] = {}  # the descriptors of each epoll object
        self._symbols: dict[Any, str] = {}
        run = next(_RUNS)
        self._hosts = {f"H{n}": f"127.{1 + run // 256 % 250}.{run % 256}.{n + 1}" for n in (0, 1)}
        self._symbols.update({host: name for name, host in self._hosts.items()})
        self._unique = f"{os.getpid()}-{run}"
        self._ports: dict[str, int] = {}
        self._dir = ""

    # Running

    def run(self, step: Step) -> Outcome:
        """Make one call."""
        special: Callable[[Step], Any] | None = getattr(self, f"_do_{step.call}", None)
        try:
            value = self._symbol(special(step) if special else self._call(step))
        except Exception as error:  # an error that the other backend does not raise is the point
            value = error_name(error)
        return Outcome(value, self._bits())

    def finish(self) -> None:
        """Close everything."""
        for thing in list(self.vars.values()):
            thing.close()
        self.net.close()

    def _bits(self) -> tuple[tuple[str, int], ...]:
        names = self._numbers
        return tuple(sorted((names[number], bits) for number, bits in self._poller.poll(0)))

    def _own(self, name: str, sock: Socket) -> Socket:
        sock.setblocking(False)
        self.vars[name] = sock
        self._numbers[sock.fileno()] = name
        self._poller.register(sock, ALL_BITS)
        return sock

    def _disown(self, name: str) -> Socket:
        sock: Socket = self.vars[name]
        if sock.fileno() != -1:
            self._poller.unregister(sock)
            del self._numbers[sock.fileno()]
        return sock

    def _call(self, step: Step) -> Any:
        assert step.on is not None
        result = getattr(self.vars[step.on], step.call)(*map(self.value, step.args))
        if step.call.startswith("getsockopt") and step.args[:2] in _TUNED:
            sock = self.vars[step.on]
            if sock.type == socket.SOCK_STREAM and sock.family != socket.AF_UNIX:
                return "tuned"
        return result

    # From symbols to values

    def value(self, arg: Any) -> Any:
        """An argument of a step as this run's value."""
        if isinstance(arg, Data):
            return arg.bytes()
        if isinstance(arg, Inet):
            return self._host(arg.host), self._port(arg.port)
        if isinstance(arg, Unix):
            return self._unix(arg)
        if isinstance(arg, NameOf):
            return self.vars[arg.on].getsockname()
        return self.vars[arg.name] if isinstance(arg, Var) else arg

    def _host(self, host: str) -> str:
        _, _, name = host.rpartition("::ffff:")
        if name in self._hosts and host != name:
            address = f"::ffff:{self._hosts[name]}"
            self._symbols[address] = host
            return address
        return self._hosts.get(host, host)

    def _port(self, port: int | str) -> int:
        if isinstance(port, int):
            return port
        if port not in self._ports:
            self._ports[port] = next(_PORTS)
            self._symbols[self._ports[port]] = port
        return self._ports[port]

    def _unix(self, name: Unix) -> str:
        if name.kind == "abstract":
            text = f"\0simnet-{self._unique}-{name.number}"
            self._symbols[text.encode()] = f"abstract{name.number}"
            return text
        self._dir = self._dir or self.net.files.tempdir()
        text = f"{self._dir}/{name.number}"
        self._symbols[text] = f"path{name.number}"
        return text

    # From values to symbols

    def _symbol(self, value: Any) -> Any:
        if value is None or isinstance(value, int):
            return value
        if isinstance(value, Socket):
            return "socket"
        if isinstance(value, bytes):
            return self._bytes(value)
        if isinstance(value, tuple):
            if len(value) in (2, 4) and isinstance(value[0], str) and isinstance(value[1], int):
                return (self._name(value[0]), self._number(value[1]), *value[2:])
            return tuple(self._symbol(each) for each in value)
        if isinstance(value, list):
            return [self._symbol(each) for each in value]
        return self._symbols.get(value, value)

    def _name(self, host: str) -> str:
        return self._symbols.get(host, host)

    def _number(self, port: int) -> int | str:
        if port == 0:
            return 0
        return self._symbols.setdefault(port, f"port{len(self._symbols)}")

    def _bytes(self, value: bytes) -> Any:
        if value[:1] == b"\0" and _AUTOBOUND.fullmatch(value):
            return self._symbols.setdefault(value, f"auto{len(self._symbols)}")
        if len(value) == 12 and value == struct.pack("3i", *self.net.credentials()):
            return "credentials"
        return self._symbols.get(value, value)

    # Calls that make sockets

    def _do_socket(self, step: Step) -> Any:
        self._own(step.into[0], self.net.socket(*step.args))

    def _do_socketpair(self, step: Step) -> Any:
        for name, sock in zip(step.into, self.net.socketpair(*step.args), strict=True):
            self._own(name, sock)

    def _do_accept(self, step: Step) -> Any:
        assert step.on is not None
        sock, address = self.vars[step.on].accept()
        self._own(step.into[0], sock)
        return address

    def _do_dup(self, step: Step) -> Any:
        assert step.on is not None
        self._own(step.into[0], self.vars[step.on].dup())

    def _do_reopen(self, step: Step) -> Any:
        """detach(), and a new object for the descriptor."""
        assert step.on is not None
        sock = self._disown(step.on)
        number = sock.detach()
        if number != -1:
            self._own(step.into[0], self.net.socket(fileno=number))
        return number != -1

    def _do_close(self, step: Step) -> Any:
        assert step.on is not None
        return self._disown(step.on).close()

    # Calls whose results need care

    def _do_recv(self, step: Step) -> Any:
        return self._cut(step, self._call(step))

    def _do_recvfrom(self, step: Step) -> Any:
        data, address = self._call(step)
        return self._cut(step, data), address

    @staticmethod
    def _cut(step: Step, data: bytes) -> Any:
        """The data; its length only where a part of it is uninitialised.

        That is so with MSG_TRUNC, and where recv(0, MSG_OOB) on a unix stream gives one byte.
        """
        size, flags = step.args[0], step.args[-1]
        return len(data) if flags & socket.MSG_TRUNC or len(data) > size else data

    def _do_recv_into(self, step: Step) -> Any:
        assert step.on is not None
        size, flags = step.args
        buffer = bytearray(size)
        count = self.vars[step.on].recv_into(buffer, 0, flags)
        return count if flags & socket.MSG_TRUNC else (count, bytes(buffer[:count]))

    def _do_recvmsg(self, step: Step) -> Any:
        """recvmsg; the first descriptor that it brings becomes the new variable."""
        assert step.on is not None
        size, space, flags = step.args
        data, ancillary, flags_out, address = self.vars[step.on].recvmsg(size, space, flags)
        items: list[Any] = []
        for level, kind, content in ancillary:
            if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
                items.append(self._adopt(step, content))
            else:
                items.append((level, kind, self._item(content)))
        return self._cut(step, data), items, flags_out, self._symbol(address)

    def _item(self, content: bytes) -> Any:
        """The content of an ancillary item; credentials, which are cut to the space, by a name."""
        whole = struct.pack("3i", *self.net.credentials())
        if len(content) >= 4 and whole.startswith(content):
            return f"{len(content)} bytes of credentials"
        return self._bytes(content)

    def _adopt(self, step: Step, content: bytes) -> Any:
        numbers = array.array("i")
        numbers.frombytes(content[: len(content) - len(content) % numbers.itemsize])
        for number in numbers:
            sock = self.net.socket(fileno=number)
            if step.into[0] in self.vars:
                sock.close()
            else:
                self._own(step.into[0], sock)
        return f"{len(numbers)} descriptors"

    def _do_pass(self, step: Step) -> Any:
        """sendmsg of data with the descriptors of other sockets (SCM_RIGHTS)."""
        assert step.on is not None
        data, *passed = map(self.value, step.args)
        numbers = array.array("i", [sock.fileno() for sock in passed])
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, numbers)]
        return self.vars[step.on].sendmsg([data], rights)

    def _do_send_more(self, step: Step) -> Any:
        """A send with MSG_MORE, and one byte that lets it go."""
        assert step.on is not None
        sock, (data, *to) = self.vars[step.on], map(self.value, step.args)
        return (sock.sendto if to else sock.send)(data, socket.MSG_MORE, *to), sock.send(b"!")

    def _do_fill(self, step: Step) -> Any:
        """Send one message again and again until it fails: how many went, and the error."""
        assert step.on is not None
        data, sock = self.value(step.args[0]), self.vars[step.on]
        for count in range(FILL_LIMIT):
            try:
                if sock.send(data) < len(data):
                    return count, "partial"
            except OSError as error:
                return count, error_name(error)
        return FILL_LIMIT

    def _do_disconnect(self, step: Step) -> Any:
        assert step.on is not None
        return self.net.disconnect(self.vars[step.on])

    def _do_unlink(self, step: Step) -> Any:
        return self.net.files.unlink(self.value(step.args[0]))

    # Readiness

    def _do_select(self, step: Step) -> Any:
        socks = [self.value(arg) for arg in step.args]
        ready = self.net.select(socks, socks, socks, 0)
        return tuple(tuple(self._numbers[sock.fileno()] for sock in part) for part in ready)

    def _do_epoll(self, step: Step) -> Any:
        self.vars[step.into[0]] = self.net.epoll()
        self._watched[step.into[0]] = {}

    def _do_register(self, step: Step) -> Any:
        assert step.on is not None
        sock = self.value(step.args[0])
        self.vars[step.on].register(sock, step.args[1])
        self._watched[step.on][sock.fileno()] = step.args[0].name

    def _do_epoll_poll(self, step: Step) -> Any:
        assert step.on is not None
        names = self._watched[step.on]
        return tuple(
            (names[number], bits) for number, bits in self.vars[step.on].poll(0, *step.args)
        )


def run_program(net: Network, steps: tuple[Step, ...]) -> list[Outcome]:
    """Run a program from its first step to its last on a fresh network, and close both."""
    runner = Runner(net)
    try:
        return [runner.run(step) for step in steps]
    finally:
        runner.finish()
