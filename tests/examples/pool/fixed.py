"""The same, mended: a request that met its connection's end is made again, where that is safe."""

from __future__ import annotations

import select
from http.client import HTTPConnection, RemoteDisconnected

# What may be asked twice (RFC 9110, section 9.2.2).
IDEMPOTENT = frozenset({"GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"})


class Pool:
    """Connections that are kept alive; each serves one request at a time."""

    def __init__(self, host: str, port: int) -> None:
        self._address = host, port
        self._idle: list[HTTPConnection] = []

    def request(self, method: str, path: str) -> tuple[int, bytes]:
        """The status and the body of an answer."""
        conn = self._take()
        if conn is not None and method in IDEMPOTENT:
            try:
                return self._ask(conn, method, path)
            except (RemoteDisconnected, ConnectionResetError, BrokenPipeError):
                conn = None  # the server had closed it, and its word was still on the way
        return self._ask(conn or HTTPConnection(*self._address, timeout=30), method, path)

    def _ask(self, conn: HTTPConnection, method: str, path: str) -> tuple[int, bytes]:
        try:
            conn.request(method, path)
            answer = conn.getresponse()
            body = answer.read()
        except BaseException:
            conn.close()
            raise
        if answer.will_close:
            conn.close()
        else:
            self._idle.append(conn)
        return answer.status, body

    def _take(self) -> HTTPConnection | None:
        """An idle connection that the server has not closed meanwhile, if there is one."""
        while self._idle:
            conn = self._idle.pop()
            if not is_closed(conn):
                return conn
            conn.close()
        return None

    def close(self) -> None:
        """Close what is idle."""
        while self._idle:
            self._idle.pop().close()


def is_closed(conn: HTTPConnection) -> bool:
    """Whether the server has closed an idle connection: there is something to read, its end."""
    return bool(select.select([conn.sock], [], [], 0)[0])
