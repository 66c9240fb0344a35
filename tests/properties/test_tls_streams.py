"""TLS over any line and in any mode: what was written is what is read, and each end ends."""

from __future__ import annotations

import ssl
from typing import Any

import attrs
from hypothesis import given
from hypothesis import strategies as st

from simnet import World, tls
from simnet.host import Host
from tests.conformance.tls_pairs import TLS12, TLS13, client_context, server_context
from tests.properties.profiles import examples

CONTEXTS = {
    version: (server_context(version), client_context(version)) for version in (TLS12, TLS13)
}
# None waits, 0 does not and polls, and a short timeout strikes now and then.
MODES = st.sampled_from([None, 0, 0.015])


@attrs.frozen
class Side:
    """What one end does: its writes, its reads at a time, and how it waits."""

    writes: list[int]
    read_size: int
    timeout: float | None
    sndbuf: int | None


SIDES = st.builds(
    Side,
    writes=st.lists(st.integers(0, 60_000), max_size=5),
    read_size=st.sampled_from([1000, 5, 16384, 100_000]),
    timeout=MODES,
    sndbuf=st.sampled_from([None, 4608]),
)
LINES = st.fixed_dictionaries(
    {
        "latency": st.sampled_from([0.0, 0.001, 0.02]),
        "jitter": st.sampled_from([0.0, 0.01]),
        "bandwidth": st.sampled_from([None, 1e7]),
        "loss": st.sampled_from([0.0, 0.05]),
        "mtu": st.sampled_from([1500, 576]),
    }
)


def patiently(host: Host, sock: Any, call: Any, *args: Any) -> Any:
    """Make a call until it is done, whatever the socket's mode."""
    while True:
        try:
            return call(*args)
        except ssl.SSLWantReadError:
            host.select([sock], [], [])
        except ssl.SSLWantWriteError:
            host.select([], [sock], [])
        except TimeoutError:
            host.sleep(0)


def talk(host: Host, sock: Any, context: ssl.SSLContext, side: Side, seed: int) -> bytes:
    """Write and read at once, say goodbye; what was read."""
    sock.settimeout(side.timeout)
    if side.sndbuf is not None:
        sock.setsockopt(1, 7, side.sndbuf)
    server = seed == 0
    wrapped = context.wrap_socket(
        sock,
        server_side=server,
        do_handshake_on_connect=False,
        server_hostname=None if server else "localhost",
        suppress_ragged_eofs=False,
    )
    with wrapped:
        patiently(host, wrapped, wrapped.do_handshake)

        def write() -> None:
            for data in written(side, seed):
                assert patiently(host, wrapped, wrapped.write, data) == len(data)
            patiently(host, wrapped, wrapped.write, END)

        writing = host.spawn(write)
        got = bytearray()
        while not got.endswith(END):
            got += patiently(host, wrapped, wrapped.read, side.read_size)
        writing.result()
        assert patiently(host, wrapped, wrapped.unwrap) is wrapped
    return bytes(got[: -len(END)])


END = b"\xff" * 8


def written(side: Side, seed: int) -> list[bytes]:
    """The data of an end's writes."""
    return [bytes((i * 7 + seed + k) % 251 for i in range(n)) for k, n in enumerate(side.writes)]


@given(SIDES, SIDES, LINES, st.sampled_from([TLS12, TLS13]), st.integers(0, 3))
@examples(25)
def test_what_was_written_is_read(
    one: Side, other: Side, line: dict[str, Any], version: ssl.TLSVersion, seed: int
) -> None:
    """Both ways at once, nothing lost, doubled or mixed up."""
    server_side, client_side = CONTEXTS[version]
    with tls.installed(), World(seed) as world:
        server, client = world.host("server"), world.host("client")
        world.link(server, client, **line)
        with server.create_server(("", 443)) as listener:
            conn = client.create_connection(("server", 443))
            accepted, _ = listener.accept()
        first = server.spawn(talk, server, accepted, server_side, one, 0)
        second = client.spawn(talk, client, conn, client_side, other, 1)
        assert first.result() == b"".join(written(other, 1))
        assert second.result() == b"".join(written(one, 0))
        assert list(world.leftovers()) == []
