"""The receiving half of a socket object.

Each call of plain data first tries the endpoint's short cut; that is the hot path. Its flags are in
`*rest`, so that one look tells that there are none.
"""

from __future__ import annotations

from typing import Any

from simnet import ancillary, blocking, constants
from simnet.arguments import c_int, c_size, scatter_views, writable_view
from simnet.constants import MSG_CMSG_CLOEXEC
from simnet.protocols.base import Received
from simnet.readiness import READABLE
from simnet.signatures import MISSING, check_buffer_call, flags_of, takes
from simnet.socket_core import SocketCore
from simnet.trace import BLOCK, RECV

_CONTROL_MAX = 0x7FFFFFFF


class Receiving(SocketCore):
    """recv() and its kin."""

    __slots__ = ()

    def recv(self, bufsize: int = MISSING, /, *rest: Any) -> bytes:
        """recv(buffersize[, flags]) -> data"""
        if bufsize.__class__ is int and bufsize > 0 and not rest:
            endpoint = self._descriptor.endpoint
            if endpoint is not None:
                data: bytes | None = endpoint.recv_now(bufsize)  # type: ignore[attr-defined]
                if data is None and self._timeout_ns is None:
                    data = self._home.scheduler.receive(endpoint, bufsize, self)  # type: ignore[arg-type]
                if data is not None:
                    recent = self._recent
                    recent.append((RECV, endpoint.number, len(data)))  # type: ignore[attr-defined]
                    if len(recent) >= BLOCK:
                        self._home.trace.fold()
                    return data
        flags = flags_of("recv", bufsize, rest)
        size = c_size(bufsize)
        flags = c_int(flags)
        if size < 0:
            raise ValueError("negative buffersize in recv")
        if not size:
            return b""
        received = self._receive("recv", size, flags)
        return received.data.ljust(received.length, b"\0")

    def recv_into(self, buffer: Any = MISSING, nbytes: int = 0, flags: int = 0, *rest: Any) -> int:
        """recv_into(buffer, [nbytes[, flags]]) -> nbytes_read"""
        if buffer.__class__ is memoryview and not (nbytes or flags or rest):
            count = self._fill(buffer)
            if count is not None:
                return count
        view, size, flags = _space("recv_into", buffer, nbytes, flags, rest)
        if not size:
            return 0
        received = self._receive("recv_into", size, flags)
        view[: len(received.data)] = received.data
        return received.length

    def _fill(self, view: memoryview) -> int | None:
        """What `makefile` asks for: plain data into a plain buffer; None if it is not so plain."""
        endpoint = self._descriptor.endpoint
        size = view.nbytes
        if endpoint is None or not size or view.readonly or view.format != "B" or view.ndim != 1:
            return None
        data: bytes | None = endpoint.recv_now(size)  # type: ignore[attr-defined]
        if data is None and self._timeout_ns is None:
            data = self._home.scheduler.receive(endpoint, size, self, "recv_into")  # type: ignore[arg-type]
        if data is None:
            return None
        count = len(data)
        view[:count] = data
        self._record(RECV, count)
        return count

    def recvfrom(self, bufsize: int = MISSING, /, *rest: Any) -> tuple[bytes, Any]:
        """recvfrom(buffersize[, flags]) -> (data, address info)"""
        if bufsize.__class__ is int and not rest:
            endpoint = self._descriptor.endpoint
            if endpoint is not None:
                pair: tuple[bytes, Any] | None
                pair = endpoint.recvfrom_now(bufsize)  # type: ignore[attr-defined]
                if pair is not None:
                    recent = self._recent
                    recent.append((RECV, endpoint.number, len(pair[0])))  # type: ignore[attr-defined]
                    if len(recent) >= BLOCK:
                        self._home.trace.fold()
                    return pair
        flags = flags_of("recvfrom", bufsize, rest)
        size = c_size(bufsize)
        flags = c_int(flags)
        if size < 0:
            raise ValueError("negative buffersize in recvfrom")
        received = self._receive("recvfrom", size, flags)
        return received.data.ljust(received.length, b"\0"), received.address

    def recvfrom_into(
        self, buffer: Any = MISSING, nbytes: int = 0, flags: int = 0, *rest: Any
    ) -> tuple[int, Any]:
        """recvfrom_into(buffer[, nbytes[, flags]]) -> (nbytes, address info)"""
        view, size, flags = _space("recvfrom_into", buffer, nbytes, flags, rest)
        received = self._receive("recvfrom_into", size, flags)
        view[: len(received.data)] = received.data
        return received.length, received.address

    @takes(1, 3)
    def recvmsg(
        self, bufsize: int, ancbufsize: int = 0, flags: int = 0, /
    ) -> tuple[bytes, list[ancillary.Item], int, Any]:
        """recvmsg(bufsize[, ancbufsize[, flags]]) -> (data, ancdata, msg_flags, address)"""
        size, space, flags = c_size(bufsize), c_size(ancbufsize), c_int(flags)
        if size < 0:
            raise ValueError("negative buffer size in recvmsg()")
        received, items, msg_flags = self._receive_message("recvmsg", size, space, flags)
        data = received.data.ljust(min(size, received.length), b"\0")
        return data, items, msg_flags, received.address

    @takes(1, 3)
    def recvmsg_into(
        self, buffers: Any, ancbufsize: int = 0, flags: int = 0, /
    ) -> tuple[int, list[ancillary.Item], int, Any]:
        """recvmsg_into(buffers[, ancbufsize[, flags]]) -> (nbytes, ancdata, msg_flags, address)"""
        space, flags = c_size(ancbufsize), c_int(flags)
        views = scatter_views(buffers)
        size = sum(len(view) for view in views)
        received, items, msg_flags = self._receive_message("recvmsg_into", size, space, flags)
        data = received.data
        for view in views:
            part, data = data[: len(view)], data[len(view) :]
            view[: len(part)] = part
        return received.length, items, msg_flags, received.address

    def _receive_message(
        self, call: str, size: int, space: int, flags: int
    ) -> tuple[Received, list[ancillary.Item], int]:
        if not 0 <= space <= _CONTROL_MAX:
            raise ValueError("invalid ancillary data buffer length")
        received = self._receive(call, size, flags, space)
        inheritable = not flags & MSG_CMSG_CLOEXEC
        items, cut = ancillary.incoming(self._home, received.ancillary, space, inheritable)
        return received, items, received.flags | cut | flags & MSG_CMSG_CLOEXEC

    def _receive(self, call: str, size: int, flags: int, ancillary_size: int = 0) -> Received:
        endpoint = self._endpoint()
        if self._timeout_ns or endpoint.nonblocking or flags & constants.MSG_DONTWAIT:

            def attempt() -> Received | None:
                return endpoint.recv(size, flags, ancillary_size)

            if flags & constants.MSG_DONTWAIT and not self._timeout_ns:
                received = self._try(call, attempt)
                if received is None:
                    self._recent.append((RECV, endpoint.number, "EAGAIN"))
                    raise blocking.would_block(endpoint.host.scheduler)
            else:
                received = self._try(call, self._wait, attempt, READABLE, call, None)
        else:
            received = self._try(
                call, blocking.receive, endpoint, size, flags, ancillary_size, call, self
            )
        self._record(RECV, received.length)
        return received  # type: ignore[no-any-return]


def _space(
    call: str, buffer: Any, nbytes: Any, flags: Any, rest: tuple[Any, ...]
) -> tuple[memoryview, int, int]:
    """Where to receive into, how much, and how."""
    check_buffer_call(call, buffer, rest)
    view = writable_view(buffer, call)
    size, flags = c_size(nbytes), c_int(flags)
    if size < 0:
        raise ValueError(f"negative buffersize in {call}")
    if size > len(view):
        raise ValueError(
            "buffer too small for requested bytes"
            if call == "recv_into"
            else "nbytes is greater than the length of the buffer"
        )
    return view, size or len(view), flags
