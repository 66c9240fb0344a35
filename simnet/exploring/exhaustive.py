"""All schedules of a small program, as far as a bound on preemptions allows.

A depth-first search over the scheduler's decisions: each run follows a prefix, then the plainest
choices; the next prefix changes the last decision that has another choice left. What depends on the
seed otherwise is the same in all runs.

Sleep sets (Godefroid, Partial-Order Methods for the Verification of Concurrent Systems, 1996) leave
out schedules that differ from an earlier one only in the order of independent calls: two calls on
different locks, or one on a lock and one on a socket. That takes programs to share nothing but
locks, queues and sockets; `prune=False` does without it. Under a bound, what is left out may be
like a schedule that needs more preemptions than the bound allows (Coons, Musuvathi, McKinley:
Bounded Partial-Order Reduction, OOPSLA 2013): where that matters, search without pruning.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import attrs

from simnet import locks, threads
from simnet.decisions import Option, Question, Stream
from simnet.exploring.runs import Program, Run, run
from simnet.policies import Picker
from simnet.sources import BySeed

_SCHEDULER = "scheduler"
# What threads wait with for one another, and shares nothing with another such thing.
_LOCKISH = (
    *(locks.lock, locks.RLock, locks._Free, threads.queue.Queue, threads.queue.SimpleQueue),
    *(threads.threading.Barrier, threads.threading.Event, threads.threading.Semaphore),
    threads.threading.Thread,
)


@attrs.frozen
class Exhaustive:
    """Every schedule with at most so many preemptions; with `prune`, one of each kind."""

    preemptions: int = 2
    prune: bool = True

    def start(self, numbers: Stream) -> Picker:
        return _Plainest()


class _Plainest:
    preempts = True

    def pick(self, tasks: Any, running: bool) -> int:
        return 0

    def gives_way(self, task: Any) -> None:
        """The search decides."""


# A task's next call, and what it is a call of.
_Step = tuple[Option, object]


def _independent(one: _Step, other: _Step) -> bool:
    """Whether two calls may change places: of locks that are not the same, of a lock and a socket.

    Whether a thread is alive depends on what it does, whatever that is.
    """
    calls = one[0].call, other[0].call
    subjects = _meant(one[1]), _meant(other[1])
    if None in calls or "is_alive" in calls or any(each is None for each in subjects):
        return False
    return any(isinstance(each, _LOCKISH) for each in subjects) and subjects[0] is not subjects[1]


def _meant(subject: object) -> object:
    """Of a condition its lock, which others may take by itself, or through another condition."""
    if isinstance(subject, threads.threading.Condition):
        return subject._lock
    return subject


@attrs.define
class _Node:
    """One decision of the scheduler on the current path of the search."""

    choice: int
    # Tasks that sleep since further up: what they would do was tried before.
    asleep: set[int]


class _Path(BySeed):
    """Follows the nodes of a prefix, then goes on with the plainest choice that is awake."""

    def __init__(self, nodes: list[_Node], policy: Exhaustive) -> None:
        super().__init__()
        self.nodes = nodes
        self._policy = policy
        self._place = 0
        self._preemptions = 0
        # Whether it turned out that every choice that is left was tried in another order.
        self.pruned = False
        # What sleeps at the next node: tasks, with the call that each is about to make.
        self._asleep: dict[int, _Step] = {}

    def choose(self, question: Question, by_seed: Callable[[], int]) -> int:
        if question.stream != _SCHEDULER:
            return super().choose(question, by_seed)
        options, running = question.options, question.running
        if self._place == len(self.nodes) and not self.pruned:
            node = _Node(0, set(self._asleep))
            found = self.next_choice(node, options, running, -1, self._preemptions)
            if found is None:
                self.pruned = True
            else:
                node.choice = found
                self.nodes.append(node)
        if self.pruned:
            return 0
        node = self.nodes[self._place]
        self._place += 1
        self._preemptions += running and node.choice > 0
        steps = list(zip(options, question.subjects, strict=True))
        chosen = steps[node.choice]
        tried = {each[0].task: each for each in steps[: node.choice] if self._policy.prune}
        candidates = {**self._asleep, **tried}
        self._asleep = {
            number: each
            for number, each in candidates.items()
            if number != chosen[0].task and _independent(each, chosen)
        }
        self.log.append(question.answered(node.choice))
        return node.choice

    def next_choice(
        self,
        node: _Node,
        options: tuple[Option, ...],
        running: bool,
        after: int,
        preemptions: int,
    ) -> int | None:
        """The next choice after one that may be made here; None if there is none."""
        for choice in range(after + 1, len(options)):
            if running and choice and preemptions >= self._policy.preemptions:
                return None
            if options[choice].task not in node.asleep:
                return choice
        return None


def schedules(program: Program, seed: int | str, policy: Exhaustive, options: Any) -> Iterator[Run]:
    """A run for each schedule."""
    nodes: list[_Node] = []
    while True:
        path = _Path(nodes, policy)
        found = run(program, seed, policy, path, options)
        if not path.pruned:
            yield found
        log = [decision for decision in path.log if decision.stream == _SCHEDULER]
        nodes = nodes[: len(log)]
        while nodes:
            node, decision = nodes[-1], log[len(nodes) - 1]
            before = log[: len(nodes) - 1]
            preemptions = sum(each.running and each.choice > 0 for each in before)
            following = path.next_choice(
                node, decision.options, decision.running, node.choice, preemptions
            )
            if following is not None:
                node.choice = following
                break
            nodes.pop()
        else:
            return
