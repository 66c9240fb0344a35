"""smtplib with aiosmtpd; poplib and imaplib with small servers."""

from __future__ import annotations

import asyncio
import imaplib
import poplib
import smtplib
import socketserver
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from email.message import EmailMessage
from typing import Any

import pytest
from aiosmtpd.controller import Controller

from tests.libraries.ways import Place, Simulated, reset

MESSAGE = EmailMessage()
MESSAGE["From"] = "ann@example.org"
MESSAGE["To"] = "ben@example.org"
MESSAGE["Subject"] = "greetings"
MESSAGE.set_content("Hello.\n.\nA line with a dot alone stands above.\n" + "x" * 70 + "\n")


# smtplib


class Keeping:
    """Keeps what it is sent, but refuses one receiver."""

    def __init__(self) -> None:
        self.kept: list[Any] = []

    async def handle_RCPT(
        self, server: Any, session: Any, envelope: Any, address: str, options: list[str]
    ) -> str:
        if address.startswith("nobody@"):
            return "550 no such user"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        self.kept.append(envelope)
        return "250 kept"


class OnAnyPort(Controller):
    """A controller that may be given port 0, and looks at the port that it got."""

    def _trigger_server(self) -> None:
        (sock,) = self.server.sockets
        self.port = sock.getsockname()[1]
        super()._trigger_server()


@contextmanager
def mail_server(
    place: Place, handler: Keeping | None = None, **options: Any
) -> Iterator[tuple[Keeping, int]]:
    """It runs in a thread of its own, with its own event loop; what it keeps, and its port."""
    handler = handler or Keeping()
    with place.server:
        controller = OnAnyPort(handler, hostname=place.address, port=0, **options)
        controller.start()
    try:
        yield handler, controller.port
    finally:
        with place.server:
            controller.stop()


def test_a_message_is_sent(place: Place) -> None:
    """The envelope and every line of it arrive."""
    with mail_server(place) as (server, port):
        with smtplib.SMTP(place.address, port, timeout=10) as client:
            assert client.ehlo()[0] == 250
            assert client.has_extn("size")
            assert client.send_message(MESSAGE) == {}
            assert client.noop()[0] == 250
    (envelope,) = server.kept
    assert envelope.mail_from == "ann@example.org"
    assert envelope.rcpt_tos == ["ben@example.org"]
    assert envelope.content.replace(b"\r\n", b"\n") == MESSAGE.as_bytes()


def test_a_receiver_is_refused(place: Place) -> None:
    """The others get it."""
    with mail_server(place) as (server, port), smtplib.SMTP(place.address, port) as client:
        to = ["nobody@example.org", "ben@example.org"]
        refused = client.sendmail("ann@example.org", to, "Subject: x\n\nhello\n")
        assert refused == {"nobody@example.org": (550, b"no such user")}
        with pytest.raises(smtplib.SMTPRecipientsRefused):
            client.sendmail("ann@example.org", to[:1], "Subject: x\n\nhello\n")
        assert len(server.kept) == 1


def test_each_command_takes_a_round_trip(simulated: Simulated) -> None:
    """Connecting, the greeting, EHLO, MAIL, RCPT, DATA, the message, QUIT."""
    simulated.slow(latency=0.25)
    with mail_server(simulated) as (_, port):
        begun = time.monotonic()
        with smtplib.SMTP("server", port) as client:
            assert time.monotonic() - begun == 1.0
            client.sendmail("ann@example.org", ["ben@example.org"], "Subject: x\n\nhello\n")
            assert time.monotonic() - begun == 1.0 + 5 * 0.5
        assert time.monotonic() - begun == 1.0 + 6 * 0.5


def test_a_slow_answer_times_out(simulated: Simulated) -> None:
    """The client has its own patience, exactly."""

    class Thoughtful(Keeping):
        async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
            await asyncio.sleep(3600)
            return await super().handle_DATA(server, session, envelope)

    with mail_server(simulated, Thoughtful(), timeout=7200) as (server, port):
        with smtplib.SMTP("server", port) as patient:
            patient.sendmail("ann@example.org", ["ben@example.org"], "Subject: x\n\nhello\n")
        assert 3600 <= time.monotonic() < 3601
        assert len(server.kept) == 1
        begun = time.monotonic()
        client = smtplib.SMTP("server", port, timeout=20)
        with pytest.raises(smtplib.SMTPServerDisconnected, match="timed out"):
            client.sendmail("ann@example.org", ["ben@example.org"], "Subject: x\n\nhello\n")
        assert time.monotonic() - begun == 20
        client.close()


def test_a_silent_client_is_hung_up_on(simulated: Simulated) -> None:
    """aiosmtpd waits for five minutes."""
    with mail_server(simulated) as (_, port), smtplib.SMTP("server", port) as client:
        begun = time.monotonic()
        assert client.sock is not None
        assert client.sock.recv(100) == b""
        assert time.monotonic() - begun == 300
        with pytest.raises(smtplib.SMTPServerDisconnected):
            client.noop()


def test_a_reset_in_the_middle_of_a_message(place: Place) -> None:
    """The client learns that the connection is lost; the server keeps nothing, and goes on."""

    class Breaking(Keeping):
        async def handle_RCPT(
            self, server: Any, session: Any, envelope: Any, address: str, options: list[str]
        ) -> str:
            if address.startswith("break@"):
                server.transport.abort()
            return await super().handle_RCPT(server, session, envelope, address, options)

    with mail_server(place, Breaking()) as (server, port):
        client = smtplib.SMTP(place.address, port, timeout=10)
        with pytest.raises(smtplib.SMTPServerDisconnected):
            client.sendmail("ann@example.org", ["break@example.org"], "Subject: x\n\nhello\n")
        client.close()
        assert server.kept == []
        with smtplib.SMTP(place.address, port, timeout=10) as client:
            client.send_message(MESSAGE)
        assert len(server.kept) == 1


# poplib and imaplib


class Script(socketserver.StreamRequestHandler):
    """A server whose every answer is written down."""

    greeting: bytes
    # What a line is answered with; the first word of it is enough.
    answers: dict[bytes, list[bytes]]

    def handle(self) -> None:
        self.wfile.write(self.greeting)
        for line in self.rfile:
            if not self.answer(line.split()):
                break

    def say(self, *lines: bytes) -> None:
        """These lines, at once."""
        self.wfile.write(b"".join(line + b"\r\n" for line in lines))

    def answer(self, words: list[bytes]) -> bool:
        """Whether it goes on."""
        raise NotImplementedError


class Pop(Script):
    """A mailbox with two messages; the second is never told to its end."""

    greeting = b"+OK ready <1896.697170952@server>\r\n"
    answers = {
        b"USER": [b"+OK"],
        b"PASS": [b"+OK 2 messages"],
        b"STAT": [b"+OK 2 320"],
        b"LIST": [b"+OK", b"1 120", b"2 200", b"."],
        b"RETR 1": [b"+OK", b"Subject: one", b"", b"hello", b"..", b"."],
        b"RETR 2": [b"+OK", b"Subject: two"],
        b"DELE 1": [b"+OK gone"],
        b"NOOP": [],
        b"QUIT": [b"+OK bye"],
    }

    def answer(self, words: list[bytes]) -> bool:
        whole, first = b" ".join(words), words[0]
        self.say(*self.answers.get(whole, self.answers.get(first, [b"-ERR unknown"])))
        if whole == b"RETR 2":
            self.rfile.readline()
            reset(self.connection)
            return False
        return first != b"QUIT"


class Imap(Script):
    """The same for IMAP, whose commands have tags."""

    greeting = b"* OK [CAPABILITY IMAP4rev1] ready\r\n"
    answers = {
        b"CAPABILITY": [b"* CAPABILITY IMAP4rev1", b"OK done"],
        b"LOGIN": [b"OK in"],
        b"SELECT": [b"* 2 EXISTS", b"* 0 RECENT", b"OK [READ-WRITE]"],
        b"SEARCH": [b"* SEARCH 1 2", b"OK done"],
        b"FETCH": [b"* 1 FETCH (RFC822 {20}", b"Subject: one\r\n\r\nhi\r\n)", b"OK done"],
        b"NOOP": [],
        b"LOGOUT": [b"* BYE", b"OK done"],
    }

    def answer(self, words: list[bytes]) -> bool:
        tag, command = words[0], words[1].upper()
        if command == b"EXPUNGE":
            reset(self.connection)
            return False
        *lines, last = self.answers.get(command, [b"BAD unknown"]) or [None]
        if last is not None:
            self.say(*lines, tag + b" " + last)
        return command != b"LOGOUT"


@contextmanager
def scripted(place: Place, script: type[Script]) -> Iterator[int]:
    """A server that follows a script; its port."""
    with place.server:
        server = socketserver.ThreadingTCPServer((place.bind, 0), script)
    with place.serving(server):
        yield server.server_address[1]


def test_a_mailbox_is_read_over_pop(place: Place) -> None:
    """Answers of a line and of many, dots doubled, an error."""
    with scripted(place, Pop) as port:
        box = poplib.POP3(place.address, port, timeout=10)
        box.user("ben")
        box.pass_("secret")
        assert box.stat() == (2, 320)
        assert box.list()[1] == [b"1 120", b"2 200"]
        assert box.retr(1)[1] == [b"Subject: one", b"", b"hello", b"."]
        box.dele(1)
        with pytest.raises(poplib.error_proto, match="unknown"):
            box.top(1, 0)
        assert box.quit() == b"+OK bye"


def test_a_message_over_pop_breaks_off(place: Place) -> None:
    """In the middle of an answer of many lines."""
    with scripted(place, Pop) as port:
        box = poplib.POP3(place.address, port, timeout=10)
        box._putcmd("RETR 2")
        assert box._getresp() == b"+OK"
        assert box._getline() == (b"Subject: two", 14)
        box.sock.sendall(b"more?\r\n")
        with pytest.raises(ConnectionResetError):
            box._getline()
        box.close()


def test_pop_over_a_slow_link_and_past_its_timeout(simulated: Simulated) -> None:
    """A command takes a round trip; one without an answer its timeout."""
    simulated.slow(latency=1)
    with scripted(simulated, Pop) as port, closing(poplib.POP3("server", port, 30)) as box:
        assert time.monotonic() == 4  # to connect, and for the greeting
        box.stat()
        assert time.monotonic() == 6
        with pytest.raises(TimeoutError):
            box.noop()
        assert time.monotonic() == 36


def test_a_mailbox_is_read_over_imap(place: Place) -> None:
    """Tags, untagged answers, a literal."""
    with scripted(place, Imap) as port, imaplib.IMAP4(place.address, port, 10) as box:
        assert box.capabilities == ("IMAP4REV1",)
        assert box.login("ben", "secret")[0] == "OK"
        assert box.select()[1] == [b"2"]
        assert box.search(None, "ALL")[1] == [b"1 2"]
        (kind, text), end = box.fetch("1", "(RFC822)")[1]
        assert (kind, text, end) == (b"1 (RFC822 {20}", b"Subject: one\r\n\r\nhi\r\n", b")")
        with pytest.raises(imaplib.IMAP4.error, match="BAD"):
            box.check()


def test_imap_breaks_off(place: Place) -> None:
    """A reset is an error of the command."""
    with scripted(place, Imap) as port:
        box = imaplib.IMAP4(place.address, port, 10)
        box.login("ben", "secret")
        box.select()
        with pytest.raises((ConnectionResetError, imaplib.IMAP4.abort)):
            box.expunge()
        box.shutdown()


def test_imap_over_a_slow_link_and_past_its_timeout(simulated: Simulated) -> None:
    """A command takes a round trip; one without an answer its timeout."""
    simulated.slow(latency=1)
    with scripted(simulated, Imap) as port:
        box = imaplib.IMAP4("server", port, 30)
        assert time.monotonic() == 6  # to connect, for the greeting, to ask for capabilities
        box.login("ben", "secret")
        assert time.monotonic() == 8
        with pytest.raises(TimeoutError):
            box.noop()
        assert time.monotonic() == 38
        box.shutdown()
