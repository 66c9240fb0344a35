"""Seeds, markers that cannot be, and options."""

from __future__ import annotations

import pytest

from tests.pytest_plugin.conftest import Run

pytest_plugins = ["pytester"]

SEEDS = """
    import pytest

    def test_plain(simnet):
        print(f"plain {simnet.seed!r}")

    @pytest.mark.simnet(seed=7)
    def test_pinned(simnet):
        print(f"pinned {simnet.seed!r}")

    @pytest.mark.parametrize("letter", "ab")
    @pytest.mark.simnet(seeds=[3, "x"])
    def test_several(letter, simnet):
        print(f"several {letter} {simnet.seed!r}")

    def test_not_ours():
        pass
"""


def lines(result: pytest.RunResult) -> list[str]:
    """What the tests of SEEDS print."""
    words = ("plain", "pinned", "several")
    return [line.strip(".") for line in result.outlines if line.strip(".").startswith(words)]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (
            (),
            "plain 0, pinned 7, several a 3, several a 'x', several b 3, several b 'x'",
        ),
        (
            ("--simnet-seeds=2",),
            "plain 0, plain 1, pinned 7, several a 0, several a 1, several b 0, several b 1",
        ),
        (("--simnet-seed=9",), "plain 9, pinned 9, several a 9, several b 9"),
        (
            ("--simnet-seed=nine",),
            "plain 'nine', pinned 'nine', several a 'nine', several b 'nine'",
        ),
    ],
)
def test_each_test_runs_with_its_seeds(run: Run, options: tuple[str, ...], expected: str) -> None:
    """An option that names one seed is stronger than a marker; seed= is stronger than a number."""
    assert lines(run(SEEDS, "-s", "-q", *options)) == expected.split(", ")


def test_a_seed_is_the_last_part_of_a_name(run: Run) -> None:
    """After other parameters."""
    result = run(SEEDS, "--collect-only", "-q", "--simnet-seeds=1")
    assert result.outlines[:5] == [
        "test_it.py::test_plain[seed-0]",
        "test_it.py::test_pinned",
        "test_it.py::test_several[a-seed-0]",
        "test_it.py::test_several[b-seed-0]",
        "test_it.py::test_not_ours",
    ]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--simnet-seeds=0",), "*a number of seeds is 1 or more, not '0'"),
        (("--simnet-seeds=x",), "*a number of seeds is 1 or more, not 'x'"),
        (("--simnet-seed=1", "--simnet-seeds=2"), "*--simnet-seed is one seed, *: choose"),
    ],
)
def test_options_are_checked(run: Run, options: tuple[str, ...], message: str) -> None:
    """Before anything runs."""
    result = run("", *options)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([message])


MISTAKES = {
    "5": "its arguments have names, such as seed=5",
    "sed=5": "no argument sed= (did you mean seed=?); there are seed, seeds, hosts, links, "
    "entropy, nasty",
    "seed=1.5": "a seed is an integer or a string, not 1.5",
    "seed=True": "a seed is an integer or a string, not True",
    "seed=1, seeds=2": "seed= is one seed, seeds= are several: choose",
    "seeds=0": "seeds= is how many (1 or more), or a list of seeds, not 0",
    "seeds='abc'": "seeds= is how many (1 or more), or a list of seeds, not 'abc'",
    "seeds=[]": "seeds= is how many (1 or more), or a list of seeds, not []",
    "seeds=[1, None]": "a seed is an integer or a string, not None",
    "seeds=[1, '1']": "a seed is in seeds=[1, '1'] twice",
    "hosts='ab'": "hosts= is a list of names, or a mapping of names to addresses, not 'ab'",
    "hosts=['a', 'a']": "a host is in hosts=['a', 'a'] twice",
    "hosts=[['a']]": "the name of a host is a string, not ['a']",
    "hosts=['']": "the name of a host is a string, not ''",
    "hosts={'a': 5}": "host 'a' has an address (a string), or several, not 5",
    "hosts={'a': '10.0.0.300'}": "'10.0.0.300' is not an IPv4 or IPv6 address",
    "hosts={'a': '10.0.0.9', 'b': '10.0.0.9'}": "10.0.0.9 is an address of host 'a' already",
    "links=0.5": "links= is a mapping of conditions ({'latency': 0.02}), or of pairs of hosts to "
    "conditions ({('client', 'server'): {...}}), not 0.5",
    "links={5: 6}": "links= has conditions or pairs of names as its keys, not 5",
    "links={'latncy': 1}": "a link has no 'latncy' (did you mean 'latency'?); it has *",
    "links={'loss': 2}": "*loss* 2",
    "hosts=['a'], links={('a', 'b'): 5}": "the conditions of the link ('a', 'b') are a mapping, "
    "not 5",
    "links={('a', 'b'): {}}": "links= speaks of 'a <-> b', but hosts= names no hosts",
    "hosts=['a', 'b'], links={'a -> c': {}}": "links=: unknown host 'c': expected a or b",
    "hosts=['a', 'b'], links={'a > c': {}}": "links=: expected a way such as *",
    "entropy=1": "entropy= is True or False, not 1",
    "nasty=1": "nasty= is True, a family of nastiness, or a list of them, not 1",
    "nasty='port'": "no world is nasty in the way 'port' (did you mean 'ports'?); the ways are *",
    "nasty=['ports', 7]": "no world is nasty in the way 7; the ways are *",
}


def test_a_marker_that_cannot_be_is_an_error_that_names_the_test(run: Run) -> None:
    """While tests are collected; each mistake says what to write."""
    tests = [
        f"@pytest.mark.simnet({arguments})\ndef test_{number}(): pass\n"
        for number, arguments in enumerate(MISTAKES)
    ]
    result = run("import pytest\n" + "\n".join(tests))
    result.assert_outcomes(errors=1)
    for number, message in enumerate(MISTAKES.values()):
        glob = f"test_it.py::test_{number}: @pytest.mark.simnet: {message}".replace("[", "[[]")
        result.stdout.fnmatch_lines([glob])


def test_entropy_needs_a_patched_world(run: Run) -> None:
    """The fixture `world` alone has none."""
    result = run(
        """
        import pytest

        @pytest.mark.simnet(entropy=True)
        def test_unpatched(world):
            pass
        """
    )
    result.stdout.fnmatch_lines(
        [
            "test_it.py::test_unpatched: @pytest.mark.simnet: entropy=True needs a patched world: "
            "ask for `simnet`, not `world`"
        ]
    )


def test_methods_of_test_cases_cannot_be_parametrised(run: Run) -> None:
    """By seeds neither."""
    result = run(
        """
        import unittest
        import pytest

        class TestCase(unittest.TestCase):
            @pytest.mark.simnet(seeds=2)
            def test_parameters(self):
                pass
        """
    )
    result.stdout.fnmatch_lines(
        [
            "test_it.py::TestCase::test_parameters: @pytest.mark.simnet: a method of a "
            "unittest.TestCase runs with one seed, seed="
        ]
    )


def test_a_marker_that_comes_too_late_is_an_error(run: Run, pytester: pytest.Pytester) -> None:
    """It cannot bring its fixture any more."""
    pytester.makeconftest(
        """
        def pytest_collection_modifyitems(items):
            for item in items:
                item.add_marker("simnet")
        """
    )
    result = run("def test_it(): pass\ndef test_ours(simnet): pass")
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(
        ["test_it.py::test_it: the marker `simnet` was added to a test that had been collected: *"]
    )


def test_help_explains_each_option_and_the_marker(run: Run) -> None:
    """`pytest --help` and `pytest --markers`."""
    result = run("", "--help")
    for option in ("seed=SEED", "seeds=N", "pcap=DIR", "html=DIR", "backend=sim|real|both"):
        (place,) = (i for i, line in enumerate(result.outlines) if f"--simnet-{option}" in line)
        text = result.outlines[place].partition(option)[2] + result.outlines[place + 1]
        assert len(text.strip()) > 20
    result = run("", "--markers", "--strict-markers")
    result.stdout.fnmatch_lines(["@pytest.mark.simnet(seed=, seeds=, *"])
