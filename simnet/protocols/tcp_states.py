"""TCP's states and every transition between them (RFC 9293, section 3.3.2).

Two rules: every change of state is written here, and nothing here knows how it comes about. A
missing entry is an error in the code, not in the peer: what is unacceptable in a segment is
rejected before anything changes.

As in Linux, two states are lived through by a small stand-in that outlasts the endpoint: a
connection that both sides have finished waits in TIME_WAIT, and one that was closed here but not by
the peer waits in FIN_WAIT2, while the endpoint itself is CLOSE.
"""

from __future__ import annotations

from enum import IntEnum


class State(IntEnum):
    """The states, with the numbers that TCP_INFO shows (include/net/tcp_states.h)."""

    ESTABLISHED = 1
    SYN_SENT = 2
    SYN_RECV = 3
    FIN_WAIT1 = 4
    FIN_WAIT2 = 5
    TIME_WAIT = 6
    CLOSE = 7
    CLOSE_WAIT = 8
    LAST_ACK = 9
    LISTEN = 10
    CLOSING = 11


class Event(IntEnum):
    """What can change a state."""

    PASSIVE_OPEN = 1  # listen()
    ACTIVE_OPEN = 2  # connect()
    SYN_RECEIVED = 3
    SYN_ACKED = 4  # our SYN is acknowledged
    FIN_SENT = 5  # this side closes
    FIN_RECEIVED = 6
    FIN_ACKED = 7  # our FIN is acknowledged
    RESET = 8  # RST received or sent, a time-out, or abandoned
    EXPIRED = 9  # twice the longest life of a segment has passed


# Each by itself, for the code that is run most: before Python 3.12 `State.CLOSE` takes ten times as
# long as a name of the module.
ESTABLISHED = State.ESTABLISHED
SYN_SENT = State.SYN_SENT
SYN_RECV = State.SYN_RECV
FIN_WAIT1 = State.FIN_WAIT1
FIN_WAIT2 = State.FIN_WAIT2
TIME_WAIT = State.TIME_WAIT
CLOSE = State.CLOSE
CLOSE_WAIT = State.CLOSE_WAIT
LAST_ACK = State.LAST_ACK
LISTEN = State.LISTEN
CLOSING = State.CLOSING

S = State  # short names for the table below
E = Event

TRANSITIONS: dict[tuple[State, Event], State] = {
    # Opening
    (S.CLOSE, E.PASSIVE_OPEN): S.LISTEN,
    (S.CLOSE, E.ACTIVE_OPEN): S.SYN_SENT,
    (S.LISTEN, E.SYN_RECEIVED): S.SYN_RECV,
    (S.SYN_SENT, E.SYN_RECEIVED): S.SYN_RECV,
    (S.SYN_SENT, E.SYN_ACKED): S.ESTABLISHED,
    (S.SYN_RECV, E.SYN_ACKED): S.ESTABLISHED,
    # Closing, this side first
    (S.ESTABLISHED, E.FIN_SENT): S.FIN_WAIT1,
    (S.SYN_RECV, E.FIN_SENT): S.FIN_WAIT1,
    (S.FIN_WAIT1, E.FIN_ACKED): S.FIN_WAIT2,
    (S.FIN_WAIT2, E.FIN_RECEIVED): S.TIME_WAIT,
    # Closing, both at once
    (S.FIN_WAIT1, E.FIN_RECEIVED): S.CLOSING,
    (S.CLOSING, E.FIN_ACKED): S.TIME_WAIT,
    # Closing, the peer first
    (S.ESTABLISHED, E.FIN_RECEIVED): S.CLOSE_WAIT,
    (S.CLOSE_WAIT, E.FIN_SENT): S.LAST_ACK,
    (S.LAST_ACK, E.FIN_ACKED): S.CLOSE,
    (S.TIME_WAIT, E.EXPIRED): S.CLOSE,
    (S.FIN_WAIT2, E.EXPIRED): S.CLOSE,
    # From anywhere
    **{(state, E.RESET): S.CLOSE for state in S},
}


def follow(state: State, event: Event) -> State:
    """The next state; KeyError for a transition that does not exist."""
    return TRANSITIONS[state, event]


# States in which both sides know each other's sequence numbers.
SYNCHRONIZED = frozenset(S) - {S.CLOSE, S.LISTEN, S.SYN_SENT, S.SYN_RECV}
# States in which this side may still send, and in which the peer may.
MAY_SEND = frozenset({S.ESTABLISHED, S.CLOSE_WAIT})
MAY_RECEIVE = frozenset({S.ESTABLISHED, S.FIN_WAIT1, S.FIN_WAIT2})
# States in which the peer's FIN has come, and this side has not ended.
FIN_HAS_COME = frozenset({S.CLOSE_WAIT, S.CLOSING, S.LAST_ACK})
# States whose abandonment tells the peer (tcp_need_reset).
NEEDS_RESET = frozenset({S.ESTABLISHED, S.CLOSE_WAIT, S.FIN_WAIT1, S.FIN_WAIT2, S.SYN_RECV})
