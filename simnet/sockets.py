"""The simulated `_socket.socket`: the C class under the standard library's, over an endpoint.

Methods, argument parsing, timeouts and error texts are those of CPython's socketmodule.c. The
rest of a socket (makefile, accept, sendfile, repr, ...) is the standard library's own `socket.py`,
which runs on top (see `stdlib`).
"""

from __future__ import annotations

import errno
import os
import warnings
from operator import attrgetter, index
from typing import Any

from simnet import blocking, constants, options
from simnet.arguments import c_int, option_setting, plain_int, timeout_ns, truth
from simnet.clock import SECOND_NS
from simnet.constants import AF_INET
from simnet.current import current_host, the_host
from simnet.descriptors import FIRST, Descriptor
from simnet.errors import os_error
from simnet.protocols.base import Endpoint
from simnet.readiness import READABLE, WRITABLE
from simnet.receiving import Receiving
from simnet.sending import Sending
from simnet.signatures import MISSING, no_arguments, not_none, one_argument, takes, wrong_one
from simnet.socket_core import CLOSED

_TYPE_FLAGS = constants.SOCK_NONBLOCK | constants.SOCK_CLOEXEC


class socket(Receiving, Sending):
    """socket(family=AF_INET, type=SOCK_STREAM, proto=0) -> socket object"""

    __slots__ = ()

    def __init__(
        self, family: int = -1, type: int = -1, proto: int = -1, fileno: int | None = None
    ) -> None:
        self._descriptor = CLOSED
        host = current_host.get(None) or the_host()
        self._home = host
        self._recent = host.trace.recent
        timeout = host.default_timeout_ns
        self._timeout_ns = timeout
        if fileno is not None:
            self._adopt(host, family, type, proto, fileno)
            if type != -1 and type & constants.SOCK_NONBLOCK:
                self._timeout_ns = timeout = 0
            if timeout is not None:
                self._endpoint().nonblocking = True
            return
        family = AF_INET if family == -1 else c_int(family)
        type = constants.SOCK_STREAM if type == -1 else c_int(type)
        proto = 0 if proto == -1 else c_int(proto)
        if type & constants.SOCK_NONBLOCK:
            self._timeout_ns = timeout = 0
        self._family = family
        self._type = type = type & ~_TYPE_FLAGS
        endpoint = host.create_endpoint(family, type, proto)
        endpoint.nonblocking = timeout is not None
        self._descriptor = descriptor = host.descriptors.install(endpoint)
        self._proto = descriptor.proto = proto
        self._recent.append(("socket", endpoint.number, family, type, host.name))

    def _adopt(self, host: Any, family: int, type: int, proto: int, fileno: Any) -> None:
        """An object for a descriptor that is open already; accept() hands on the entry itself."""
        descriptor = fileno if fileno.__class__ is Descriptor else _open_socket(host, fileno)
        endpoint: Endpoint = descriptor.endpoint  # type: ignore[assignment]
        self._descriptor = descriptor
        self._home = endpoint.host
        self._family = endpoint.family if family == -1 else index(family)
        self._type = endpoint.type if type == -1 else index(type) & ~_TYPE_FLAGS
        self._proto = descriptor.proto = endpoint.proto if proto == -1 else proto

    # Names and connections

    @one_argument
    def bind(self, address: Any, /) -> None:
        """bind(address)"""
        local = self._address(address, "bind")
        self._try("bind", self._endpoint().bind, local)
        self._record("bind")

    @takes(0, 1)
    def listen(self, backlog: int = 128, /) -> None:
        """listen([backlog])"""
        length = max(c_int(backlog), 0)
        self._try("listen", self._endpoint().listen, length)
        self._record("listen", length)

    def _accept(self) -> tuple[Descriptor, Any]:
        endpoint = self._endpoint()
        try:
            child, address = endpoint.accept() or self._wait_to_accept(endpoint)
        except OSError as error:
            self._note_failure("accept", error)
            raise
        child.nonblocking = False
        try:
            descriptor = endpoint.host.descriptors.install(child)
        except OSError as error:
            endpoint.put_back(child)
            self._note_failure("accept", error)
            raise
        self._recent.append(("accept", endpoint.number, child.number))
        return descriptor, address if self._family == AF_INET else self._shown(address)

    def _wait_to_accept(self, endpoint: Endpoint) -> Any:
        if not self._timeout_ns:
            # The kernel finds a descriptor before it looks for a connection (__sys_accept4_file).
            endpoint.host.descriptors.require_room()

        def attempt() -> tuple[Endpoint, Any] | None:
            result = endpoint.accept()
            if result is None and not endpoint.nonblocking and endpoint.blocking_accept_ended():
                raise os_error(errno.EINVAL)
            return result

        return self._wait(attempt, READABLE, "accept", endpoint.settings.rcvtimeo_ns)

    def connect(self, address: Any = MISSING, /, *rest: Any) -> None:
        """connect(address)"""
        if address is MISSING or rest:
            raise wrong_one("socket.connect", address, rest)
        target = self._address(address, "connect")
        try:
            self._connect(target)
        except OSError as error:
            self._note_failure("connect", error)
            raise
        self._record("connect")

    @one_argument
    def connect_ex(self, address: Any, /) -> int:
        """connect_ex(address) -> errno"""
        target = self._address(address, "connect_ex")
        try:
            self._try("connect", self._connect, target)
        except TimeoutError as error:
            # The C code returns the errno that its own wait left behind.
            return error.errno or errno.EWOULDBLOCK
        except OSError as error:
            return error.errno or 0
        self._record("connect")
        return 0

    def _connect(self, target: Any) -> None:
        endpoint = self._endpoint()
        blocks = not endpoint.nonblocking
        limit_ns = endpoint.settings.sndtimeo_ns
        deadline_ns = None if limit_ns is None else self._home.deadline(limit_ns)
        while True:
            pending = errno.EINPROGRESS
            try:
                if endpoint.connect(target):
                    return
            except BlockingIOError as error:
                if error.errno == errno.EAGAIN:
                    # A unix listener is full: only a truly blocking connect waits. (A datagram
                    # socket that finds no port says so, however it is set.)
                    if not blocks or endpoint.family != constants.AF_UNIX:
                        endpoint.host.scheduler.relax()
                        raise
                    on = endpoint.connect_waits_on(target)
                    if not blocking.wait(endpoint, WRITABLE, deadline_ns, "connect", self, on):
                        raise os_error(errno.EAGAIN) from None
                    continue
                pending = error.errno or pending
            break
        if blocks:
            try:
                while not endpoint.finish_connect():
                    if not blocking.wait(endpoint, WRITABLE, deadline_ns, "connect", self):
                        raise os_error(pending)
            except InterruptedError:
                # It goes on all the same, and its outcome is asked for (sock_connect_impl).
                blocking.timed(endpoint, self._connect_error, WRITABLE, None, "connect", self)
            if endpoint.waiters:
                endpoint.hand_on()
        elif self._timeout_ns and pending == errno.EINPROGRESS:
            deadline_ns = self._home.deadline(self._timeout_ns)
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

    @no_arguments
    def getsockname(self) -> Any:
        """getsockname() -> address"""
        return self._shown(self._endpoint().getsockname())

    @no_arguments
    def getpeername(self) -> Any:
        """getpeername() -> address"""
        return self._shown(self._try("getpeername", self._endpoint().getpeername))

    # Ending

    @one_argument
    def shutdown(self, how: int, /) -> None:
        """shutdown(flag)"""
        how = plain_int(how)
        endpoint = self._endpoint()
        if not 0 <= how <= 2:
            raise os_error(errno.EINVAL)
        self._try("shutdown", endpoint.shutdown, how)
        self._record("shutdown", how)

    def close(self) -> None:
        """close()"""
        descriptor = self._descriptor
        endpoint = descriptor.endpoint
        self._descriptor = CLOSED
        if endpoint is None:
            if descriptor.number >= 0:
                # Closed by its number, behind the back of this object.
                raise os_error(errno.EBADF)
            return
        self._recent.append(("close", endpoint.number))  # type: ignore[attr-defined]
        if endpoint.settings.linger_s:  # type: ignore[attr-defined]
            endpoint.hold()
            endpoint.host.descriptors.close(descriptor.number)  # type: ignore[attr-defined]
            endpoint.release()
            blocking.linger(endpoint, None)  # type: ignore[arg-type]
        else:
            endpoint.host.descriptors.close(descriptor.number)  # type: ignore[attr-defined]

    @no_arguments
    def detach(self) -> int:
        """detach() -> file descriptor"""
        number = self._descriptor.number
        self._descriptor = CLOSED
        return number

    @no_arguments
    def fileno(self) -> int:
        """fileno() -> integer"""
        return self._descriptor.number

    def __del__(self) -> None:
        try:
            descriptor = self._descriptor
        except AttributeError:
            return
        if descriptor.endpoint is None:
            return
        try:
            # A task that is ended where it stands cannot be blamed for what it leaves open.
            if not self._home.scheduler.current.ending:
                warnings.warn(f"unclosed {self!r}", ResourceWarning, source=self, stacklevel=2)
        finally:
            socket.close(self)

    def __repr__(self) -> str:
        return (
            f"<socket object, fd={self.fileno()}, family={self._family}, "
            f"type={self._type}, proto={self._proto}>"
        )

    # Modes and options

    @one_argument
    def settimeout(self, timeout: float | None, /) -> None:
        """settimeout(timeout)"""
        self._set_timeout(timeout_ns(timeout))

    @one_argument
    def setblocking(self, flag: Any, /) -> None:
        """setblocking(flag)"""
        self._set_timeout(None if truth(flag) else 0)

    def _set_timeout(self, value_ns: int | None) -> None:
        # The C code stores the value before the system call that may fail.
        self._timeout_ns = value_ns
        self._endpoint().nonblocking = value_ns is not None

    def gettimeout(self, *rest: Any) -> float | None:
        """gettimeout() -> timeout"""
        if rest:
            raise not_none("socket.gettimeout", rest)
        return None if self._timeout_ns is None else self._timeout_ns / SECOND_NS

    @property
    def timeout(self) -> float | None:
        """the socket timeout"""
        return None if self._timeout_ns is None else self._timeout_ns / SECOND_NS

    # Getters without a frame of Python: accept() asks each of them.
    proto = property(attrgetter("_proto"), doc="the socket protocol")
    family = property(attrgetter("_family"), doc="the socket family")
    type = property(attrgetter("_type"), doc="the socket type")

    @no_arguments
    def getblocking(self) -> bool:
        """getblocking() -> bool"""
        return self._timeout_ns != 0

    @takes(2, 3)
    def getsockopt(self, level: int, optname: int, buflen: int = 0, /) -> int | bytes:
        """getsockopt(level, option[, buffersize]) -> value"""
        level, optname, buflen = c_int(level), c_int(optname), c_int(buflen)
        endpoint = self._endpoint()
        if not buflen:
            return options.getsockopt(endpoint, level, optname, None)
        if not 0 < buflen <= 1024:
            raise OSError("getsockopt buflen out of range")
        return options.getsockopt(endpoint, level, optname, buflen)

    def setsockopt(self, *arguments: Any) -> None:
        """setsockopt(level, option, value: int | bytes | None[, optlen])"""
        level, optname, *value = option_setting(arguments)
        self._try("setsockopt", options.setsockopt, self._endpoint(), level, optname, *value)
        self._record("setsockopt", level, optname)


def _open_socket(host: Any, fileno: Any) -> Descriptor:
    """The entry of a number that the program gave: ValueError, EBADF, ENOTSOCK."""
    number = c_int(fileno)
    if number < 0:
        raise ValueError("negative file descriptor")
    if number < FIRST:
        # EBADF for what is not open; what is open in the real system is no socket here.
        os.fstat(number)
        raise os_error(errno.ENOTSOCK)
    descriptor: Descriptor = host.descriptors.get(number)
    if not isinstance(descriptor.endpoint, Endpoint):
        raise os_error(errno.ENOTSOCK)
    return descriptor
