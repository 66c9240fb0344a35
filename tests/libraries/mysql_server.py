"""A server that speaks MySQL's protocol, as far as a client of text queries needs it.

It knows the statements of a script, and lets everybody in who has the password.
"""

from __future__ import annotations

import hashlib
import socketserver
import struct
from collections.abc import Callable, Sequence
from typing import Any

import attrs

from tests.libraries.ways import reset

PASSWORD = b"secret"
_SALT = bytes(range(1, 21))

# LONG_PASSWORD | PROTOCOL_41 | TRANSACTIONS | SECURE_CONNECTION | PLUGIN_AUTH
_CAPABILITIES = 0x0001 | 0x0200 | 0x2000 | 0x8000 | 0x80000
_QUIT, _QUERY, _PING = 1, 3, 14
_OK = b"\0\0\0\2\0\0\0"
_END = b"\xfe\0\0\2\0"


@attrs.frozen
class Rows:
    """What a SELECT is answered with: names of columns, and rows of texts."""

    columns: Sequence[str]
    rows: Sequence[Sequence[str | None]]


@attrs.frozen
class Refused:
    """An error of the server."""

    number: int
    state: str
    message: str


# By statement: rows, an error, how many were affected, or a call that gives one of them.
Answer = Rows | Refused | int
Script = dict[str, Answer | Callable[["Session"], Answer]]


class Server(socketserver.ThreadingTCPServer):
    """A server with a script; `seen` are the statements that came."""

    def __init__(self, address: tuple[str, int], script: Script) -> None:
        self.script = script
        self.seen: list[str] = []
        super().__init__(address, Session)


def text(value: str | None) -> bytes:
    """A length-encoded string, or NULL."""
    if value is None:
        return b"\xfb"
    data = value.encode()
    if len(data) < 251:
        return bytes([len(data)]) + data
    return b"\xfd" + struct.pack("<I", len(data))[:3] + data


def column(name: str) -> bytes:
    """The description of a column of text in UTF-8."""
    names = map(text, ("def", "", "", "", name, name))
    return b"".join(names) + struct.pack("<BHIBHBxx", 12, 45, 1000, 0xFD, 0, 0)


def scrambled(password: bytes, salt: bytes) -> bytes:
    """What mysql_native_password makes of a password."""
    once = hashlib.sha1(password).digest()
    mask = hashlib.sha1(salt + hashlib.sha1(once).digest()).digest()
    return bytes(a ^ b for a, b in zip(once, mask, strict=True))


class Session(socketserver.StreamRequestHandler):
    """One client."""

    disable_nagle_algorithm = True
    server: Server

    def handle(self) -> None:
        self.number = 0
        self.send(
            b"\x0a8.0.99-script\0" + struct.pack("<I", 7) + _SALT[:8] + b"\0"
            + struct.pack("<HBHHB", _CAPABILITIES & 0xFFFF, 45, 2, _CAPABILITIES >> 16, 21)
            + bytes(10) + _SALT[8:] + b"\0mysql_native_password\0"
        )  # fmt: skip
        greeting = self.receive()
        if scrambled(PASSWORD, _SALT) not in greeting:
            self.send_error(Refused(1045, "28000", "Access denied"))
            return
        self.send(_OK)
        self.going_on = True
        while self.going_on and (packet := self.receive()):
            self.answer(packet[0], packet[1:].decode())

    def receive(self) -> bytes:
        """A packet; nothing at the end."""
        header = self.rfile.read(4)
        if len(header) < 4:
            return b""
        self.number = header[3] + 1
        return self.rfile.read(int.from_bytes(header[:3], "little"))

    def send(self, *packets: bytes) -> None:
        """Packets, at once."""
        framed = []
        for packet in packets:
            framed.append(struct.pack("<I", len(packet))[:3] + bytes([self.number % 256]) + packet)
            self.number += 1
        self.wfile.write(b"".join(framed))

    def send_error(self, error: Refused) -> None:
        """An error."""
        number = struct.pack("<H", error.number)
        self.send(b"\xff" + number + f"#{error.state}{error.message}".encode())

    def answer(self, command: int, statement: str) -> None:
        """What a command is answered with."""
        if command == _QUIT:
            self.going_on = False
        elif command == _PING:
            self.send(_OK)
        else:
            assert command == _QUERY
            self.server.seen.append(statement)
            answer: Any = self.server.script.get(
                statement, Refused(1064, "42000", f"unknown: {statement}")
            )
            self.send_answer(answer(self) if callable(answer) else answer)

    def send_answer(self, answer: Answer) -> None:
        """Rows, an error, or how many rows were affected."""
        if isinstance(answer, Refused):
            self.send_error(answer)
        elif isinstance(answer, int):
            self.send(b"\0" + bytes([answer]) + _OK[2:])
        else:
            rows = [b"".join(map(text, row)) for row in answer.rows]
            count = bytes([len(answer.columns)])
            self.send(count, *map(column, answer.columns), _END, *rows, _END)

    def break_off(self) -> Answer:
        """Half of an answer, and a reset."""
        self.send(b"\1", column("x"), _END, text("row"))
        self.going_on = False
        reset(self.connection)
        raise ConnectionAbortedError
