"""The property: in whatever pieces a text arrives, its lines are the same."""

from __future__ import annotations

import simnet
from simnet import strategies as net
from tests.examples.lines.broken import read
from tests.examples.steady import steady


@steady(max_examples=300)
@simnet.fuzz(pieces=net.splits(net.lines(), near=b"\r\n"), policy="fifo")
def lines_are_whole(world, pieces):
    server, client = world.host("server", ip="10.0.0.1"), world.host("client", ip="10.0.0.2")

    def serve():
        conn, _ = listener.accept()
        with conn:
            for piece in pieces:
                conn.sendall(piece)
                server.sleep(0.05)  # so that each arrives by itself

    with server.create_server(("10.0.0.1", 2000)) as listener:
        serving = server.spawn(serve)
        with client.create_connection(("10.0.0.1", 2000)) as conn:
            lines = list(read(conn))
        serving.result()
    assert lines == b"".join(pieces).splitlines(), lines
