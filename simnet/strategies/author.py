"""Who writes a program of sockets: draws a step, plays it at once, and notes what it gave.

So what is drawn is about sockets that are there, in the states that they are in.
"""

from __future__ import annotations

import ast
import re
import socket as _socket
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

import attrs
from hypothesis import strategies as st

from simnet.scenario import expressions, vocabulary
from simnet.scenario.expressions import CannotEvaluate, Expression
from simnet.scenario.model import Blocks, Call, Expectation, Pattern, Raises, Returns, Step
from simnet.scenario.outcomes import Blocked, Gone, Outcome, Raised, Returned
from simnet.scenario.parser import COMPLETES, ERROR_NAMES
from simnet.scenario.patterns import Exactly
from simnet.scenario.places import Place
from simnet.scenario.runner import Play
from simnet.scenario.setting import Happening
from simnet.scenario.stage import Stage
from simnet.strategies import calls
from simnet.strategies.calls import Choices
from simnet.strategies.faults import DRAWN

T = TypeVar("T")
_MOST_SOCKETS = 12
_PLACEHOLDER = re.compile(r"{(\w+)}")
# What these give is a network's own: how much fits into queues.
_OPEN = vocabulary.VARYING | {"send_until_full", "send_messages_until_full"}
# The first letters of names, by the kinds of what has one.
_LETTERS = {"socket": "s", "file": "f", "directory": "d", "ancillary": "r"}
Gives = str | tuple[str, ...]
_INET = (_socket.AF_INET, _socket.AF_INET6)


@attrs.define
class Spot:
    """A host: who acts there, by which address it is reached, and what is there."""

    actors: tuple[str, ...]
    ip: str
    sockets: list[str] = attrs.Factory(list)
    # Files, and the sockets that they are over.
    files: dict[str, str] = attrs.Factory(dict)
    directories: list[str] = attrs.Factory(list)
    # Ancillary data that may hold descriptors.
    ancillary: list[str] = attrs.Factory(list)


@attrs.frozen
class Pending:
    """A call that blocks: where, which, of what, which way its data goes, what it will give."""

    spot: Spot
    name: str
    of: str | None
    way: str | None
    gives: Gives


class Ended(Exception):
    """Something happened that no step can say: the story ends before it."""


@attrs.define
class Author:
    """Draws a story, step by step, and plays it at once."""

    draw: st.DrawFn
    play: Play
    stage: Stage
    spots: Sequence[Spot]
    steps: list[Step | Happening] = attrs.Factory(list)
    count: int = 0
    # Who is connected to whom.
    peers: dict[str, str] = attrs.Factory(dict)
    # Sockets that are others by another name, and files: what they are of.
    same: dict[str, str] = attrs.Factory(dict)
    # The blocked calls by actor.
    pending: dict[str, Pending] = attrs.Factory(dict)

    # Drawing

    def pick(self, options: Sequence[T]) -> T:
        """One of them; the first is the plainest."""
        # One that has no choice is no draw.
        return options[0] if len(options) == 1 else self.draw(st.sampled_from(options))

    def new(self, letter: str) -> str:
        """A name that nothing has."""
        self.count += 1
        return f"{letter}{self.count}"

    def live(self, spot: Spot, *families: int) -> list[str]:
        """The sockets of a spot, the latest first; those of some families."""
        found = list(reversed(spot.sockets))
        return [name for name in found if not families or self.play.names[name].family in families]

    # Arguments

    def filled(self, template: str, spot: Spot, sock: str | None) -> str | None:
        """A template with what it asks for; None if there is no such thing."""
        pools: Mapping[str, Callable[[], Sequence[str]]] = {
            "data": lambda: [self._data()],
            "size": lambda: calls.SIZES,
            "send_flags": lambda: calls.SEND_FLAGS,
            "recv_flags": lambda: calls.RECV_FLAGS,
            "other": lambda: self.live(spot),
            "unix": lambda: self.live(spot, _socket.AF_UNIX),
            "address": lambda: self._addresses(spot, sock),
            "unused": lambda: self.unused(spot, sock),
            "ip": lambda: [f'"{spot.ip}"'],
            "name": lambda: [f'{where} + "/{n}"' for where in spot.directories for n in (1, 2)],
            "rights": lambda: spot.ancillary,
        }
        missing = False

        def fill(match: re.Match[str]) -> str:
            nonlocal missing
            options = pools[match[1]]()
            missing = missing or not options
            return self.pick(options) if options else ""

        text = _PLACEHOLDER.sub(fill, template)
        return None if missing else text

    def _data(self) -> str:
        self.count += 1
        letter, amount = chr(ord("a") + self.count % 26), self.pick(calls.AMOUNTS)
        return f'"{letter * amount}"' if amount < 10 else f'"{letter}" * {amount}'

    def _addresses(self, spot: Spot, sock: str | None) -> list[str]:
        """Of sockets of the same kind, of any that listens if there is none; and a free one."""
        kind = None if sock is None else self._kind(sock)
        found = []
        for other in self.spots:
            for name in self.live(other):
                family, _ = own = self._kind(name)
                fits = own == kind if kind is not None else family in _INET and self.listens(name)
                if fits and (other is spot or family in _INET):
                    found.append(f"{name}.address")
        return [*found, *self.unused(spot, sock, port=9)]

    def unused(self, spot: Spot, sock: str | None, port: int = 0) -> list[str]:
        """Addresses that nobody has, for a socket; without one, of IPv4."""
        family = _socket.AF_INET if sock is None else self._kind(sock)[0]
        if family == _socket.AF_UNIX:
            return ['""', *(f'{where} + "/{n}"' for where in spot.directories for n in (1, 2))]
        return [f'("::1", {port})' if family == _socket.AF_INET6 else f'("{spot.ip}", {port})']

    def _kind(self, name: str) -> tuple[int, int]:
        sock = self.play.names[name]
        return sock.family, sock.type

    def listens(self, name: str) -> bool:
        """Whether a socket takes connections."""
        try:
            return bool(self.play.names[name].getsockopt(_socket.SOL_SOCKET, _socket.SO_ACCEPTCONN))
        except OSError:
            return False

    # Steps

    def say(
        self, spot: Spot, call: str, arguments: str, receiver: str | None = None
    ) -> tuple[str, ...] | None:
        """One call by somebody who is free on that host.

        The names of what it gave; None if it gave nothing, or was not made.
        """
        free = [actor for actor in spot.actors if self.play.busy(actor) is None]
        free = [a for a in free if a not in self.pending and not self.stage.down(a)]
        about = receiver or arguments.partition(",")[0]
        of = about if about in spot.sockets or about in spot.files else None
        if not free or self._in_use(call, of):
            return None
        text = f"{receiver + '.' if receiver else ''}{call}({arguments})"
        step = Step(self.here(), self.pick(free), text, _call(text), Returns())
        gives = _gives(receiver is None, call, receiver in spot.files)
        made = self._perform(step, Pending(spot, call, of, calls.WAYS.get(call), gives))
        if made and call in ("dup", "makefile") and of is not None:
            self.same[made[0]] = of
        self.completions()
        return made

    def _in_use(self, call: str, of: str | None) -> bool:
        """Whether somebody is blocked in a call of the same kind: who is first is no matter of law.

        A file is for one at a time altogether: it has a lock, which is no task's but a thread's.
        """
        if of is None:
            return False
        is_file = any(of in spot.files for spot in self.spots)
        way, root = calls.WAYS.get(call), self._root(of)
        return any(
            (is_file and other.of == of)
            or (way is not None and other.way == way and self._root(other.of) == root)
            for other in self.pending.values()
            if other.of is not None
        )

    def _root(self, name: str) -> str:
        """The socket that a name is of, in the end."""
        while name in self.same:
            name = self.same[name]
        return name

    def here(self) -> Place:
        """Where the next step stands."""
        return Place(DRAWN, len(self.steps) + 1)

    def _perform(self, step: Step, call: Pending) -> tuple[str, ...] | None:
        names = _names(call.gives, self.new)
        if isinstance(call.gives, str):
            named = attrs.evolve(step, name=names[0] if names else None)
        else:
            named = attrs.evolve(step, names=names)
        try:
            outcome = self.play.try_out(named)
        except CannotEvaluate:
            return None
        if isinstance(outcome, Gone):
            raise Ended
        if isinstance(outcome, Blocked):
            self.pending[step.actor] = call
        expect = _expected(call.name, outcome)
        if not isinstance(outcome, Returned):
            self.steps.append(attrs.evolve(step, expect=expect))
            return None
        self.steps.append(attrs.evolve(named, expect=expect))
        kinds = (call.gives,) if isinstance(call.gives, str) else call.gives
        for each, kind in zip(names, kinds, strict=False):
            self._keep(call, each, kind)
        return names

    def _keep(self, call: Pending, name: str, kind: str) -> None:
        match kind:
            case "socket":
                call.spot.sockets.append(name)
            case "file" if call.of is not None:
                call.spot.files[name] = call.of
            case "directory":
                call.spot.directories.append(name)
            case "ancillary":
                call.spot.ancillary.append(name)

    def happens(self, happenings: Iterable[Happening]) -> None:
        """Events, now or later."""
        for happening in happenings:
            self.stage.happen(happening)
            self.steps.append(happening)

    def completions(self) -> None:
        """Whoever was blocked and is no more says how it ended."""
        for actor, call in list(self.pending.items()):
            task = self.play.busy(actor)
            if task is not None and task.done:
                del self.pending[actor]
                self._perform(Step(self.here(), actor, COMPLETES, None, Returns()), call)

    # Parts of moves

    def any_of(self, choices: Choices, spot: Spot, receiver: str | None) -> None:
        """One of some calls, with arguments for it, if there is something to name in them."""
        call = self.pick(list(choices))
        makes = call in ("accept", "dup", "adopt", "socket", "create_connection", "create_server")
        if makes and sum(len(each.sockets) for each in self.spots) >= _MOST_SOCKETS:
            return
        arguments = self.filled(self.pick(choices[call]), spot, receiver)
        if arguments is not None:
            self.say(spot, call, arguments, receiver)

    def meet(self, one: str, other: str) -> None:
        """These two are connected to each other."""
        self.peers |= {one: other, other: one}

    def some_end(self) -> tuple[Spot, str] | None:
        """A socket that was connected to another, and where it is."""
        ends = [
            (spot, name) for spot in self.spots for name in self.live(spot) if name in self.peers
        ]
        return self.pick(ends) if ends else None

    def peer_of(self, one: tuple[Spot, str]) -> tuple[Spot, str]:
        """The other end of it."""
        peer = self.peers[one[1]]
        return next((spot, peer) for spot in self.spots if peer in spot.sockets)


# What a step says


def _call(text: str) -> Call:
    parsed = expressions.parse(text, Place(DRAWN))
    assert isinstance(parsed, Expression)
    node = parsed.tree
    assert isinstance(node, ast.Call)
    receiver, _, name = ast.unparse(node.func).rpartition(".")
    arguments = tuple(map(parsed.part, node.args))
    keywords = {str(k.arg): parsed.part(k.value) for k in node.keywords}
    return Call(receiver or None, name, arguments, keywords)


def _gives(function: bool, call: str, of_file: bool) -> Gives:
    """The kinds of what a call gives; more of it has a name here than the vocabulary knows."""
    if call == "recvmsg":
        return ("value", "ancillary", "value", "value")
    if call == "tempdir":
        return "directory"
    if function:
        return vocabulary.FUNCTIONS[call].gives
    return (vocabulary.FILE_METHODS if of_file else vocabulary.SOCKET_METHODS)[call]


def _names(gives: Gives, new: Callable[[str], str]) -> tuple[str, ...]:
    """A name for what is worth one; none where nothing is."""
    kinds = (gives,) if isinstance(gives, str) else gives
    if not set(kinds) & _LETTERS.keys():
        return ()
    return tuple(new(_LETTERS[kind]) if kind in _LETTERS else "_" for kind in kinds)


def _expected(name: str, outcome: Outcome) -> Expectation:
    """What a call must give, as far as it is the same on every network."""
    match outcome:
        case Blocked():
            return Blocks()
        case Raised():
            return Raises(next(name for name in outcome.names() if name in ERROR_NAMES))
        case Returned(value):
            return Returns(None if name in _OPEN else _pattern(value))
    raise TypeError(outcome)


def _pattern(value: Any) -> Pattern | None:
    """A value that a file can say: plain ones, and bytes that are text. None: any."""
    if value is None or isinstance(value, bool):
        return Exactly(value)
    if isinstance(value, int):
        return Exactly(int(value))
    if isinstance(value, bytes) and value.isascii() and value.decode().isprintable():
        return Exactly(value.decode())
    return None
