"""TCP's state table against RFC 9293, figure 5, and against itself."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simnet.protocols.tcp_states import (
    MAY_RECEIVE,
    MAY_SEND,
    NEEDS_RESET,
    SYNCHRONIZED,
    TRANSITIONS,
    Event,
    State,
    follow,
)

# Figure 5 of RFC 9293. Its arrow from SYN-SENT back to CLOSED (delete TCB) and all other
# abandonments are the reset that every state has here.
FIGURE_5 = {
    ("CLOSE", "PASSIVE_OPEN", "LISTEN"),
    ("CLOSE", "ACTIVE_OPEN", "SYN_SENT"),
    ("LISTEN", "SYN_RECEIVED", "SYN_RECV"),
    ("SYN_SENT", "SYN_RECEIVED", "SYN_RECV"),
    ("SYN_SENT", "SYN_ACKED", "ESTABLISHED"),
    ("SYN_RECV", "SYN_ACKED", "ESTABLISHED"),
    ("SYN_RECV", "FIN_SENT", "FIN_WAIT1"),
    ("ESTABLISHED", "FIN_SENT", "FIN_WAIT1"),
    ("ESTABLISHED", "FIN_RECEIVED", "CLOSE_WAIT"),
    ("FIN_WAIT1", "FIN_ACKED", "FIN_WAIT2"),
    ("FIN_WAIT1", "FIN_RECEIVED", "CLOSING"),
    ("FIN_WAIT2", "FIN_RECEIVED", "TIME_WAIT"),
    ("CLOSING", "FIN_ACKED", "TIME_WAIT"),
    ("CLOSE_WAIT", "FIN_SENT", "LAST_ACK"),
    ("LAST_ACK", "FIN_ACKED", "CLOSE"),
    ("TIME_WAIT", "EXPIRED", "CLOSE"),
}
# What the figure does not show.
OF_LINUX = {
    # net.ipv4.tcp_fin_timeout: nobody here waits for the peer's FIN for ever.
    ("FIN_WAIT2", "EXPIRED", "CLOSE"),
}
# RFC 9293's figure has LISTEN --SEND--> SYN-SENT, which no socket call of Linux's can ask for.
NOT_OFFERED = ("LISTEN", "ACTIVE_OPEN")

EVENTS = st.sampled_from(Event)


def edges() -> set[tuple[str, str, str]]:
    """The table by name, but for the resets."""
    return {
        (state.name, event.name, after.name)
        for (state, event), after in TRANSITIONS.items()
        if event is not Event.RESET
    }


def reachable(start: State) -> set[State]:
    """All states that events may lead to."""
    found, new = {start}, [start]
    while new:
        state = new.pop()
        for (before, _), after in TRANSITIONS.items():
            if before is state and after not in found:
                found.add(after)
                new.append(after)
    return found


def test_the_transitions_are_those_of_the_rfc() -> None:
    """Figure 5, and what Linux adds to it."""
    assert edges() == FIGURE_5 | OF_LINUX


@pytest.mark.parametrize("state", State)
def test_a_reset_ends_every_state(state: State) -> None:
    """RFC 9293, section 3.10.7: received, sent, or because nobody answers."""
    assert follow(state, Event.RESET) is State.CLOSE


@pytest.mark.parametrize("state", State)
def test_every_state_can_be_reached(state: State) -> None:
    """From the state of a new socket."""
    assert state in reachable(State.CLOSE)


@pytest.mark.parametrize("state", State)
def test_every_state_can_be_left(state: State) -> None:
    """And each ends in CLOSE some day."""
    assert State.CLOSE in reachable(state)


def test_the_table_is_about_known_states_and_events() -> None:
    """Every event leads somewhere from somewhere, and every target has entries of its own."""
    assert {event for _, event in TRANSITIONS} == set(Event)
    assert set(TRANSITIONS.values()) <= {state for state, _ in TRANSITIONS} == set(State)


@pytest.mark.parametrize(
    ("state", "event"),
    [(s, e) for s in State for e in Event if (s, e) not in TRANSITIONS],
    ids=lambda value: value.name,
)
def test_a_missing_entry_is_an_error_in_the_code(state: State, event: Event) -> None:
    """It raises; nothing guesses."""
    with pytest.raises(KeyError):
        follow(state, event)


def test_listen_is_never_left_by_connecting() -> None:
    """Linux's connect() on a listener is EISCONN."""
    state, event = NOT_OFFERED
    assert (State[state], Event[event]) not in TRANSITIONS


@given(st.lists(EVENTS, max_size=30))
def test_a_side_sends_one_fin_and_receives_one(events: list[Event]) -> None:
    """However the events fall: only a new connection allows another of either."""
    state = State.CLOSE
    seen: list[Event] = []
    for event in events:
        if (state, event) not in TRANSITIONS:
            continue
        state = follow(state, event)
        seen.append(event)
        if state is State.CLOSE:
            seen.clear()
        assert seen.count(Event.FIN_SENT) <= 1
        assert seen.count(Event.FIN_RECEIVED) <= 1
        assert (state in MAY_SEND) <= (Event.FIN_SENT not in seen)
        assert (state in MAY_RECEIVE) <= (Event.FIN_RECEIVED not in seen)


def test_who_may_send_or_receive_knows_the_peers_numbers() -> None:
    """Data belongs to synchronized states (RFC 9293, section 3.3.2)."""
    assert MAY_SEND | MAY_RECEIVE <= SYNCHRONIZED


def test_a_peer_that_may_still_send_is_told_of_the_end() -> None:
    """Linux's tcp_need_reset: every state in which the peer has not finished."""
    not_finished = MAY_RECEIVE | {State.CLOSE_WAIT, State.SYN_RECV}
    assert not_finished == NEEDS_RESET


def test_states_have_the_kernels_numbers() -> None:
    """include/net/tcp_states.h, as TCP_INFO and /proc/net/tcp show them."""
    assert [state.name for state in sorted(State)] == [
        "ESTABLISHED",
        "SYN_SENT",
        "SYN_RECV",
        "FIN_WAIT1",
        "FIN_WAIT2",
        "TIME_WAIT",
        "CLOSE",
        "CLOSE_WAIT",
        "LAST_ACK",
        "LISTEN",
        "CLOSING",
    ]
    assert [int(state) for state in sorted(State)] == list(range(1, 12))
