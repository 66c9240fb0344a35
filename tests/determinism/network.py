"""A story of several hosts, as a script: it prints what happened, as JSON.

python network.py [--seed N] [--record] [--idle]

Streams, datagrams and groups cross links with everything that chance can do to a packet, through a
partition, a hold and a crash; names take time. It needs nothing but simnet.
"""

from __future__ import annotations

import argparse
import errno
import json
import socket
import struct
from typing import Any

import simnet

BAD = {
    "latency": 0.02,
    "jitter": 0.01,
    "loss": 0.1,
    "duplicate": 0.1,
    "reorder": 0.2,
    "corrupt": 0.05,
    "bandwidth": 10_000_000,
    "queue": 50,
}
GROUP = "239.1.2.3"


class NetworkStory:
    """One run: a world, and the transcript of what its tasks saw."""

    def __init__(self, seed: int, record: bool = False, idle: bool = False) -> None:
        self.world = simnet.World(seed=seed, record=record)
        names = ["server", "one", "two", "three"]
        self.hosts = {
            name: self.world.host(name, ip=f"10.0.0.{10 + i}", unknown="silence")
            for i, name in enumerate(names)
        }
        self.world.default_link(**BAD)
        if idle:
            # They have a link, and talk to nobody of the story.
            for name in ("idle", "other"):
                self.world.host(name, ip=f"10.9.9.{len(name)}/32")
            self.world.link("idle", "other", loss=0.5)
            self.world.host("beside", ip="10.8.8.8/32")
            self.world.link("beside", "server", latency=0.5, jitter=0.1)
        self.world.names.add("service", self.hosts["server"], delay=0.05)
        self.lines: list[str] = []

    def say(self, who: str, *what: object) -> None:
        self.lines.append(f"{self.world.now:.9f} {who}: {' '.join(map(str, what))}")

    def serve(self) -> None:
        server = self.hosts["server"]
        with server.create_server(("", 80)) as listener:
            while True:
                connection, _ = listener.accept()
                server.spawn(self.echo, connection)

    def echo(self, connection: Any) -> None:
        with connection:
            try:
                while data := connection.recv(5000):
                    self.say("server", len(data))
                    connection.sendall(data)
            except OSError as error:
                self.say("server", errno.errorcode[error.errno or 0])

    def talk(self, name: str) -> None:
        host = self.hosts[name]
        for size in (10, 1000, 30_000):
            try:
                with host.create_connection(("service", 80), timeout=60) as sock:
                    sock.sendall(bytes(size))
                    left = size
                    while left and (data := sock.recv(4096)):
                        left -= len(data)
                    self.say(name, "echoed", size - left)
            except OSError as error:
                self.say(name, type(error).__name__)
                host.sleep(1)

    def listen(self, name: str) -> None:
        with self.hosts[name].socket(type=socket.SOCK_DGRAM) as sock:
            sock.bind(("", 6000))
            member = socket.inet_aton(GROUP) + struct.pack("4si", b"", 2)
            sock.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, member)
            sock.settimeout(30)
            try:
                while True:
                    data, sender = sock.recvfrom(100)
                    self.say(name, data, sender[0])
            except TimeoutError:
                self.say(name, "heard enough")

    def tell(self) -> None:
        with self.hosts["one"].socket(type=socket.SOCK_DGRAM) as sock:
            for number in range(30):
                sock.sendto(b"%d" % number, (GROUP, 6000))
                self.hosts["one"].sleep(0.1)

    def run(self) -> dict[str, Any]:
        world = self.world
        self.hosts["server"].spawn(self.serve)
        for name in ("one", "two", "three"):
            self.hosts[name].spawn(self.talk, name)
            self.hosts[name].spawn(self.listen, name)
        self.hosts["one"].spawn(self.tell)
        world.at(1, world.partition, "one", ["server", "two"])
        world.at(2, world.hold, "two", "three")
        world.at(4, world.release, "two", "three")
        world.at(5, world.heal)
        world.at(8, world.crash, "server")
        world.at(9, world.restart, "server")
        world.at(9, lambda: self.hosts["server"].spawn(self.serve))
        world.run()
        digest = world.trace.digest()
        world.close()
        return {"transcript": self.lines, "digest": digest}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--record", action="store_true")
    parser.add_argument("--idle", action="store_true")
    options = parser.parse_args()
    print(json.dumps(NetworkStory(options.seed, options.record, options.idle).run()))


if __name__ == "__main__":
    main()
