"""TLS over a simulated socket: OpenSSL over memory, and a pump between that memory and the socket.

A `Pump` has the surface of the C class `_ssl._SSLSocket`, which stock `ssl.SSLSocket` drives, and
waits as that one does: it honours the socket's mode and timeout, one deadline for each call, and
gives the errors of `_ssl.c`.

It reads from the socket exactly what OpenSSL would read next, the head of a record or its body, so
that what nobody has asked for stays where select() sees it; and it has one record encrypted at a
time, so that a write that found no room is taken up again where it stopped.

What is not as in C: several tasks may read, or write, one socket at once, and take turns.
"""

from __future__ import annotations

import contextlib
import weakref
from collections.abc import Callable
from functools import partial
from ssl import MemoryBIO, SSLContext, SSLError, SSLWantReadError
from typing import TYPE_CHECKING, Any, TypeVar

import attrs

from simnet import blocking, sockets, tls_errors
from simnet.arguments import view_of
from simnet.readiness import POLLIN, READABLE, WRITABLE, Pollable
from simnet.trace import RECV

if TYPE_CHECKING:
    from simnet.protocols.base import Received

T = TypeVar("T")

# The head of a record: its type, its version and the length of its body (RFC 8446, 5.1).
_HEAD = 5
# What one record holds at most.
_RECORD = 1 << 14
_ABSENT: Any = object()


@attrs.frozen
class _Call:
    """One call of the pump: its name, its socket, and when its timeout passes."""

    name: str
    sock: Any
    deadline_ns: int | None

    @property
    def may_wait(self) -> bool:
        return self.sock._timeout_ns != 0  # type: ignore[no-any-return]

    def wait_after(self, again: BlockingIOError, mask: int) -> None:
        """A system call gave EAGAIN: the end, unless the socket blocks and the kernel timed it out.

        The C code tries again at once then, except to shut down.
        """
        if not self.may_wait or self.name == "shutdown":
            raise again
        blocking.wait(self.sock._endpoint(), mask, None, self.name, self.sock)


class _Turn(Pollable):
    """Whose turn it is to read, or to write: one task's at a time."""

    __slots__ = ("taken",)

    def __init__(self) -> None:
        super().__init__()
        self.taken = False

    def poll(self) -> int:
        return 0 if self.taken else POLLIN

    def wait(self, call: _Call, direction: str) -> None:
        """Until nobody has it."""
        while self.taken:
            if not call.may_wait:
                raise tls_errors.unfinished(call.name, direction)
            scheduler = call.sock._home.scheduler
            if not scheduler.wait(self, POLLIN, call.deadline_ns, call.name, call.sock):
                raise tls_errors.timed_out(call.name, direction)

    def give_back(self) -> None:
        """Let the next one have it."""
        self.taken = False
        self.notify(POLLIN)


class Pump:
    """What an SSLSocket drives, in the place of `_ssl._SSLSocket`."""

    __slots__ = (
        "__weakref__",
        "_farewell",
        "_head",
        "_incoming",
        "_left",
        "_outgoing",
        "_reading",
        "_sending",
        "_socket",
        "_ssl",
        "_taken",
        "_unsent",
        "_writing",
    )

    def __init__(
        self,
        context: SSLContext,
        sock: sockets.socket,
        server_side: bool,
        server_hostname: str | None,
        owner: Any,
        session: Any,
    ) -> None:
        # As in C: the socket keeps this object, not the other way round.
        self._socket = weakref.ref(sock)
        self._incoming, self._outgoing = MemoryBIO(), MemoryBIO()
        self._ssl: Any = context._wrap_bio(  # type: ignore[attr-defined]
            self._incoming,
            self._outgoing,
            server_side,
            server_hostname,
            owner=owner,
            session=session,
        )
        # What has come of the head of a record, and how much of the body is still to come.
        self._head = b""
        self._left = 0
        # Records (or the rest of one) that the socket had no room for, and whether a task is
        # sending them.
        self._unsent = b""
        self._sending = False
        # Whether the peer has said goodbye: a call that fails is an end then (SSL_get_error).
        self._farewell = False
        # How much has been encrypted of a write that is not finished.
        self._taken = 0
        self._reading, self._writing = _Turn(), _Turn()

    def __getattr__(self, name: str) -> Any:
        """What only looks at the connection: certificates, ciphers, names, ..."""
        return getattr(self._ssl, name)

    @property
    def context(self) -> SSLContext:
        """The context in use, which a callback for a server's name may change."""
        return self._ssl.context  # type: ignore[no-any-return]

    @context.setter
    def context(self, context: SSLContext) -> None:
        self._ssl.context = context

    @property
    def session(self) -> Any:
        """The session, which a client may set to resume it."""
        return self._ssl.session

    @session.setter
    def session(self, session: Any) -> None:
        self._ssl.session = session

    # Calls

    def do_handshake(self) -> None:
        """do_handshake()"""
        call = self._begin("do_handshake")
        try:
            self._drive(call, self._ssl.do_handshake)
        except (BrokenPipeError, ConnectionResetError):
            # A client may leave without waiting for its tickets (tls_finish of statem_srvr.c).
            if not self._ssl.server_side or self._ssl.version() != "TLSv1.3":
                raise

    def read(self, size: int, buffer: Any = _ABSENT, /) -> Any:
        """read(size, [buffer]) -> data, or a count if there is a buffer"""
        call = self._begin("read")
        arguments = (size,) if buffer is _ABSENT else (size, buffer)
        result = self._drive(call, partial(self._ssl.read, *arguments))
        if not result and (size if buffer is _ABSENT else memoryview(buffer).nbytes):
            self._farewell = True
        return result

    def write(self, data: Any, /) -> int:
        """write(data) -> count"""
        view = view_of(data)
        call = self._begin("write")
        self._await_room(call)
        self._writing.wait(call, "write")
        self._writing.taken = True
        try:
            return self._write(call, view)
        finally:
            self._writing.give_back()

    def shutdown(self) -> Any:
        """shutdown() -> the socket"""
        call = self._begin("shutdown")
        self._drive(call, self._ssl.shutdown)
        return call.sock

    def _begin(self, name: str) -> _Call:
        sock = self._socket()
        if sock is None or (name == "shutdown" and sock._descriptor.endpoint is None):
            raise tls_errors.gone(name)
        timeout_ns = sock._timeout_ns
        return _Call(name, sock, sock._home.deadline(timeout_ns) if timeout_ns else None)

    def _drive(self, call: _Call, operation: Callable[[], T]) -> T:
        """Let OpenSSL work, and bring to it and take from it what it needs moved."""
        while True:
            try:
                result = operation()
            except SSLWantReadError:
                pass
            except BaseException:
                self._send_what_is_left(call)
                raise
            else:
                self._flush(call)
                return result
            self._flush(call)
            self._fetch(call)

    # Writing

    def _await_room(self, call: _Call) -> None:
        """With a timeout, a write waits for room before OpenSSL is asked (PySSL_select)."""
        if call.deadline_ns is None:
            return
        endpoint = call.sock._descriptor.endpoint
        if endpoint is None:
            raise tls_errors.closed()
        try:
            blocking.timed(endpoint, lambda: True, WRITABLE, call.deadline_ns, call.name, call.sock)
        except TimeoutError:
            raise tls_errors.timed_out(call.name, "write") from None

    def _write(self, call: _Call, view: memoryview) -> int:
        total = len(view)
        if total < self._taken:
            self._break()
            raise tls_errors.bad_length()
        if not total:
            return self._drive(call, partial(self._ssl.write, view))  # type: ignore[no-any-return]

        def encrypt() -> None:
            record = view[self._taken : self._taken + _RECORD]
            self._taken += self._ssl.write(record)

        self._send(call)
        while self._taken < total:
            self._drive(call, encrypt)
            self._send(call)
        self._taken = 0
        return total

    def _flush(self, call: _Call) -> None:
        """Send what OpenSSL wants sent now.

        Not the rest of a write: only the same write, tried again, goes on with that.
        """
        if self._outgoing.pending or (self._unsent and not self._taken):
            self._send(call)

    def _send(self, call: _Call) -> None:
        if self._sending:
            # Whoever sends sends this as well.
            return
        self._sending = True
        try:
            while self._unsent or self._outgoing.pending:
                self._unsent += self._outgoing.read()
                count = self._send_some(call, self._unsent)
                self._unsent = self._unsent[count:]
        except OSError as error:
            raise _explained(call, error, "write", self._farewell) from None
        finally:
            self._sending = False

    def _send_some(self, call: _Call, data: bytes) -> int:
        sock = call.sock
        if call.deadline_ns is not None:
            return sock._send("send", memoryview(data), 0, None, (), call.deadline_ns)  # type: ignore[no-any-return]
        while True:
            try:
                return sockets.socket.send(sock, data)
            except BlockingIOError as again:
                call.wait_after(again, WRITABLE)

    def _send_what_is_left(self, call: _Call) -> None:
        """An operation failed: its alert goes out if it can, and the failure is told anyway."""
        endpoint = call.sock._descriptor.endpoint
        if endpoint is None or (call.deadline_ns is not None and not endpoint.poll() & WRITABLE):
            return
        with contextlib.suppress(OSError):
            self._flush(call)

    def _break(self) -> None:
        """Make OpenSSL refuse everything from now on, as after a fatal error."""
        self._incoming.write_eof()
        try:
            while True:
                self._ssl.read(_RECORD)
        except SSLError:
            self._outgoing.read()
            self._unsent = b""
            self._taken = 0

    # Reading

    def _fetch(self, call: _Call) -> None:
        """Bring OpenSSL what has come of the next piece; or wait while another task does so."""
        if self._reading.taken:
            self._reading.wait(call, "read")
            return
        self._reading.taken = True
        try:
            self._fetch_piece(call)
        finally:
            self._reading.give_back()

    def _fetch_piece(self, call: _Call) -> None:
        try:
            data = self._receive(call, self._left or _HEAD - len(self._head))
        except OSError as error:
            raise _explained(call, error, "read") from None
        if not data:
            self._incoming.write_eof()
            return
        self._incoming.write(data)
        if self._left:
            self._left -= len(data)
            return
        self._head += data
        if len(self._head) == _HEAD:
            self._left = _length_of_body(self._head)
            self._head = b""

    def _receive(self, call: _Call, size: int) -> bytes:
        sock = call.sock
        while call.deadline_ns is None:
            try:
                return sockets.socket.recv(sock, size)
            except BlockingIOError as again:
                call.wait_after(again, READABLE)
        endpoint = sock._endpoint()

        def attempt() -> Received | None:
            return endpoint.recv(size, 0)  # type: ignore[no-any-return]

        received = sock._try(
            "recv", blocking.timed, endpoint, attempt, READABLE, call.deadline_ns, "recv", sock
        )
        sock._record(RECV, received.length)
        return received.data  # type: ignore[no-any-return]


def _explained(call: _Call, error: OSError, direction: str, farewell: bool = False) -> OSError:
    """What a call says of a system call that failed under it."""
    if isinstance(error, BlockingIOError):
        return tls_errors.unfinished(call.name, direction)
    if isinstance(error, TimeoutError) and error.errno is None:
        return tls_errors.timed_out(call.name, direction)
    return tls_errors.ended(call.name) if farewell else tls_errors.failed(call.name, error)


def _length_of_body(head: bytes) -> int:
    """How much of a record follows its head; OpenSSL refuses a head that is none."""
    if head[0] & 0x80 and head[2] == 1:
        # The greeting of a client that still speaks SSL 2, with a head of two bytes.
        return (int.from_bytes(head[:2], "big") & 0x7FFF) + 2 - _HEAD
    return int.from_bytes(head[3:], "big")
