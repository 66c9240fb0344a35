"""The poll bits of every state of every family, as data, and the cases made of them.

Recorded on Linux 6.18. A state's bits are the same for all families whose name starts alike.
"""

from __future__ import annotations

import select
from contextlib import ExitStack

import pytest

from simnet.api import Network, Socket
from tests.conformance.outcomes import BITS
from tests.conformance.states import FAMILIES, NAMED, Place

ALL_BITS = select.POLLIN | select.POLLPRI | select.POLLOUT | select.POLLRDHUP
ALWAYS = select.POLLERR | select.POLLHUP

# state -> beginning of a family's name -> bits
STATES: dict[str, dict[str, str]] = {
    "unbound": {"tcp": "OUT|HUP", "unix-s": "OUT|HUP", "": "OUT"},
    "bound": {"tcp": "OUT|HUP", "unix-s": "OUT|HUP", "": "OUT"},
    "listening": {"": ""},
    "listening-with-client": {"": "IN"},
    "listening-with-reset-client": {"": "IN"},
    "listening-shut": {"tcp": "OUT|HUP", "unix": "IN|RDHUP"},
    "backlog-full": {"tcp": "", "unix": "OUT|HUP"},
    "connect-done": {"": "OUT"},
    "refused": {"tcp": "IN|OUT|ERR|HUP|RDHUP", "udp": "OUT|ERR", "unix": "OUT|HUP"},
    "refused-and-asked": {"": "IN|OUT|HUP|RDHUP"},
    "connected": {"": "OUT"},
    "connected-unnamed": {"": "OUT"},
    "accepted": {"": "OUT"},
    "pair": {"": "OUT"},
    "self-connected": {"": "OUT"},
    "connected-with-data": {"": "IN|OUT"},
    "bound-with-data": {"": "IN|OUT"},
    "urgent-data": {"": "IN|PRI|OUT"},
    "send-full": {"": ""},
    "queue-full": {"": ""},
    "shut-before-use": {"": "IN|OUT|HUP|RDHUP"},
    "rd-shut": {"": "IN|OUT|RDHUP"},
    "rd-shut-with-data": {"": "IN|OUT|RDHUP"},
    "wr-shut": {"": "OUT"},
    "both-shut": {"": "IN|OUT|HUP|RDHUP"},
    "both-ended": {"": "IN|OUT|HUP|RDHUP"},
    "peer-rd-shut": {"": "OUT"},
    "peer-wr-shut": {"": "IN|OUT|RDHUP"},
    "peer-wr-shut-with-data": {"": "IN|OUT|RDHUP"},
    "peer-closed": {"tcp": "IN|OUT|RDHUP", "unix": "IN|OUT|HUP|RDHUP"},
    "peer-closed-with-data": {"tcp": "IN|OUT|RDHUP", "unix": "IN|OUT|HUP|RDHUP"},
    "peer-closed-and-sent": {"": "IN|OUT|ERR|HUP|RDHUP"},
    "peer-gone": {"": "OUT"},
    "peer-reset": {"": "IN|OUT|ERR|HUP|RDHUP"},
    "peer-reset-with-data": {"": "IN|OUT|ERR|HUP|RDHUP"},
    "reset-and-told": {"": "IN|OUT|HUP|RDHUP"},
    "disconnected": {"tcp": "OUT|ERR|HUP", "": "OUT"},
}


def mask_of(text: str) -> int:
    """'IN|OUT' as a number."""
    return sum(bit for bit, name in BITS.items() if name in text.split("|"))


def bits_of(family: str, state: str) -> int:
    """The bits of a state in a family."""
    rows = STATES[state]
    return mask_of(next(bits for start, bits in rows.items() if family.startswith(start)))


CASES = [
    (family, state, bits_of(family, state))
    for family, states in FAMILIES.items()
    for state in states
    if state != "closed"
]
in_every_state = pytest.mark.parametrize(
    ("family", "state", "bits"), CASES, ids=[f"{family}-{state}" for family, state, _ in CASES]
)


def stand(sockets: ExitStack, net: Network, family: str, state: str) -> Socket:
    """A socket of the family in the state; all that it needs closes at the end of the case."""
    place = Place(net, NAMED[family])
    sockets.enter_context(place.stack)
    return FAMILIES[family][state](place)
