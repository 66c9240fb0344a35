"""ftplib with pyftpdlib."""

from __future__ import annotations

import ftplib
import io
import logging
import os
import threading
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.libraries.ways import Place, Simulated, reset

with warnings.catch_warnings():
    # It imports asyncore, which Python 3.10 and 3.11 say is deprecated.
    warnings.simplefilter("ignore", DeprecationWarning)
    from pyftpdlib.authorizers import DummyAuthorizer
    from pyftpdlib.handlers import FTPHandler
    from pyftpdlib.ioloop import IOLoop
    from pyftpdlib.servers import FTPServer, ThreadedFTPServer

LONG = bytes(range(256)) * 2000

# Else it would configure the logging of the whole process.
logging.getLogger("pyftpdlib").addHandler(logging.NullHandler())


@contextmanager
def serving(
    place: Place, kind: type[FTPServer] = FTPServer, **attributes: Any
) -> Iterator[tuple[int, list[str]]]:
    """A server of the place's directory, with a loop of its own; its port, and what befell it."""
    (place.directory / "greeting.txt").write_bytes(b"hello\r\n")
    (place.directory / "long.bin").write_bytes(LONG)
    (place.directory / "huge.bin").write_bytes(LONG * 20)
    for file in place.directory.iterdir():
        os.utime(file, (0, 0))
    authorizer = DummyAuthorizer()
    authorizer.add_user("ann", "secret", str(place.directory), perm="elradfmwMT")
    told: list[str] = []

    class Handler(FTPHandler):
        def on_file_received(self, file: str) -> None:
            told.append(f"received {os.path.basename(file)}")

        def on_incomplete_file_sent(self, file: str) -> None:
            told.append(f"sent half of {os.path.basename(file)}")

        def on_disconnect(self) -> None:
            told.append("disconnected")

    for name, value in {"authorizer": authorizer, **attributes}.items():
        setattr(Handler, name, value)
    over = threading.Event()

    def serve() -> None:
        while not over.is_set():
            server.serve_forever(timeout=0.05, blocking=False)

    with place.server:
        server = kind((place.address, 0), Handler, ioloop=IOLoop())
    thread = place.serve(serve)
    try:
        yield server.address[1], told
    finally:
        over.set()
        thread.join()
        with place.server:
            server.close_all()


@contextmanager
def logged_in(place: Place, port: int, timeout: float = 10) -> Iterator[ftplib.FTP]:
    """A client."""
    ftp = ftplib.FTP()
    ftp.connect(place.address, port, timeout)
    try:
        ftp.login("ann", "secret")
        yield ftp
    finally:
        ftp.close()


def retrieve(ftp: ftplib.FTP, name: str) -> bytes:
    """A file."""
    kept = io.BytesIO()
    ftp.retrbinary(f"RETR {name}", kept.write)
    return kept.getvalue()


def a_session(ftp: ftplib.FTP) -> None:
    """Lists, files there and back, in both types, renaming and deleting."""
    assert sorted(ftp.nlst()) == ["greeting.txt", "huge.bin", "long.bin"]
    # Other facts are the real file system's: which inode it is.
    assert dict(ftp.mlsd(facts=["size"]))["long.bin"] == {"size": str(len(LONG))}
    lines: list[str] = []
    ftp.retrlines("RETR greeting.txt", lines.append)
    assert lines == ["hello"]
    assert retrieve(ftp, "long.bin") == LONG
    assert ftp.storbinary("STOR new.bin", io.BytesIO(LONG)).startswith("226")
    assert ftp.size("new.bin") == len(LONG)
    ftp.rename("new.bin", "newer.bin")
    assert retrieve(ftp, "newer.bin") == LONG
    ftp.delete("newer.bin")
    with pytest.raises(ftplib.error_perm, match="not retrievable"):
        ftp.size("newer.bin")
    assert ftp.quit().startswith("221")


def test_a_session_whose_data_the_client_fetches(place: Place) -> None:
    """Passive: the server listens for the connections of the data."""
    with serving(place) as (port, told):
        with logged_in(place, port) as ftp:
            a_session(ftp)
    assert told == ["received new.bin", "disconnected"]


def test_a_session_whose_data_the_server_brings(place: Place) -> None:
    """Active: the client listens, and its server connects to it."""
    with serving(place) as (port, _), logged_in(place, port) as ftp:
        ftp.set_pasv(False)
        a_session(ftp)


def test_a_server_with_a_thread_for_each_client(place: Place) -> None:
    """And a loop for each of those."""
    with serving(place, ThreadedFTPServer) as (port, _):
        with logged_in(place, port) as one, logged_in(place, port) as other:
            assert retrieve(one, "long.bin") == LONG
            a_session(other)
            one.quit()


def test_without_sendfile(place: Place) -> None:
    """The server reads its files and sends them."""
    with serving(place, use_sendfile=False) as (port, _), logged_in(place, port) as ftp:
        a_session(ftp)


def test_a_wrong_password_costs_three_seconds(simulated: Simulated) -> None:
    """The server's scheduler runs in virtual time."""
    with serving(simulated) as (port, _):
        ftp = ftplib.FTP()
        ftp.connect("server", port)
        begun = time.monotonic()
        with pytest.raises(ftplib.error_perm, match="Authentication failed"):
            ftp.login("ann", "wrong")
        assert 3 <= time.monotonic() - begun <= 3.05
        ftp.close()


def test_a_file_over_a_slow_link(simulated: Simulated) -> None:
    """At 1 Mbit/s half a megabyte takes four seconds."""
    simulated.slow(latency=0.1, bandwidth=1_000_000)
    with serving(simulated) as (port, _), logged_in(simulated, port) as ftp:
        begun = time.monotonic()
        assert retrieve(ftp, "long.bin") == LONG
        assert len(LONG) * 8 / 1_000_000 < time.monotonic() - begun < 10


def test_a_download_that_is_reset_half_way(place: Place) -> None:
    """The server says that the transfer was aborted, and keeps the control connection."""
    with serving(place) as (port, told), logged_in(place, port) as ftp:
        ftp.voidcmd("TYPE I")
        data = ftp.transfercmd("RETR huge.bin")
        assert LONG.startswith(data.recv(1000))
        reset(data)
        with pytest.raises(ftplib.error_temp, match="426"):
            ftp.voidresp()
        assert retrieve(ftp, "greeting.txt") == b"hello\r\n"
        assert told == ["sent half of huge.bin"]
        ftp.quit()


def test_a_server_that_crashes_in_a_download(simulated: Simulated) -> None:
    """The client waits for more until its timeout, exactly, as nothing tells it."""
    simulated.slow(latency=0.1, bandwidth=1_000_000)
    world = simulated.world
    with serving(simulated) as (port, _), logged_in(simulated, port, timeout=20) as ftp:
        ftp.voidcmd("TYPE I")
        data = ftp.transfercmd("RETR long.bin")
        with data:
            crashes = time.monotonic() + 2
            world.at(crashes, world.crash, "server")
            got, last = b"", 0.0

            def receive() -> None:
                nonlocal got, last
                more = b"x"
                while more:
                    last = time.monotonic()
                    more = data.recv(10_000)
                    got += more

            with pytest.raises(TimeoutError):
                receive()
            assert time.monotonic() == last + 20
            # What stood in the queue of the link still came.
            assert crashes < last < crashes + 2
            assert 0 < len(got) < len(LONG)
        world.restart("server")


def test_who_never_speaks_is_disconnected(simulated: Simulated) -> None:
    """After the server's five minutes, or half a minute for data that nobody fetches."""
    with serving(simulated) as (port, _), logged_in(simulated, port, timeout=1000) as ftp:
        begun = time.monotonic()
        ftp.makepasv()
        with pytest.raises(ftplib.error_temp, match="421 Passive data channel timed out"):
            ftp.voidresp()
        assert 30 <= time.monotonic() - begun <= 30.1
        begun = time.monotonic()
        with pytest.raises(ftplib.error_temp, match="421 Control connection timed out"):
            ftp.voidresp()
        assert 270 <= time.monotonic() - begun <= 270.1
