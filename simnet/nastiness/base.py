"""What all variations have: choices, mercy, and a word in the trace."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from simnet import constants
from simnet.clock import MILLISECOND_NS
from simnet.decisions import Stream
from simnet.protocols.base import Endpoint, Received
from simnet.protocols.opened import Opened

if TYPE_CHECKING:
    from simnet.trace import Trace

T = TypeVar("T")

# How late what is held up comes, the least first.
DELAYS_NS = (MILLISECOND_NS, 10 * MILLISECOND_NS, 100 * MILLISECOND_NS)


class Choices(Protocol):
    """What a variation asks of the nastiness of its world."""

    def stream(self, family: str) -> Stream:
        """The decisions of a family."""

    @property
    def is_asleep(self) -> bool:
        """Whether nothing strikes now."""

    @property
    def trace(self) -> Trace:
        """Where it is noted what struck."""


class Variation:
    """Something that is nasty."""

    # The sorts of calls that were struck last, and are spared once.
    spared: frozenset[str] = frozenset()

    @property
    def choices(self) -> Choices:
        """Those of its world."""
        raise NotImplementedError

    def known_as(self) -> int:
        """Its number in the trace, 0 for what is no socket."""
        return 0

    def strikes(self, family: str, one_in: int, call: str = "") -> bool:
        """Whether the family strikes in a call, once in so many; not twice in a row."""
        sort = f"{family} {call}"
        if sort in self.spared:
            self.spared -= {sort}
            return False
        if self.choices.is_asleep or not self.choices.stream(family).chance(1 / one_in):
            return False
        self.spared |= {sort}
        self.choices.trace.append(("nasty", self.known_as(), family))
        return True

    def below(self, family: str, count: int) -> int:
        """One of so many ways in which it strikes, 0 the plainest."""
        return self.choices.stream(family).below(count)

    def one_of(self, family: str, ways: Sequence[T]) -> T:
        """One of several."""
        return ways[self.below(family, len(ways))]


class OpenVariation(Variation, Opened):
    """Something open that is nasty."""

    @property
    def choices(self) -> Choices:
        return self.host.nastiness

    def known_as(self) -> int:
        return self.number

    def later(self, bits: int, delay_ns: int = 0) -> None:
        """Announce readiness once this call is over.

        What looks at the readiness again finds it; who waits for news (an edge-triggered epoll, a
        call with a timeout) is told in this way.
        """
        self.host.clock.call_after(delay_ns, partial(self.notify, bits))


class InterruptedOnce(OpenVariation):
    """Whose call ends early, where it would have to wait, after it was said so."""

    _interrupted = False

    def is_interrupted(self) -> bool:
        interrupted, self._interrupted = self._interrupted, False
        return interrupted or super().is_interrupted()


class SocketVariation(OpenVariation, Endpoint):
    """A socket that is nasty: it takes no short cuts, so that `send` and `recv` see every call."""

    # Bytes (of a datagram, at least 1) that the program was told are there, by MSG_PEEK or
    # FIONREAD. The kernel keeps its word: a read gives them.
    told = 0

    def send_now(self, data: bytes) -> int | None:
        return None

    def sendto_now(self, data: bytes, address: object) -> int | None:
        return None

    def recvfrom_now(self, size: int) -> tuple[bytes, Any] | None:
        return None

    def recv_now(self, size: int) -> bytes | None:
        return None

    def must_wait(self) -> bool:
        """A receive waits in the way that is not plain, from the beginning."""
        return False

    def recv(self, size: int, flags: int, ancillary_size: int = 0) -> Received | None:
        received = super().recv(size, flags, ancillary_size)
        if received is not None and not flags & constants.MSG_OOB:
            if flags & constants.MSG_PEEK:
                self.told = max(self.told, received.length, 1)
            else:
                self.told = max(0, self.told - received.length) if self.is_stream else 0
        return received

    def input_length(self) -> int:
        length = super().input_length()
        self.told = max(self.told, length)
        return length

    def input_there(self) -> int:
        """How much there is to read, without telling the program."""
        try:
            return super().input_length()
        except OSError:
            return 0

    def would_wait(self, flags: int) -> bool:
        """Whether a call with these flags waits where it cannot go on."""
        return not (self.nonblocking or flags & constants.MSG_DONTWAIT)


class TableVariation(Variation):
    """A table of a world or host that is nasty; whoever makes it gives it its choices."""

    given: Choices

    @property
    def choices(self) -> Choices:
        return self.given
