"""A scenario file into a `Scenario`, or `Malformed` with everything that is wrong with it.

Checked before anything runs: every method, function and name; who is still in a blocked call; the
names of errors. So a scenario that runs can fail only by what the network does.
"""

from __future__ import annotations

import ast
import builtins
import errno
import socket as _socket
from collections.abc import Iterator

import attrs

from simnet import policies
from simnet.scenario import expressions
from simnet.scenario.course import Course, sim_only
from simnet.scenario.document import Document, RawStep, Reader, Word
from simnet.scenario.expressions import Expression, check_arguments
from simnet.scenario.model import (
    Blocks,
    Call,
    Expectation,
    Raises,
    Returns,
    Scenario,
    Step,
    UserProgram,
)
from simnet.scenario.outcomes import EAI_NAMES
from simnet.scenario.patterns import expressions_in
from simnet.scenario.places import Malformed, Mistake, Place, nearest
from simnet.scenario.setting import Crash, Happening, Setting, Wait
from simnet.scenario.vocabulary import CONSTANTS, FUNCTIONS, KIND_WORDS, METHODS, PURE
from simnet.targets import EXAMPLE, WRITTEN

COMPLETES = "completes"
# The kind of a name whose step was not understood: everything is allowed, nothing more is said.
UNKNOWN = "unknown"

ERROR_NAMES = frozenset(
    {
        *errno.errorcode.values(),
        *EAI_NAMES.values(),
        *("gaierror", "herror"),
        *(
            name
            for name, value in vars(builtins).items()
            if isinstance(value, type) and issubclass(value, Exception)
        ),
    }
)
assert _socket.gaierror.__name__ in ERROR_NAMES

Gives = str | tuple[str, ...]


def load(path: str, *, shown_as: str | None = None) -> Scenario:
    """Read and check one file; its places name it as `shown_as`, if given."""
    shown = shown_as or path
    reader = Reader(path, shown)
    document = reader.read()
    mistakes = reader.mistakes
    if document is not None:
        meaning = _Meaning(document)
        scenario = meaning.scenario(shown)
        mistakes += meaning.mistakes
    if mistakes or document is None:
        raise Malformed(mistakes)
    return scenario


@attrs.define
class _Busy:
    """An actor's blocked call."""

    where: Place
    gives: Gives
    # Whether a step that should have waited for it was reported; once is enough.
    reported: bool = False


class _Meaning:
    """Checks the steps in order, with the names and the blocked actors as they are at each."""

    def __init__(self, document: Document) -> None:
        self.mistakes: list[Mistake] = []
        self._document = document
        self._kinds: dict[str, str] = {}
        self._defined: dict[str, Place] = {}
        self._busy: dict[str, _Busy] = {}
        self._setting: Setting | None = None
        if document.hosts or document.program is not None:
            self._setting = Setting(
                document.hosts,
                document.links,
                document.names,
                document.seed,
                document.unknown_addresses,
            )
        self._course = Course(self._setting)

    def scenario(self, path: str) -> Scenario:
        document = self._document
        setting = self._setting
        actors = tuple(word.text for word in document.actors)
        if setting is not None:
            actors = tuple(actor for host in setting.hosts for actor in host.actors)
        steps = tuple(step for raw in document.steps for step in self._step(raw))
        shows = " ".join(document.shows.text.split())
        reason = document.sim_only.text if document.sim_only is not None else None
        program = self._program()
        return Scenario(
            path,
            document.name.text,
            shows,
            actors,
            steps,
            setting,
            sim_only(reason, setting, steps, program),
            program,
        )

    def _program(self) -> UserProgram | None:
        document = self._document
        if document.program is None:
            return None
        target, policy = document.program, document.policy
        if not WRITTEN.fullmatch(target.text):
            self._note(target.where, f"expected {EXAMPLE}, found '{target.text}'")
        if policy is not None:
            try:
                policies.read(policy.text)
            except ValueError as error:
                self._note(policy.where, str(error))
        return UserProgram(
            target.where,
            target.text,
            document.with_ or {},
            None if policy is None else policy.text,
            document.nasty or (),
            document.decisions,
            None if document.found is None else document.found.text,
        )

    def _note(self, where: Place, text: str) -> None:
        self.mistakes.append(Mistake(where, text))

    def _step(self, raw: RawStep | Happening) -> Iterator[Step | Happening]:
        if isinstance(raw, Happening):
            self._happens(raw)
            if self._document.program is not None and isinstance(raw.event, Wait):
                text = "a program waits itself: expected an event that happens 'at' some time"
                self._note(raw.where, text)
            yield raw
        elif self._document.program is not None:
            text = "a 'program' acts by itself: expected an event, such as 'partition', with 'at'"
            self._note(raw.where, text)
        else:
            yield from self._acts(raw)

    def _happens(self, happening: Happening) -> None:
        self.mistakes += self._course.follow(happening)
        if isinstance(happening.event, Crash):
            # Whatever they were in ends without a result.
            for actor in self._course.actors_of(happening.event.host):
                self._busy.pop(actor, None)

    def _acts(self, raw: RawStep) -> Iterator[Step]:
        absent = self._course.absent(raw.actor)
        if absent is not None:
            self._note(raw.where, absent)
            self._busy.pop(raw.actor, None)
        expect = self._expectation(raw)
        if raw.call.text == COMPLETES:
            call, gives = None, self._completes(raw)
        else:
            self._check_free(raw)
            call, gives = self._call(raw.call)
        if isinstance(expect, Returns):
            for expression in expressions_in(expect.pattern):
                self.mistakes += expressions.check(expression, self._kinds)
        if isinstance(expect, Blocks):
            if raw.call.text == COMPLETES:
                self._note(raw.where, "a call that completes does not block")
            if raw.options.takes is not None:
                text = "a call that blocks takes its time: say 'takes' where it completes"
                self._note(raw.where, text)
            self._busy[raw.actor] = _Busy(raw.where, gives)
        self._define(raw, expect, gives)
        names = tuple(word.text for word in raw.options.as_ or ())
        yield Step(
            where=raw.where,
            actor=raw.actor,
            text=raw.call.text,
            call=call,
            expect=expect,
            name=names[0] if names and not raw.several_names else None,
            names=names if raw.several_names else (),
            takes=raw.options.takes,
        )

    def _expectation(self, raw: RawStep) -> Expectation:
        options = raw.options
        given = [
            name for name in ("returns", "raises", "blocks") if getattr(options, name) is not None
        ]
        if len(given) > 1:
            self._note(raw.where, f"a step either {' or '.join(given)}, not both")
        if options.raises is not None:
            word = options.raises
            if word.text not in ERROR_NAMES:
                self._note(
                    word.where,
                    "expected an errno name such as ECONNREFUSED or an exception such as "
                    f"TimeoutError, found '{word.text}'{nearest(word.text, sorted(ERROR_NAMES))}",
                )
            return Raises(word.text)
        return Blocks() if options.blocks else Returns(options.returns)

    def _completes(self, raw: RawStep) -> Gives:
        busy = self._busy.pop(raw.actor, None)
        if busy is None:
            self._note(
                raw.where,
                f"'{raw.actor}' has no blocked call that could complete: "
                "an earlier step of it must say 'blocks: true'",
            )
            return UNKNOWN
        return busy.gives

    def _check_free(self, raw: RawStep) -> None:
        busy = self._busy.get(raw.actor)
        if busy is not None and not busy.reported:
            busy.reported = True
            self._note(
                raw.where,
                f"'{raw.actor}' is still in the call of line {busy.where.line}: "
                f"expected '{raw.actor}: {COMPLETES}' first",
            )

    def _call(self, word: Word) -> tuple[Call | None, Gives]:
        """The call, as far as it is understood, and the kinds of what it gives."""
        parsed = expressions.parse(word.text, word.where, word.exact)
        if isinstance(parsed, Mistake):
            self.mistakes.append(parsed)
            return None, UNKNOWN
        match parsed.tree:
            case ast.Call(func=ast.Name(id=name)) as node:
                receiver, gives = None, self._function(parsed, node, name)
            case ast.Call(func=ast.Attribute(value=ast.Name(id=receiver), attr=name)) as node:
                gives = self._method(parsed, node, receiver, name)
            case _:
                self._note(
                    word.where,
                    f"expected a call such as conn.recv(100), or {COMPLETES}, "
                    f"found '{word.text}'{nearest(word.text, [COMPLETES])}",
                )
                return None, UNKNOWN
        self.mistakes += check_arguments(parsed, node, self._kinds)
        arguments = tuple(parsed.part(argument) for argument in node.args)
        keywords = {str(k.arg): parsed.part(k.value) for k in node.keywords}
        return Call(receiver, name, arguments, keywords), gives

    def _function(self, expression: Expression, node: ast.Call, name: str) -> Gives:
        function = FUNCTIONS.get(name) or PURE.get(name)
        if function is None:
            near = nearest(name, [*FUNCTIONS, *PURE])
            self.mistakes.append(expression.mistake(node, f"unknown function '{name}'{near}"))
            return UNKNOWN
        if function.signature is not None:
            try:
                function.signature.bind(*node.args, **{str(k.arg): k for k in node.keywords})
            except TypeError as error:
                text = f"{name}{function.signature}: {error}"
                self.mistakes.append(expression.mistake(node, text))
        return function.gives

    def _method(self, expression: Expression, node: ast.Call, receiver: str, name: str) -> Gives:
        kind = self._kinds.get(receiver)
        if kind is None:
            text = expressions.undefined(receiver, self._kinds)
            self.mistakes.append(expression.mistake(node, text))
        elif kind == UNKNOWN:
            return UNKNOWN
        methods = METHODS.get(kind or "socket")
        if methods is None:
            text = f"'{receiver}' is {KIND_WORDS['value']} without methods, not a socket or a file"
            self.mistakes.append(expression.mistake(node, text))
            return UNKNOWN
        if name not in methods:
            place = expression.place(node)
            column = place.column + len(receiver) + 1 if expression.exact else place.column
            self._note(
                attrs.evolve(place, column=column),
                f"{KIND_WORDS[kind or 'socket']} has no method '{name}'{nearest(name, methods)}",
            )
            return UNKNOWN
        return methods[name]

    def _define(self, raw: RawStep, expect: Expectation, gives: Gives) -> None:
        """The names of the result, with their kinds."""
        words = raw.options.as_ or ()
        if words and not isinstance(expect, Returns):
            hint = f"; name it where it {COMPLETES}" if isinstance(expect, Blocks) else ""
            self._note(words[0].where, f"a call that {expect} has no result to name{hint}")
        kinds = self._kinds_of(raw, words, gives)
        for word, kind in zip(words, kinds, strict=True):
            if word.text == "_":
                continue
            if not word.text.isidentifier() or word.text in CONSTANTS or word.text in FUNCTIONS:
                self._note(word.where, f"expected a free name of letters, found '{word.text}'")
            elif word.text in self._defined:
                line = self._defined[word.text].line
                self._note(word.where, f"the name '{word.text}' is in use since line {line}")
            else:
                self._defined[word.text] = word.where
                self._kinds[word.text] = kind

    def _kinds_of(self, raw: RawStep, words: tuple[Word, ...], gives: Gives) -> tuple[str, ...]:
        if not raw.several_names:
            return (gives if isinstance(gives, str) else "value",) * len(words)
        if gives == UNKNOWN:
            return (UNKNOWN,) * len(words)
        if isinstance(gives, str):
            if gives != "value":
                self._note(words[0].where, f"the result is {KIND_WORDS[gives]}: expected one name")
            return (UNKNOWN,) * len(words)
        if len(gives) != len(words):
            self._note(
                words[0].where if words else raw.where,
                f"the result has {len(gives)} parts: expected {len(gives)} names, "
                f"found {len(words)}",
            )
            return (UNKNOWN,) * len(words)
        return gives
