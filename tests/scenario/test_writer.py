"""What is written is read as the same story, and looks as a person would write it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs
import pytest
from hypothesis import HealthCheck, given, settings

from simnet.scenario import Scenario, load, run
from simnet.scenario.expressions import Names
from simnet.scenario.layout import WIDTH, Unwritable
from simnet.scenario.literals import literal
from simnet.scenario.model import Call, Returns, UserProgram
from simnet.scenario.patterns import Exactly, Sized
from simnet.scenario.places import Place
from simnet.scenario.setting import HostPlan, LinkPlan, Setting
from simnet.scenario.writer import write
from tests.scenario.drawn import scenarios, scenarios_of_programs
from tests.scenario.same import story
from tests.scenario.test_shipped import PLAIN, SCENARIOS


def reloaded(text: str, directory: Path) -> Scenario:
    """The scenario of a text."""
    path = directory / "written.yaml"
    path.write_text(text, encoding="utf-8")
    return load(str(path), shown_as="written.yaml")


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_a_scenario_that_ships_is_the_same_when_written(scenario: Scenario, tmp_path: Path) -> None:
    """The same story, with the same outcome to the last detail."""
    text = write(scenario)
    again = reloaded(text, tmp_path)
    assert story(again) == story(scenario)
    assert write(again) == text
    report = run(again, PLAIN)
    assert report.status == "ok"
    assert report.record == run(scenario, PLAIN).record


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_a_scenario_that_ships_looks_as_it_was_written(scenario: Scenario) -> None:
    """Line by line, but for the order of what a step says and where prose is wrapped."""

    def lines(text: str) -> list[str]:
        _, _, text = text.partition("\n\n")
        kept = (line.replace("  - ", "    ") for line in text.splitlines())
        return sorted(line for line in kept if line and not line.strip().startswith("#"))

    assert lines(write(scenario)) == lines(Path(scenario.path).read_text(encoding="utf-8"))


@settings(
    max_examples=100,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(scenarios() | scenarios_of_programs())
def test_any_scenario_is_the_same_when_written(tmp_path: Path, scenario: Scenario) -> None:
    """Whatever its texts and numbers look like; and so is the text, when written again."""
    text = write(scenario)
    again = reloaded(text, tmp_path)
    assert story(again) == story(scenario)
    assert write(again) == text
    assert all(len(line) <= WIDTH for line in text.splitlines())


def test_a_story_as_it_is_written(tmp_path: Path) -> None:
    """Short things stand on one line, in the order of the language's own description."""
    text = (
        "name: A story\n"
        "shows: >\n"
        "  Something.\n"
        "sim only: for a reason\n"
        "\n"
        "hosts:\n"
        "  server: {ip: [10.0.0.1, fd00::1], actors: [accepter, worker]}\n"
        "  client: {ip: 10.1.0.1/16, clock offset: 30, limits: {tcp_syn_retries: 2}}\n"
        "links:\n"
        "  client <-> server: {latency: 0.05}\n"
        "  default: {bandwidth: 8_000_000, queue: 20}\n"
        "names:\n"
        "  www: {ip: [10.0.0.9, 10.0.0.1]}\n"
        "  slow: {fails: EAI_AGAIN, delay: 5}\n"
        "seed: 7\n"
        "unknown addresses: silence\n"
        "\n"
        "steps:\n"
        '  - accepter: create_server(("10.0.0.1", 80))\n'
        "    as: listener\n"
        "  - drop: client -> server\n"
        "    packets: FIN\n"
        "    count: 2\n"
        "  - links:\n"
        "      client <-> server: {loss: 0.1}\n"
        "    after: 1.5\n"
        "  - accepter: listener.accept()\n"
        "    blocks: true\n"
        '  - client: create_connection(("10.0.0.1", 80))\n'
        "    as: conn\n"
        "    takes: {between: [0, 1]}\n"
        "  - accepter: completes\n"
        "    as: [peer, _]\n"
        "    returns: [{any: socket}, {is: conn.address}]\n"
        "  - worker: peer.recv(100)\n"
        "    raises: TimeoutError\n"
    )
    assert write(reloaded(text, tmp_path)) == text


def test_a_story_about_a_program_as_it_is_written(tmp_path: Path) -> None:
    """What was decided comes last: there may be much of it."""
    text = (
        "name: lines\n"
        "shows: >\n"
        "  AssertionError at lines.py:31 in parse: it was cut.\n"
        "\n"
        "program: tests/examples/lines.py:parses\n"
        "with: {chunks: [{bytes: 'a\\r'}, {bytes: '\\n'}], size: 100}\n"
        "\n"
        "hosts:\n"
        "  client: {ip: 10.0.0.1}\n"
        "  server: {ip: 10.0.0.2}\n"
        "links:\n"
        "  client <-> server: {latency: 0.05}\n"
        "\n"
        "steps:\n"
        "  - partition: client -> server\n"
        "    at: 0.5\n"
        "\n"
        "seed: 7\n"
        "policy: pct(3, 100)\n"
        "nasty: [short_reads]\n"
        "decisions:\n"
        "  nasty short_reads: {3: 1}\n"
        "  scheduler: {12: 1, 30: 2}\n"
        "found: AssertionError at lines.py:31 in parse\n"
    )
    assert write(reloaded(text, tmp_path)) == text


def test_a_program_may_stand_alone(tmp_path: Path) -> None:
    """It makes its hosts itself; and that nothing was decided is said."""
    text = "name: lines\nshows: >\n  It.\n\nprogram: lines:parses\n\ndecisions: {}\n"
    scenario = reloaded(text, tmp_path)
    assert scenario.program is not None
    assert scenario.program.decisions == {}
    assert write(scenario) == text


@pytest.fixture
def small(tmp_path: Path) -> Scenario:
    """A pair of sockets, and one that sends."""
    return reloaded(
        "name: A story\n"
        "shows: Something.\n"
        "actors: [a, b]\n"
        "steps:\n"
        "  - a: socketpair()\n"
        "    as: [one, two]\n"
        "  - a: one.send('hello')\n"
        "    returns: 5\n",
        tmp_path,
    )


def test_a_step_without_words_is_written_as_its_call(small: Scenario) -> None:
    """A program that makes steps need not say each twice."""
    call = Call("one", "send", [literal(b"GET /\r\n", payload=True)], {"flags": literal(0)})
    text = write(with_last(small, text="", call=call))
    assert r"""  - a: one.send("GET /\r\n", flags=0)""" in text.splitlines()


def test_a_call_may_be_worded_in_more_than_one_way(small: Scenario) -> None:
    """Its words are kept as they are, with quotes and blanks as somebody liked them."""
    text = write(with_last(small, text="one.send( 'hello' )"))
    assert "  - a: one.send( 'hello' )" in text.splitlines()


@attrs.frozen
class Odd:
    """A pattern that is not of the language."""

    def matches(self, value: object, names: Names) -> bool:
        return True


UNWRITABLE: dict[str, tuple[Callable[[Scenario], Scenario], str]] = {
    "words that are not the call": (
        lambda story: with_last(story, text="one.send('bye')"),
        "the step says 'one.send('bye')' but does 'one.send('hello')'",
    ),
    "words of no call": (
        lambda story: with_last(story, call=None),
        "the step says 'one.send('hello')' but does 'completes'",
    ),
    "a pattern of another kind": (
        lambda story: with_last(story, expect=Returns(Odd())),
        "a file has no words for Odd()",
    ),
    "bytes as a plain value": (
        lambda story: with_last(story, expect=Returns(Exactly(b"x"))),  # type: ignore[arg-type]
        "a file has no words for",
    ),
    "a size of bytes within bounds": (
        lambda story: with_last(
            story, expect=Returns(Sized("", literal(1), literal(2), of_bytes=True))
        ),
        "a file has no words for",
    ),
    "a name with blanks around it": (
        lambda story: attrs.evolve(story, name=" A story"),
        "the name neither is empty nor has blanks around it, unlike ' A story'",
    ),
    "prose in lines": (
        lambda story: attrs.evolve(story, shows="One.\n\nTwo."),
        "'shows' is words with single blanks, not 'One.",
    ),
    "no prose": (lambda story: attrs.evolve(story, shows=""), "'shows' is words"),
    "no steps": (lambda story: attrs.evolve(story, steps=()), "a story has steps"),
    "a story on no hosts": (
        lambda story: attrs.evolve(story, setting=Setting(()), actors=()),
        "a story on no hosts is about a program",
    ),
    "a program without a setting": (
        lambda story: attrs.evolve(story, program=UserProgram(Place(""), "m:f"), steps=()),
        "a story about a program has a setting, on no hosts if need be",
    ),
    "an argument of a class": (
        lambda story: about(UserProgram(Place(""), "m:f", {"sizes": [1, {2}]})),
        "sizes[1]: an object of class 'set' cannot be written",
    ),
    "two reasons": (
        lambda story: attrs.evolve(story, sim_only=("one", "two")),
        "sim_only is one, two: expected what course.sim_only() gives: nothing, after one reason",
    ),
    "a reason that is not given": (
        lambda story: with_last(story, takes=Exactly(1.5)),
        "sim_only is nothing: expected what course.sim_only() gives: exact times, after",
    ),
    "actors that are on no host": (
        lambda story: attrs.evolve(story, setting=Setting((HostPlan("c", ("10.0.0.1",), ("c",)),))),
        "the actors ('a', 'b') are not those of the hosts: ('c',)",
    ),
    "links that are said twice": (
        lambda story: attrs.evolve(
            story,
            setting=Setting(
                (HostPlan("c", ("10.0.0.1",), ("a", "b")),),
                (LinkPlan(None, {"mtu": 1000}), LinkPlan(None, {"mtu": 1000})),
            ),
        ),
        "'default' stands twice in one place",
    ),
}


def about(program: UserProgram) -> Scenario:
    """A story about a program."""
    return Scenario("", "A story", "It.", (), (), Setting(()), program=program)


def with_last(story: Scenario, **changes: Any) -> Scenario:
    """The story with another last step."""
    *most, last = story.steps
    return attrs.evolve(story, steps=(*most, attrs.evolve(last, **changes)))


@pytest.mark.parametrize("case", UNWRITABLE)
def test_what_no_file_can_say_is_not_written(small: Scenario, case: str) -> None:
    """Instead of a file that tells another story."""
    change, text = UNWRITABLE[case]
    write(small)
    with pytest.raises(Unwritable) as caught:
        write(change(small))
    assert text in str(caught.value)
