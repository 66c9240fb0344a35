"""A malformed file is answered with places, what was expected, and the nearest right word."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from simnet.scenario import load
from simnet.scenario.model import Blocks, Raises, Returns, Step
from simnet.scenario.patterns import StartsWith
from tests.scenario.conftest import Write

Mistakes = Callable[[Path], list[str]]

# The head that `write` puts before the steps has four lines; steps are indented by two.
STEP_MISTAKES = {
    "unknown function": (
        '- a: create_servr(("127.0.0.1", 0))',
        "5:8: unknown function 'create_servr'; did you mean 'create_server'?",
    ),
    "unknown method": (
        "- a: socket()\n  as: s\n- a: s.recvfro(3)",
        "7:10: a socket has no method 'recvfro'; did you mean 'recvfrom'?",
    ),
    "method of a value": (
        "- a: sleep(0)\n  as: s\n- a: s.recv(3)",
        "7:8: 's' is a value without methods, not a socket or a file",
    ),
    "unknown constant": (
        "- a: socket(AF_INTE)",
        "5:15: 'AF_INTE' is not defined by an earlier step; did you mean 'AF_INET'?",
    ),
    "undefined receiver": (
        "- a: socket()\n  as: listener\n- a: lisener.accept()",
        "7:8: 'lisener' is not defined by an earlier step; did you mean 'listener'?",
    ),
    "undefined argument after a wide character": (
        '- a: socket()\n  as: s\n- a: s.sendto("ü", s.address, nowhere)',
        "7:33: 'nowhere' is not defined by an earlier step",
    ),
    "unknown attribute": (
        "- a: socket()\n  as: s\n- a: s.bind(s.adress)",
        "7:15: a socket has no attribute 'adress'; did you mean 'address'?",
    ),
    "function in an argument": (
        "- a: readiness(socket())",
        "5:18: 'socket' must be a step of its own: give its result a name with 'as'",
    ),
    "something else than a call": (
        "- a: complets",
        "5:8: expected a call such as conn.recv(100), or completes, found 'complets'; "
        "did you mean 'completes'?",
    ),
    "not an expression": ("- a: socket(", "5:14: expected an expression: '(' was never closed"),
    "a doubtful escape": (
        r"""- a: bytes("\d")""",
        "5:14: expected an expression: ",
    ),
    "an endless expression": (
        f"- a: sleep({'-' * 3000}1)",
        "5:8: expected an expression",
    ),
    "an operation too clever": (
        "- a: sleep(1 if 2 else 3)",
        "5:14: expected a literal, a name or a constant, found '1 if 2 else 3'",
    ),
    "unknown key": (
        "- a: socket()\n  retruns: 3",
        "6:5: unknown key 'retruns': expected an actor (a or b), an event (wait) or returns, "
        "raises, blocks, takes or as; did you mean 'returns'?",
    ),
    "no actor": (
        "- returns: 3",
        "5:5: expected a step such as 'client: conn.recv(100)', with one of the actors: a or b",
    ),
    "two actors": (
        "- a: socket()\n  b: socket()",
        "5:5: expected one actor or one event in a step, found a and b",
    ),
    "not a step": (
        "- socket",
        "5:5: expected a step such as 'client: conn.recv(100)' (a mapping), found 'socket'",
    ),
    "a call of the wrong type": ("- a: [socket]", "5:8: expected text, found a list of 1"),
    "a key twice": (
        "- a: socket()\n  as: s\n  as: t",
        "7:5: the key 'as' is in line 6 already",
    ),
    "a name twice": (
        "- a: socket()\n  as: s\n- a: socket()\n  as: s",
        "8:9: the name 's' is in use since line 6",
    ),
    "too few names": (
        "- a: socketpair()\n  as: [one, two, three]",
        "6:10: the result has 2 parts: expected 2 names, found 3",
    ),
    "unknown error": (
        "- a: socket()\n  raises: ECONREFUSED",
        "6:13: expected an errno name such as ECONNREFUSED or an exception such as TimeoutError, "
        "found 'ECONREFUSED'; did you mean 'ECONNREFUSED'?",
    ),
    "unknown expectation": (
        "- a: sleep(0)\n  returns: {atleast: 3}",
        "6:15: unknown expectation 'atleast': expected is, at least, at most, bytes, between, "
        "contains, not, starts with or any; did you mean 'at least'?",
    ),
    "unknown kind": (
        "- a: sleep(0)\n  returns: {any: nubmer}",
        "6:20: expected value, number, text, bytes, address, socket or file, found 'nubmer'; "
        "did you mean 'number'?",
    ),
    "blocks takes only true": (
        "- a: sleep(0)\n  blocks: false",
        "6:13: expected true, found 'false'",
    ),
    "two outcomes": (
        "- a: sleep(0)\n  returns: null\n  raises: EPIPE",
        "5:5: a step either returns or raises, not both",
    ),
    "a busy actor": (
        "- a: sleep(1)\n  blocks: true\n- a: sleep(1)",
        "7:5: 'a' is still in the call of line 5: expected 'a: completes' first",
    ),
    "nothing to complete": (
        "- a: completes",
        "5:5: 'a' has no blocked call that could complete: an earlier step of it must say "
        "'blocks: true'",
    ),
    "a name for nothing": (
        "- a: socket()\n  raises: EPIPE\n  as: s",
        "7:9: a call that raises EPIPE has no result to name",
    ),
}


@pytest.mark.parametrize(("steps", "expected"), STEP_MISTAKES.values(), ids=STEP_MISTAKES)
def test_a_mistake_in_a_step_is_reported_where_it_is(
    write: Write, mistakes: Mistakes, steps: str, expected: str
) -> None:
    """Each mistake is one line: the place, what was expected, the nearest right word."""
    (found,) = mistakes(write(steps))
    assert found.startswith(f"story.yaml:{expected}")


FILE_MISTAKES = {
    "empty": (b"", "1:1: the file is empty: expected a scenario with name, shows, ..."),
    "only a comment": (b"# later\n", "1:1: the file is empty"),
    "not UTF-8": (b"name: \xff", "1:7: expected UTF-8, found the byte 0xff"),
    "not YAML": (b"name: a\n\tb: [", "2:1: not YAML: found character '\\t'"),
    "control character": (b"name: a\nb\x07", "2:2: not YAML: a character that it does not allow"),
    "never closed": (b"name: [", "1:8: not YAML"),
    "nested deeply": (b"[" * 100_000, "1:51: not a scenario: nested more than 50 deep"),
    "two documents": (b"name: a\n---\nname: b", "2:1: not YAML: but found another document"),
    "alias": (b"name: &a x\nshows: *a", "2:8: aliases are not used in scenarios"),
    "tag": (b"name: !!python/name:os.system x", "1:7: the tag 'tag:yaml.org,2002:python/name"),
    "a list": (b"- name", "1:1: expected a scenario with name, shows, sim only, seed, hosts"),
}


@pytest.mark.parametrize(("content", "expected"), FILE_MISTAKES.values(), ids=FILE_MISTAKES)
def test_a_file_that_is_no_scenario_is_reported_with_a_place(
    tmp_path: Path, mistakes: Mistakes, content: bytes, expected: str
) -> None:
    """Whatever is in the file, the answer is one line with a place."""
    path = tmp_path / "story.yaml"
    path.write_bytes(content)
    (found,) = mistakes(path)
    assert found.startswith(f"story.yaml:{expected}")


def test_a_file_that_cannot_be_read_says_why(tmp_path: Path, mistakes: Mistakes) -> None:
    """The system's own reason is given."""
    path = tmp_path / "loop.yaml"
    path.symlink_to(path)
    (found,) = mistakes(path)
    assert found == "loop.yaml:1:1: cannot be read: Too many levels of symbolic links"


def test_every_missing_field_is_named(tmp_path: Path, mistakes: Mistakes) -> None:
    """A scenario has a name, a description, actors and steps."""
    path = tmp_path / "story.yaml"
    path.write_text("nam: x\n")
    assert mistakes(path) == [
        "story.yaml:1:1: the key 'actors' is missing (or 'hosts', where there are several)",
        "story.yaml:1:1: the key 'name' is missing",
        "story.yaml:1:1: the key 'shows' is missing",
        "story.yaml:1:1: the key 'steps' is missing (or 'program', where a function is called)",
        "story.yaml:1:1: unknown key 'nam': expected name, shows, sim only, seed, hosts, "
        "links, names, unknown addresses, actors, program, with, policy, nasty, decisions, found "
        "or steps; did you mean 'name'?",
    ]


def test_one_mistake_does_not_hide_the_next(write: Write, mistakes: Mistakes) -> None:
    """All steps are checked, in the order of the file."""
    path = write("- a: sokcet()\n- c: socket()\n- b: socket(AF_INTE)\n  raises: EPIP")
    assert [text.split(":")[1:3] for text in mistakes(path)] == [
        ["5", "8"],
        ["6", "5"],
        ["7", "15"],
        ["8", "13"],
    ]


def test_a_step_with_a_mistake_still_defines_its_name(write: Write, mistakes: Mistakes) -> None:
    """What follows from a mistake is not reported as well."""
    path = write("- a: sokcet()\n  as: s\n- a: s.recv(3)\n- a: s.bind(s.address)")
    assert len(mistakes(path)) == 1


def test_a_good_file_becomes_a_scenario(write: Write) -> None:
    """Names, actors and the expectation of each step are as written."""
    scenario = load(
        str(
            write(
                """
                - a: socketpair()
                  as: [one, two]
                - a: one.recv(3)
                  blocks: true
                - b: two.send("abc", MSG_DONTWAIT)
                  returns: {at least: 1}
                - a: completes
                  raises: EPIPE
                """
            )
        )
    )
    assert scenario.name == "A story"
    assert scenario.actors == ("a", "b")
    assert [type(step.expect) for step in scenario.steps] == [Returns, Blocks, Returns, Raises]
    assert scenario.steps[0].names == ("one", "two")
    assert [str(step.where).rpartition(".yaml:")[2] for step in scenario.steps] == [
        *("5:5", "7:5", "9:5", "11:5")
    ]


def test_a_beginning_keeps_its_blanks(write: Write, mistakes: Mistakes) -> None:
    """`{starts with: "a, "}` asks for the blank too; without any text it is a mistake."""
    (step,) = load(str(write('- a: tempdir()\n  returns: {starts with: "a, "}'))).steps
    assert isinstance(step, Step)
    assert step.expect == Returns(StartsWith("a, "))
    path = write("- a: tempdir()\n  returns: {starts with: ''}")
    assert [text.split(": ", 1)[1] for text in mistakes(path)] == ["expected text, found nothing"]
