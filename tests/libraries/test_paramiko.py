"""paramiko: an SSH client and an SSH server, whose transports are threads, with SFTP."""

from __future__ import annotations

import errno
import os
import select
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import paramiko
import pytest

from tests.libraries.ways import Place, Simulated


class Server(paramiko.ServerInterface):
    """One user, and some commands."""

    def check_auth_password(self, username: str, password: str) -> int:
        good = (username, password) == ("user", "secret")
        return paramiko.AUTH_SUCCESSFUL if good else paramiko.AUTH_FAILED

    def check_channel_request(self, kind: str, chanid: int) -> int:
        return paramiko.OPEN_SUCCEEDED

    def check_channel_direct_tcpip_request(
        self, chanid: int, origin: tuple[str, int], destination: tuple[str, int]
    ) -> int:
        return paramiko.OPEN_FAILED_ADMINISTRATIVELY_PROHIBITED

    def check_channel_exec_request(self, channel: paramiko.Channel, command: bytes) -> bool:
        threading.Thread(target=self.execute, args=(channel, command.decode())).start()
        return True

    def execute(self, channel: paramiko.Channel, command: str) -> None:
        """What a shell would do."""
        word, _, rest = command.partition(" ")
        if word == "sleep":
            time.sleep(float(rest))
        elif word == "upper":
            with channel.makefile("rb") as stdin:
                channel.sendall(stdin.read().upper())
        elif word == "fail":
            channel.sendall_stderr(b"no such command\n")
        else:
            channel.sendall(rest.encode())
        channel.send_exit_status(int(word == "fail"))
        channel.shutdown_write()  # the client closes: it may not have heard yet that this began


class Files(paramiko.SFTPServerInterface):
    """The files of a directory."""

    root = ""

    def path(self, path: str) -> str:
        return self.root + self.canonicalize(path)

    def list_folder(self, path: str) -> list[paramiko.SFTPAttributes] | int:
        return [
            paramiko.SFTPAttributes.from_stat(os.stat(f"{self.path(path)}/{name}"), name)
            for name in sorted(os.listdir(self.path(path)))
        ]

    def stat(self, path: str) -> paramiko.SFTPAttributes | int:
        try:
            return paramiko.SFTPAttributes.from_stat(os.stat(self.path(path)))
        except OSError as exc:
            return paramiko.SFTPServer.convert_errno(exc.errno or 0)

    def open(
        self, path: str, flags: int, attr: paramiko.SFTPAttributes
    ) -> paramiko.SFTPHandle | int:
        writes = flags & (os.O_WRONLY | os.O_RDWR)
        try:
            file = open(self.path(path), "wb" if writes else "rb")
        except OSError as exc:
            return paramiko.SFTPServer.convert_errno(exc.errno or errno.EIO)
        handle = paramiko.SFTPHandle(flags)
        handle.readfile = handle.writefile = file  # type: ignore[attr-defined]
        return handle


@pytest.fixture(scope="module")
def host_key() -> paramiko.PKey:
    """What the server shows to its clients."""
    return paramiko.ECDSAKey.generate()


@contextmanager
def serving(place: Place, host_key: paramiko.PKey) -> Iterator[int]:
    """A server that accepts until it is told to stop; its port."""

    class TheseFiles(Files):
        root = str(place.directory)

    def serve() -> None:
        while True:
            try:
                conn, _ = listener.accept()
            except OSError:
                return
            transport = paramiko.Transport(conn)
            transports.append(transport)
            transport.add_server_key(host_key)
            transport.set_subsystem_handler("sftp", paramiko.SFTPServer, TheseFiles)
            try:
                transport.start_server(server=Server())
            except (paramiko.SSHException, EOFError):
                transport.close()

    transports: list[paramiko.Transport] = []
    with place.server:
        listener = socket.create_server((place.bind, 0))
    thread = place.serve(serve)
    try:
        yield listener.getsockname()[1]
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join()
        for transport in transports:
            transport.close()
            transport.join()


@contextmanager
def connected(place: Place, port: int, password: str = "secret") -> Iterator[paramiko.SSHClient]:
    """A client that trusts whom it meets."""
    with paramiko.SSHClient() as client:
        client.set_missing_host_key_policy(paramiko.AutoAddPolicy())
        client.connect(
            place.address,
            port,
            username="user",
            password=password,
            allow_agent=False,
            look_for_keys=False,
        )
        yield client


def test_commands(place: Place, host_key: paramiko.PKey) -> None:
    """Output, errors, the status; input until its end; several at the same time."""
    with serving(place, host_key) as port, connected(place, port) as client:
        _, stdout, _ = client.exec_command("echo hello")
        assert stdout.read() == b"hello"
        assert stdout.channel.recv_exit_status() == 0
        _, stdout, stderr = client.exec_command("fail")
        assert (stdout.read(), stderr.read()) == (b"", b"no such command\n")
        assert stdout.channel.recv_exit_status() == 1
        running = [client.exec_command("upper") for _ in range(3)]
        for number, (stdin, _, _) in enumerate(running):
            stdin.write(b"abc%d" % number * 10_000)
            stdin.channel.shutdown_write()
        outputs = [stdout.read() for _, stdout, _ in running]
        assert outputs == [b"ABC%d" % number * 10_000 for number in range(3)]


def test_files(place: Place, host_key: paramiko.PKey) -> None:
    """Up, down, a list, one that is not there."""
    (place.directory / "there").write_bytes(bytes(range(256)) * 1000)
    with serving(place, host_key) as port, connected(place, port) as client:
        with client.open_sftp() as sftp:
            assert sftp.listdir() == ["there"]
            with sftp.open("there") as file:
                assert file.read() == bytes(range(256)) * 1000
            with sftp.open("new", "w") as file:
                file.write(b"x" * 100_000)
            assert sftp.stat("new").st_size == 100_000
            with pytest.raises(FileNotFoundError):
                sftp.open("nowhere")
            local = place.directory / "copy"
            sftp.get("there", str(local))
            assert local.read_bytes() == bytes(range(256)) * 1000


def test_who_is_not_let_in(place: Place, host_key: paramiko.PKey) -> None:
    """A wrong password; a key that is not the one that was known; a port that nobody listens on."""
    with serving(place, host_key) as port:
        with pytest.raises(paramiko.AuthenticationException):
            with connected(place, port, password="guess"):
                pass
        with (
            paramiko.SSHClient() as client,
            pytest.raises(paramiko.SSHException, match="not found"),
        ):
            client.connect(place.address, port, allow_agent=False, look_for_keys=False)
    with pytest.raises(paramiko.ssh_exception.NoValidConnectionsError):
        with connected(place, port):
            pass


def test_a_channel_is_polled_through_a_pipe(place: Place, host_key: paramiko.PKey) -> None:
    """fileno() of a channel is a descriptor of the system's, for select()."""
    with serving(place, host_key) as port, connected(place, port) as client:
        _, stdout, _ = client.exec_command("sleep 0.2")
        channel = stdout.channel
        assert select.select([channel], [], [], 0) == ([], [], [])
        assert select.select([channel], [], [], 30) == ([channel], [], [])
        assert channel.recv(1) == b""
        channel.close()


def test_a_slow_link(simulated: Simulated, host_key: paramiko.PKey) -> None:
    """A handshake takes many round trips, a command some."""
    simulated.slow(latency=0.25)
    with serving(simulated, host_key) as port, connected(simulated, port) as client:
        assert 2.5 < time.monotonic() < 8
        begun = time.monotonic()
        _, stdout, _ = client.exec_command("echo hello")
        assert stdout.read() == b"hello"
        assert 1 <= time.monotonic() - begun < 1.6


def test_timeouts(simulated: Simulated, host_key: paramiko.PKey) -> None:
    """Of connecting, of the banner, of what is read from a command."""
    simulated.world.unknown = "silence"
    with paramiko.SSHClient() as client:
        with pytest.raises(TimeoutError):
            client.connect("192.0.2.1", timeout=3)
        assert time.monotonic() == 3.0
    with simulated.server:
        silent = socket.create_server(("", 2222))
    with silent, paramiko.SSHClient() as client:
        begun = time.monotonic()
        with pytest.raises(paramiko.SSHException, match="Error reading SSH protocol banner"):
            client.connect("server", 2222, banner_timeout=10)
        assert time.monotonic() - begun == pytest.approx(10, abs=2.1)
    with serving(simulated, host_key) as port, connected(simulated, port) as client:
        _, stdout, _ = client.exec_command("sleep 120", timeout=60)
        begun = time.monotonic()
        with pytest.raises(TimeoutError):
            stdout.read()
        assert time.monotonic() - begun == pytest.approx(60)
        stdout.channel.settimeout(61)
        assert stdout.read() == b""


def test_a_server_that_crashes_and_returns(simulated: Simulated, host_key: paramiko.PKey) -> None:
    """The transport is told of a reset by the next packet that it sends: a keepalive."""
    with simulated.server:
        listener = socket.create_server(("", 22))

    def serve() -> None:
        conn, _ = listener.accept()
        transport = paramiko.Transport(conn)
        transport.add_server_key(host_key)
        transport.start_server(server=Server())

    simulated.serve(serve)
    with connected(simulated, 22) as client:
        transport = client.get_transport()
        assert transport is not None
        transport.set_keepalive(30)
        _, stdout, _ = client.exec_command("sleep 3600")
        simulated.world.crash("server")
        simulated.world.restart("server")
        begun = time.monotonic()
        assert stdout.read() == b""
        assert stdout.channel.recv_exit_status() == -1
        assert 25 < time.monotonic() - begun < 35
        assert not transport.is_active()
        with pytest.raises(paramiko.SSHException, match="SSH session not active"):
            client.exec_command("echo hello")
