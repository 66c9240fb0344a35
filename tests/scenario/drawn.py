"""Scenarios that Hypothesis draws: every word of the language, in stories that can be loaded.

They are good to write and to read, not to run: what a step must give is anything.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st

from simnet.scenario import patterns
from simnet.scenario.conditions import CONDITIONS, LIMITS
from simnet.scenario.course import sim_only
from simnet.scenario.literals import literal
from simnet.scenario.model import (
    Blocks,
    Call,
    Expectation,
    Pattern,
    Raises,
    Returns,
    Scenario,
    Step,
    UserProgram,
)
from simnet.scenario.places import Place
from simnet.scenario.setting import (
    Crash,
    Drop,
    Event,
    Happening,
    Heal,
    Hold,
    HostPlan,
    LinkPlan,
    Links,
    NamePlan,
    Names,
    Partition,
    Release,
    Restart,
    Setting,
    Wait,
)
from simnet.scenario.setting_reader import FAILURES, PACKETS
from simnet.scenario.ways import Way

NOWHERE = Place("drawn")
HOSTS = ("server", "client", "no", "on", "x1")

# Anything a file can hold, with a liking for what looks like something else.
texts = st.one_of(
    st.sampled_from(
        [
            *("yes", "null", "~", "1e3", "0x10", "1_000", "1:30", "2020-01-01", "=", "<<", ".inf"),
            *(
                "- a",
                "a: b",
                "a #b",
                "#",
                "'",
                '"',
                "\\",
                "[a, b]",
                "{a: b}",
                "fd00::",
                "? a",
                "a?",
                "!x",
            ),
            *("!x", "&x", "*x", "- ", ": ", "@", "`", "%", "|", ">", "---", "..."),
            *("\n", " ", "a\n", "\ta", "a\r\n\x85\u2028b", "\ufeff", "\0", "x" * 300, "word " * 60),
            *("it's", 'say "it\'s"', "ü", "\N{GRINNING FACE}", "e\u0301", "a  b " * 40 + "#"),
        ]
    ),
    st.text(),
)
# Keys, which cannot be broken.
keys = texts.map(lambda text: text[:8])
# Those that are read without the blanks around them.
words = texts.map(str.strip).filter(bool)
prose = texts.map(lambda text: " ".join(text.split())).filter(bool)
seconds = st.one_of(st.integers(0, 10_000_000), st.floats(0, 10_000_000))
positive = seconds.filter(bool)


def numbers(low: float, high: float) -> st.SearchStrategy[Any]:
    """Whole numbers and others."""
    return st.one_of(st.integers(int(low), int(high)), st.floats(low, high))


# Where


def _ways(hosts: tuple[str, ...]) -> st.SearchStrategy[Way]:
    order = st.permutations(hosts)
    cuts = st.tuples(st.integers(1, len(hosts) - 1), st.integers(1, len(hosts) - 1))

    def way(drawn: tuple[list[str], tuple[int, int], bool]) -> Way:
        names, (cut, size), both_ways = drawn
        return Way(tuple(names[:cut]), tuple(names[cut : cut + size]), both_ways)

    return st.tuples(order, cuts, st.booleans()).map(way)


_VALUES = {
    "bandwidth": st.one_of(st.integers(1, 10**12), st.floats(1e-3, 1e300)),
    "queue": st.integers(1, 10**6),
    "mtu": st.integers(576, 65536),
    "latency": seconds,
    "jitter": seconds,
}
_conditions = st.fixed_dictionaries(
    {}, optional={name: _VALUES.get(name, numbers(0, 1)) for name in CONDITIONS}
).filter(bool)
_limits = st.fixed_dictionaries(
    {},
    optional={
        name: st.integers(0, 65536).filter(quantity.fits) for name, quantity in LIMITS.items()
    },
)


def _links(hosts: tuple[str, ...]) -> st.SearchStrategy[tuple[LinkPlan, ...]]:
    ways = st.none() if len(hosts) == 1 else st.one_of(st.none(), _ways(hosts))
    plans = st.builds(LinkPlan, ways, _conditions)
    return st.lists(plans, max_size=3, unique_by=lambda plan: str(plan.way)).map(tuple)


_ips = st.sampled_from(["10.0.0.9", "fd00::9", "10.0.0.8"])
_name_plans = st.one_of(
    st.builds(
        NamePlan,
        st.sampled_from(["www", "*", "a.b", "no", "1e3"]),
        ips=st.lists(_ips, min_size=1, max_size=3).map(tuple),
        delay=seconds,
    ),
    st.builds(NamePlan, st.just("gone"), fails=st.sampled_from(FAILURES), delay=seconds),
)
_names = st.lists(_name_plans, max_size=2, unique_by=lambda plan: plan.name).map(tuple)


@st.composite
def settings(draw: st.DrawFn) -> Setting:
    """A few hosts."""
    names = draw(st.lists(st.sampled_from(HOSTS), min_size=1, max_size=3, unique=True))
    hosts = []
    for number, name in enumerate(names, 1):
        ips = [f"10.0.0.{number}", f"10.1.0.{number}/16", f"fd00::{number}"]
        hosts.append(
            HostPlan(
                name,
                tuple(draw(st.lists(st.sampled_from(ips), min_size=1, unique=True))),
                draw(st.sampled_from([(name,), (f"{name}_a", f"{name}_b")])),
                draw(numbers(-10_000_000, 10_000_000)),
                draw(numbers(-0.5, 1)),
                draw(_limits),
            )
        )
    return Setting(
        tuple(hosts),
        draw(_links(tuple(names))),
        draw(_names),
        draw(st.one_of(st.integers(), texts.filter(bool))),
        draw(st.sampled_from([None, "unreachable", "network", "silence"])),
    )


# What


def _expressions(payload: bool = False) -> st.SearchStrategy[Any]:
    plain = st.one_of(
        *(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), texts, st.binary()),
        st.binary(min_size=1, max_size=3).map(lambda part: part * 1000),
    )
    several = st.one_of(plain, st.lists(plain, max_size=3), st.lists(plain, max_size=3).map(tuple))
    return several.map(lambda value: literal(value, NOWHERE, payload=payload))


_scalars = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), texts)


def _sized(word: str, count: int) -> st.SearchStrategy[Pattern]:
    make: Callable[..., Pattern] = patterns.OF_EXPRESSIONS[word][1]
    return st.lists(_expressions(), min_size=count, max_size=count).map(lambda each: make(*each))


what_is_given: st.SearchStrategy[Pattern] = st.recursive(
    st.one_of(
        _scalars.map(patterns.Exactly),
        *(_sized(word, count) for word, (count, _) in patterns.OF_EXPRESSIONS.items()),
        texts.filter(bool).map(patterns.StartsWith),
        st.sampled_from(sorted(patterns.ANY)).map(patterns.Any_),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4).map(lambda items: patterns.Items(tuple(items))),
        inner.map(patterns.Contains),
        inner.map(patterns.Not),
    ),
    max_leaves=6,
)
times: st.SearchStrategy[Pattern] = st.one_of(
    seconds.map(patterns.Exactly),
    *(
        st.lists(seconds, min_size=count, max_size=count).map(
            lambda each, make=patterns.OF_EXPRESSIONS[word][1]: make(
                *(literal(number, NOWHERE) for number in each)
            )
        )
        for word, count in (("at least", 1), ("at most", 1), ("between", 2))
    ),
)
errors = st.sampled_from(["EPIPE", "EAI_AGAIN", "TimeoutError"])


@st.composite
def events(draw: st.DrawFn, hosts: tuple[str, ...]) -> list[Happening]:
    """One or two events that make sense together."""
    when: list[dict[str, Any]] = [{}, {"after": draw(seconds)}, {"at": draw(seconds)}]
    found: list[Event]
    host = st.sampled_from(hosts)
    kind = draw(st.sampled_from(["wait", "crash", "links", "names", "partition", "hold", "drop"]))
    if kind == "crash":
        crashed = draw(host)
        found = [Crash(crashed), Restart(crashed)]
    elif kind == "links":
        found = [Links(draw(_links(hosts)))]
    elif kind == "names":
        found = [Names(draw(_names))]
    elif kind == "wait" or len(hosts) == 1:
        return [Happening(NOWHERE, Wait(draw(positive)))]
    elif kind == "drop":
        source, target, *_ = draw(st.permutations(hosts))
        count = draw(st.integers(1, 10**6))
        found = [Drop(source, target, draw(st.sampled_from(PACKETS)), count)]
    else:
        way = draw(_ways(hosts))
        found = [Partition(way), Heal(way)] if kind == "partition" else [Hold(way), Release(way)]
    return [Happening(NOWHERE, event, **draw(st.sampled_from(when))) for event in found]


@st.composite
def _acts(draw: st.DrawFn, actor: str, number: int) -> list[Step]:
    """What an actor does with a socket of its own."""

    def step(call: Call | None, expect: Expectation, **more: Any) -> Step:
        text = "completes" if call is None else str(call)
        return Step(NOWHERE, actor, text, call, expect, **more)

    def call(receiver: str | None, name: str, *arguments: Any, **keywords: Any) -> Call:
        return Call(receiver, name, arguments, keywords)

    name, other = f"s{number}", draw(st.sampled_from(["_", f"t{number}"]))
    pair = call(None, "socketpair")
    found = [step(pair, Returns(), names=(name, other))]
    keywords = {"flags": draw(_expressions())} if draw(st.booleans()) else {}
    send = call(name, "send", draw(_expressions(payload=True)), **keywords)
    takes = draw(st.one_of(st.none(), times))
    ends = st.one_of(
        *(st.just(Returns()), what_is_given.map(Returns), errors.map(Raises)),
    )
    end = draw(ends)
    result = f"r{number}" if isinstance(end, Returns) and draw(st.booleans()) else None
    if draw(st.booleans()):
        return [*found, step(send, end, name=result, takes=takes)]
    return [*found, step(send, Blocks()), step(None, end, name=result, takes=takes)]


arguments: st.SearchStrategy[object] = st.recursive(
    _scalars | st.binary(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.lists(inner, max_size=3).map(tuple)
        | st.dictionaries(keys, inner, max_size=3)
    ),
    max_leaves=5,
)


@st.composite
def programs(draw: st.DrawFn) -> UserProgram:
    """A program, with everything that may be said of one."""
    naturals = st.integers(0, 10**6)
    policy = st.sampled_from([None, "fifo", "uniform", "pct(3, 100)"])
    return UserProgram(
        NOWHERE,
        draw(st.sampled_from(["tests/lines.py:check", "package.module:Class.check"])),
        draw(st.dictionaries(st.sampled_from(["a", "bytes", "no", "size"]), arguments)),
        draw(policy),
        draw(st.lists(st.sampled_from(["short_reads", "no_buffers"]), unique=True).map(tuple)),
        draw(
            st.none()
            | st.dictionaries(keys, st.dictionaries(naturals, naturals, max_size=30), max_size=3)
        ),
        draw(st.none() | words),
    )


@st.composite
def scenarios_of_programs(draw: st.DrawFn) -> Scenario:
    """A story about a program, on hosts of its own or of the story."""
    program = draw(programs())
    setting = draw(
        st.builds(
            Setting,
            st.just(()),
            seed=st.integers(),
            unknown=st.sampled_from([None, "silence"]),
        )
        | settings()
    )
    hosts = tuple(host.name for host in setting.hosts)
    happenings = draw(st.lists(events(hosts), max_size=2)) if hosts else []
    steps = tuple(
        happening
        for several in happenings
        for happening in several
        if not isinstance(happening.event, Wait)
    )
    reason = draw(st.none() | words)
    return Scenario(
        "drawn",
        draw(words),
        draw(prose),
        tuple(actor for host in setting.hosts for actor in host.actors),
        steps,
        setting,
        sim_only(reason, setting, steps, program),
        program,
    )


@st.composite
def scenarios(draw: st.DrawFn) -> Scenario:
    """A story on one host or on several."""
    setting = draw(st.one_of(st.none(), settings()))
    actors: tuple[str, ...] = ("a", "yes", "b")
    hosts: tuple[str, ...] = ()
    if setting is not None:
        actors = tuple(actor for host in setting.hosts for actor in host.actors)
        hosts = tuple(host.name for host in setting.hosts)
    steps: list[Step | Happening] = []
    for number in range(draw(st.integers(1, 4))):
        if hosts and draw(st.booleans()):
            steps += draw(events(hosts))
        steps += draw(_acts(draw(st.sampled_from(actors)), number))
    reason = draw(st.one_of(st.none(), words))
    return Scenario(
        "drawn",
        draw(words),
        draw(prose),
        actors,
        tuple(steps),
        setting,
        sim_only(reason, setting, tuple(steps)),
    )
