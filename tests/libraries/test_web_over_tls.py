"""Clients and servers of the web over TLS, each with the context or the files that it takes."""

from __future__ import annotations

import asyncio
import gc
import time
from pathlib import Path
from typing import Any

import aiohttp
import httpx
import pytest
import requests
import tornado.httpclient
import tornado.httpserver
import urllib3
import websockets.asyncio.client
import websockets.asyncio.server
import websockets.sync.client
import websockets.sync.server
from aiohttp import web

from tests.conformance.tls_pairs import authority, certificate, client_context, server_context
from tests.libraries import (
    test_aiohttp,
    test_httpx,
    test_over_tls,
    test_requests,
    test_tornado,
    test_websockets,
)
from tests.libraries.test_over_tls import Contexts
from tests.libraries.ways import Place, Simulated

LONG = b"x" * 300_000


@pytest.fixture
def contexts() -> Contexts:
    """Made inside the program (keys differ from run to run, so that these are no stories)."""
    return Contexts(server_context(None, "server", "127.0.0.1", "10.0.0.1"), client_context())


@pytest.fixture
def files(tmp_path: Path) -> dict[str, str]:
    """The same as files: whom to trust, and a certificate with its key."""
    made = certificate("server", "127.0.0.1")
    paths = {name: str(tmp_path / f"{name}.pem") for name in ("authority", "certificate", "key")}
    authority().cert_pem.write_to_path(paths["authority"])
    made.cert_chain_pems[0].write_to_path(paths["certificate"])
    made.private_key_pem.write_to_path(paths["key"])
    return paths


# requests and urllib3

# urllib3 finds the clock of a new world, at the beginning of the year 2000, unlikely.
early = pytest.mark.filterwarnings("ignore:System time is way off")


def https_server(place: Place, contexts: Contexts) -> Any:
    """The pages of test_requests."""

    class ThisHandler(test_requests.Handler):
        event = None  # type: ignore[assignment]

    with place.server:
        server = test_requests.Server((place.bind, 0), ThisHandler)
    return test_over_tls.serving(place, server, contexts)


@early
def test_requests_over_tls(place: Place, contexts: Contexts, files: dict[str, str]) -> None:
    """Whom nobody vouches for is not spoken to."""
    with https_server(place, contexts) as port, requests.Session() as session:
        url = f"https://{place.address}:{port}"
        trusted = files["authority"]
        assert session.get(f"{url}/a", verify=trusted).text == "hello from /a"
        response = session.post(f"{url}/", data=LONG, headers=test_requests.CLOSE, verify=trusted)
        assert response.content == LONG
        with pytest.raises(requests.exceptions.SSLError, match="certificate verify failed"):
            requests.get(url, verify=True)


@early
def test_urllib3_over_tls(place: Place, contexts: Contexts) -> None:
    """With a context; a name that the certificate does not have is refused."""
    with https_server(place, contexts) as port:
        with urllib3.PoolManager(ssl_context=contexts.client, retries=False) as http:
            url = f"https://{place.address}:{port}"
            assert http.request("GET", f"{url}/a").data == b"hello from /a"
        with urllib3.PoolManager(
            ssl_context=contexts.client, assert_hostname="elsewhere", retries=False
        ) as http:
            with pytest.raises(urllib3.exceptions.SSLError, match="elsewhere"):
                http.request("GET", f"{url}/a")


@early
def test_requests_over_tls_and_a_slow_link(
    simulated: Simulated, contexts: Contexts, files: dict[str, str]
) -> None:
    """Round trips to connect, to shake hands, to ask; a timeout at its instant.

    Nagle's algorithm holds the headers back until what TLS sends on its own is acknowledged.
    """
    simulated.slow(latency=0.25)
    with https_server(simulated, contexts) as port, requests.Session() as session:
        trusted = files["authority"]
        url = f"https://server:{port}"
        assert session.get(f"{url}/a", verify=trusted).elapsed.total_seconds() == 2.04
        begun = time.monotonic()
        with pytest.raises(requests.ReadTimeout):
            session.get(f"{url}/never", timeout=7, verify=trusted)
        assert time.monotonic() - begun == pytest.approx(7)


# httpx and uvicorn


def test_httpx_over_tls(place: Place, contexts: Contexts, files: dict[str, str]) -> None:
    """Blocking and in a loop; uvicorn reads files."""

    async def main() -> bytes:
        async with httpx.AsyncClient(verify=contexts.client) as client:
            answers = await asyncio.gather(*(client.get(f"{url}/{n}") for n in range(5)))
            assert [each.text for each in answers] == [f"hello from /{n}" for n in range(5)]
            return (await client.post(f"{url}/echo", content=LONG)).content

    server = {"ssl_certfile": files["certificate"], "ssl_keyfile": files["key"]}
    with test_httpx.serving(place, **server) as url:
        url = url.replace("http:", "https:")
        with httpx.Client(verify=contexts.client) as client:
            assert client.get(f"{url}/a").text == "hello from /a"
        assert asyncio.run(main()) == LONG
        with pytest.raises(httpx.ConnectError, match="certificate verify failed"):
            httpx.get(url)


def test_httpx_is_reset_half_way_over_tls(
    place: Place, contexts: Contexts, files: dict[str, str]
) -> None:
    """What came before it is read."""
    server = {"ssl_certfile": files["certificate"], "ssl_keyfile": files["key"]}
    with test_httpx.serving(place, **server) as url:
        url = url.replace("http:", "https:")
        with httpx.stream("GET", f"{url}/cut", verify=contexts.client) as response:
            content = response.iter_raw(1000)
            assert next(content) == b"x" * 1000
            with pytest.raises((httpx.ReadError, httpx.RemoteProtocolError)):
                next(content)


# aiohttp


def test_aiohttp_over_tls(place: Place, contexts: Contexts) -> None:
    """Requests and messages; both in one loop."""

    async def main() -> None:
        runner = web.AppRunner(test_aiohttp.make_app())
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=contexts.server).start()
        port = runner.addresses[0][1]
        connector = aiohttp.TCPConnector(ssl=contexts.client)
        url = f"https://127.0.0.1:{port}"
        async with aiohttp.ClientSession(url, connector=connector) as session:
            async with session.post("/echo", data=LONG) as response:
                assert await response.read() == LONG
            async with session.ws_connect("/talk") as socket:
                await socket.send_str("a")
                assert await socket.receive_str() == "aa"
        with pytest.raises(aiohttp.ClientConnectorCertificateError):
            async with aiohttp.request("GET", url):
                pass
        await runner.cleanup()

    asyncio.run(main())


def test_aiohttp_over_tls_and_a_slow_link(simulated: Simulated, contexts: Contexts) -> None:
    """Round trips to connect, to shake hands, to ask; a timeout of the whole."""

    async def serve() -> None:
        runner = web.AppRunner(test_aiohttp.make_app(), shutdown_timeout=1)
        await runner.setup()
        await web.TCPSite(runner, "", 443, ssl_context=contexts.server).start()
        await asyncio.sleep(60)
        await runner.cleanup()

    async def ask() -> None:
        connector = aiohttp.TCPConnector(ssl=contexts.client)
        async with aiohttp.ClientSession("https://server", connector=connector) as session:
            begun = time.monotonic()
            async with session.get("/a") as response:
                assert await response.text() == "hello from /a"
            assert time.monotonic() - begun == pytest.approx(1.5, abs=0.001)
            begun = time.monotonic()
            with pytest.raises(asyncio.TimeoutError):
                await session.get("/pause", timeout=aiohttp.ClientTimeout(4))
            assert time.monotonic() - begun == pytest.approx(4, abs=0.002)
        await asyncio.sleep(1)  # as aiohttp asks for, to say farewell over TLS

    simulated.slow(latency=0.25)
    serving = simulated.spawn(asyncio.run, serve())
    time.sleep(1)
    asyncio.run(ask())
    serving.result()


# websockets


def test_websockets_over_tls(place: Place, contexts: Contexts) -> None:
    """The blocking client and server, and those of asyncio."""
    with place.server:
        server = websockets.sync.server.serve(
            test_websockets.answer, place.bind, 0, ssl=contexts.server
        )
    thread = place.serve(server.serve_forever)
    url = f"wss://{place.address}:{server.socket.getsockname()[1]}"
    with websockets.sync.client.connect(url, ssl=contexts.client) as connection:
        for message in ("a", "b" * 100_000, b"\0\1"):
            connection.send(message)
            assert connection.recv(timeout=20) == message * 2

    async def talk() -> None:
        async with websockets.asyncio.client.connect(url, ssl=contexts.client) as connection:
            for message in ("a", "b" * 100_000, b"\0\1"):
                await connection.send(message)
                assert await connection.recv() == message * 2

    asyncio.run(talk())
    test_websockets.stop(place, server, thread)


# asyncio of Python 3.10 does not note that its transport is closed when the other end closes.
@pytest.mark.filterwarnings("ignore:unclosed transport <asyncio.sslproto:ResourceWarning")
def test_websockets_in_a_loop_over_tls(place: Place, contexts: Contexts) -> None:
    """Both on one machine."""

    async def main() -> None:
        async with websockets.asyncio.server.serve(
            test_websockets.answer_in_a_loop, "127.0.0.1", 0, ssl=contexts.server
        ) as server:
            (sock,) = server.sockets
            url = f"wss://127.0.0.1:{sock.getsockname()[1]}"
            async with websockets.asyncio.client.connect(url, ssl=contexts.client) as connection:
                await connection.send("a")
                assert await connection.recv() == "aa"

    asyncio.run(main())
    gc.collect()  # while the warning is told to nobody


# tornado


def test_tornado_over_tls(place: Place, contexts: Contexts) -> None:
    """Its own streams wrap the sockets, without asyncio's transports."""

    def make() -> tornado.httpserver.HTTPServer:
        return tornado.httpserver.HTTPServer(test_tornado.make_app(), ssl_options=contexts.server)

    async def main(port: int) -> None:
        client = tornado.httpclient.AsyncHTTPClient()
        options = {"ssl_options": contexts.client}
        url = f"https://{place.ip}:{port}"
        assert (await client.fetch(f"{url}/a", **options)).body == b"hello from /a"
        response = await client.fetch(f"{url}/", method="POST", body=LONG, **options)
        assert response.body == LONG

    with test_tornado.serving(place, make) as port:
        asyncio.run(main(port))
