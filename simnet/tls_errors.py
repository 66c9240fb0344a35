"""Errors of `_ssl.c` that OpenSSL over memory never gives, in the words of this interpreter.

The texts name lines of `_ssl.c`, and what becomes of a failed system call differs between versions
of Python: an end of file up to 3.12.2, the OSError itself since. So real objects are asked, once,
when this module is imported: some over memory, one whose
socket is closed, and one whose socket is no more.
"""

from __future__ import annotations

import _socket
import re
import ssl
from typing import Any

# The calls that wait, and arguments that make a fresh object complain.
_CALLS: dict[str, tuple[Any, ...]] = {
    "do_handshake": (),
    "read": (1,),
    "write": (b"x",),
    "shutdown": (),
}
# do_handshake's complaint of a timeout stands so many lines before its other one (3.10 to 3.13).
_LINES_BEFORE = 17


def _complaint(thing: Any, call: str) -> OSError:
    try:
        getattr(thing, call)(*_CALLS[call])
    except OSError as error:
        return error.with_traceback(None)
    raise AssertionError(f"{call}() of {thing!r} succeeded")


class _Socket(_socket.socket):
    """A real socket that can be referred to weakly, whatever stands in `socket` by now."""


def _over(context: Any, sock: _Socket) -> Any:
    """An object over a socket, which is closed."""
    try:
        return context._wrap_socket(sock, True)
    finally:
        sock.close()


def _learn() -> tuple[dict[str, int], dict[str, tuple[Any, ...]], bool]:
    context: Any = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    lines = {}
    for call in _CALLS:
        fresh = context._wrap_bio(ssl.MemoryBIO(), ssl.MemoryBIO(), True)
        found = re.search(r"\(_ssl\.c:(\d+)\)$", str(_complaint(fresh, call)))
        assert found is not None
        lines[call] = int(found[1])
    over_none = _over(context, _Socket())
    gone = {call: _complaint(over_none, call).args for call in _CALLS}
    closed = _Socket()
    failure = _complaint(_over(context, closed), "read")
    return lines, gone, isinstance(failure, ssl.SSLError)


_LINES, _GONE, _FAILURE_IS_END = _learn()


def _made(kind: type[ssl.SSLError], number: int, text: str, reason: str | None = None) -> Any:
    error: Any = kind(number, text)
    error.library = None if reason is None else "SSL"
    error.reason = reason
    return error


def unfinished(call: str, direction: str) -> ssl.SSLError:
    """A call that must not wait would have to, to read or to write."""
    text = f"The operation did not complete ({direction}) (_ssl.c:{_LINES[call]})"
    if direction == "read":
        return _made(ssl.SSLWantReadError, ssl.SSL_ERROR_WANT_READ, text)  # type: ignore[no-any-return]
    return _made(ssl.SSLWantWriteError, ssl.SSL_ERROR_WANT_WRITE, text)  # type: ignore[no-any-return]


def timed_out(call: str, direction: str) -> TimeoutError:
    """A call waited as long as the socket's timeout lets it."""
    if call == "do_handshake":
        line = _LINES[call] - _LINES_BEFORE
        return TimeoutError(f"_ssl.c:{line}: The handshake operation timed out")
    return TimeoutError(f"The {direction if call == 'shutdown' else call} operation timed out")


def failed(call: str, error: OSError) -> OSError:
    """A system call failed under a call."""
    if not _FAILURE_IS_END or call not in ("read", "write"):
        return error
    text = f"EOF occurred in violation of protocol (_ssl.c:{_LINES[call]})"
    return _made(ssl.SSLEOFError, ssl.SSL_ERROR_EOF, text)  # type: ignore[no-any-return]


def ended(call: str) -> ssl.SSLError:
    """A call failed on a connection that the peer has ended properly."""
    text = f"TLS/SSL connection has been closed (EOF) (_ssl.c:{_LINES[call]})"
    return _made(ssl.SSLZeroReturnError, ssl.SSL_ERROR_ZERO_RETURN, text)  # type: ignore[no-any-return]


def gone(call: str) -> ssl.SSLError:
    """The socket object has been deleted."""
    number, text = _GONE[call]
    return _made(ssl.SSLError, number, text)  # type: ignore[no-any-return]


def closed() -> ssl.SSLError:
    """A socket with a timeout was closed before it could be waited for."""
    return ssl.SSLError("Underlying socket has been closed.")


def bad_length() -> ssl.SSLError:
    """A write tried again was shorter than what had been taken of it."""
    text = f"[SSL: BAD_LENGTH] bad length (_ssl.c:{_LINES['write']})"
    return _made(ssl.SSLError, ssl.SSL_ERROR_SSL, text, "BAD_LENGTH")  # type: ignore[no-any-return]
