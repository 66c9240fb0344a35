"""A small server that speaks Redis' protocol, versions 2 and 3, with a thread for each client."""

from __future__ import annotations

import socketserver
import threading
from collections import defaultdict, deque
from typing import Any

from tests.libraries.ways import reset

OK = "OK"
NOTHING = object()


class Refusal(Exception):
    """A command is answered with an error."""


class Store:
    """What the clients share."""

    def __init__(self) -> None:
        self.changed = threading.Condition()
        self.values: dict[bytes, bytes] = {}
        self.lists: defaultdict[bytes, deque[bytes]] = defaultdict(deque)
        self.subscribers: defaultdict[bytes, list[Session]] = defaultdict(list)
        self.commands: list[bytes] = []


class Server(socketserver.ThreadingTCPServer):
    """The server, whose `store` is empty at first."""

    request_queue_size = 100

    def __init__(self, address: tuple[str, int]) -> None:
        self.store = Store()
        super().__init__(address, Session)


def encoded(value: Any, protocol: int = 2) -> bytes:
    """A value on the wire; a string is a status, bytes are data."""
    if value is NOTHING:
        return b""
    if value is None:
        return b"_\r\n" if protocol == 3 else b"$-1\r\n"
    if isinstance(value, Refusal):
        return f"-{value}\r\n".encode()
    if isinstance(value, str):
        return f"+{value}\r\n".encode()
    if isinstance(value, int):
        return b":%d\r\n" % value
    if isinstance(value, bytes):
        return b"$%d\r\n%b\r\n" % (len(value), value)
    if isinstance(value, dict):
        pairs = [encoded(each) for pair in value.items() for each in pair]
        return b"%%%d\r\n" % len(value) + b"".join(pairs)
    return b"*%d\r\n" % len(value) + b"".join(map(encoded, value))


class Session(socketserver.StreamRequestHandler):
    """One client."""

    disable_nagle_algorithm = True
    server: Server

    def handle(self) -> None:
        self.protocol = 2
        self.queued: list[list[bytes]] | None = None
        self.open = True
        while self.open and (header := self.rfile.readline()):
            words = []
            for _ in range(int(header[1:])):
                size = int(self.rfile.readline()[1:])
                words.append(self.rfile.read(size + 2)[:size])
            self.wfile.write(self.answer(words))

    def finish(self) -> None:
        for subscribers in self.server.store.subscribers.values():
            if self in subscribers:
                subscribers.remove(self)
        super().finish()

    def answer(self, words: list[bytes]) -> bytes:
        """What a command is answered with."""
        name = words[0].upper()
        self.server.store.commands.append(name)
        if self.queued is not None and name not in (b"EXEC", b"DISCARD"):
            self.queued.append(words)
            return encoded("QUEUED")
        return encoded(self.outcome(words), self.protocol)

    def outcome(self, words: list[bytes]) -> Any:
        name, *args = words
        method = getattr(self, f"do_{name.decode().lower()}", None)
        if method is None:
            return Refusal(f"ERR unknown command '{name.decode()}'")
        try:
            with self.server.store.changed:
                return method(*args)
        except Refusal as refusal:
            return refusal

    # Connections

    def do_hello(self, protocol: bytes, *args: bytes) -> Any:
        self.protocol = int(protocol)
        about = {b"server": b"redis", b"version": b"7.4.0", b"proto": self.protocol}
        return about if self.protocol == 3 else [each for pair in about.items() for each in pair]

    def do_client(self, *args: bytes) -> Any:
        return OK

    def do_ping(self) -> Any:
        return "PONG"

    def do_hang(self) -> Any:
        self.server.store.changed.wait(3600)
        return OK

    def do_reset(self) -> Any:
        self.open = False
        reset(self.connection)
        return NOTHING

    # Values

    def do_set(self, key: bytes, value: bytes) -> Any:
        self.server.store.values[key] = value
        return OK

    def do_get(self, key: bytes) -> Any:
        return self.server.store.values.get(key)

    def do_incrby(self, key: bytes, amount: bytes) -> Any:
        try:
            value = int(self.server.store.values.get(key, b"0")) + int(amount)
        except ValueError:
            raise Refusal("ERR value is not an integer or out of range") from None
        self.server.store.values[key] = b"%d" % value
        return value

    # Lists

    def do_rpush(self, key: bytes, *values: bytes) -> Any:
        self.server.store.lists[key].extend(values)
        self.server.store.changed.notify_all()
        return len(self.server.store.lists[key])

    def do_blpop(self, key: bytes, timeout: bytes) -> Any:
        items = self.server.store.lists[key]
        if self.server.store.changed.wait_for(lambda: items, float(timeout) or None):
            return [key, items.popleft()]
        return None

    # Transactions

    def do_multi(self) -> Any:
        self.queued = []
        return OK

    def do_exec(self) -> Any:
        queued, self.queued = self.queued or [], None
        return [self.outcome(words) for words in queued]

    # Subscriptions

    def do_subscribe(self, channel: bytes) -> Any:
        self.server.store.subscribers[channel].append(self)
        self.push([b"subscribe", channel, 1])
        return NOTHING

    def do_publish(self, channel: bytes, message: bytes) -> Any:
        subscribers = self.server.store.subscribers[channel]
        for session in subscribers:
            session.push([b"message", channel, message])
        return len(subscribers)

    def push(self, values: list[Any]) -> None:
        """Something that answers no command."""
        whole = encoded(values)
        self.wfile.write(b">" + whole[1:] if self.protocol == 3 else whole)
