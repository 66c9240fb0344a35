"""The property: a healthy server on a healthy network answers every request."""

from __future__ import annotations

import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from hypothesis import strategies as st

import simnet
from simnet import strategies as net
from tests.examples.pool.broken import Pool
from tests.examples.steady import steady

NEAR_OR_FAR = st.sampled_from([{}, {"latency": 0.1}])
TENTHS = st.integers(0, 60).map(lambda tenths: tenths / 10)


class Hello(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 5  # seconds after which an idle connection is closed

    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "5")
        self.end_headers()
        self.wfile.write(b"hello")

    def log_message(self, *args):
        pass


@steady(max_examples=150)
@simnet.fuzz(
    topology=net.topologies(names=["client", "server"], links=NEAR_OR_FAR),
    pauses=st.lists(TENTHS, max_size=5),
    policy="fifo",
)
def every_request_is_answered(world, pauses):
    with world.patch("server"):
        server = ThreadingHTTPServer(("", 80), Hello)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        with world.hosts["client"]:
            pool = Pool("server", 80)
            for pause in [0, *pauses]:
                time.sleep(pause)
                assert pool.request("GET", "/") == (200, b"hello")
            pool.close()
        server.shutdown()
        server.server_close()
