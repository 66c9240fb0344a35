"""Programs of sockets: stories of calls by several actors, drawn one after another.

A simulated network plays the story while it is drawn: so what is drawn is about sockets that are
there, in the states that they are in, and each step expects what it gave. Calls that block are
among them: other actors go on, and a later step says how it ended.

Not drawn: pollers that last, which a scenario has no words for (`readiness`, `wait_until` and
`select` look once).
"""

from __future__ import annotations

import socket as _socket
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from simnet.scenario.course import sim_only
from simnet.scenario.model import Scenario
from simnet.scenario.runner import Play
from simnet.scenario.setting import Happening, Setting, Wait
from simnet.scenario.stage import OneHost, Stage
from simnet.strategies import calls
from simnet.strategies.author import Author, Ended, Spot
from simnet.strategies.bounds import check_range, chosen
from simnet.strategies.faults import DRAWN, FAMILIES, fault_schedules
from simnet.strategies.topologies import check_names
from simnet.strategies.worlds import stage_of
from simnet.world import localhost

_ACTORS = ("a", "b", "c")
# Seconds within which the faults of a program begin and end.
_UNTIL = 10.0
_INET = (_socket.AF_INET, _socket.AF_INET6)

# Moves: a step, or the few that lead to an interesting state


def connection(author: Author) -> None:
    """A listener, a client, and what accept gives for it."""
    here, there = author.pick(author.spots), author.pick(author.spots)
    listeners = [name for name in author.live(here, *_INET) if author.listens(name)]
    if not listeners:
        author.say(here, "create_server", f'("{here.ip}", 0)')
        listeners = [name for name in author.live(here, *_INET) if author.listens(name)]
    client = (
        author.say(there, "create_connection", f"{listeners[0]}.address") if listeners else None
    )
    server = author.say(here, "accept", "", listeners[0]) if client else None
    if client and server:
        author.meet(client[0], server[0])


def pair(author: Author) -> None:
    """Two connected sockets."""
    ends = author.say(author.pick(author.spots), "socketpair", author.pick(calls.PAIRS))
    if ends:
        author.meet(*ends)


def exchange(author: Author) -> None:
    """One end sends, and the other receives."""
    one = author.some_end()
    if one is not None:
        author.any_of(calls.SENDING, *one)
        author.any_of(calls.RECEIVING, *author.peer_of(one))


def ending(author: Author) -> None:
    """One end closes, or half of it; what does the other learn?"""
    one = author.some_end()
    if one is not None:
        author.any_of(calls.ENDING, *one)
        for _ in range(author.pick((1, 2, 0))):
            author.any_of(author.pick((calls.RECEIVING, calls.SENDING)), *author.peer_of(one))


def passing(author: Author) -> None:
    """A socket is passed over a pair of unix sockets."""
    spot = author.pick(author.spots)
    ends = author.say(spot, "socketpair", "")
    if ends:
        passed = author.pick(author.live(spot))
        author.say(spot, "sendmsg", f'["s"], rights({passed})', ends[0])
        arrived = author.say(spot, "recvmsg", "10, 100", ends[1])
        copy = author.say(spot, "adopt", arrived[1]) if arrived else None
        if copy:
            author.same[copy[0]] = passed


def bound(author: Author) -> None:
    """A socket with a name; of a stream, one that listens."""
    spot = author.pick(author.spots)
    kinds = ("AF_INET, SOCK_DGRAM", "AF_UNIX, SOCK_STREAM", "AF_UNIX, SOCK_DGRAM")
    kind = author.pick(kinds)
    made = author.say(spot, "socket", kind)
    if made:
        (name,) = made
        author.say(spot, "bind", author.unused(spot, name)[0], name)
        if "STREAM" in kind:
            author.say(spot, "listen", "1", name)


def method(author: Author) -> None:
    """A call of a socket."""
    spot = author.pick(author.spots)
    sockets = author.live(spot)
    if sockets:
        author.any_of(calls.METHODS, spot, author.pick(sockets))


def file_method(author: Author) -> None:
    """A call of a file over a socket."""
    spot = author.pick(author.spots)
    if not spot.files and spot.sockets:
        author.any_of(calls.MAKING_FILES, spot, author.pick(author.live(spot)))
    if spot.files:
        author.any_of(calls.OF_FILES, spot, author.pick(list(spot.files)))


def naming(author: Author) -> None:
    """A call about the names of files."""
    spot = author.pick(author.spots)
    if not spot.directories:
        author.say(spot, "tempdir", "")
    author.any_of(calls.ABOUT_NAMES, spot, None)


def about_sockets(author: Author) -> None:
    """A function that looks at a socket."""
    author.any_of(calls.ABOUT_SOCKETS, author.pick(author.spots), None)


def function(author: Author) -> None:
    """A function that needs none."""
    author.any_of(calls.ABOUT_NOTHING, author.pick(author.spots), None)


def wait(author: Author) -> None:
    """Time passes; what was blocked may come back."""
    author.happens([Happening(author.here(), Wait(author.pick((0.1, 1.0))))])
    author.completions()


MOVES = (
    *(exchange, pair, connection, method, bound, ending, exchange, about_sockets),
    *(method, function, file_method, naming, passing, wait),
)


def _write(author: Author, moves: int) -> None:
    """So many moves, and time that passes at least."""
    try:
        for _ in range(moves):
            author.draw(_move(author))
    except Ended:
        pass
    if not author.steps:
        wait(author)


@st.composite
def _move(draw: st.DrawFn, author: Author) -> None:
    """One move: its draws belong together, and go together."""
    draw(st.sampled_from(MOVES))(author)


# The strategy


@contextmanager
def _author(draw: st.DrawFn, setting: Setting | None, actors: Sequence[str]) -> Iterator[Author]:
    """With a network to try out what is drawn."""
    stage: Stage
    if setting is None:
        stage, spots = OneHost(localhost()), [Spot(tuple(actors), "127.0.0.1")]
    else:
        _, stage = stage_of(setting)
        spots = [Spot(host.actors, host.ips[0].partition("/")[0]) for host in setting.hosts]
    play = Play(stage)
    try:
        yield Author(draw, play, stage, spots)
    finally:
        play.close()
        stage.close()


@st.composite
def _program(
    draw: st.DrawFn,
    topology: SearchStrategy[Setting | None],
    actors: Sequence[str],
    moves: SearchStrategy[int],
    faults: Sequence[str],
) -> Scenario:
    setting = draw(topology)
    with _author(draw, setting, actors) as author:
        if setting is not None and faults:
            author.happens(draw(fault_schedules(setting, _UNTIL, faults)))
        _write(author, draw(moves))
    steps = tuple(author.steps)
    cast = tuple(actor for spot in author.spots for actor in spot.actors)
    only = sim_only(None, setting, steps)
    return Scenario(DRAWN, "A program", "What was drawn.", cast, steps, setting, only)


def socket_programs(
    *,
    max_moves: int = 25,
    actors: Sequence[str] = _ACTORS,
    topology: SearchStrategy[Setting] | None = None,
    faults: Iterable[str] = (),
) -> SearchStrategy[Scenario]:
    """A story of calls of sockets, over TCP, UDP, unix sockets and pairs, by several actors.

    Each step expects what a simulated network gives: a value, an error, or that the call blocks;
    what networks choose for themselves (ports, descriptors, the time) is left open. Without a
    `topology` all `actors` are on one host; with one, each host has its own. `faults` are families
    of `fault_schedules`, which happen to the hosts of the topology in the first 10 seconds. A move
    is a step, or the few that lead to an interesting state, such as a connection; a story has one
    step at least.

    `simnet.scenario.run` plays the story on any network, and `simnet.scenario.writer.write` makes a
    file of it. How much a full TCP connection takes, and such, is not the same on all of them.

    Shrinks toward a single step. ValueError for names that actors cannot have, or for faults
    without hosts.

    >>> program = strategies.socket_programs(topology=strategies.topologies()).example()
    >>> print(simnet.scenario.writer.write(program))
    """
    check_range("moves", 0, max_moves, 0, float("inf"))
    if topology is None and tuple(faults):
        raise ValueError("faults happen to hosts: they need a topology")
    if not actors:
        raise ValueError("actors: expected one at least")
    where = st.none() if topology is None else topology
    listed = chosen("faults", faults, FAMILIES)
    return _program(where, check_names(actors), st.integers(0, max_moves), listed)
