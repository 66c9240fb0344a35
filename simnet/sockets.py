"""The simulated `_socket.socket`: the C class under the standard library's, over an endpoint.

Methods, argument parsing, timeouts and error texts are those of CPython's socketmodule.c. The rest of
a socket (makefile, accept, sendfile, repr, ...) is the standard library's own `socket.py`, which runs
on top (see `stdlib`).

Each data call first tries the endpoint's short cut for the plain case; that is the hot path.
"""

from __future__ import annotations

import errno
import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from simnet import ancillary, blocking, constants, options
from simnet.addresses import present
from simnet.arguments import (
    byte_string,
    c_int,
    gather,
    inet_address,
    scatter_views,
    timeout_ns,
    unix_address,
    view_of,
    writable_view,
)
from simnet.clock import SECOND_NS
from simnet.current import the_host
from simnet.descriptors import Descriptor
from simnet.errors import name_of, os_error
from simnet.protocols.base import Endpoint, Received
from simnet.readiness import READABLE, WRITABLE
from simnet.trace import BLOCK, RECV, SEND

if TYPE_CHECKING:
    from simnet.host import Host

_TYPE_FLAGS = constants.SOCK_NONBLOCK | constants.SOCK_CLOEXEC
_CLOSED = Descriptor(-1, None)
_INET = (constants.AF_INET, constants.AF_INET6)
_MISSING: Any = object()


class socket:
    """socket(family=AF_INET, type=SOCK_STREAM, proto=0) -> socket object"""

    __slots__ = (
        "_clock",
        "_descriptor",
        "_family",
        "_home",
        "_recent",
        "_timeout_ns",
        "_type",
        "proto",
    )

    proto: int
    _descriptor: Descriptor
    _timeout_ns: int | None

    def __init__(
        self, family: int = -1, type: int = -1, proto: int = -1, fileno: int | None = None
    ) -> None:
        self._descriptor = _CLOSED
        host = the_host()
        self._clock = host.clock
        self._home = host
        self._recent = host.trace.recent
        if fileno is not None:
            self._adopt(host, family, type, proto, fileno)
            self._timeout_ns = host.default_timeout_ns
            if self._timeout_ns is not None:
                self._endpoint().nonblocking = True
            return
        family = constants.AF_INET if family == -1 else c_int(family)
        type = constants.SOCK_STREAM if type == -1 else c_int(type)
        proto = 0 if proto == -1 else c_int(proto)
        endpoint = host.create_endpoint(family, type & ~_TYPE_FLAGS, proto)
        self._descriptor = host.descriptors.install(endpoint)
        self._family = family
        self._type = type & ~_TYPE_FLAGS
        self.proto = proto
        self._timeout_ns = 0 if type & constants.SOCK_NONBLOCK else host.default_timeout_ns
        endpoint.nonblocking = self._timeout_ns is not None
        self._record("socket", family, self._type)

    def _adopt(self, host: Any, family: int, type: int, proto: int, fileno: int) -> None:
        """An object for a descriptor that is open already."""
        if isinstance(fileno, float):
            raise TypeError("integer argument expected, got float")
        number = c_int(fileno)
        if number < 0:
            raise ValueError("negative file descriptor")
        descriptor = host.descriptors.get(number)
        endpoint = descriptor.endpoint
        if not isinstance(endpoint, Endpoint):
            raise os_error(errno.ENOTSOCK)
        self._descriptor = descriptor
        self._home = endpoint.host
        self._family = endpoint.family if family == -1 else family
        self._type = endpoint.type if type == -1 else type & ~_TYPE_FLAGS
        self.proto = endpoint.proto if proto == -1 else proto

    # Helpers

    def _endpoint(self) -> Endpoint:
        """The endpoint; EBADF when this object is closed."""
        endpoint = self._descriptor.endpoint
        if endpoint is None:
            raise os_error(errno.EBADF)
        return endpoint  # type: ignore[return-value]

    @property
    def host(self) -> Host:
        """The host that it is, or was, on."""
        return self._home

    def _record(self, what: int | str, *details: Any) -> None:
        """Note an event of this socket in the trace."""
        recent = self._recent
        endpoint = self._descriptor.endpoint
        number = -1 if endpoint is None else endpoint.number  # type: ignore[attr-defined]
        recent.append((self._clock.now_ns, what, number, *details))
        if len(recent) >= BLOCK:
            self._home.trace.fold()

    def _try(self, call: str, function: Callable[..., Any], *arguments: Any) -> Any:
        """Make a call of the endpoint and note its failure."""
        try:
            return function(*arguments)
        except OSError as error:
            self._note_failure(call, error)
            raise

    def _note_failure(self, call: str, error: OSError) -> None:
        endpoint = self._descriptor.endpoint
        number = -1 if endpoint is None else endpoint.number  # type: ignore[attr-defined]
        text = name_of(error.errno) if error.errno else type(error).__name__
        self._recent.append((self._clock.now_ns, call, number, text))

    def _wait(self, attempt: Callable[[], Any], mask: int, call: str, limit_ns: int | None) -> Any:
        """A call that may wait, in this socket's mode."""
        endpoint = self._endpoint()
        timeout = self._timeout_ns
        if timeout:
            deadline_ns = self._clock.now_ns + timeout
            return blocking.timed(endpoint, attempt, mask, deadline_ns, call, self)
        if not endpoint.nonblocking:
            return blocking.until_result(endpoint, attempt, mask, limit_ns, call, self)
        result = attempt()
        if result is None:
            raise blocking.would_block(endpoint.host.scheduler)
        return result

    def _address(self, address: Any, call: str) -> Any:
        """An address as the user wrote it, in its internal form."""
        family = self._family
        if family in _INET:
            return inet_address(address, family, call, self._endpoint().host.resolver.resolve)
        return unix_address(address)

    def _shown(self, address: Any) -> Any:
        """An internal address as the user is to see it; an unnamed unix socket's is ''."""
        if self._family in _INET:
            return present(address, self._family)
        return "" if address is None else address

    # Names and connections

    def bind(self, address: Any, /) -> None:
        """bind(address)"""
        self._endpoint()
        self._try("bind", self._endpoint().bind, self._address(address, "bind"))
        self._record("bind")

    def listen(self, backlog: int = 128, /) -> None:
        """listen([backlog])"""
        self._try("listen", self._endpoint().listen, max(c_int(backlog), 0))
        self._record("listen", backlog)

    def _accept(self) -> tuple[int, Any]:
        endpoint = self._endpoint()

        def attempt() -> tuple[Endpoint, Any] | None:
            result = endpoint.accept()
            if result is None and not endpoint.nonblocking and endpoint.blocking_accept_ended():
                raise os_error(errno.EINVAL)
            return result

        result = self._try("accept", endpoint.accept) or self._try(
            "accept", self._wait, attempt, READABLE, "accept", endpoint.settings.rcvtimeo_ns
        )
        child, address = result
        child.nonblocking = False
        descriptor = endpoint.host.descriptors.install(child)
        self._record("accept", child.number)
        return descriptor.number, self._shown(address)

    def connect(self, address: Any, /) -> None:
        """connect(address)"""
        self._endpoint()
        target = self._address(address, "connect")
        self._try("connect", self._connect, target)
        self._record("connect")

    def connect_ex(self, address: Any, /) -> int:
        """connect_ex(address) -> errno"""
        self._endpoint()
        target = self._address(address, "connect_ex")
        try:
            self._try("connect", self._connect, target)
        except TimeoutError as error:
            # The C code returns the errno that its own wait left behind.
            return error.errno or errno.EWOULDBLOCK
        except OSError as error:
            assert error.errno is not None
            return error.errno
        self._record("connect")
        return 0

    def _connect(self, target: Any) -> None:
        endpoint = self._endpoint()
        blocks = not endpoint.nonblocking
        limit_ns = endpoint.settings.sndtimeo_ns
        deadline_ns = None if limit_ns is None else self._clock.now_ns + limit_ns
        while True:
            pending = errno.EINPROGRESS
            try:
                if endpoint.connect(target):
                    return
            except BlockingIOError as error:
                if error.errno == errno.EAGAIN:
                    # A unix listener is full: only a truly blocking connect waits.
                    if not blocks:
                        endpoint.host.scheduler.relax()
                        raise
                    on = endpoint.connect_waits_on(target)
                    if not blocking.wait(endpoint, WRITABLE, deadline_ns, "connect", self, on):
                        raise os_error(errno.EAGAIN) from None
                    continue
                pending = error.errno or pending
            break
        if blocks:
            while not endpoint.finish_connect():
                if not blocking.wait(endpoint, WRITABLE, deadline_ns, "connect", self):
                    raise os_error(pending)
            endpoint.hand_on()
        elif self._timeout_ns and pending == errno.EINPROGRESS:
            deadline_ns = self._clock.now_ns + self._timeout_ns
            blocking.timed(endpoint, self._connect_error, WRITABLE, deadline_ns, "connect", self)
        else:
            endpoint.host.scheduler.relax()
            raise os_error(pending)

    def _connect_error(self) -> bool:
        """The outcome of an attempt by SO_ERROR, as sock_connect_impl of CPython asks for it."""
        error = self._endpoint().take_error()
        if error and error != errno.EISCONN:
            raise os_error(error)
        return True

    def getsockname(self) -> Any:
        """getsockname() -> address"""
        return self._shown(self._endpoint().getsockname())

    def getpeername(self) -> Any:
        """getpeername() -> address"""
        return self._shown(self._try("getpeername", self._endpoint().getpeername))

    # Receiving

    def recv(self, bufsize: int, flags: int = 0, /) -> bytes:
        """recv(buffersize[, flags]) -> data"""
        if bufsize.__class__ is int and bufsize > 0 and not flags:
            endpoint = self._descriptor.endpoint
            if endpoint is not None:
                data: bytes | None = endpoint.recv_now(bufsize)  # type: ignore[attr-defined]
                if data is None and self._timeout_ns is None:
                    data = blocking.receive_plainly(endpoint, bufsize, self)  # type: ignore[arg-type]
                if data is not None:
                    recent = self._recent
                    recent.append((self._clock.now_ns, RECV, endpoint.number, len(data)))  # type: ignore[attr-defined]
                    if len(recent) >= BLOCK:
                        self._home.trace.fold()
                    return data
        size = c_int(bufsize)
        if size < 0:
            raise ValueError("negative buffersize in recv")
        flags = c_int(flags)
        if not size:
            return b""
        received = self._receive("recv", size, flags)
        return received.data.ljust(received.length, b"\0")

    def recv_into(self, buffer: Any, nbytes: int = 0, flags: int = 0) -> int:
        """recv_into(buffer, [nbytes[, flags]]) -> nbytes_read"""
        view, size = _space(buffer, nbytes, "recv_into")
        if not size:
            return 0
        received = self._receive("recv_into", size, c_int(flags))
        view[: len(received.data)] = received.data
        return received.length

    def recvfrom(self, bufsize: int, flags: int = 0, /) -> tuple[bytes, Any]:
        """recvfrom(buffersize[, flags]) -> (data, address info)"""
        if bufsize.__class__ is int and not flags:
            endpoint = self._descriptor.endpoint
            if endpoint is not None:
                pair: tuple[bytes, Any] | None
                pair = endpoint.recvfrom_now(bufsize)  # type: ignore[attr-defined]
                if pair is not None:
                    recent = self._recent
                    recent.append((self._clock.now_ns, RECV, endpoint.number, len(pair[0])))  # type: ignore[attr-defined]
                    if len(recent) >= BLOCK:
                        self._home.trace.fold()
                    return pair
        size = c_int(bufsize)
        if size < 0:
            raise ValueError("negative buffersize in recvfrom")
        received = self._receive("recvfrom", size, c_int(flags))
        return received.data.ljust(received.length, b"\0"), received.address

    def recvfrom_into(self, buffer: Any, nbytes: int = 0, flags: int = 0) -> tuple[int, Any]:
        """recvfrom_into(buffer[, nbytes[, flags]]) -> (nbytes, address info)"""
        view, size = _space(buffer, nbytes, "recvfrom_into")
        received = self._receive("recvfrom_into", size, c_int(flags))
        view[: len(received.data)] = received.data
        return received.length, received.address

    def recvmsg(
        self, bufsize: int, ancbufsize: int = 0, flags: int = 0, /
    ) -> tuple[bytes, list[tuple[int, int, bytes]], int, Any]:
        """recvmsg(bufsize[, ancbufsize[, flags]]) -> (data, ancdata, msg_flags, address)"""
        size = c_int(bufsize)
        if size < 0:
            raise ValueError("negative buffer size in recvmsg()")
        received, items, msg_flags = self._receive_message(size, ancbufsize, flags, "recvmsg")
        return received.data, items, msg_flags, received.address

    def recvmsg_into(
        self, buffers: Any, ancbufsize: int = 0, flags: int = 0, /
    ) -> tuple[int, list[tuple[int, int, bytes]], int, Any]:
        """recvmsg_into(buffers[, ancbufsize[, flags]]) -> (nbytes, ancdata, msg_flags, address)"""
        views = scatter_views(buffers)
        size = sum(len(view) for view in views)
        received, items, msg_flags = self._receive_message(size, ancbufsize, flags, "recvmsg_into")
        data = received.data
        for view in views:
            part, data = data[: len(view)], data[len(view) :]
            view[: len(part)] = part
        return received.length, items, msg_flags, received.address

    def _receive_message(
        self, size: int, ancbufsize: int, flags: int, call: str
    ) -> tuple[Received, list[tuple[int, int, bytes]], int]:
        space = c_int(ancbufsize)
        if not 0 <= space <= 0x7FFFFFFF:
            raise ValueError(f"invalid ancillary data buffer length in {call}()")
        received = self._receive(call, size, c_int(flags), space)
        items, cut = ancillary.incoming(self._endpoint().host, received.ancillary, space)
        return received, items, received.flags | cut

    def _receive(self, call: str, size: int, flags: int, ancillary_size: int = 0) -> Received:
        endpoint = self._endpoint()
        if self._timeout_ns or endpoint.nonblocking or flags & constants.MSG_DONTWAIT:

            def attempt() -> Received | None:
                return endpoint.recv(size, flags, ancillary_size)

            if flags & constants.MSG_DONTWAIT and not self._timeout_ns:
                received = self._try(call, attempt)
                if received is None:
                    self._recent.append((self._clock.now_ns, RECV, endpoint.number, "EAGAIN"))
                    raise blocking.would_block(endpoint.host.scheduler)
            else:
                received = self._try(call, self._wait, attempt, READABLE, call, None)
        else:
            received = self._try(
                call, blocking.receive, endpoint, size, flags, ancillary_size, call, self
            )
        self._record(RECV, received.length)
        return received  # type: ignore[no-any-return]

    # Sending

    def send(self, data: Any, flags: int = 0, /) -> int:
        """send(data[, flags]) -> count"""
        if data.__class__ is bytes and not flags:
            endpoint = self._descriptor.endpoint
            if endpoint is not None:
                count: int | None = endpoint.send_now(data)  # type: ignore[attr-defined]
                if count is not None:
                    self._recent.append(
                        (self._clock.now_ns, SEND, endpoint.number, count)  # type: ignore[attr-defined]
                    )
                    return count
        return self._send("send", view_of(data), c_int(flags))

    def sendall(self, data: Any, flags: int = 0, /) -> None:
        """sendall(data[, flags])"""
        if data.__class__ is bytes and not flags:
            endpoint = self._descriptor.endpoint
            if endpoint is not None:
                count: int | None = endpoint.send_now(data)  # type: ignore[attr-defined]
                if count is not None:
                    self._recent.append(
                        (self._clock.now_ns, SEND, endpoint.number, count)  # type: ignore[attr-defined]
                    )
                    return
        view = view_of(data)
        flags = c_int(flags)
        timeout = self._timeout_ns
        deadline_ns = self._clock.now_ns + timeout if timeout else None
        while True:
            view = view[self._send("sendall", view, flags, None, (), deadline_ns) :]
            if not view:
                return

    def sendto(self, data: Any, *arguments: Any) -> int:
        """sendto(data[, flags], address) -> count"""
        if len(arguments) == 1 and data.__class__ is bytes:
            endpoint = self._descriptor.endpoint
            address = arguments[0]
            if endpoint is not None and address.__class__ is tuple:
                count: int | None = endpoint.sendto_now(data, address)  # type: ignore[attr-defined]
                if count is not None:
                    self._recent.append(
                        (self._clock.now_ns, SEND, endpoint.number, count)  # type: ignore[attr-defined]
                    )
                    return count
        if not 1 <= len(arguments) <= 2:
            raise TypeError(f"sendto() takes 2 or 3 arguments ({len(arguments) + 1} given)")
        view = view_of(data)
        flags = c_int(arguments[0]) if len(arguments) == 2 else 0
        self._endpoint()
        return self._send("sendto", view, flags, self._address(arguments[-1], "sendto"))

    def sendmsg(
        self, buffers: Any, ancdata: Any = (), flags: int = 0, address: Any = None, /
    ) -> int:
        """sendmsg(buffers[, ancdata[, flags[, address]]]) -> count"""
        data = gather(buffers)
        flags = c_int(flags)
        target = None if address is None else self._address(address, "sendmsg")
        items = ancillary.parse(ancdata)
        endpoint = self._endpoint()
        return self._send(
            "sendmsg", memoryview(data), flags, target, ancillary.outgoing(endpoint, items)
        )

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
            deadline_ns = deadline_ns or self._clock.now_ns + self._timeout_ns
            count = self._try(
                call, blocking.timed, endpoint, attempt, WRITABLE, deadline_ns, call, self
            )
        elif endpoint.nonblocking or flags & constants.MSG_DONTWAIT:
            count = self._try(call, attempt)
            if count is None:
                self._recent.append((self._clock.now_ns, SEND, endpoint.number, "EAGAIN"))
                raise blocking.would_block(endpoint.host.scheduler)
        else:
            count = self._try(call, blocking.send, endpoint, attempt, total, address, call, self)
        self._record(SEND, count)
        return count  # type: ignore[no-any-return]

    def sendmsg_afalg(self, *args: Any, **kwargs: Any) -> int:
        """sendmsg_afalg([msg], *, op[, iv[, assoclen[, flags=MSG_MORE]]])"""
        raise OSError("algset is only supported for AF_ALG")

    # Ending

    def shutdown(self, how: int, /) -> None:
        """shutdown(flag)"""
        how = c_int(how)
        endpoint = self._endpoint()
        if not 0 <= how <= 2:
            raise os_error(errno.EINVAL)
        self._try("shutdown", endpoint.shutdown, how)
        self._record("shutdown", how)

    def close(self) -> None:
        """close()"""
        descriptor = self._descriptor
        endpoint = descriptor.endpoint
        self._descriptor = _CLOSED
        if endpoint is None:
            return
        self._recent.append((self._clock.now_ns, "close", endpoint.number))  # type: ignore[attr-defined]
        if endpoint.settings.linger_s:  # type: ignore[attr-defined]
            endpoint.hold()
            endpoint.host.descriptors.close(descriptor.number)  # type: ignore[attr-defined]
            endpoint.release()
            blocking.linger(endpoint, None)  # type: ignore[arg-type]
        else:
            endpoint.host.descriptors.close(descriptor.number)  # type: ignore[attr-defined]

    def detach(self) -> int:
        """detach() -> file descriptor"""
        number = self._descriptor.number if self._descriptor.endpoint is not None else -1
        self._descriptor = _CLOSED
        return number

    def fileno(self) -> int:
        """fileno() -> integer"""
        descriptor = self._descriptor
        return descriptor.number if descriptor.endpoint is not None else -1

    def __del__(self) -> None:
        try:
            descriptor = self._descriptor
        except AttributeError:
            return
        if descriptor.endpoint is None:
            return
        try:
            warnings.warn(f"unclosed {self!r}", ResourceWarning, source=self, stacklevel=2)
        finally:
            socket.close(self)

    def __repr__(self) -> str:
        return (
            f"<socket object, fd={self.fileno()}, family={self._family}, "
            f"type={self._type}, proto={self.proto}>"
        )

    # Modes and options

    def settimeout(self, timeout: float | None, /) -> None:
        """settimeout(timeout)"""
        self._set_timeout(timeout_ns(timeout))

    def setblocking(self, flag: Any, /) -> None:
        """setblocking(flag)"""
        self._set_timeout(None if flag else 0)

    def _set_timeout(self, value_ns: int | None) -> None:
        # The C code stores the value before the system call that may fail.
        self._timeout_ns = value_ns
        self._endpoint().nonblocking = value_ns is not None

    def gettimeout(self) -> float | None:
        """gettimeout() -> timeout"""
        return None if self._timeout_ns is None else self._timeout_ns / SECOND_NS

    timeout = property(gettimeout)

    @property
    def family(self) -> int:
        """the socket family"""
        return self._family

    @property
    def type(self) -> int:
        """the socket type"""
        return self._type

    def getblocking(self) -> bool:
        """getblocking() -> bool"""
        return self._timeout_ns != 0

    def getsockopt(self, level: int, optname: int, buflen: int = 0, /) -> int | bytes:
        """getsockopt(level, option[, buffersize]) -> value"""
        level, optname, buflen = c_int(level), c_int(optname), c_int(buflen)
        endpoint = self._endpoint()
        if not buflen:
            return options.getsockopt(endpoint, level, optname, None)
        if not 0 < buflen <= 1024:
            raise OSError("getsockopt buflen out of range")
        return options.getsockopt(endpoint, level, optname, buflen)

    def setsockopt(self, level: int, optname: int, value: Any, optlen: Any = _MISSING, /) -> None:
        """setsockopt(level, option, value: int | bytes | None[, optlen])"""
        level, optname = c_int(level), c_int(optname)
        endpoint = self._endpoint()
        if optlen is not _MISSING:
            if value is not None:
                raise TypeError(f"setsockopt() argument 3 must be None, not {type(value).__name__}")
            self._try(
                "setsockopt", options.setsockopt, endpoint, level, optname, None, c_int(optlen)
            )
        elif isinstance(value, int) or hasattr(value, "__index__"):
            self._try("setsockopt", options.setsockopt, endpoint, level, optname, c_int(value))
        elif value is None:
            raise TypeError("a bytes-like object is required, not 'NoneType'")
        else:
            self._try(
                "setsockopt", options.setsockopt, endpoint, level, optname, byte_string(value)
            )
        self._record("setsockopt", level, optname)


def _space(buffer: Any, nbytes: int, call: str) -> tuple[memoryview, int]:
    """Where to receive into, and how much."""
    view = writable_view(buffer)
    size = c_int(nbytes)
    if size < 0:
        raise ValueError(f"negative buffersize in {call}")
    if size > len(view):
        raise ValueError(
            "buffer too small for requested bytes"
            if call == "recv_into"
            else "nbytes is greater than the length of the buffer"
        )
    return view, size or len(view)
