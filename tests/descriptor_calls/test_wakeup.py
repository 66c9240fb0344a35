"""signal.set_wakeup_fd() with a simulated descriptor."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from types import SimpleNamespace
from typing import Any

import pytest

from simnet import World
from simnet.descriptor_calls import REPLACED
from tests.descriptor_calls.places import REAL, SIMULATED, Kinds, Place, both, outcome

OURS = SimpleNamespace(**{**vars(signal), **REPLACED["signal"]})


def signals_of(at: Place) -> Any:
    """The signal module of a place."""
    return signal if at is REAL else OURS


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    """Handlers and the wake-up descriptor are the process's: each test gives them back."""
    before = signal.getsignal(signal.SIGUSR1)
    yield
    signal.signal(signal.SIGUSR1, before)
    OURS.set_wakeup_fd(-1)
    signal.set_wakeup_fd(-1)


def test_a_signal_is_announced_and_then_handled() -> None:
    """By its number, in the descriptor, before the handler runs."""

    def body(at: Place) -> Any:
        signals = signals_of(at)
        seen: list[Any] = []
        with ExitStack() as stack:
            one, other = Kinds(at, stack).pair()
            seen.append(signals.set_wakeup_fd(one.fileno(), warn_on_full_buffer=False))

            def handler(number: int, frame: Any) -> None:
                seen.append((number, other.recv(9), frame is not None))

            before = signals.signal(signal.SIGUSR1, handler)
            seen.append((before, signals.getsignal(signal.SIGUSR1) is handler))
            signal.raise_signal(signal.SIGUSR1)
            os.kill(os.getpid(), signal.SIGUSR1)
            seen.append(signals.signal(signal.SIGUSR1, signal.SIG_IGN) is handler)
            signal.raise_signal(signal.SIGUSR1)
            seen.append(signals.set_wakeup_fd(-1) == one.fileno())
            seen.append(signals.set_wakeup_fd(-1))
            signals.signal(signal.SIGUSR1, signal.SIG_DFL)
            seen.append(outcome(other.recv, 9))
        return seen

    on_kernel, simulated = both(body)
    assert simulated == on_kernel


@pytest.fixture
def complaints(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Callable[[], Any]:
    """What was said since the last look, to whom exceptions are told that nobody catches."""
    told: list[Any] = []

    def hook(said: Any) -> None:
        told.append((said.exc_type, str(said.exc_value), said.err_msg, said.object))

    def look() -> Any:
        before = list(told)
        told.clear()
        return before, capfd.readouterr().err

    monkeypatch.setattr(sys, "unraisablehook", hook)
    return look


@pytest.mark.parametrize("kind", ["unix", "write_end", "read_end", "counter", "closed"])
def test_what_a_signal_is_announced_to(kind: str, complaints: Callable[[], Any]) -> None:
    """A complaint where it cannot be written: the signal is handled all the same."""

    def body(at: Place) -> Any:
        signals = signals_of(at)
        seen: list[Any] = []
        with ExitStack() as stack:
            number = getattr(Kinds(at, stack), kind)()
            seen.append(outcome(signals.set_wakeup_fd, number))
            signals.signal(signal.SIGUSR1, lambda *_: seen.append("handled"))
            signal.raise_signal(signal.SIGUSR1)
            if kind not in ("unix", "closed"):
                at.os.close(number)
                signal.raise_signal(signal.SIGUSR1)
            signals.set_wakeup_fd(-1)
        return seen, complaints()

    on_kernel, simulated = both(body)
    assert simulated == on_kernel


def test_a_full_buffer_is_said_unless_it_was_not_to_be(complaints: Callable[[], Any]) -> None:
    """warn_on_full_buffer."""

    def body(at: Place) -> Any:
        signals = signals_of(at)
        seen: list[Any] = []
        signals.signal(signal.SIGUSR1, lambda *_: None)
        for warns in (True, False):
            with ExitStack() as stack:
                _, writer = Kinds(at, stack).pipe()
                at.os.write(writer, b"x" * 65536)
                signals.set_wakeup_fd(writer, warn_on_full_buffer=warns)
                signal.raise_signal(signal.SIGUSR1)
                signals.set_wakeup_fd(-1)
            seen.append(complaints())
        return seen

    on_kernel, simulated = both(body)
    assert simulated == on_kernel
    assert simulated[0][0]
    assert simulated[1] == ([], "")


def test_the_descriptor_must_not_block() -> None:
    """ValueError, in the same words."""

    def body(at: Place) -> Any:
        with ExitStack() as stack:
            _, writer = Kinds(at, stack).pipe(0)
            text = outcome(signals_of(at).set_wakeup_fd, writer)[2]
            return text.replace(str(writer), "N")

    on_kernel, simulated = both(body)
    assert simulated == on_kernel


def test_one_kind_of_descriptor_takes_the_place_of_the_other() -> None:
    """Each time with the number of the one before as the result."""
    with World().host("a"), ExitStack() as stack:
        real, simulated = (Kinds(at, stack).pipe()[1] for at in (REAL, SIMULATED))
        numbers = (real, simulated, real, real, simulated, simulated, -1)
        assert [OURS.set_wakeup_fd(number) for number in numbers] == [-1, *numbers[:-1]]


def test_who_waits_for_the_descriptor_is_woken() -> None:
    """As an event loop waits for its self-pipe, when another task raises the signal."""
    world = World()
    host = world.host("a")
    with host, ExitStack() as stack:
        one, other = Kinds(SIMULATED, stack).pair()
        OURS.set_wakeup_fd(one.fileno())
        OURS.signal(signal.SIGUSR1, lambda *_: None)
        host.spawn(lambda: (host.sleep(2), signal.raise_signal(signal.SIGUSR1)))
        assert SIMULATED.select.select([other], [], []) == ([other], [], [])
        assert (world.now, other.recv(9)) == (2, bytes([signal.SIGUSR1]))
