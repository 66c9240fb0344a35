"""The sending half of a socket object.

Each call of plain data first tries the endpoint's short cut; that is the hot path. Its flags are in
`*rest`, so that one look tells that there are none.
"""

from __future__ import annotations

from typing import Any

from simnet import ancillary, blocking, constants
from simnet.arguments import c_int, gather, view_of
from simnet.readiness import WRITABLE
from simnet.signatures import MISSING, flags_of, takes
from simnet.socket_core import SocketCore
from simnet.trace import SEND


class Sending(SocketCore):
    """send() and its kin."""

    __slots__ = ()

    def send(self, data: Any = MISSING, /, *rest: Any) -> int:
        """send(data[, flags]) -> count"""
        if data.__class__ is bytes and not rest:
            endpoint = self._descriptor.endpoint
            if endpoint is not None:
                count: int | None = endpoint.send_now(data)  # type: ignore[attr-defined]
                if count is not None:
                    self._recent.append(
                        (SEND, endpoint.number, count)  # type: ignore[attr-defined]
                    )
                    return count
        flags = flags_of("send", data, rest)
        return self._send("send", view_of(data), c_int(flags))

    def sendall(self, data: Any = MISSING, /, *rest: Any) -> None:
        """sendall(data[, flags])"""
        if data.__class__ is bytes and not rest:
            endpoint = self._descriptor.endpoint
            if endpoint is not None:
                count: int | None = endpoint.send_now(data)  # type: ignore[attr-defined]
                if count is not None:
                    self._recent.append(
                        (SEND, endpoint.number, count)  # type: ignore[attr-defined]
                    )
                    return
        flags = flags_of("sendall", data, rest)
        view = view_of(data)
        flags = c_int(flags)
        timeout = self._timeout_ns
        deadline_ns = self._home.deadline(timeout) if timeout else None
        while True:
            view = view[self._send("sendall", view, flags, None, (), deadline_ns) :]
            if not view:
                return

    def sendto(self, data: Any = MISSING, /, *arguments: Any) -> int:
        """sendto(data[, flags], address) -> count"""
        if len(arguments) == 1 and data.__class__ is bytes:
            endpoint = self._descriptor.endpoint
            address = arguments[0]
            if endpoint is not None and address.__class__ is tuple:
                count: int | None = endpoint.sendto_now(data, address)  # type: ignore[attr-defined]
                if count is not None:
                    self._recent.append(
                        (SEND, endpoint.number, count)  # type: ignore[attr-defined]
                    )
                    return count
        if not 1 <= len(arguments) <= 2:
            given = 0 if data is MISSING else 1 + len(arguments)
            raise TypeError(f"sendto() takes 2 or 3 arguments ({given} given)")
        view = view_of(data)
        flags = c_int(arguments[0]) if len(arguments) == 2 else 0
        return self._send("sendto", view, flags, self._address(arguments[-1], "sendto"))

    @takes(1, 4)
    def sendmsg(
        self, buffers: Any, ancdata: Any = (), flags: int = 0, address: Any = None, /
    ) -> int:
        """sendmsg(buffers[, ancdata[, flags[, address]]]) -> count"""
        flags = c_int(flags)
        target = None if address is None else self._address(address, "sendmsg")
        data = memoryview(gather(buffers))
        parsed = ancillary.parse(ancdata)
        items = ancillary.outgoing(self._endpoint(), parsed)
        return self._send("sendmsg", data, flags, target, items)

    def _send(
        self,
        call: str,
        view: memoryview,
        flags: int,
        address: Any = None,
        items: Any = (),
        deadline_ns: int | None = None,
    ) -> int:
        endpoint = self._endpoint()
        total = len(view)

        def attempt(start: int = 0) -> int | None:
            part = view[start:]
            return endpoint.send(part, flags, address, () if start else items)

        if self._timeout_ns:
            deadline_ns = deadline_ns or self._home.deadline(self._timeout_ns)
            count = self._try(
                call, blocking.timed, endpoint, attempt, WRITABLE, deadline_ns, call, self
            )
        elif endpoint.nonblocking or flags & constants.MSG_DONTWAIT:
            count = self._try(call, attempt)
            if count is None:
                self._recent.append((SEND, endpoint.number, "EAGAIN"))
                raise blocking.would_block(endpoint.host.scheduler)
        else:
            count = self._try(call, blocking.send, endpoint, attempt, total, address, call, self)
        self._record(SEND, count)
        return count  # type: ignore[no-any-return]

    def sendmsg_afalg(self, *args: Any, **kwargs: Any) -> int:
        """sendmsg_afalg([msg], *, op[, iv[, assoclen[, flags=MSG_MORE]]])"""
        raise OSError("algset is only supported for AF_ALG")
