"""The state machine that draws programs: which calls, on which sockets, in which states.

Each rule appends a step, or the few steps that lead to an interesting state (an established
connection, a full backlog, a reset), and runs them on the subject at once, so that later rules know
which sockets exist. At the end the whole program runs on fresh networks of both backends, with
nothing in between, and every step must have given the same.
"""

from __future__ import annotations

import socket
from collections.abc import Sequence
from functools import cache
from typing import Any, TypeVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from tests.differential import options
from tests.differential.compare import Difference, Pair, lasting_difference, shortest
from tests.differential.program import (
    Data,
    Inet,
    NameOf,
    Outcome,
    Runner,
    Step,
    Unix,
    Var,
    run_program,
)
from tests.differential.tally import Tally

T = TypeVar("T")
MAX_SOCKETS = 14
TCP_BYTES = 16_384  # no more in one program: how much TCP takes and when is not repeatable

INET, INET6, UNIX = socket.AF_INET, socket.AF_INET6, socket.AF_UNIX
STREAM, DGRAM, SEQPACKET = socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_SEQPACKET
Family = tuple[int, int]
CONNECTION: list[Family] = [(INET, STREAM), (INET6, STREAM), (UNIX, STREAM), (UNIX, SEQPACKET)]
DATAGRAM: list[Family] = [(INET, DGRAM), (INET6, DGRAM), (UNIX, DGRAM)]
SIZES = [1, 2, 5, 0, 100, 1000, 4096]
READS = [4096, 1, 4, 100, 0]
SEND_FLAGS = [0, 0, 0, 0, socket.MSG_DONTWAIT, socket.MSG_NOSIGNAL, socket.MSG_OOB, socket.MSG_MORE]
RECV_FLAGS = [
    0, 0, 0, 0, socket.MSG_DONTWAIT, socket.MSG_PEEK, socket.MSG_WAITALL, socket.MSG_TRUNC,
    socket.MSG_OOB, socket.MSG_PEEK | socket.MSG_TRUNC, socket.MSG_PEEK | socket.MSG_OOB,
    socket.MSG_PEEK | socket.MSG_WAITALL, socket.MSG_WAITALL | socket.MSG_TRUNC,
]  # fmt: skip


class Mismatch(AssertionError):
    """The backends disagree; the text is the shortest program that shows it."""

    def __init__(self, difference: Difference) -> None:
        super().__init__("the backends disagree:\n\n" + difference.source())
        self.difference = difference


@cache
def _below(count: int) -> st.SearchStrategy[int]:
    return st.integers(0, count - 1)


DATA = st.data()


class Programs(RuleBasedStateMachine):
    """Draws one program. `pair` and `tally` belong to the subclass that is run."""

    pair: Pair
    tally: Tally

    def __init__(self) -> None:
        super().__init__()
        self.runner = Runner(self.pair.make_subject())
        self.steps: list[Step] = []
        self.outcomes: list[Outcome] = []
        self.kinds: dict[str, Family] = {}
        self.listeners: list[str] = []
        self.connected: list[str] = []
        self.epolls: list[str] = []
        self.peers: dict[str, str] = {}
        self.pairs: dict[str, str] = {}  # ends of stream socketpairs: which pair
        self.carriers: set[str] = set()  # pairs that have carried sockets
        self.passed: set[str] = set()  # pairs an end of which was passed
        self.waiting = 0  # connects that nobody has accepted, about
        self.count = 0
        self.tcp_bytes = 0
        self.data: Any = None

    # Drawing

    def pick(self, options: Sequence[T]) -> T:
        """One of them; the first is the plainest."""
        index: int = self.data.draw(_below(len(options)))
        return options[index]

    def rarely(self, one_in: int) -> bool:
        return bool(self.data.draw(_below(one_in)) == one_in - 1)

    def step(
        self, call: str, on: str | None = None, *args: Any, into: tuple[str, ...] = ()
    ) -> bool:
        """Append a step and run it on the subject; whether it made its variables."""
        step = Step(call, on, args, into)
        self.steps.append(step)
        self.outcomes.append(self.runner.run(step))
        return all(name in self.runner.vars for name in into)

    def name(self) -> str:
        self.count += 1
        return f"s{self.count}"

    def make(self, family: Family) -> str:
        """A new socket."""
        name = self.name()
        self.step("socket", None, *family, into=(name,))
        self.kinds[name] = family
        return name

    def room(self, count: int = 1) -> bool:
        return len(self.kinds) + count <= MAX_SOCKETS

    def one(self) -> str:
        """A socket, whatever it is."""
        return self.pick(list(self.kinds)) if self.kinds else self.make(self.pick(CONNECTION))

    def any_socket(self) -> str:
        """A socket, and rather one that has come far."""
        if self.connected and not self.rarely(3):
            return self.pick(self.connected)
        return self.one()

    def unused_address(self, family: Family) -> Any:
        """An address to bind to."""
        if family[0] == UNIX:
            return self.pick([Unix("path", 0), Unix("abstract", 0), "", Unix("path", 1)])
        ports: list[int | str] = [0, "P0", "P0", "P1"]
        port = self.pick(ports)
        if family[0] == INET:
            return Inet(self.pick(["H0", "H1", "0.0.0.0", "127.0.0.1"]), port)
        return Inet(self.pick(["::1", "::", "::ffff:H0"]), port)

    def address(self, family: Family) -> Any:
        """An address to connect or send to: rather one that a socket of the family has."""
        named = [name for name, kind in self.kinds.items() if kind[0] == family[0]]
        listening = [name for name in self.listeners if self.kinds[name] == family]
        if listening and not self.rarely(3):
            return NameOf(self.pick(listening))
        if named and not self.rarely(4):
            return NameOf(self.pick(named))
        if family == (INET, DGRAM) and self.rarely(6):
            return Inet("127.255.255.255", "P0")
        return self.unused_address(family)

    def payload(self, name: str) -> Data:
        """Bytes to send, every time other ones; few once TCP has had many."""
        self.count += 1
        size = self.pick(SIZES)
        if self.kinds[name] in CONNECTION[:2]:
            size = size if self.tcp_bytes + size <= TCP_BYTES else 1
            self.tcp_bytes += size
        return Data(chr(ord("a") + self.count % 26), size)

    # Making sockets

    @initialize(data=DATA)
    def begin(self, data: Any) -> None:
        self.data = data
        for _ in range(1 + self.rarely(2)):
            self.pick([self.connection, self.datagrams, self.pair_of, self.listener])()

    @rule(data=DATA)
    def new_socket(self, data: Any) -> None:
        self.data = data
        if self.room():
            self.make(self.pick(CONNECTION + DATAGRAM))

    @rule(data=DATA)
    def new_group(self, data: Any) -> None:
        self.data = data
        if self.room(4):
            self.pick([self.connection, self.datagrams, self.pair_of, self.listener, self.crowd])()

    def pair_of(self) -> None:
        names, kind = (self.name(), self.name()), (int(UNIX), self.pick([STREAM, SEQPACKET, DGRAM]))
        self.step("socketpair", None, *kind, into=names)
        self.kinds.update(dict.fromkeys(names, kind))
        self.meet(*names)
        if kind[1] != DGRAM:  # a datagram socket may be connected to another
            self.pairs.update(dict.fromkeys(names, names[0]))

    def listener(self) -> str:
        name = self.make(self.pick(CONNECTION))
        if self.rarely(6):
            self.set_one(name)
        self.step("bind", name, self.unused_address(self.kinds[name]))
        self.step("listen", name, self.pick([5, 0, 1]))
        self.listeners.append(name)
        return name

    def connection(self) -> None:
        """A client and what accept gives for it."""
        listener = self.pick(self.listeners) if self.listeners else self.listener()
        client = self.make(self.kinds[listener])
        self.step("connect", client, NameOf(listener))
        self.connected.append(client)
        self.waiting += 1
        server = self.accept_from(listener)
        if server:
            self.meet(client, server)

    def meet(self, one: str, other: str) -> None:
        """These two are connected to each other."""
        self.connected += [one, other]
        self.peers.update({one: other, other: one})

    def peer(self, name: str) -> str:
        """The other end, where there is one; else any socket."""
        other = self.peers.get(name)
        return other if other in self.kinds else self.any_socket()

    def accept_from(self, name: str) -> str:
        """What accept gives; '' for an error."""
        server = self.name()
        self.waiting = max(0, self.waiting - 1)
        if not self.step("accept", name, into=(server,)):
            return ""
        self.kinds[server] = self.kinds[name]
        self.connected.append(server)
        return server

    def crowd(self) -> None:
        """Several clients of one listener."""
        listener = self.pick(self.listeners) if self.listeners else self.listener()
        for _ in range(3):
            client = self.make(self.kinds[listener])
            self.step("connect", client, NameOf(listener))
            self.connected.append(client)
            self.waiting += 1

    def datagrams(self) -> None:
        """Two bound datagram sockets, perhaps connected."""
        kind = self.pick(DATAGRAM)
        names = [self.make(kind) for _ in range(2)]
        for name in names:
            self.step("bind", name, self.unused_address(kind))
        for name, other in (names, names[::-1]):
            if not self.rarely(3):
                self.step("connect", name, NameOf(other))
        self.meet(*names)

    # Naming and connecting

    @rule(data=DATA)
    def naming(self, data: Any) -> None:
        self.data = data
        likely = [self.connect, self.connect, self.names, self.bind, self.listen]
        self.pick([*likely, self.disconnect, self.unlink])()

    def bind(self) -> None:
        name = self.one()
        self.step("bind", name, self.unused_address(self.kinds[name]))

    def listen(self) -> None:
        name = self.pick(self.listeners) if self.listeners and self.rarely(2) else self.one()
        self.step("listen", name, self.pick([1, 0, 5, -1]))
        if name not in self.listeners and self.outcomes[-1].value is None:
            self.listeners.append(name)

    def connect(self) -> None:
        name = self.one()
        self.step(self.pick(["connect", "connect_ex"]), name, self.address(self.kinds[name]))
        self.connected.append(name)

    def names(self) -> None:
        self.step(self.pick(["getsockname", "getpeername"]), self.any_socket())

    def disconnect(self) -> None:
        self.step("disconnect", self.any_socket())

    def unlink(self) -> None:
        self.step("unlink", None, Unix("path", self.pick([0, 1])))

    @rule(data=DATA)
    def accept(self, data: Any) -> None:
        self.data = data
        if self.room() and (self.waiting or self.rarely(8)):
            rather = self.listeners and not self.rarely(8)
            self.accept_from(self.pick(self.listeners) if rather else self.one())

    # Sending and receiving

    @rule(data=DATA)
    def send(self, data: Any) -> None:
        self.data = data
        name, call = self.any_socket(), self.pick(["send", "send", "sendall"])
        self.send_on(name, call)

    def send_on(self, name: str, call: str = "send", *to: Any) -> None:
        """One send; but what MSG_MORE holds back on TCP or IPv6 is let go in the same step.

        Whether data that arrives lets it go on TCP depends on how the kernel accounts for memory.
        A datagram begun over IPv6 goes nobody knows where after connect() to an IPv4 address: both
        write to one union (inet->cork.fl).
        """
        flags = self.pick(SEND_FLAGS)
        held = (*CONNECTION[:2], (INET6, DGRAM))
        if flags == socket.MSG_MORE and self.kinds[name] in held:
            self.step("send_more", name, self.payload(name), *to)
        else:
            self.step(call, name, self.payload(name), flags, *to)

    @rule(data=DATA)
    def sendto(self, data: Any) -> None:
        self.data = data
        messages = [name for name, kind in self.kinds.items() if kind[1] == DGRAM]
        name = self.pick(messages) if messages and not self.rarely(4) else self.any_socket()
        self.send_on(name, "sendto", self.address(self.kinds[name]))

    @rule(data=DATA)
    def pass_sockets(self, data: Any) -> None:
        """Pass sockets over a socketpair, but never one that passes sockets itself.

        A unix socket that only its own queue still holds is collected by the kernel at a time of
        its own choosing, so a circle of passed sockets would give now this, now that.
        """
        self.data = data
        carriers = [name for name in self.pairs if self.pairs[name] not in self.passed]
        if not carriers:
            return
        name = self.pick(carriers)
        self.carriers.add(self.pairs[name])
        passed = [self.any_socket() for _ in range(1 + self.rarely(4))]
        pairs = {self.pairs[other] for other in passed if other in self.pairs}
        if not pairs & self.carriers:
            self.passed |= pairs
            self.step("pass", name, self.payload(name), *map(Var, passed))

    @rule(data=DATA)
    def fill(self, data: Any) -> None:
        self.data = data
        unix = [name for name in self.connected if self.kinds[name] not in CONNECTION[:2]]
        if unix and self.rarely(2):
            self.step("fill", self.pick(unix), Data("f", self.pick([1000, 100, 4096])))

    @rule(data=DATA)
    def transfer(self, data: Any) -> None:
        """A send, and a receive by the peer."""
        self.data = data
        name = self.any_socket()
        self.send_on(name)
        self.receive_at(self.peer(name))

    @rule(data=DATA)
    def reply(self, data: Any) -> None:
        """A send each way between two sockets, and a receive."""
        self.data = data
        name = self.any_socket()
        other = self.peer(name)
        for each in (name, other):
            self.step("send", each, self.payload(each), 0)
        self.step("recv", other, self.pick(READS), 0)

    @rule(data=DATA)
    def receive(self, data: Any) -> None:
        self.data = data
        self.receive_at(self.any_socket())

    def receive_at(self, name: str) -> None:
        """One receiving call."""
        method = self.pick(["recv", "recv", "recvfrom", "recv_into", "recvmsg"])
        size, flags = self.pick(READS), self.pick(RECV_FLAGS)
        if method != "recvmsg":
            self.step(method, name, size, flags)
            return
        new, space = self.name(), self.pick([100, 0, 24])
        if self.step("recvmsg", name, size, space, flags, into=(new,)):
            sock = self.runner.vars[new]
            self.kinds[new] = (int(sock.family), int(sock.type))
            self.connected.append(new)

    # Ending

    @rule(data=DATA)
    def shutdown(self, data: Any) -> None:
        self.data = data
        how = self.pick([socket.SHUT_WR, socket.SHUT_RD, socket.SHUT_RDWR])
        name = self.any_socket()
        self.step("shutdown", name, how)
        self.aftermath(self.pick([self.peer(name), name]))

    def aftermath(self, name: str) -> None:
        """What a socket learns once something has ended."""
        for _ in range(self.pick([1, 2, 0, 3])):
            call = self.pick(["recv", "send", "getsockopt"])
            if call == "getsockopt":
                self.step(call, name, *options.ERROR)
            elif call == "send":
                self.step(call, name, self.payload(name), 0)
            else:
                self.receive_at(name)

    @rule(data=DATA)
    def close(self, data: Any) -> None:
        self.data = data
        name = self.any_socket()
        if self.rarely(3):
            self.step("setsockopt", name, *options.RESET)
        other = self.peers.get(name)
        self.step("close", name)
        if not self.rarely(8):  # else it stays in the draw: calls on a closed socket
            self.forget(name)
        if other in self.kinds:
            self.aftermath(other)

    def forget(self, name: str) -> None:
        """Draw this socket no more."""
        del self.kinds[name]
        self.pairs.pop(name, None)
        for names in (self.listeners, self.connected):
            names[:] = [other for other in names if other != name]

    @rule(data=DATA)
    def copy(self, data: Any) -> None:
        self.data = data
        if not self.room():
            return
        name, new = self.any_socket(), self.name()
        if self.step(self.pick(["dup", "reopen"]), name, into=(new,)):
            self.kinds[new] = self.kinds[name]
            if name in self.pairs:
                self.pairs[new] = self.pairs[name]
            for names in (self.listeners, self.connected):
                if name in names:
                    names.append(new)
            if self.steps[-1].call == "reopen":
                self.forget(name)

    # Options and readiness

    def set_one(self, name: str) -> None:
        if self.rarely(10):
            self.step(self.pick(["settimeout", "setblocking"]), name, 0)
            return
        level, option, value = self.pick(options.settable(self.kinds[name]))
        self.step("setsockopt", name, level, option, value)

    @rule(data=DATA)
    def set_option(self, data: Any) -> None:
        self.data = data
        self.set_one(self.one() if self.rarely(2) else self.any_socket())

    @rule(data=DATA)
    def get_option(self, data: Any) -> None:
        self.data = data
        name = self.any_socket()
        self.step("getsockopt", name, *self.pick(options.readable(self.kinds[name])))

    @rule(data=DATA)
    def select(self, data: Any) -> None:
        self.data = data
        socks = dict.fromkeys(self.any_socket() for _ in range(1 + self.rarely(2)))
        self.step("select", None, *map(Var, socks))

    @rule(data=DATA)
    def epoll_change(self, data: Any) -> None:
        self.data = data
        if not self.epolls:
            self.count += 1
            self.epolls.append(f"e{self.count}")
            self.step("epoll", into=(self.epolls[-1],))
        change = self.pick(["register", "register", "modify", "unregister"])
        mask = () if change == "unregister" else (self.pick(options.EPOLL_MASKS),)
        self.step(change, self.epolls[0], Var(self.any_socket()), *mask)

    @rule(data=DATA)
    def epoll_poll(self, data: Any) -> None:
        self.data = data
        if self.epolls:
            self.step("epoll_poll", self.epolls[0], self.pick([-1, 1]))

    # The comparison

    def teardown(self) -> None:
        self.runner.finish()
        steps = tuple(self.steps)
        referee = run_program(self.pair.make_referee(), steps)
        self.tally.count(steps, referee)
        if referee == self.outcomes:
            return
        lasting = lasting_difference(self.pair, steps)
        if lasting is None:
            self.tally.noise += 1
            return
        raise Mismatch(shortest(lasting))


def machine(pair: Pair, tally: Tally) -> type[Programs]:
    """The state machine for two backends, counting into the tally."""
    return type("ProgramsOfThePair", (Programs,), {"pair": pair, "tally": tally})
