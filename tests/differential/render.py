"""A program as Python source that uses nothing but the contract."""

from __future__ import annotations

import socket
from collections.abc import Mapping, Sequence
from typing import Any

from tests.conformance.outcomes import BITS
from tests.differential.program import Data, Inet, NameOf, Outcome, Step, Unix, Var

_HEAD = """\
import array, contextlib, select, socket

def program(net):
    H0, H1, P0, P1 = "127.9.9.1", "127.9.9.2", 10101, 10102
    files = net.files.tempdir()

    def new(sock):
        sock.setblocking(False)
        return stack.enter_context(sock)

    @contextlib.contextmanager
    def gives(name):  # the error that the next call raises
        try:
            yield
        except Exception as error:
            print(name, "->", repr(error))

    def rights(*socks):
        numbers = array.array("i", [sock.fileno() for sock in socks])
        return [(socket.SOL_SOCKET, socket.SCM_RIGHTS, numbers)]

    def adopt(received):  # the first descriptor that recvmsg brought, as a socket
        for level, kind, content in received[1]:
            if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
                socks = [new(net.socket(fileno=n)) for n in array.array("i", content)]
                return socks[0]

    def bits(**socks):
        poller, every = net.poll(), select.POLLIN | select.POLLPRI | select.POLLOUT
        for name, sock in socks.items():
            poller.register(sock, every | select.POLLRDHUP)
        print({name: dict(poller.poll(0)).get(sock.fileno(), 0) for name, sock in socks.items()})

    with contextlib.ExitStack() as stack:
"""


def render(steps: Sequence[Step], outcomes: Sequence[Outcome], last: Mapping[str, Outcome]) -> str:
    """The program, each step with what the referee gave; under the last, what each backend gave."""
    lines = []
    open_vars: dict[str, None] = {}
    for step, outcome in zip(steps, outcomes, strict=True):
        gave = str(outcome.value)
        comment = f"  # {gave if len(gave) <= 60 else gave[:57] + '...'}"
        final = step is steps[-1]
        statement = _statement(step)
        if _raised(outcome):
            lines.append(f"with gives({step.call!r}):{comment}")
            lines.append(f"    {statement}{'  # <-- differs' if final else ''}")
        else:
            lines.append(f"{statement}{comment}{'  <-- differs' if final else ''}")
            open_vars.update(dict.fromkeys(step.into))
        if step.call in {"close", "reopen"}:
            open_vars.pop(step.on or "", None)
    watched = {name for outcome in last.values() for name, _ in outcome.bits}
    shown = [name for name in open_vars if name in watched]
    lines.append(f"bits({', '.join(f'{name}={name}' for name in shown)})")
    for name, outcome in last.items():
        lines.append(f"# {name} gave {outcome.value!r}, and then {_bits(outcome)}")
    return _HEAD + "".join(f"        {line}\n" for line in lines)


def _raised(outcome: Outcome) -> bool:
    value = outcome.value
    return isinstance(value, tuple) and bool(value) and str(value[0]).endswith("Error")


def _bits(outcome: Outcome) -> str:
    parts = []
    for name, bits in outcome.bits:
        parts.append(f"{name}:" + "|".join(text for bit, text in BITS.items() if bits & bit))
    return "polled " + (" ".join(parts) or "nothing")


def _statement(step: Step) -> str:
    args = ", ".join(map(_text, step.args))
    into = ", ".join(step.into)
    if step.call == "socket":
        return f"{into} = new(net.socket({args}))"
    if step.call == "socketpair":
        return f"{into} = map(new, net.socketpair({args}))"
    if step.call == "accept":
        return f"{into} = new({step.on}.accept()[0])"
    if step.call == "dup":
        return f"{into} = new({step.on}.dup())"
    if step.call == "reopen":
        return f"{into} = new(net.socket(fileno={step.on}.detach()))"
    if step.call == "recv_into":
        return f"{step.on}.recv_into(bytearray({_text(step.args[0])}), 0, {_text(step.args[1])})"
    if step.call == "recvmsg":
        return f"{into} = adopt({step.on}.recvmsg({args}))"
    if step.call == "pass":
        data, *passed = map(_text, step.args)
        return f"{step.on}.sendmsg([{data}], rights({', '.join(passed)}))"
    if step.call == "fill":
        return f"while True: {step.on}.send({args})"
    if step.call == "send_more":
        data, *to = map(_text, step.args)
        first = ", ".join([data, "socket.MSG_MORE", *to])
        return f"{step.on}.send{'to' * bool(to)}({first}), {step.on}.send(b'!')"
    if step.call == "disconnect":
        return f"net.disconnect({step.on})"
    if step.call == "unlink":
        return f"net.files.unlink({args})"
    if step.call == "select":
        return f"net.select([{args}], [{args}], [{args}], 0)"
    if step.call == "epoll":
        return f"{into} = net.epoll(); stack.callback({into}.close)"
    if step.call == "epoll_poll":
        return f"{step.on}.poll(0, {args})"
    return f"{step.on}.{step.call}({args})"


def _text(arg: Any) -> str:
    if isinstance(arg, Data):
        return f"b{arg.letter!r} * {arg.size}"
    if isinstance(arg, Inet):
        return f"({_host(arg.host)}, {arg.port})"
    if isinstance(arg, Unix):
        return f'f"{{files}}/{arg.number}"' if arg.kind == "path" else f'"\\0simnet-{arg.number}"'
    if isinstance(arg, NameOf):
        return f"{arg.on}.getsockname()"
    if isinstance(arg, Var):
        return arg.name
    if isinstance(arg, (socket.AddressFamily, socket.SocketKind)):
        return f"socket.{arg.name}"
    return repr(int(arg)) if isinstance(arg, int) else repr(arg)


def _host(host: str) -> str:
    if host in {"H0", "H1"}:
        return host
    return f'"::ffff:" + {host[-2:]}' if host.endswith(("H0", "H1")) else repr(host)
