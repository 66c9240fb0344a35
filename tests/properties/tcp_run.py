"""Running TCP programs on a world, and looking at what the simulator keeps of each connection."""

from __future__ import annotations

import socket
from typing import Any

import attrs

from simnet import World
from simnet.host import Host
from simnet.protocols.tcp import Tcp
from simnet.protocols.tcp_states import State
from tests.differential.program import Data, NameOf, Outcome, Runner, Step

# All of a connection that a later call could show. Left out: what only says where the other end is.
KEPT = (
    "state", "shut", "error", "done", "sndbuf", "rcvbuf", "nodelay", "corked", "mss", "rcv_mss",
    "snd_una", "snd_nxt", "snd_edge", "rcv_nxt", "rcv_edge", "rcv_acked", "snd_wscale",
    "nagle_small_edge", "quick_acks", "pingpong", "delayed_ack_due_ns", "last_received_ns",
    "urgent",
)  # fmt: skip


@attrs.frozen
class Ways:
    """Where the two ends are: on one host, or on two with a link of that MTU between them."""

    apart: bool = False
    mtu: int = 1500

    def hosts(self, world: World) -> tuple[Host, Host]:
        """The client's host and the server's."""
        if not self.apart:
            host = world.host("localhost", ip="10.0.0.1")
            return host, host
        hosts = world.host("client"), world.host("server")
        for host in hosts:
            host.limits = attrs.evolve(host.limits, mtu=self.mtu)
        return hosts


@attrs.frozen
class Seen:
    """A step's outcome, the time after it, and what is kept of each open connection."""

    step: Step
    outcome: Outcome
    now_ns: int
    kept: dict[str, dict[str, Any]]


class TcpRunner(Runner):
    """One run of a TCP program on the hosts of a world."""

    def __init__(self, world: World, ways: Ways) -> None:
        self.client, self.server = ways.hosts(world)
        self.world = world
        super().__init__(self.client)

    def value(self, arg: Any) -> Any:
        if isinstance(arg, NameOf) and arg.on == "l":
            return self.server.addresses[0], self.vars["l"].getsockname()[1]
        return super().value(arg)

    def see(self, step: Step) -> Seen:
        """Make a step, and look."""
        outcome = self.run(step)
        return Seen(step, outcome, self.world.clock.now_ns, self._kept())

    def finish(self) -> None:
        for name in list(self._numbers.values()):
            self.vars[name].close()
        self.world.close()

    def _kept(self) -> dict[str, dict[str, Any]]:
        kept = {}
        for number, name in self._numbers.items():
            block = self.world.descriptors.get(number).endpoint
            assert isinstance(block, Tcp)
            if block.state not in (State.CLOSE, State.LISTEN):
                kept[name] = {field: getattr(block, field) for field in KEPT}
                kept[name] |= {"queued": block.queue.length, "unsent": block.unsent.length}
        return kept

    def _replace(self, name: str) -> None:
        if name in self._numbers.values():
            self._disown(name).close()

    def _do_client(self, step: Step) -> None:
        self._replace(step.into[0])
        self._own(step.into[0], self.client.socket())

    def _do_server(self, step: Step) -> None:
        self._own(step.into[0], self.server.socket())

    def _do_accept(self, step: Step) -> Any:
        self._replace(step.into[0])
        return super()._do_accept(step)

    def _do_recv(self, step: Step) -> Any:
        data = self._call(step)
        size, flags = (*step.args, 0)[:2]
        return len(data) if flags & socket.MSG_TRUNC or len(data) > size else data

    def _do_sleep(self, step: Step) -> None:
        self.world.run(until=self.world.now + step.args[0])


def run(world: World, ways: Ways, steps: tuple[Step, ...]) -> list[Seen]:
    """What each step of a program gave on a fresh world, which is closed after it."""
    runner = TcpRunner(world, ways)
    try:
        return [runner.see(step) for step in steps]
    finally:
        runner.finish()


def difference(one: list[Seen], other: list[Seen], names: tuple[str, str]) -> str | None:
    """The first step after which two runs part, and in what; None if they are equal."""
    lines = []
    for here, there in zip(one, other, strict=True):
        lines.append(_line(here))
        if here == there:
            continue
        for name, seen, against in ((names[0], here, there), (names[1], there, here)):
            lines.append(f"{name}: {_line(seen)}")
            if seen.now_ns != against.now_ns:
                lines.append(f"    at {seen.now_ns} ns")
            for end, kept in seen.kept.items():
                others = against.kept.get(end, {})
                parts = {field: v for field, v in kept.items() if others.get(field) != v}
                if parts:
                    lines.append(f"    {end}: {parts}")
        return "\n".join(lines)
    return None


def _line(seen: Seen) -> str:
    step, args = seen.step, []
    for arg in seen.step.args:
        args.append(f"{arg.size} bytes" if isinstance(arg, Data) else repr(arg))
    value = repr(seen.outcome.value)
    gave = value if len(value) < 60 else f"{value[:57]}..."
    into = f"{step.into[0]} = " if step.into else ""
    return f"{into}{step.on or ''}.{step.call}({', '.join(args)}) -> {gave} {seen.outcome.bits}"
