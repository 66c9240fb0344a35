"""Programs over TCP connections, for a strategy to draw: one task, sockets that never block.

Unlike the programs that are compared with the kernel, these fill buffers, cork, and let virtual
time pass, for both sides of the comparison are simulators and must agree to the byte.
"""

from __future__ import annotations

import socket
from collections.abc import Iterable
from typing import TypeVar

from hypothesis import strategies as st

from tests.differential.program import Data, Inet, NameOf, Step

Steps = tuple[Step, ...]
Setting = tuple[int, int, int | bytes]

SOL, TCP = socket.SOL_SOCKET, socket.IPPROTO_TCP
PAIRS = [("c1", "s1"), ("c2", "s2")]
SIZES = [1, 10, 100, 535, 536, 537, 1460, 4000, 10_000, 65_483, 65_484, 150_000, 3_000_000]
READS = [1 << 22, 100_000, 4096, 1460, 100, 7, 1, 0]
SEND_FLAGS = [*[0] * 15, socket.MSG_MORE, socket.MSG_OOB, socket.MSG_DONTWAIT]
RECV_FLAGS = [
    *[0] * 20, socket.MSG_PEEK, socket.MSG_TRUNC, socket.MSG_OOB, socket.MSG_WAITALL,
    socket.MSG_PEEK | socket.MSG_OOB,
]  # fmt: skip
# Just before and after an acknowledgement may wait (40 ms), and a cork (200 ms).
PAUSES = [0.01, 0.039, 0.04, 0.041, 0.1, 0.2, 0.3]
RESET = (SOL, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
OPTIONS = [
    *((SOL, buffer, size) for buffer in (socket.SO_SNDBUF, socket.SO_RCVBUF)
      for size in (0, 2000, 8192, 100_000)),
    *((TCP, option, on) for option in (socket.TCP_NODELAY, socket.TCP_CORK) for on in (1, 0)),
    (SOL, socket.SO_RCVBUF, 1 << 22),
    (TCP, socket.TCP_QUICKACK, 0),
    (TCP, socket.TCP_QUICKACK, 1),
    (SOL, socket.SO_OOBINLINE, 1),
    (SOL, socket.SO_RCVLOWAT, 50),
    (SOL, socket.SO_RCVLOWAT, 1),
    RESET,
]  # fmt: skip

T = TypeVar("T")


def weighted(*choices: tuple[int, st.SearchStrategy[T]]) -> st.SearchStrategy[T]:
    """One of the strategies, each as often as its number says; the first is the plainest."""
    return st.sampled_from([choice for times, choice in choices for _ in range(times)]).flatmap(
        lambda choice: choice
    )


# Mostly the first connection, so that its state comes far.
PAIR = st.sampled_from([*PAIRS[:1] * 4, *PAIRS[1:]])
END = st.sampled_from([*PAIRS[0] * 4, *PAIRS[1]])
OPTION = st.sampled_from(OPTIONS)
SIZE = st.sampled_from(SIZES)


def send(end: str, letter: str, size: int, flags: int) -> list[Step]:
    """With flags, or as plainly as a program can; the short cut is for plain calls."""
    data = Data(letter, size)
    return [Step("send", end, (data, flags) if flags else (data,))]


def receive(end: str, size: int, flags: int) -> list[Step]:
    return [Step("recv", end, (size, flags) if flags else (size,))]


def end_of(pair: tuple[str, str], turns: Iterable[list[Step]]) -> list[Step]:
    """The steps of several moves, on the ends of a pair instead of 0 and 1."""
    steps = [step for turn in turns for step in turn]
    return [Step(step.call, step.on and pair[int(step.on)], step.args) for step in steps]


SIDE = st.sampled_from("01")
LETTER = st.sampled_from("abcdefgh")
SMALL = st.sampled_from(SIZES[:7])
SEND = st.builds(send, END, LETTER, SIZE, st.sampled_from(SEND_FLAGS))
RECEIVE = st.builds(receive, END, st.sampled_from(READS), st.sampled_from(RECV_FLAGS))
PAUSE = st.builds(lambda seconds: [Step("sleep", None, (seconds,))], st.sampled_from(PAUSES))
TALK = st.builds(
    end_of,
    PAIR,
    st.lists(
        weighted(
            (4, st.builds(send, SIDE, LETTER, SMALL, st.just(0))),
            (4, st.builds(receive, SIDE, st.sampled_from(READS), st.just(0))),
            (1, PAUSE),
        ),
        min_size=4,
        max_size=10,
    ),
)
# One side alone sends, often enough for the other to delay its acknowledgements.
LECTURE = st.builds(
    lambda pair, side, letter, sizes, read: end_of(
        pair,
        [
            move
            for size in sizes
            for move in (send(side, letter, size, 0), receive("10"[int(side)], read, 0))
        ],
    ),
    PAIR,
    SIDE,
    LETTER,
    st.lists(SMALL, min_size=3, max_size=20),
    st.sampled_from(READS[:-1]),
)
SET = st.builds(lambda end, option: [Step("setsockopt", end, option)], END, OPTION)
GET = st.builds(lambda end: [Step("getsockopt", end, (SOL, socket.SO_ERROR))], END)


def shutdown(end: str, how: int) -> list[Step]:
    return [Step("shutdown", end, (how,))]


SHUTDOWN = st.builds(
    shutdown, END, st.sampled_from([socket.SHUT_WR, socket.SHUT_RD, socket.SHUT_RDWR])
)
CLOSE = st.builds(lambda end: [Step("close", end)], END)
FAREWELL = st.builds(
    lambda pair, full, one, pause, other: end_of(pair, [full, one, pause, other]),
    PAIR,
    st.just([]) | st.builds(send, SIDE, LETTER, st.sampled_from(SIZES[-2:]), st.just(0)),
    st.sampled_from([[Step("close", "0")], shutdown("1", socket.SHUT_WR), [Step("close", "1")]]),
    st.just([]) | PAUSE,
    st.sampled_from([[Step("close", "1")], shutdown("0", socket.SHUT_WR), [Step("close", "0")]]),
)
RESETTING = st.builds(lambda end: [Step("setsockopt", end, RESET), Step("close", end)], END)
DISCONNECT = st.builds(lambda end: [Step("disconnect", end)], END)
LISTENER = st.sampled_from(
    [
        [Step("close", "l")],
        [Step("listen", "l", (0,))],
        [Step("shutdown", "l", (socket.SHUT_RD,))],
        [Step("connect", "c1", (NameOf("c2"),))],
        [Step("connect", "c2", (NameOf("c1"),))],
    ]
)


def opening(pair: tuple[str, str], options: list[Setting]) -> list[Step]:
    """A client, perhaps with options, and the server's end."""
    client, server = pair
    return [
        Step("client", None, (), (client,)),
        *(Step("setsockopt", client, option) for option in options),
        Step("connect", client, (NameOf("l"),)),
        Step("accept", "l", (), (server,)),
    ]


OPEN = st.builds(opening, PAIR, st.lists(OPTION, max_size=3))
CONNECT = st.builds(lambda pair: opening(pair, [])[:-1], PAIR)
ACCEPT = st.builds(lambda pair: opening(pair, [])[-1:], PAIR)
MOVE = weighted(
    (12, SEND), (12, RECEIVE), (8, TALK), (4, LECTURE), (4, PAUSE), (4, SET), (2, GET),
    (1, SHUTDOWN), (1, CLOSE), (1, FAREWELL), (1, RESETTING), (1, DISCONNECT), (1, LISTENER),
    (6, OPEN), (1, CONNECT), (1, ACCEPT),
)  # fmt: skip


def _program(
    backlog: int, options: list[Setting], first: list[Step], moves: list[list[Step]]
) -> Steps:
    return (
        Step("server", None, (), ("l",)),
        *(Step("setsockopt", "l", option) for option in options),
        Step("bind", "l", (Inet("0.0.0.0", 0),)),
        Step("listen", "l", (backlog,)),
        *first,
        *(step for move in moves for step in move),
    )


PROGRAMS = st.builds(
    _program,
    st.sampled_from([1, 0, 3]),
    st.lists(OPTION, max_size=3),
    st.builds(opening, st.just(PAIRS[0]), st.lists(OPTION, max_size=3)),
    weighted((1, st.lists(MOVE, max_size=10)), (3, st.lists(MOVE, min_size=15, max_size=40))),
)
