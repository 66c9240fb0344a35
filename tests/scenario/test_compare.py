"""Two backends are held to the same outcomes, step by step."""

from __future__ import annotations

import realnet
from simnet.scenario import run
from simnet.scenario.backends import Backend
from simnet.scenario.report import differences, explain
from tests.scenario.conftest import Write, scenario_of
from tests.scenario.fakes import Liar, broken

ONE, TWO = Backend("one", realnet.Network), Backend("two", Liar)


def test_backends_that_agree_have_no_difference(write: Write) -> None:
    """Equal records mean that nothing is reported."""
    scenario = scenario_of(write("- a: sleep(0)"))
    assert differences([run(scenario, ONE), run(scenario, TWO)]) is None


def test_backends_that_disagree_are_reported_with_the_step(write: Write) -> None:
    """Both outcomes are shown at the first step where they part."""
    steps = "- a: sleep(0)\n- a: socketpair()\n- a: gethostbyname('127.0.0.1')"
    scenario = scenario_of(write(steps))
    found = differences([run(scenario, ONE), run(scenario, TWO)])
    assert found == (
        "different outcomes: story.yaml:7:5: a: gethostbyname('127.0.0.1')\n"
        "  one: returns '127.0.0.1'\n"
        "  two: returns 'a lie'"
    )


def test_what_an_expectation_leaves_open_is_not_compared(write: Write) -> None:
    """`any text` is satisfied by two different texts."""
    scenario = scenario_of(write("- a: gethostbyname('127.0.0.1')\n  returns: {any: text}"))
    reports = [run(scenario, ONE), run(scenario, TWO)]
    assert [report.status for report in reports] == ["ok", "ok"]
    assert differences(reports) is None


def test_a_backend_may_add_the_end_of_its_trace(write: Write) -> None:
    """A failure shows the backend's own last events after the steps."""
    scenario = scenario_of(write("- a: gethostbyname('127.0.0.1')\n  returns: 127.0.0.1"))
    assert explain(run(scenario, Backend("liar", Liar))).splitlines() == [
        "story.yaml:5:5: a: gethostbyname('127.0.0.1')",
        "  expected: returns '127.0.0.1'",
        "  actual:   returns 'a lie'",
        "  last events:",
        "    line 5: a: gethostbyname('127.0.0.1') -> returns 'a lie'",
        "    the liar lied",
    ]


def test_a_backend_that_does_not_start_is_an_error(write: Write) -> None:
    """It is not the scenario's failure."""
    report = run(scenario_of(write("- a: sleep(0)")), Backend("broken", broken))
    assert report.status == "error"
    assert explain(report) == (
        "story.yaml: the backend did not start: RuntimeError: no network today"
    )
