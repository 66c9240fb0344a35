"""Programs over TCP connections, for a strategy to draw: one task, sockets that never block.

Unlike the programs that are compared with the kernel, these fill buffers, cork, and let virtual
time pass, for both sides of the comparison are simulators and must agree to the byte.
"""

from __future__ import annotations

import socket

from hypothesis import strategies as st

from tests.differential.program import Data, Inet, NameOf, Step

Steps = tuple[Step, ...]

SOL, TCP = socket.SOL_SOCKET, socket.IPPROTO_TCP
PAIRS = [("c1", "s1"), ("c2", "s2")]
ENDS = [name for pair in PAIRS for name in pair]
SIZES = [1, 10, 100, 535, 536, 537, 1460, 4000, 10_000, 65_483, 65_484, 150_000, 3_000_000]
READS = [1 << 22, 100_000, 4096, 1460, 100, 7, 1, 0]
SEND_FLAGS = [0, 0, 0, 0, 0, 0, 0, socket.MSG_MORE, socket.MSG_OOB, socket.MSG_DONTWAIT]
RECV_FLAGS = [
    0, 0, 0, 0, 0, 0, 0, socket.MSG_PEEK, socket.MSG_TRUNC, socket.MSG_OOB, socket.MSG_WAITALL,
    socket.MSG_PEEK | socket.MSG_OOB,
]  # fmt: skip
# Just before and after an acknowledgement may wait (40 ms), and a cork (200 ms).
PAUSES = [0.01, 0.039, 0.04, 0.041, 0.1, 0.2, 0.3]
RESET = (SOL, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
OPTIONS = [
    *((SOL, buffer, size) for buffer in (socket.SO_SNDBUF, socket.SO_RCVBUF)
      for size in (0, 2000, 8192, 100_000)),
    *((TCP, option, on) for option in (socket.TCP_NODELAY, socket.TCP_CORK) for on in (1, 0)),
    (TCP, socket.TCP_QUICKACK, 0),
    (TCP, socket.TCP_QUICKACK, 1),
    (SOL, socket.SO_OOBINLINE, 1),
    (SOL, socket.SO_RCVLOWAT, 50),
    (SOL, socket.SO_RCVLOWAT, 1),
    RESET,
]  # fmt: skip


def one(options: list[object]) -> st.SearchStrategy[object]:
    return st.sampled_from(options)


END = st.sampled_from(ENDS)
OPTION = st.sampled_from(OPTIONS)
SEND = st.builds(
    lambda end, letter, size, flags: [Step("send", end, (Data(letter, size), flags))],
    END,
    st.sampled_from("abcdefgh"),
    st.sampled_from(SIZES),
    st.sampled_from(SEND_FLAGS),
)
RECEIVE = st.builds(
    lambda end, size, flags: [Step("recv", end, (size, flags))],
    END,
    st.sampled_from(READS),
    st.sampled_from(RECV_FLAGS),
)
PAUSE = st.builds(lambda seconds: [Step("sleep", None, (seconds,))], st.sampled_from(PAUSES))
SET = st.builds(lambda end, option: [Step("setsockopt", end, option)], END, OPTION)
GET = st.builds(lambda end: [Step("getsockopt", end, (SOL, socket.SO_ERROR))], END)
SHUTDOWN = st.builds(
    lambda end, how: [Step("shutdown", end, (how,))],
    END,
    st.sampled_from([socket.SHUT_WR, socket.SHUT_RD, socket.SHUT_RDWR]),
)
CLOSE = st.builds(lambda end: [Step("close", end)], END)
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


def opening(client: str, server: str, options: Steps = ()) -> list[Step]:
    """A client, perhaps with options, and the server's end."""
    return [
        Step("client", None, (), (client,)),
        *options,
        Step("connect", client, (NameOf("l"),)),
        Step("accept", "l", (), (server,)),
    ]


def _with_options(pair: tuple[str, str], options: list[tuple[int, int, int | bytes]]) -> list[Step]:
    client, server = pair
    return opening(client, server, tuple(Step("setsockopt", client, o) for o in options))


OPEN = st.builds(_with_options, st.sampled_from(PAIRS), st.lists(OPTION, max_size=3))
CONNECT = st.builds(lambda pair: opening(*pair)[:-1], st.sampled_from(PAIRS))
ACCEPT = st.builds(lambda pair: opening(*pair)[-1:], st.sampled_from(PAIRS))
MOVE = st.one_of(
    *[SEND] * 6, *[RECEIVE] * 6, PAUSE, PAUSE, SET, SET, GET, SHUTDOWN, CLOSE, RESETTING,
    DISCONNECT, LISTENER, OPEN, CONNECT, ACCEPT,
)  # fmt: skip


def _program(
    backlog: int, options: list[tuple[int, int, int | bytes]], first: list[Step],
    moves: list[list[Step]],
) -> Steps:  # fmt: skip
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
    OPEN,
    st.lists(MOVE, max_size=30),
)
