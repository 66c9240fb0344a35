"""A simulated host and the real kernel on one link, which is the simulator's.

The kernel sits in a network namespace of its own, with a TUN device (see its tuntap.rst), whose
other end is here. In the world a stand-in has the kernel's address: what is delivered to it
leaves as bytes through the device, what comes from the device is sent as its packets. So both
directions pass the link, with whatever the test wants to happen on it.

Virtual time goes with real time here, and only here: nothing in these tests follows from a seed.
"""

from __future__ import annotations

import fcntl
import os
import select
import struct
import time
from types import TracebackType
from typing import TYPE_CHECKING, Any

import realnet
from simnet.api import Task
from simnet.clock import SECOND_NS
from simnet.codec import decode, encode
from simnet.host import Host
from simnet.interfaces import parse
from simnet.wire import Packet
from simnet.world import World

if TYPE_CHECKING:
    from typing_extensions import Self

_TUN = "/dev/net/tun"
_TUNSETIFF, _IFF_TUN, _IFF_NO_PI = 0x400454CA, 0x0001, 0x1000  # linux/if_tun.h
_GLANCE = 0.005  # seconds between looks at whether tasks have ended

KERNEL, OURS = ("10.99.0.1", "fd99::1"), ("10.99.0.2", "fd99::2")
# What an open connection is not: TIME_WAIT, CLOSE, LISTEN in /proc/net/tcp.
_RESTING = {"06", "07", "0A"}


class StandIn(Host):
    """Has the kernel's addresses; what arrives goes on through the device."""

    device = -1

    def deliver(self, packet: Packet) -> None:
        os.write(self.device, encode(packet))


class Meeting:
    """Both, and the link between them. `realnet.Unavailable` says why there cannot be one."""

    def __init__(self) -> None:
        if not os.path.exists(_TUN):
            raise realnet.Unavailable(f"there is no {_TUN} (the kernel's module tun)")
        self.world = World(max_steps=1 << 60)
        self.ours = self.world.host("ours", ip=OURS)
        self.kernel = realnet.Host("kernel", ())
        try:
            self._device = self._open_device()
        except BaseException:
            self.kernel.stop()
            raise
        self._stand_in = StandIn(self.world, "kernel", parse(KERNEL))
        self._stand_in.device = self._device
        self.world.wire.attach(self._stand_in)
        self.world.hosts["kernel"] = self._stand_in
        # What came from the kernel and is nothing for a world: neighbour discovery, group reports.
        self.refused: list[str] = []

    def _open_device(self) -> int:
        namespace = self.kernel.namespace
        with namespace.entered():
            device = os.open(_TUN, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
            fcntl.ioctl(device, _TUNSETIFF, struct.pack("16sH14x", b"tun0", _IFF_TUN | _IFF_NO_PI))
        four, six = KERNEL
        namespace.ip(
            f"address add {four}/24 dev tun0",
            f"address add {six}/64 dev tun0 nodad",
            "link set tun0 up",
        )
        return device

    def run(self, *tasks: Task, patience: float = 60.0) -> None:
        """Let virtual time go with real time until tasks of either side have ended."""
        poller = select.poll()
        poller.register(self._device, select.POLLIN)
        clock = self.world.clock
        begun = time.monotonic() - self.world.now
        end = time.monotonic() + patience
        while not all(task.done for task in tasks):
            assert time.monotonic() < end, f"no end after {patience} s: {self.world.trace.tail()}"
            self.world.run(until=max(self.world.now, time.monotonic() - begun))
            next_ns = clock.next_ns()
            wait = _GLANCE if next_ns is None else (next_ns - clock.now_ns) / SECOND_NS
            if poller.poll(1000 * min(wait, _GLANCE)):
                self._take_in()
        for task in tasks:
            task.result(0)

    def pass_time(self, seconds: float) -> None:
        """Let so much time go by."""
        self.run(self.ours.spawn(self.ours.sleep, seconds))

    def _take_in(self) -> None:
        """Send into the world what the kernel has sent."""
        while True:
            try:
                data = os.read(self._device, 65536)
            except BlockingIOError:
                break
            try:
                packet = decode(data)
            except ValueError as exc:
                self.refused.append(str(exc))
                continue
            self.world.wire.transmit(self._stand_in, packet)
        self.world.wire.flush()

    # What the kernel thinks of it

    def _read(self, name: str) -> list[list[str]]:
        """A table of /proc/net of the namespace, as lines of words."""
        with self.kernel, open(f"/proc/thread-self/net/{name}") as table:
            return [line.split() for line in table]

    def complaints(self) -> dict[str, int]:
        """The kernel's counters of headers and checksums that were wrong, those above 0."""
        found, lines = {}, self._read("snmp")
        for names, values in zip(lines[::2], lines[1::2], strict=True):
            for name, value in zip(names[1:], values[1:], strict=True):
                if name in ("InHdrErrors", "InCsumErrors") and int(value):
                    found[names[0] + name] = int(value)
        for name, count in self._read("snmp6"):
            if name.endswith(("InHdrErrors", "InCsumErrors")) and int(count):
                found[name] = int(count)
        return found

    def kernel_connections(self) -> list[str]:
        """The states of connections that the kernel still works at."""
        lines = [*self._read("tcp")[1:], *self._read("tcp6")[1:]]
        return [line[3] for line in lines if line[3] not in _RESTING]

    def our_connections(self) -> list[Any]:
        """The same of the simulated host."""
        return [
            connection
            for connection in self.ours.tcp_ports.connections.values()
            if connection.state.name not in ("TIME_WAIT", "CLOSE")  # type: ignore[attr-defined]
        ]

    def close(self) -> None:
        """End everything."""
        self.world.close()
        os.close(self._device)
        self.kernel.stop()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
        /,
    ) -> None:
        self.close()
