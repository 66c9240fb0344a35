"""TLS over simulated sockets: the standard library's own `SSLSocket`, over a pump.

`ssl.py` of this version of Python is executed a second time over the simulated `socket`
(stdlib.py); of that copy only `SSLSocket` and what makes sockets is kept, everything else in
`module` is the real module's, so that contexts made before, `isinstance` and `except ssl.SSLError`
hold. `installed()` teaches the real `SSLContext` to wrap both kinds of sockets: real ones as ever,
simulated ones with a `Pump` (tls_pump.py) in the place of the C object. asyncio's TLS works over
memory and needs nothing of this.

Not simulated, since it happens inside OpenSSL:

* Its randomness has no seed. The bytes of handshakes and records differ from run to run, and so
  does the digest of a world that records whole packets. Order and sizes stay, and with them times,
  decisions and the digest of a world that does not record, as long as nothing random has a length
  of its own. So use the same certificates, keys of RSA (a signature of an elliptic curve varies by
  some bytes), and no session tickets (`context.num_tickets = 0`, and OP_NO_TICKET for TLS 1.2: for
  some names and protocols one varies by a block).
* It looks at the machine's own clock: certificates must be valid today, whatever a world's clock
  says, and sessions expire by it.
* Its settings and files are those of the machine: trusted authorities, SSLKEYLOGFILE, ...
"""

from __future__ import annotations

import _socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

from simnet import sockets, stdlib
from simnet.current import current_host
from simnet.descriptor_calls.dispatch import is_simulated, opened
from simnet.tls_pump import Pump

# What the copy has of its own; wrap_socket() is gone since Python 3.12.
_OWN = {
    "SSLSocket",
    "get_server_certificate",
    "wrap_socket",
    "_GLOBAL_DEFAULT_TIMEOUT",
    "_socket",
    "create_connection",
    "socket",
}
_Context: Any = ssl.SSLContext
_RealSocket: Any = ssl.SSLSocket
_MISSING = object()


def _make_module() -> ModuleType:
    copy = stdlib.execute("ssl", {"socket": stdlib.module})
    for name, value in vars(ssl).items():
        if name not in _OWN and not name.startswith("__"):
            setattr(copy, name, value)
    return copy


module: Any = _make_module()
_SimulatedSocket: Any = module.SSLSocket
_SimulatedSocket.__module__ = "ssl"
_create_real = _RealSocket._create.__func__
_create_simulated = _SimulatedSocket._create.__func__


def _host_of(sock: Any) -> Any:
    """The host of a simulated socket, or of what hands every call on to one; None for any other."""
    if isinstance(sock, (sockets.socket, _socket.socket)):
        return getattr(sock, "host", None)
    number = sock.fileno()
    return opened(number).host if is_simulated(number) else None


def _create(cls: Any, sock: Any, *args: Any, **kwargs: Any) -> Any:
    """SSLSocket._create of either class: a socket of one kind becomes one of the same kind."""
    host = _host_of(sock)
    simulated = host is not None
    if cls is _RealSocket or cls is _SimulatedSocket:
        cls = _SimulatedSocket if simulated else _RealSocket
    elif simulated is not issubclass(cls, _SimulatedSocket):
        kinds = ("simulated", "real") if simulated else ("real", "simulated")
        raise TypeError(
            f"{cls.__module__}.{cls.__qualname__} cannot wrap the {kinds[0]} {sock!r}: it derives "
            f"from the ssl.SSLSocket of {kinds[1]} sockets; derive it from "
            + ("simnet.tls.module.SSLSocket" if simulated else "the real ssl.SSLSocket")
        )
    if not simulated:
        return _create_real(cls, sock, *args, **kwargs)
    token = current_host.set(host)
    try:
        return _create_simulated(cls, sock, *args, **kwargs)
    finally:
        current_host.reset(token)


_SimulatedSocket._create = classmethod(_create)


def _wrap_socket(
    self: Any,
    sock: Any,
    server_side: bool,
    server_hostname: str | None = None,
    *,
    owner: Any = None,
    session: Any = None,
) -> Any:
    """SSLContext._wrap_socket: what an SSLSocket drives."""
    if isinstance(sock, sockets.socket):
        return Pump(self, sock, server_side, server_hostname, owner, session)
    return super(_Context, self)._wrap_socket(
        sock, server_side, server_hostname, owner=owner, session=session
    )


class _Installation:
    """The attributes of real classes that are replaced, and what was there before."""

    def __init__(self) -> None:
        self._users = 0
        self._before: list[tuple[Any, str, Any]] = []

    def begin(self) -> None:
        """One more needs it."""
        self._users += 1
        if self._users > 1:
            return
        self._replace(_Context, "_wrap_socket", _wrap_socket)
        self._replace(_RealSocket, "_create", classmethod(_create))
        # A class of the user's own stays.
        if _Context.sslsocket_class is _RealSocket:
            self._replace(_Context, "sslsocket_class", _SimulatedSocket)

    def end(self) -> None:
        """One fewer does."""
        self._users -= 1
        if self._users:
            return
        while self._before:
            owner, name, value = self._before.pop()
            if value is _MISSING:
                delattr(owner, name)
            else:
                setattr(owner, name, value)

    def _replace(self, owner: Any, name: str, value: Any) -> None:
        self._before.append((owner, name, vars(owner).get(name, _MISSING)))
        setattr(owner, name, value)


_installation = _Installation()


@contextmanager
def installed() -> Iterator[None]:
    """Until the end of the block contexts wrap simulated sockets too; blocks may overlap.

    Sockets that were wrapped work on after it, except that a listener cannot wrap what it accepts.
    """
    _installation.begin()
    try:
        yield
    finally:
        _installation.end()
