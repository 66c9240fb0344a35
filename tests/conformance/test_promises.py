"""The promises of the old manual page of socket objects, one by one.

Each docstring says in our words what that page promises.
"""

from __future__ import annotations

from contextlib import ExitStack

from simnet.api import Network

METHODS = [
    *("accept", "bind", "close", "connect", "connect_ex", "fileno", "getpeername", "getsockname"),
    *("getsockopt", "listen", "makefile", "recv", "recvfrom", "send", "sendall", "sendto"),
    *("setblocking", "setsockopt", "shutdown"),
]


def test_a_socket_has_the_methods_of_the_page(net: Network, sockets: ExitStack) -> None:
    """Socket objects have all of the methods that the page lists."""
    sock = sockets.enter_context(net.socket())
    assert all(callable(getattr(sock, name)) for name in METHODS)
