"""Seeds are run in processes of their own: one for each thread of an executor.

Neither a process pool's own workers nor a Dask cluster's would do. A process pool that loses a
worker loses all that is under way, and does not say which seed it was; its workers outlive a parent
that is killed. A worker of Dask runs tasks in threads beside its own network, and `world.patch()`
is for a process in which nothing else goes on. So a task of an executor hands its seeds to a child
(child.py). A child that dies does so with its chunk alone: the seeds are run one by one
in others, and one that takes its process with it each time has failed.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Sequence
from multiprocessing.connection import Pipe
from typing import Any

from simnet.campaign import work
from simnet.campaign.setup import Setup
from simnet.campaign.work import Answer, Outcome, Retold

# So often a seed that ends its process is tried by itself.
_TRIES = 2
_PROGRAM = "import sys; sys.path[:] = {path!r}; from simnet.campaign import child; child.main()"


class ChildDied(Exception):
    """A child ended before it had answered; the message says how."""


class NoChild(RuntimeError):
    """No process could be started, or none is wanted any more."""


class _Child:
    """One process, and the pipes to it."""

    def __init__(self, setup: Setup) -> None:
        self.setup = setup
        self._has_program = False
        calls, self._calls = Pipe(duplex=False)
        self._answers, answers = Pipe(duplex=False)
        # What the interpreter, or a C library, says before it ends.
        self._said = tempfile.TemporaryFile()
        flags = ["-O"] * sys.flags.optimize + [f"-W{option}" for option in sys.warnoptions]
        with calls, answers:
            self._process = subprocess.Popen(
                [sys.executable, *flags, "-c", _PROGRAM.format(path=sys.path)],
                stdin=calls.fileno(),
                stdout=answers.fileno(),
                stderr=self._said,
                # The terminal's Ctrl-C does not reach it, which is for the campaign.
                start_new_session=True,
            )

    @property
    def alive(self) -> bool:
        """Whether it can be asked."""
        return self._process.poll() is None

    def begin(self) -> None:
        """Wait until it is there; NoChild if it cannot start."""
        try:
            self._answers.recv()
        except EOFError:
            how = self._how()
            self._said.seek(0)
            said = self._said.read().decode(errors="replace").strip()
            raise NoChild(f"a worker cannot start: {how}: {said or 'it said nothing'}") from None

    def call(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """What the function answers there, given the setup; ChildDied if it does not in time."""
        if not self._has_program:
            # Importing it is no part of a run.
            self._ask(None, work.prepare, self.setup)
            self._has_program = True
        return self._ask(self.setup.patience, function, self.setup, *arguments)

    def _ask(self, patience: float | None, function: Callable[..., Any], *arguments: Any) -> Any:
        try:
            self._calls.send((function, *arguments))
            if not self._answers.poll(patience):
                raise ChildDied(f"no end within {patience:g} s")
            well, answer = self._answers.recv()
        except (EOFError, OSError):
            raise ChildDied(self._how()) from None
        if not well:
            raise answer
        return answer

    def _how(self) -> str:
        code = self._process.wait()
        if code >= 0:
            return f"exit code {code}"
        try:
            return signal.Signals(-code).name
        except ValueError:
            return f"signal {-code}"

    def kill(self) -> None:
        """Let it answer no more."""
        self._process.kill()

    def end(self) -> None:
        """End it, whatever it does."""
        self._process.kill()
        self._process.wait()
        for each in (self._calls, self._answers, self._said):
            each.close()


class Children:
    """The processes of one executor: those that wait, and those that are at work."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._idle: list[_Child] = []
        self._all: set[_Child] = set()
        self._closed = False

    def run_seeds(self, setup: Setup, seeds: Sequence[int]) -> Answer:
        """What becomes of each seed, in a process; also of one that its process does not survive.

        After a death the seeds are run one by one: those that had nothing to do with it pass. So
        are those of a chunk that takes longer than one run may.
        """
        try:
            answer: Answer = self._call(setup, work.run_seeds, seeds)
            return answer
        except ChildDied:
            outcomes: list[Outcome] = []
            for seed in seeds:
                outcomes += self._alone(setup, seed)
            return Answer(tuple(outcomes), None)

    def _alone(self, setup: Setup, seed: int) -> tuple[Outcome, ...]:
        signature = ""
        for _ in range(_TRIES):
            try:
                answer: Answer = self._call(setup, work.run_seeds, (seed,))
                return answer.outcomes
            except ChildDied as died:
                signature = f"{work.DIED}{died}"
        said = f"each of {_TRIES} times that it was run alone"
        return (Outcome(seed, 0, 0.0, signature, said),)

    def retell(self, setup: Setup, seed: int, passing: int | None) -> Retold:
        """A failing run once more, as `work.retell` has it."""
        try:
            retold: Retold = self._call(setup, work.retell, seed, passing)
        except ChildDied as died:
            return Retold(f"{work.DIED}{died}")
        return retold

    def _call(self, setup: Setup, function: Callable[..., Any], *arguments: Any) -> Any:
        child = self._take(setup)
        try:
            answer = child.call(function, *arguments)
        except ChildDied:
            self._end(child)
            raise
        except BaseException:
            self._give_back(child)
            raise
        self._give_back(child)
        return answer

    def _take(self, setup: Setup) -> _Child:
        with self._lock:
            waiting, self._idle = self._idle, []
            fit = [each for each in waiting if each.setup == setup and each.alive]
            self._idle += fit[1:]
        for each in waiting:
            if each not in fit:
                self._end(each)
        return fit[0] if fit else self._start(setup)

    def _start(self, setup: Setup) -> _Child:
        with self._lock:
            if self._closed:
                raise NoChild("the campaign has ended")
            child = _Child(setup)
            self._all.add(child)
        try:
            child.begin()
        except NoChild:
            self._end(child)
            raise
        return child

    def _give_back(self, child: _Child) -> None:
        with self._lock:
            if not self._closed:
                self._idle.append(child)
                return
        self._end(child)

    def _end(self, child: _Child) -> None:
        with self._lock:
            self._all.discard(child)
        child.end()

    def rest(self) -> None:
        """End those that wait; others are started when they are needed."""
        with self._lock:
            waiting, self._idle = self._idle, []
        for child in waiting:
            self._end(child)

    def close(self) -> None:
        """End all, also those that are at work, and start no other."""
        with self._lock:
            self._closed = True
            everyone = list(self._all)
        self.rest()
        for child in everyone:
            child.kill()
