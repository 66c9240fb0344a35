"""socketserver: its four classes, alone and with threads; with processes it is refused."""

from __future__ import annotations

import socket
import socketserver
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

from simnet.errors import RealCall
from tests.libraries.ways import Place, Simulated, reset


class Upper(socketserver.StreamRequestHandler):
    """Lines come back in capitals."""

    def handle(self) -> None:
        for line in self.rfile:
            self.wfile.write(line.upper())


class UpperDatagram(socketserver.DatagramRequestHandler):
    """A datagram comes back in capitals."""

    def handle(self) -> None:
        self.wfile.write(self.rfile.read().upper())


class ThreadingUnixDatagram(socketserver.ThreadingMixIn, socketserver.UnixDatagramServer):
    """Python has a name for it from 3.12 on; so for the stream."""


class ThreadingUnixStream(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    """The same."""


def lines_come_back(address: Any, family: socket.AddressFamily) -> None:
    """A client's conversation with Upper."""
    with socket.socket(family) as sock:
        sock.settimeout(10)
        sock.connect(address)
        with sock.makefile("rwb") as lines:
            for line in (b"one\n", b"two\n", b"x" * 70_000 + b"\n"):
                lines.write(line)
                lines.flush()
                assert lines.readline() == line.upper()


def datagrams_come_back(sock: socket.socket, address: Any) -> None:
    """A client's conversation with UpperDatagram."""
    sock.settimeout(10)
    for datagram in (b"one", b"", b"x" * 5000):
        sock.sendto(datagram, address)
        assert sock.recv(10_000) == datagram.upper()


def over_tcp(place: Place, kind: Callable[..., Any]) -> None:
    with place.server:
        server = kind((place.bind, 0), Upper)
    with place.serving(server):
        for _ in range(2):
            lines_come_back((place.address, server.server_address[1]), socket.AF_INET)


def over_udp(place: Place, kind: Callable[..., Any]) -> None:
    with place.server:
        server = kind((place.bind, 0), UpperDatagram)
    with place.serving(server), socket.socket(type=socket.SOCK_DGRAM) as sock:
        datagrams_come_back(sock, (place.address, server.server_address[1]))


def over_unix_stream(place: Place, kind: Callable[..., Any]) -> None:
    path = place.path("lines.sock")
    with place.server:
        server = kind(path, Upper)
        with place.serving(server):
            for _ in range(2):
                lines_come_back(path, socket.AF_UNIX)


def over_unix_datagrams(place: Place, kind: Callable[..., Any]) -> None:
    path = place.path("datagrams.sock")
    with place.server:
        server = kind(path, UpperDatagram)
        with place.serving(server):
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
                sock.bind(place.path("answers.sock"))
                datagrams_come_back(sock, path)


def test_tcp(place: Place) -> None:
    """One client after the other."""
    over_tcp(place, socketserver.TCPServer)


def test_tcp_with_threads(place: Place) -> None:
    """A thread for each client."""
    over_tcp(place, socketserver.ThreadingTCPServer)


def test_udp(place: Place) -> None:
    """Each datagram is a request."""
    over_udp(place, socketserver.UDPServer)


def test_udp_with_threads(place: Place) -> None:
    """A thread for each datagram."""
    over_udp(place, socketserver.ThreadingUDPServer)


def test_unix_streams(place: Place) -> None:
    """Client and server on the server's machine."""
    over_unix_stream(place, socketserver.UnixStreamServer)


def test_unix_streams_with_threads(place: Place) -> None:
    """The same."""
    over_unix_stream(place, ThreadingUnixStream)


def test_unix_datagrams(place: Place) -> None:
    """A client that has a name gets its answers."""
    over_unix_datagrams(place, socketserver.UnixDatagramServer)


def test_unix_datagrams_with_threads(place: Place) -> None:
    """The same."""
    over_unix_datagrams(place, ThreadingUnixDatagram)


class Slow(socketserver.StreamRequestHandler):
    """Takes its time, and says which thread it was."""

    def handle(self) -> None:
        self.rfile.readline()
        time.sleep(60)
        self.wfile.write(threading.current_thread().name.encode())


def ask(address: tuple[str, int], answers: list[bytes]) -> None:
    with socket.create_connection(address) as sock:
        sock.sendall(b"well?\n")
        answers.append(sock.recv(100))


def three_clients(simulated: Simulated, kind: Callable[..., Any]) -> list[bytes]:
    """What three clients are told who ask at the same time."""
    with simulated.server:
        server = kind(("", 80), Slow)
    answers: list[bytes] = []
    with simulated.serving(server):
        asking = [threading.Thread(target=ask, args=(("server", 80), answers)) for _ in range(3)]
        for thread in asking:
            thread.start()
        for thread in asking:
            thread.join()
    return answers


def test_clients_wait_for_each_other_without_threads(simulated: Simulated) -> None:
    """Three clients of a minute each take three minutes."""
    answers = three_clients(simulated, socketserver.TCPServer)
    assert 180 <= time.monotonic() < 181
    assert len(answers) == 3
    assert len(set(answers)) == 1


def test_threads_serve_side_by_side(simulated: Simulated) -> None:
    """With threads they take one."""
    answers = three_clients(simulated, socketserver.ThreadingTCPServer)
    assert 60 <= time.monotonic() < 61
    assert len(set(answers)) == 3


def test_a_slow_link_takes_what_light_takes(simulated: Simulated) -> None:
    """A round trip to connect, one for each line."""
    simulated.slow(latency=0.25)
    with simulated.server:
        server = socketserver.TCPServer(("", 80), Upper)
    with simulated.serving(server), socket.create_connection(("server", 80)) as sock:
        sock.sendall(b"hello\n")
        assert sock.recv(100) == b"HELLO\n"
        assert time.monotonic() == 1.0


def test_handle_request_gives_up_after_its_timeout(simulated: Simulated) -> None:
    """`timeout` is of virtual time; that it is over it learns by asking again and again."""

    class Patient(socketserver.TCPServer):
        timeout = 3600

        def handle_timeout(self) -> None:
            waited.append(time.monotonic())

    waited: list[float] = []
    with Patient(("", 80), Upper) as server:
        server.handle_request()
    (seconds,) = waited
    assert 3600 <= seconds < 3600.1


def test_a_handlers_timeout_ends_a_silent_client(simulated: Simulated) -> None:
    """`timeout` of a handler is its connection's; the server tells the error and goes on."""

    class Hasty(Upper):
        timeout = 30

    class Telling(socketserver.ThreadingTCPServer):
        def handle_error(self, request: Any, client_address: Any) -> None:
            told.append((sys.exc_info()[0], time.monotonic()))

    told: list[tuple[Any, float]] = []
    with simulated.server:
        server = Telling(("", 80), Hasty)
    with simulated.serving(server), socket.create_connection(("server", 80)) as sock:
        assert sock.recv(100) == b""
        assert time.monotonic() == 30
    assert told == [(TimeoutError, 30.0)]


def test_a_client_that_resets_is_an_error_of_its_own_request(place: Place) -> None:
    """The next client is served."""
    told: list[BaseException | None] = []
    seen = threading.Event()

    class Telling(socketserver.ThreadingTCPServer):
        def handle_error(self, request: Any, client_address: Any) -> None:
            told.append(sys.exc_info()[1])
            seen.set()

    with place.server:
        server = Telling((place.bind, 0), Upper)
    address = (place.address, server.server_address[1])
    with place.serving(server):
        sock = socket.create_connection(address, 10)
        sock.sendall(b"one\ntw")
        assert sock.recv(100) == b"ONE\n"
        reset(sock)
        assert seen.wait(10)
        lines_come_back(address, socket.AF_INET)
    assert isinstance(told[0], ConnectionResetError)


def test_forking_is_refused_clearly(simulated: Simulated) -> None:
    """The message says which call it was, where, and what to do."""
    told: list[BaseException | None] = []

    class Forking(socketserver.ForkingMixIn, socketserver.TCPServer):
        def handle_error(self, request: Any, client_address: Any) -> None:
            told.append(sys.exc_info()[1])

    with simulated.server:
        server = Forking(("", 80), Upper)
    with simulated.serving(server), socket.create_connection(("server", 80)) as sock:
        assert sock.recv(100) == b""
    (error,) = told
    assert isinstance(error, RealCall)
    message = str(error)
    assert "os.fork would start a process on the real network, at " in message
    assert "socketserver.py:" in message
    assert message.endswith("run its code as a task or thread of the world")
