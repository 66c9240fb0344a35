"""Who runs when: policies of a scheduler, and a scheduler whose every choice is drawn.

Not drawn: `Exhaustive`, which is a way to explore, not a policy of one world.
"""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from simnet.policies import Fifo, Pct, Policy, Uniform
from simnet.sources import Drawn
from simnet.strategies.bounds import check_between


def schedules(*, max_depth: int = 5, max_steps: int = 1000) -> SearchStrategy[Policy]:
    """A policy, for `World(policy=...)`: `Fifo()`, `Uniform()`, or `Pct(depth, steps)`.

    The world's seed decides what a policy leaves to chance. A world asks it where a task waits, and
    one that preempts at every switch point, too. `max_depth` and `max_steps` bound the numbers of a
    `Pct`: how many constraints of order a bug may need, and how many picks a run has.
    Shrinks toward first in, first out. ValueError for a bound below 1.

    >>> simnet.World(policy=simnet.strategies.schedules().example())
    """
    check_between("max_depth", max_depth, 1, float("inf"))
    check_between("max_steps", max_steps, 1, float("inf"))
    by_priority = st.builds(Pct, st.integers(1, max_depth), st.integers(1, max_steps))
    return st.one_of(st.just(Fifo()), st.just(Uniform()), by_priority)


@st.composite
def decisions(draw: st.DrawFn) -> Drawn:
    """A source of decisions, for `World(decisions=...)`: whatever a world decides is a draw.

    That is who runs next, and which packet is lost, late or doubled. Shrinks toward the plainest
    choice each time: first in, first out, and no packet harmed.

    >>> @hypothesis.given(strategies.decisions())
    ... def test_it(source):
    ...     world = simnet.World(decisions=source)
    """
    return Drawn(draw(st.data()))
