"""Helpers of the cases: connections between the kernel and us, what goes over them, their end."""

from __future__ import annotations

import socket
from typing import Any

from simnet.api import Network, Socket
from tests.tun.meeting import KERNEL, OURS, Meeting

PATIENCE = 30.0
SERVERS = ("kernel", "ours")


def accept_one(listener: Socket) -> Socket:
    """The first connection."""
    with listener:
        return listener.accept()[0]


def connected(meeting: Meeting, server: str, version: int = 4) -> tuple[Socket, Socket]:
    """(the kernel's end, our end) of a connection; `server` says who listens."""
    family = socket.AF_INET if version == 4 else socket.AF_INET6
    index = 0 if version == 4 else 1
    hosts: dict[str, tuple[Network, str]] = {
        "kernel": (meeting.kernel, KERNEL[index]),
        "ours": (meeting.ours, OURS[index]),
    }
    to, ip = hosts.pop(server)
    ((_, (by, _)),) = hosts.items()
    listener = to.create_server((ip, 80), family=family)
    accepting = to.spawn(accept_one, listener)
    connecting = by.spawn(by.create_connection, (ip, 80), PATIENCE)
    meeting.run(accepting, connecting)
    ends = accepting.result(), connecting.result()
    for end in ends:
        end.settimeout(PATIENCE)
    return ends if server == "kernel" else (ends[1], ends[0])


def send_all(sock: Socket, data: bytes) -> None:
    """Send, and say that this was all."""
    sock.sendall(data)
    sock.shutdown(socket.SHUT_WR)


def receive_all(sock: Socket) -> bytes:
    """Everything until the end."""
    return b"".join(iter(lambda: sock.recv(65536), b""))


def exchange(meeting: Meeting, theirs: Socket, mine: Socket, there: bytes, back: bytes) -> Any:
    """Send both ways at once; what arrived (at the kernel, here). Both ends are closed then."""
    kernel, ours = meeting.kernel, meeting.ours
    tasks = [kernel.spawn(receive_all, theirs), ours.spawn(receive_all, mine)]
    meeting.run(*tasks, ours.spawn(send_all, mine, there), kernel.spawn(send_all, theirs, back))
    theirs.close()
    mine.close()
    return tuple(task.result() for task in tasks)


def nothing_is_left(meeting: Meeting) -> bool:
    """Whether both sides have finished with every connection, after a while."""
    for _ in range(60):
        if not meeting.kernel_connections() and not meeting.our_connections():
            return True
        meeting.pass_time(0.05)
    return False
