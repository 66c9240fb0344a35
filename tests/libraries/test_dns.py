"""dnspython, blocking and asyncio, over UDP and TCP, with a server of its own messages."""

from __future__ import annotations

import asyncio
import socketserver
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import dns.asyncquery
import dns.asyncresolver
import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.query
import dns.rcode
import dns.resolver
import dns.rrset
import pytest

from tests.libraries.ways import Place, Simulated, reset

ZONE: dict[tuple[str, str], list[str]] = {
    ("www.example.", "A"): ["192.0.2.1", "192.0.2.2"],
    ("www.example.", "AAAA"): ["2001:db8::1"],
    ("alias.example.", "CNAME"): ["www.example."],
    ("example.", "MX"): ["10 mail.example."],
    ("long.example.", "TXT"): [f'"{number} {"x" * 200}"' for number in range(40)],
    ("4.3.2.1.in-addr.arpa.", "PTR"): ["www.example."],
    ("slow.example.", "A"): ["192.0.2.3"],
    ("reset.example.", "A"): ["192.0.2.4"],
}


def answered(wire: bytes) -> tuple[str, dns.message.Message]:
    """The name that a query asks for, and the answer."""
    query = dns.message.from_wire(wire)
    question = query.question[0]
    name, kind = str(question.name), dns.rdatatype.to_text(question.rdtype)
    response = dns.message.make_response(query)
    while (name, "CNAME") in ZONE and kind != "CNAME":
        (alias,) = ZONE[name, "CNAME"]
        response.answer.append(dns.rrset.from_text(name, 300, "IN", "CNAME", alias))
        name = alias
    if (name, kind) in ZONE:
        response.answer.append(dns.rrset.from_text(name, 300, "IN", kind, *ZONE[name, kind]))
    elif not any(name == known for known, _ in ZONE):
        response.set_rcode(dns.rcode.NXDOMAIN)
    return str(question.name), response


class OverUDP(socketserver.DatagramRequestHandler):
    """A query is a datagram; an answer that is too long says so."""

    def handle(self) -> None:
        name, response = answered(self.rfile.read())
        if name == "slow.example.":
            time.sleep(3)
        try:
            self.wfile.write(response.to_wire(max_size=512))
        except dns.exception.TooBig:
            response.answer.clear()
            response.flags |= dns.flags.TC
            self.wfile.write(response.to_wire())


class OverTCP(socketserver.StreamRequestHandler):
    """Queries and answers come after their lengths."""

    def handle(self) -> None:
        while length := self.rfile.read(2):
            name, response = answered(self.rfile.read(int.from_bytes(length, "big")))
            wire = response.to_wire()
            if name == "reset.example.":
                self.wfile.write(len(wire).to_bytes(2, "big") + wire[:20])
                reset(self.connection)
                return
            self.wfile.write(len(wire).to_bytes(2, "big") + wire)


@contextmanager
def serving(place: Place) -> Iterator[int]:
    """A server of names over both, on one port."""
    with ExitStack() as stack:
        with place.server:
            over_tcp = socketserver.ThreadingTCPServer((place.bind, 0), OverTCP)
        stack.enter_context(place.serving(over_tcp))
        port = over_tcp.server_address[1]
        with place.server:
            over_udp = socketserver.ThreadingUDPServer((place.bind, port), OverUDP)
        stack.enter_context(place.serving(over_udp))
        yield port


@contextmanager
def resolving(
    place: Place, kind: Callable[..., Any] = dns.resolver.Resolver, **options: Any
) -> Iterator[Any]:
    """A resolver that asks the server."""
    with serving(place) as port:
        resolver = kind(configure=False)
        resolver.nameservers, resolver.port = [place.ip], port
        for name, value in options.items():
            setattr(resolver, name, value)
        yield resolver


def texts(answer: Any) -> list[str]:
    """The records of an answer; they come in any order."""
    return sorted(str(record) for record in answer)


# Blocking


def test_names_of_several_kinds(place: Place) -> None:
    """Addresses, an alias, a mail server, an address's name; what is not there."""
    with resolving(place) as resolver:
        assert texts(resolver.resolve("www.example.")) == ["192.0.2.1", "192.0.2.2"]
        assert texts(resolver.resolve("www.example.", "AAAA")) == ["2001:db8::1"]
        alias = resolver.resolve("alias.example.")
        assert (str(alias.canonical_name), len(alias)) == ("www.example.", 2)
        assert texts(resolver.resolve("example.", "MX")) == ["10 mail.example."]
        assert texts(resolver.resolve_address("1.2.3.4")) == ["www.example."]
        with pytest.raises(dns.resolver.NXDOMAIN):
            resolver.resolve("nobody.example.")
        with pytest.raises(dns.resolver.NoAnswer):
            resolver.resolve("www.example.", "MX")


def test_a_long_answer_comes_over_tcp(place: Place) -> None:
    """The datagram says that it was too long for it."""
    with resolving(place) as resolver:
        assert len(resolver.resolve("long.example.", "TXT")) == 40
        query = dns.message.make_query("long.example.", "TXT")
        asked = dns.query.udp(query, place.ip, 10, resolver.port)
        assert asked.flags & dns.flags.TC
        response, over_tcp = dns.query.udp_with_fallback(query, place.ip, 10, resolver.port)
        assert over_tcp
        assert len(response.answer[0]) == 40


def test_a_reset_in_an_answer_over_tcp(place: Place) -> None:
    """Half of it had come."""
    with serving(place) as port:
        query = dns.message.make_query("reset.example.", "A")
        with pytest.raises((ConnectionResetError, EOFError)):
            dns.query.tcp(query, place.ip, 10, port)


def test_nobody_listens(simulated: Simulated) -> None:
    """Over TCP that is an error at once; over UDP, on a socket that is not connected, silence."""
    query = dns.message.make_query("www.example.", "A")
    with pytest.raises(ConnectionRefusedError):
        dns.query.tcp(query, simulated.ip, 10, 53)
    assert time.monotonic() == 0
    with pytest.raises(dns.exception.Timeout):
        dns.query.udp(query, simulated.ip, 10, 53)
    assert time.monotonic() == 10


def test_a_lost_query_is_asked_again(simulated: Simulated) -> None:
    """After two seconds, and a tenth of one; the answer to a slow one comes late."""
    simulated.slow(latency=0.1)
    world = simulated.world
    with resolving(simulated, timeout=2, lifetime=20) as resolver:
        resolver.resolve("www.example.")
        assert time.monotonic() == 0.2
        with world.drop("client", "server", packets="UDP"):
            assert len(resolver.resolve("www.example.")) == 2
        assert time.monotonic() == 2.5
        resolver.timeout = 5
        begun = time.monotonic()
        assert texts(resolver.resolve("slow.example.")) == ["192.0.2.3"]
        assert time.monotonic() == begun + 3.2
        with world.partition("server"), pytest.raises(dns.resolver.LifetimeTimeout):
            resolver.resolve("www.example.")
        # It looks at its lifetime after a pause between two tries, which is two seconds at most.
        assert begun + 23.2 <= time.monotonic() < begun + 25.2


def test_another_server_is_asked(simulated: Simulated) -> None:
    """When the first does not answer; the cache answers without any."""
    simulated.world.unknown = "silence"
    with resolving(simulated, timeout=2, cache=dns.resolver.Cache()) as resolver:
        resolver.nameservers = ["192.0.2.53", simulated.ip]
        assert len(resolver.resolve("www.example.")) == 2
        assert time.monotonic() == 2.0
        resolver.nameservers = ["192.0.2.53"]
        assert len(resolver.resolve("www.example.")) == 2
        time.sleep(301)  # what was kept has expired
        with pytest.raises(dns.resolver.LifetimeTimeout):
            resolver.resolve("www.example.")


# asyncio


def test_asyncio_over_udp_and_tcp(place: Place) -> None:
    """Several questions at the same time, a long answer, a query over TCP alone."""

    async def main(resolver: Any) -> None:
        kinds = [("www.example.", "A"), ("www.example.", "AAAA"), ("long.example.", "TXT")]
        answers = await asyncio.gather(*(resolver.resolve(*kind) for kind in kinds))
        assert [len(answer) for answer in answers] == [2, 1, 40]
        query = dns.message.make_query("www.example.", "A")
        response = await dns.asyncquery.tcp(query, place.ip, 10, resolver.port)
        assert len(response.answer[0]) == 2
        query = dns.message.make_query("reset.example.", "A")
        with pytest.raises((ConnectionResetError, EOFError)):
            await dns.asyncquery.tcp(query, place.ip, 10, resolver.port)

    with resolving(place, dns.asyncresolver.Resolver) as resolver:
        asyncio.run(main(resolver))


def test_asyncio_timeouts(simulated: Simulated) -> None:
    """As for the blocking one."""

    async def main(resolver: Any) -> None:
        with simulated.world.drop("client", "server", packets="UDP"):
            assert len(await resolver.resolve("www.example.")) == 2
        # The loop's selector waits for whole milliseconds, rounded up.
        assert 2.3 <= time.monotonic() <= 2.302
        begun = time.monotonic()
        with simulated.world.partition("server"):
            with pytest.raises(dns.resolver.LifetimeTimeout):
                await resolver.resolve("www.example.")
        assert begun + 20 <= time.monotonic() < begun + 22

    simulated.slow(latency=0.1)
    options = {"timeout": 2, "lifetime": 20}
    with resolving(simulated, dns.asyncresolver.Resolver, **options) as resolver:
        asyncio.run(main(resolver))
