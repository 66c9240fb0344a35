"""Programs that meet a shortage or a signal, for the kernel and for the simulator alike.

Each takes a network and a `Machine`, which brings about what the program cannot, and gives what it
saw. `python -m tests.nasty.probes NAME` runs one on the kernel and prints that: it may exhaust its
own descriptors, be stopped and continued, and have a network of its own.
"""

from __future__ import annotations

import array
import contextlib
import json
import os
import resource
import signal
import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Callable
from typing import Any, Protocol

import realnet
from simnet.api import Network


class Machine(Protocol):
    """What happens to a program from outside."""

    def exhaust(self, free: int) -> None:
        """Leave so many descriptors free."""

    def relieve(self) -> None:
        """Leave enough."""

    def interrupt_soon(self, handler: bool = False) -> None:
        """Interrupt the call that waits, by a signal with or without a handler."""

    def no_ports(self) -> None:
        """Leave no ephemeral port free."""

    def make(self, name: str, *arguments: Any) -> Any:
        """A call of `os` or `select`."""


def outcome(call: Callable[..., Any], *arguments: Any) -> str:
    """The error of a call, or that it worked."""
    try:
        result = call(*arguments)
    except OSError as error:
        return repr(error)
    for each in result if isinstance(result, tuple) else (result,):
        if hasattr(each, "close"):
            each.close()
    return "works"


def connected(net: Network, **options: int) -> tuple[Any, Any]:
    """Two ends of a TCP connection."""
    with net.create_server(("127.0.0.1", 0)) as listener:
        client = net.create_connection(listener.getsockname())
        return client, listener.accept()[0]


def descriptors(net: Network, machine: Machine) -> list[str]:
    """What each call that needs a descriptor says when there is none, or only one of two."""
    listener = net.create_server(("127.0.0.1", 0))
    client = net.create_connection(listener.getsockname())
    one, other = net.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    rights = array.array("i", [client.fileno(), client.fileno()])
    one.sendmsg([b"x"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, rights)])
    machine.exhaust(0)
    seen = [
        outcome(net.socket),
        outcome(net.socketpair),
        outcome(client.dup),
        outcome(machine.make, "pipe"),
        outcome(machine.make, "eventfd", 0),
        outcome(net.epoll),
        outcome(listener.accept),
        str(other.recvmsg(10, 1000)),
    ]
    machine.exhaust(1)
    seen += [outcome(net.socketpair), outcome(machine.make, "pipe"), outcome(listener.accept)]
    machine.exhaust(0)
    # Nobody is there to be accepted any more.
    seen.append(outcome(listener.accept))
    listener.setblocking(False)
    seen.append(outcome(listener.accept))
    listener.settimeout(0.01)
    seen.append(outcome(listener.accept))
    machine.relieve()
    for sock in (listener, client, one, other):
        sock.close()
    return seen


def ports(net: Network, machine: Machine) -> list[str]:
    """What each call that needs a port says when there is none."""
    seen = []

    def see(call: Callable[..., Any], *arguments: Any) -> None:
        machine.no_ports()
        seen.append(outcome(call, *arguments))

    with net.create_server(("127.0.0.1", 9000)), net.socket() as tcp:
        see(tcp.connect, ("127.0.0.1", 9000))
        see(tcp.bind, ("127.0.0.1", 0))
        see(tcp.listen)
        see(tcp.bind, ("127.0.0.1", 9001))
    with net.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        see(udp.sendto, b"x", ("127.0.0.1", 9))
        see(udp.connect, ("127.0.0.1", 9))
        see(udp.bind, ("127.0.0.1", 0))
    return seen


def interruptions(net: Network, machine: Machine) -> list[str]:
    """What of a call that waits is left when a signal interrupts it."""
    seen = []
    one, other = connected(net)
    machine.interrupt_soon()
    seen.append(f"a part of a send: {0 < one.send(bytes(50_000_000)) < 50_000_000}")
    other.send(b"abc")
    machine.interrupt_soon()
    seen.append(f"MSG_WAITALL: {one.recv(10, socket.MSG_WAITALL)!r}")
    one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, 10)
    other.send(b"abc")
    machine.interrupt_soon()
    seen.append(f"SO_RCVLOWAT: {one.recv(100)!r}")
    one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 20))
    machine.interrupt_soon()
    began = net.monotonic()
    one.close()
    seen.append(f"close() waits for all: {net.monotonic() - began > 10}")
    other.close()
    first, second = net.socketpair()
    machine.interrupt_soon()
    seen.append(f"a part of a send: {0 < first.send(bytes(50_000_000)) < 50_000_000}")
    second.send(b"abc")
    machine.interrupt_soon()
    seen.append(f"MSG_WAITALL: {first.recv(10, socket.MSG_WAITALL)!r}")
    first.close()
    second.close()
    reading, writing = machine.make("pipe")
    machine.interrupt_soon()
    seen.append(f"a write: {machine.make('write', writing, bytes(200_000))}")
    for end in (reading, writing):
        machine.make("close", end)
    return seen


def connecting(net: Network, machine: Machine) -> list[str]:
    """What an interrupted connect() leaves behind when it has worked in the end."""
    with net.socket() as listener, net.socket() as sock:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        address = listener.getsockname()
        net.create_connection(address).close()
        net.spawn(lambda: (net.sleep(0.3), listener.accept()[0].close()))
        # Without a handler the kernel would begin the call anew.
        machine.interrupt_soon(handler=True)
        return [outcome(sock.connect, address) for _ in range(3)]


def queues(net: Network, machine: Machine) -> list[str]:
    """What a datagram is told that finds the interface's queue full."""
    with net.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.setsockopt(socket.IPPROTO_IP, 11, 1)  # IP_RECVERR
        return [outcome(sock.sendto, bytes(1000), ("10.77.0.2", 9)) for _ in range(9)][-1:]


PROBES = {each.__name__: each for each in (descriptors, ports, interruptions, connecting, queues)}


class Real:
    """What happens to this process."""

    def __init__(self) -> None:
        self._limits = resource.getrlimit(resource.RLIMIT_NOFILE)
        self._held: list[int] = []
        self._takers: list[socket.socket] = []

    def exhaust(self, free: int) -> None:
        self.relieve()
        resource.setrlimit(resource.RLIMIT_NOFILE, (64, self._limits[1]))
        with contextlib.suppress(OSError):
            while True:
                self._held.append(os.dup(0))
        for _ in range(free):
            os.close(self._held.pop())

    def relieve(self) -> None:
        while self._held:
            os.close(self._held.pop())
        resource.setrlimit(resource.RLIMIT_NOFILE, self._limits)

    def interrupt_soon(self, handler: bool = False) -> None:
        if handler:
            signal.signal(signal.SIGALRM, lambda *_: None)
            signal.setitimer(signal.ITIMER_REAL, 0.1)
            return
        # The process is stopped and continued.
        stop = f"import os, time, signal; time.sleep(0.1); os.kill({os.getpid()}, signal.SIGSTOP);"
        go_on = f"time.sleep(0.05); os.kill({os.getpid()}, signal.SIGCONT)"
        subprocess.Popen([sys.executable, "-S", "-E", "-c", stop + go_on])

    def no_ports(self) -> None:
        """In a network of its own: a range of one port, which is taken."""
        if self._takers:
            return
        with open("/proc/sys/net/ipv4/ip_local_port_range", "w") as file:
            file.write("40000 40000")
        self._takers = [socket.create_server(("", 40000)), socket.socket(type=socket.SOCK_DGRAM)]
        self._takers[1].bind(("", 40000))

    def make(self, name: str, *arguments: Any) -> Any:
        return getattr(os, name)(*arguments)


def main(name: str) -> None:
    """Run one probe here."""
    threading.Timer(50, os._exit, [3]).start()
    net = realnet.Network()
    print(json.dumps(PROBES[name](net, Real())), flush=True)
    os._exit(0)


if __name__ == "__main__":
    main(sys.argv[1])
