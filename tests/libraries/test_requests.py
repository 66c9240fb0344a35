"""requests and urllib3, with http.server."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest
import requests
import urllib3

from tests.libraries import test_http
from tests.libraries.test_http import Server
from tests.libraries.ways import Place, Simulated, reset

# A pool is closed when the last answer that came through it is gone; this need not wait for that.
CLOSE = {"Connection": "close"}


class Handler(test_http.Handler):
    """Pages for clients that keep connections."""

    def page_cut(self) -> None:
        """Half of what was promised, and a reset when another connection asks for it."""
        self.send_response(200)
        self.send_header("Content-Length", "2000")
        self.end_headers()
        self.wfile.write(b"x" * 1000)
        self.event.wait()
        self.close_connection = True
        reset(self.connection)

    def page_go(self) -> None:
        """Lets that reset happen."""
        self.event.set()
        self.answer(b"gone")

    def page_busy(self) -> None:
        """Come back in a minute; the third time is the charm."""
        self.seen.append(time.monotonic())
        if len(self.seen) > 2:
            self.answer(b"at last")
            return
        self.send_response(503)
        self.send_header("Retry-After", "60")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def page_pause(self) -> None:
        """After ten seconds."""
        time.sleep(10)
        self.answer(b"late")


@contextmanager
def serving(place: Place) -> Iterator[str]:
    """A server of those pages; its URL."""

    class ThisHandler(Handler):
        event = threading.Event()
        seen: list[float] = []

    with place.server:
        server = Server((place.bind, 0), ThisHandler)
    with place.serving(server):
        yield f"http://{place.address}:{server.server_port}"


# requests


def test_a_session_keeps_its_connection(place: Place) -> None:
    """Queries, bodies, redirections, errors of the protocol."""
    with serving(place) as url, requests.Session() as session:
        assert session.get(f"{url}/a", params={"b": "c d"}).text == "hello from /a?b=c+d"
        assert session.post(f"{url}/", json={"a": [1, 2]}).json() == {"a": [1, 2]}
        response = session.get(f"{url}/moved")
        assert [each.status_code for each in response.history] == [302]
        assert response.url == f"{url}/new"
        with pytest.raises(requests.HTTPError, match="501"):
            session.delete(f"{url}/a").raise_for_status()
        pools = session.get_adapter(url).poolmanager.pools._container
        assert [(each.num_requests, each.num_connections) for each in pools.values()] == [(5, 1)]


def test_a_body_is_streamed_both_ways(place: Place) -> None:
    """A file that is sent, an answer that is read in pieces."""
    path = place.directory / "body"
    path.write_bytes(b"x" * 300_000)
    with serving(place) as url, requests.Session() as session:
        with path.open("rb") as body:
            response = session.post(f"{url}/", data=body, stream=True, headers=CLOSE)
            assert sum(map(len, response.iter_content(1000))) == 300_000


def test_nobody_listens(place: Place) -> None:
    """The error of the socket is inside that of the library."""
    with serving(place) as url:
        pass
    with pytest.raises(requests.ConnectionError, match="Connection refused"):
        requests.get(url)


def test_a_reset_half_way_breaks_the_body(place: Place) -> None:
    """What came before it is read; the library's error tells of the reset."""
    with serving(place) as url, requests.get(f"{url}/cut", stream=True) as response:
        content = response.iter_content(1000)
        assert next(content) == b"x" * 1000
        assert requests.get(f"{url}/go").text == "gone"
        with pytest.raises(requests.exceptions.ChunkedEncodingError, match="Connection broken"):
            next(content)


def test_a_slow_link_is_measured_by_the_library_itself(simulated: Simulated) -> None:
    """Its stopwatch is the host's: to connect, to ask; nothing to connect the next time."""
    simulated.slow(latency=0.25)
    with serving(simulated) as url, requests.Session() as session:
        assert session.get(f"{url}/a").elapsed.total_seconds() == 1.0
        begun = time.monotonic()
        assert session.get(f"{url}/pause").elapsed.total_seconds() == 10.5
        # Nagle's algorithm holds the body back until the headers are acknowledged.
        assert time.monotonic() - begun == 11.04


def test_requests_of_several_threads_wait_at_the_same_time(simulated: Simulated) -> None:
    """As many of ten seconds each as the server's backlog holds at once."""
    simulated.slow(latency=0.25)
    with serving(simulated) as url, ThreadPoolExecutor(6) as pool:
        answers = pool.map(requests.get, [f"{url}/pause"] * 6)
        assert [answer.text for answer in answers] == ["late"] * 6
        assert time.monotonic() == 11.5


def test_timeouts_to_connect_and_to_read(simulated: Simulated) -> None:
    """Each exactly; the second is for each piece, not for all."""
    simulated.world.unknown = "silence"
    with pytest.raises(requests.ConnectTimeout):
        requests.get("http://192.0.2.1/", timeout=(3, 5))
    assert time.monotonic() == 3.0
    with serving(simulated) as url:
        with pytest.raises(requests.ReadTimeout):
            requests.get(f"{url}/never", timeout=(3, 5))
        assert time.monotonic() == 8.0
        assert requests.get(f"{url}/chunks", timeout=11).content == b"onetwothree"
        assert time.monotonic() == pytest.approx(38, abs=0.05)


def test_a_name_that_nobody_has(simulated: Simulated) -> None:
    """The resolver of the host says so, after the time that it takes."""
    simulated.world.names.fail("nobody.example", socket.EAI_AGAIN, delay=12)
    with pytest.raises(requests.ConnectionError, match="Temporary failure in name resolution"):
        requests.get("http://nobody.example/")
    assert time.monotonic() == 12.0


def test_a_connection_that_the_server_has_closed_meanwhile(simulated: Simulated) -> None:
    """A session looks before it uses one again."""
    with serving(simulated) as url, requests.Session() as session:
        assert session.get(f"{url}/a").ok
        time.sleep(Handler.timeout + 1)
        assert session.get(f"{url}/b").text == "hello from /b"


def test_a_server_that_crashes_and_returns(simulated: Simulated) -> None:
    """What was on its way times out, then what would connect; a kept connection is reset."""
    with simulated.server:
        server = Server(("", 80), Handler)
    simulated.serve(server.serve_forever)
    with requests.Session() as asking, requests.Session() as resting:
        assert asking.get("http://server/a").ok
        assert resting.get("http://server/a").ok
        simulated.world.crash("server")
        begun = time.monotonic()
        with pytest.raises(requests.ReadTimeout):
            asking.get("http://server/a", timeout=20)
        with pytest.raises(requests.ConnectTimeout):
            asking.get("http://server/a", timeout=30)
        assert time.monotonic() - begun == 50.0
        simulated.world.restart("server")
        with pytest.raises(requests.ConnectionError, match="Connection reset by peer"):
            resting.get("http://server/a")
        with pytest.raises(requests.ConnectionError, match="Connection refused"):
            resting.get("http://server/a")
        with simulated.server:
            server = Server(("", 80), Handler)
        with simulated.serving(server):
            assert requests.get("http://server/b").text == "hello from /b"


# urllib3


def test_a_pool_of_urllib3(place: Place) -> None:
    """Of one connection, for which threads wait in line."""
    with serving(place) as url:
        with urllib3.PoolManager(maxsize=1, block=True) as http, ThreadPoolExecutor(3) as pool:
            answers = pool.map(http.request, ["GET"] * 9, [f"{url}/{n}" for n in range(9)])
            assert [each.data for each in answers] == [b"hello from /%d" % n for n in range(9)]
            assert [each.num_connections for each in http.pools._container.values()] == [1]


def test_retries_back_off(simulated: Simulated) -> None:
    """Refused at 0, 0, 2 and 6 s: the waits are the library's own."""
    retries = urllib3.Retry(3, backoff_factor=1)
    with urllib3.PoolManager() as http:
        with pytest.raises(urllib3.exceptions.MaxRetryError, match="Connection refused"):
            http.request("GET", "http://server/", retries=retries)
    assert time.monotonic() == 6.0


def test_retries_when_the_server_says(simulated: Simulated) -> None:
    """Retry-After: in a minute; twice."""
    with serving(simulated) as url, urllib3.PoolManager() as http:
        assert http.request("GET", f"{url}/busy").data == b"at last"
        assert time.monotonic() == pytest.approx(120, abs=0.2)


def test_a_total_timeout_of_urllib3(simulated: Simulated) -> None:
    """What connecting took is taken off what is left for reading."""
    simulated.slow(latency=1)
    timeout = urllib3.Timeout(total=30)
    with serving(simulated) as url, urllib3.PoolManager(timeout=timeout, retries=False) as http:
        with pytest.raises(urllib3.exceptions.ReadTimeoutError):
            http.request("GET", f"{url}/never")
        assert time.monotonic() == 30.0


def test_options_of_the_socket_reach_it(place: Place) -> None:
    """Through the pool's keywords, as users of urllib3 set keepalive."""
    option = socket.SOL_SOCKET, socket.SO_KEEPALIVE

    def is_kept_alive(http: urllib3.PoolManager, url: str) -> int:
        response = http.request("GET", url, preload_content=False)
        kept: int = response.connection.sock.getsockopt(*option)
        response.drain_conn()
        return kept

    with serving(place) as url:
        with urllib3.PoolManager(socket_options=[(*option, 1)]) as http:
            assert is_kept_alive(http, url) == 1
        with urllib3.PoolManager() as http:
            assert is_kept_alive(http, url) == 0
