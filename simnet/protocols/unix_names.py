"""The names of one host's unix sockets: paths among its files, and abstract names.

Abstract names are looked up by type: a stream and a datagram socket may share one (measured on
Linux 6.18). A path is taken until it is removed, whoever bound it; the socket behind it is known by
the file and not by the text, so that it answers under its new name after a rename.

Names that the kernel picks are random there and counted here.
"""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING

from simnet.errors import os_error
from simnet.files import Files, SocketFile

if TYPE_CHECKING:
    from simnet.protocols.unix_base import UnixEndpoint

# A path, an abstract name (it begins with a zero byte), or none.
UnixAddress = str | bytes | None

_AUTOBIND_NAMES = 1 << 20


class UnixNames:
    """One host's unix socket names."""

    def __init__(self, files: Files) -> None:
        self.files = files
        # Sockets that lie in messages, by how often: for the collector of cycles.
        self.in_flight: dict[UnixEndpoint, int] = {}
        self._abstract: dict[tuple[int, bytes], UnixEndpoint] = {}
        self._next = 0

    def bind(self, endpoint: UnixEndpoint, address: UnixAddress) -> None:
        """Name a socket. Without an address it gets a free abstract name, unless it has a name."""
        if not address:
            self.autobind(endpoint)
        elif isinstance(address, bytes):
            self._bind_abstract(endpoint, address)
        else:
            self._bind_path(endpoint, address.split("\0", 1)[0])

    def autobind(self, endpoint: UnixEndpoint) -> None:
        """Pick a name: a zero byte and five hexadecimal digits."""
        if endpoint.name is not None:
            return
        for _ in range(_AUTOBIND_NAMES):
            name = b"\0%05x" % self._next
            self._next = (self._next + 1) % _AUTOBIND_NAMES
            if (endpoint.type, name) not in self._abstract:
                self._bind_abstract(endpoint, name)
                return
        raise os_error(errno.ENOSPC)

    def _bind_abstract(self, endpoint: UnixEndpoint, name: bytes) -> None:
        if endpoint.name is not None:
            raise os_error(errno.EINVAL)
        if (endpoint.type, name) in self._abstract:
            raise os_error(errno.EADDRINUSE)
        self._abstract[endpoint.type, name] = endpoint
        endpoint.name = name

    def _bind_path(self, endpoint: UnixEndpoint, path: str) -> None:
        """The kernel makes the file first, and removes it if the socket has a name."""
        try:
            file = self.files.bind(path, endpoint)
        except FileExistsError:
            raise os_error(errno.EADDRINUSE) from None
        if endpoint.name is not None:
            self.files.unlink(path)
            raise os_error(errno.EINVAL)
        endpoint.file = file
        endpoint.name = path

    def find(self, address: UnixAddress, type: int) -> UnixEndpoint:
        """The open socket of that name and type."""
        if not address:
            raise os_error(errno.EINVAL)
        if isinstance(address, bytes):
            found = self._abstract.get((type, address))
            if found is None:
                raise os_error(errno.ECONNREFUSED)
            return found
        file = self.files.find(address.split("\0", 1)[0])
        if not isinstance(file, SocketFile) or file.endpoint is None:
            raise os_error(errno.ECONNREFUSED)
        endpoint: UnixEndpoint = file.endpoint
        if endpoint.type != type:
            raise os_error(errno.EPROTOTYPE)
        return endpoint

    def forget(self, endpoint: UnixEndpoint) -> None:
        """The socket is closed: its abstract name is free, its path leads nowhere."""
        if endpoint.file is not None:
            endpoint.file.endpoint = None
            endpoint.file = None
        elif isinstance(endpoint.name, bytes):
            key = (endpoint.type, endpoint.name)
            # An accepted socket reports its listener's name without holding it.
            if self._abstract.get(key) is endpoint:
                del self._abstract[key]
