"""TLS over any backend: contexts with fresh certificates, wrapped pairs, and outcomes in words."""

from __future__ import annotations

import re
import socket
import ssl
import struct
from collections.abc import Callable
from contextlib import ExitStack
from functools import lru_cache
from typing import Any

import attrs
import pytest
import trustme

from simnet import tls_errors
from simnet.api import Network
from tests.conformance.kinds import PATIENCE, Kind

TLS12, TLS13 = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3
versions = pytest.mark.parametrize("version", [TLS12, TLS13], ids=lambda version: version.name)
# What has become of a failed system call under read() and write(): its error, or an end of file.
TELLS_FAILURES = not tls_errors._FAILURE_IS_END


@lru_cache
def authority() -> trustme.CA:
    """Who signs the certificates of all cases."""
    return trustme.CA()


@lru_cache
def certificate(*names: str) -> trustme.LeafCert:
    """A certificate for these names."""
    return authority().issue_cert(*names)


def server_context(version: ssl.TLSVersion | None = None, *names: str) -> Any:
    """A server's context, as 'localhost' unless told otherwise."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate(*(names or ("localhost", "127.0.0.1"))).configure_cert(context)
    return _of_version(context, version)


def client_context(version: ssl.TLSVersion | None = None) -> Any:
    """A client's context, which trusts the authority."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    authority().configure_trust(context)
    return _of_version(context, version)


def _of_version(context: ssl.SSLContext, version: ssl.TLSVersion | None) -> ssl.SSLContext:
    if version is not None:
        context.minimum_version = context.maximum_version = version
    return context


def said(call: Callable[..., Any], *args: Any) -> Any:
    """The value of a call, or its error in words, without the line of _ssl.c."""
    try:
        return call(*args)
    except (OSError, ValueError, NotImplementedError) as error:
        text = re.sub(r"\(?_ssl\.c:\d+\)?:?", "", str(error)).strip()
        return f"{type(error).__name__}: {text}"


def receive(sock: ssl.SSLSocket, size: int) -> bytes:
    """So many bytes; fewer only if the stream ends."""
    data = bytearray()
    while len(data) < size:
        part = sock.recv(min(size - len(data), 65536))
        if not part:
            break
        data += part
    return bytes(data)


def failure(tells: Any, ends: Any = "SSLEOFError: EOF occurred in violation of protocol") -> Any:
    """How this version of Python words a system call that failed under read() or write()."""
    return tells if TELLS_FAILURES else ends


def reset(sock: socket.socket) -> None:
    """Close it with a reset."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


def tcp(net: Network) -> tuple[Any, Any]:
    """The two ends of a connection over the loopback interface."""
    with net.create_server(("127.0.0.1", 0)) as listener:
        client = net.create_connection(listener.getsockname())
        server, _ = listener.accept()
    return client, server


TRANSPORTS = [
    Kind("tcp", socket.AF_INET, socket.SOCK_STREAM, tcp),
    Kind("unix", socket.AF_UNIX, socket.SOCK_STREAM, lambda net: net.socketpair()),
]


@attrs.frozen
class TLS:
    """What a case makes TLS connections with."""

    net: Network
    opened: ExitStack
    # What a program on this network sees as `ssl`.
    module: Any

    def keep(self, sock: Any) -> Any:
        """Close it when the case ends."""
        return self.opened.enter_context(sock)

    def plain(self, kind: Kind = TRANSPORTS[0]) -> tuple[Any, Any]:
        """A connected pair, with patience, not wrapped yet."""
        a, b = (self.keep(sock) for sock in kind.make(self.net))
        a.settimeout(PATIENCE)
        b.settimeout(PATIENCE)
        return a, b

    def pair(
        self,
        version: ssl.TLSVersion | None = None,
        *,
        client: ssl.SSLContext | None = None,
        server: ssl.SSLContext | None = None,
        kind: Kind = TRANSPORTS[0],
        ragged: bool = True,
        **options: Any,
    ) -> tuple[ssl.SSLSocket, ssl.SSLSocket]:
        """The client's and the server's end of a connection that has shaken hands."""
        a, b = self.plain(kind)
        client = client or client_context(version)
        server = server or server_context(version)
        task = self.net.spawn(
            lambda: server.wrap_socket(b, server_side=True, suppress_ragged_eofs=ragged)
        )
        options.setdefault("server_hostname", "localhost")
        wrapped = client.wrap_socket(a, suppress_ragged_eofs=ragged, **options)
        return self.keep(wrapped), self.keep(task.result(PATIENCE))

    def on_its_network(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Call what makes sockets itself."""
        return self.net.spawn(lambda: function(*args, **kwargs)).result(PATIENCE)

    def raw(self, sock: ssl.SSLSocket) -> Any:
        """The plain socket class under a wrapped socket, for calls past TLS."""
        return super(self.module.SSLSocket, sock)
