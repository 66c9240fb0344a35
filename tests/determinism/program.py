"""A program that does a little of everything, as a script: it prints what happened, as JSON.

python program.py [--seed N] [--record] [--idle-host] [--twice]

It needs nothing but simnet, so that any interpreter that has simnet can run it.
"""

from __future__ import annotations

import argparse
import array
import errno
import json
import select
import selectors
import socket
from typing import Any

import simnet

CLIENTS = 5
PORT = 7000


class Story:
    """One run: a world, its hosts, and the transcript of what the tasks saw."""

    def __init__(self, seed: int, record: bool = False, idle_host: bool = False) -> None:
        self.world = simnet.World(seed=seed, record=record)
        if idle_host:
            self.world.host("idle", ip="10.9.9.9")
        self.server = self.world.host("server", ip=("10.0.0.1", "fd00::1"))
        self.client = self.world.host("client", ip=("10.0.0.2", "fd00::2"))
        self.lines: list[str] = []

    def say(self, who: str, *what: object) -> None:
        self.lines.append(f"{self.world.now:.6f} {who}: {' '.join(map(str, what))}")

    def attempt(self, who: str, call: Any, *args: Any) -> Any:
        """Make a call, and say what it gave or which error."""
        name = getattr(call, "__name__", "call")
        try:
            result = call(*args)
        except OSError as error:
            code = errno.errorcode.get(error.errno or 0, "none")
            self.say(who, name, type(error).__name__, code)
            return None
        self.say(who, name, "ok" if isinstance(result, tuple | type(None)) else repr(result))
        return result

    # TCP: an echo server with threads, clients of mixed manners

    def serve(self, listener: Any) -> None:
        handlers = []
        for number in range(CLIENTS):
            sock, _ = listener.accept()
            handlers.append(self.server.spawn(self.echo, number, sock))
        for handler in handlers:
            handler.join()
        listener.close()

    def echo(self, number: int, sock: Any) -> None:
        who = f"echo {number}"
        with sock:
            while True:
                try:
                    data = sock.recv(3000)
                except ConnectionResetError:
                    return self.say(who, "reset")
                self.say(who, len(data), data[:4])
                if not data:
                    return None
                sock.sendall(data)

    def talk(self, number: int) -> None:
        who = f"client {number}"
        family = socket.AF_INET6 if number % 2 else socket.AF_INET
        ip = self.server.addresses[number % 2]
        with self.client.socket(family, socket.SOCK_STREAM) as sock:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 5000)
            sock.connect((ip, PORT))
            for turn in range(3):
                message = f"{number}-{turn} ".encode() * (10 ** (turn + 1))
                sender = self.client.spawn(sock.sendall, message)
                self.say(who, len(sock.recv(len(message), socket.MSG_WAITALL)))
                sender.join()
                self.client.sleep(0.001 * number)
            if number == 3:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            elif number % 2:
                sock.shutdown(socket.SHUT_WR)
                self.say(who, sock.recv(10))

    # UDP, errors and timeouts

    def datagrams(self) -> None:
        with self.server.socket(type=socket.SOCK_DGRAM) as box:
            box.bind(("0.0.0.0", PORT))
            with self.client.socket(type=socket.SOCK_DGRAM) as sock:
                sock.connect((self.server.addresses[0], PORT))
                for size in (0, 1, 1000, 65507):
                    sock.send(b"d" * size)
                    self.say("udp", len(box.recvfrom(65536)[0]))
                self.attempt("udp", sock.send, bytes(65508))
                sock.settimeout(0.25)
                self.attempt("udp", sock.recv, 10)
        with self.client.socket(type=socket.SOCK_DGRAM) as sock:
            sock.connect((self.server.addresses[0], PORT + 1))
            for _ in range(3):
                self.attempt("refused", sock.send, b"x")

    def failures(self) -> None:
        with self.client.socket() as sock:
            self.attempt("failing", sock.connect, (self.server.addresses[0], PORT + 2))
            self.attempt("failing", sock.getpeername)
            self.attempt("failing", sock.bind, ("203.0.113.1", 0))
        self.attempt("failing", self.client.getaddrinfo, "no-such-host", 80)
        self.attempt("failing", self.client.getaddrinfo, "server", 80)
        with self.server.socket() as full:
            full.bind(("10.0.0.1", 0))
            full.listen(0)
            waiting = [self.client.socket() for _ in range(3)]
            for sock in waiting:
                sock.settimeout(0.5)
                self.attempt("backlog", sock.connect, full.getsockname())
            for sock in waiting:
                sock.close()

    # Unix sockets and pollers

    def unix(self) -> None:
        path = f"{self.server.files.tempdir()}/s"
        with self.server.socket(socket.AF_UNIX) as listener:
            listener.bind(path)
            listener.listen()
            with self.server.socket(socket.AF_UNIX) as sock:
                sock.connect(path)
                peer, _ = listener.accept()
                rights = array.array("i", [listener.fileno()])
                sock.sendmsg([b"fd"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, rights)])
                data, items, flags, _ = peer.recvmsg(10, socket.CMSG_SPACE(4))
                numbers = array.array("i", items[0][2])
                self.say("unix", data, len(numbers), flags)
                self.server.socket(fileno=numbers[0]).close()
                peer.close()
                self.attempt("unix", sock.send, b"x")
        a, b = self.server.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with a, b:
            a.send(b"one")
            a.send(b"two")
            self.say("pair", b.recv(2), b.recv(9))
        with self.server.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as box:
            box.bind("")
            with self.server.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
                sock.setblocking(False)
                for _ in range(12):
                    self.attempt("queue", sock.sendto, b"m", box.getsockname())

    def pollers(self) -> None:
        pairs = [self.server.socketpair() for _ in range(4)]
        poll, epoll = self.server.poll(), self.server.epoll()
        names = {}
        with self.server.selector() as selector:
            for number, (a, _) in enumerate(pairs):
                names[a.fileno()] = number
                poll.register(a, select.POLLIN)
                epoll.register(a, select.EPOLLIN | select.EPOLLET)
                selector.register(a, selectors.EVENT_READ, number)
            for _, b in pairs:
                self.server.spawn(self.later, b)
            for _ in range(3):
                ready = self.server.select([a for a, _ in pairs], [], [], 1)[0]
                self.say("select", [names[a.fileno()] for a in ready])
                self.say("poll", [(names[n], bits) for n, bits in poll.poll(10)])
                self.say("epoll", [(names[n], bits) for n, bits in epoll.poll(0.01)])
                self.say("selector", [key.data for key, _ in selector.select(0.002)])
                self.server.sleep(0.003)
        epoll.close()
        for sock in (sock for pair in pairs for sock in pair):
            sock.close()

    def later(self, sock: Any) -> None:
        self.server.sleep(0.002)
        sock.send(b"now")

    # All of it

    def run(self) -> dict[str, Any]:
        listener = self.server.create_server(
            ("::", PORT), family=socket.AF_INET6, dualstack_ipv6=True, backlog=10
        )
        tasks = [self.server.spawn(self.serve, listener)]
        tasks += [self.client.spawn(self.talk, number) for number in range(CLIENTS)]
        for part in (self.datagrams, self.failures, self.unix, self.pollers):
            tasks.append(self.server.spawn(part))
        self.world.run()
        for task in tasks:
            task.result()
        with self.client.socket() as sock, self.server.create_server(("10.0.0.1", 0)) as alone:
            sock.connect(alone.getsockname())
            try:
                sock.recv(1)
            except simnet.Deadlock:
                self.say("main", "deadlock")
        left = self.world.leftovers()
        return {"transcript": self.lines, "left": left, "digest": self.world.trace.digest()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--record", action="store_true")
    parser.add_argument("--idle-host", action="store_true")
    options = parser.parse_args()
    print(json.dumps(Story(options.seed, options.record, options.idle_host).run()))


if __name__ == "__main__":
    main()
