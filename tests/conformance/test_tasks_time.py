"""Tasks, time, calls that another task wakes, and what a network finds left open at its end."""

from __future__ import annotations

import socket
from contextlib import ExitStack

import pytest

from simnet.api import Network, Socket
from tests.conformance.kinds import (
    ALL_PAIRS,
    CONNECTION_NAMES,
    CONNECTION_PAIRS,
    PATIENCE,
    STREAM_PAIRS,
    TCP_NAMES,
    UDP_PAIRS,
    Kind,
    Named,
    each,
)
from tests.conformance.outcomes import outcome, recv_exactly
from tests.conformance.patient import opened


def test_a_task_gives_its_value(net: Network) -> None:
    """spawn() runs function(*args); result() is what it returned, again and again."""
    task = net.spawn(divmod, 17, 5)
    assert task.result(PATIENCE) == task.result() == (3, 2)
    assert task.done


def test_an_exception_travels(net: Network) -> None:
    """result() raises what the task raised, each time; join() does not."""
    task = net.spawn(int, "no number")
    assert task.join(PATIENCE) is True
    for _ in range(2):
        with pytest.raises(ValueError, match="invalid literal"):
            task.result()


def test_a_socket_error_travels(net: Network, sockets: ExitStack) -> None:
    """result() raises a task's OSError with its errno."""
    sock = sockets.enter_context(net.socket())
    task = net.spawn(sock.recv, 1)
    assert outcome(task.result, PATIENCE) == "ENOTCONN"


def test_a_task_has_a_name(net: Network) -> None:
    """A task is named by the caller, or has some name."""
    named, plain = net.spawn(int, name="counter"), net.spawn(int)
    assert named.name == "counter"
    assert plain.name
    assert named.join(PATIENCE)
    assert plain.join(PATIENCE)


def test_waiting_for_a_task_has_an_end(net: Network, sockets: ExitStack) -> None:
    """join() says whether the task has ended; result() raises TimeoutError if it has not."""
    a, b = map(sockets.enter_context, net.socketpair())
    task = net.spawn(b.recv, 10)
    assert task.join(0.01) is False
    assert task.join(0) is False
    assert not task.done
    with pytest.raises(TimeoutError):
        task.result(0.01)
    a.send(b"now")
    assert task.join(PATIENCE) is True
    assert task.result(0) == b"now"


def test_a_task_may_spawn_tasks(net: Network) -> None:
    """A task may start another and wait for it."""
    task = net.spawn(lambda: net.spawn(sum, [1, 2, 3]).result(PATIENCE))
    assert task.result(PATIENCE) == 6


def test_many_tasks_wait_at_once(net: Network) -> None:
    """Tasks sleep beside each other."""
    start = net.monotonic()
    tasks = [net.spawn(net.sleep, 0.2) for _ in range(20)]
    assert all(task.join(PATIENCE) for task in tasks)
    assert 0.2 <= net.monotonic() - start < 20 * 0.2


@pytest.mark.parametrize("seconds", [0, 0.0, 0.001, 0.03])
def test_sleep_takes_its_time(net: Network, seconds: float) -> None:
    """monotonic() has advanced by what was slept, or more."""
    start = net.monotonic()
    assert net.sleep(seconds) is None
    assert net.monotonic() - start >= seconds


def test_sleep_is_for_later(net: Network) -> None:
    """sleep() of a negative time is ValueError."""
    with pytest.raises(ValueError, match="must be non-negative"):
        net.sleep(-1)


def test_time_does_not_go_back(net: Network) -> None:
    """monotonic() and time() are floats, and monotonic() never decreases."""
    readings = [net.monotonic() for _ in range(100)]
    assert readings == sorted(readings)
    assert isinstance(readings[0], float)
    assert isinstance(net.time(), float)


def test_sleepers_wake_in_order(net: Network) -> None:
    """Who sleeps less wakes first."""
    woken: list[int] = []

    def sleeper(number: int) -> None:
        net.sleep(number * 0.1)
        woken.append(number)

    tasks = [net.spawn(sleeper, number) for number in (3, 1, 2)]
    assert all(task.join(PATIENCE) for task in tasks)
    assert woken == [1, 2, 3]


@each(ALL_PAIRS)
def test_a_send_wakes_a_receiver(net: Network, sockets: ExitStack, kind: Kind) -> None:
    """A recv() that waits gets what another task sends."""
    a, b = opened(sockets, net, kind)
    task = net.spawn(b.recv, 10)
    assert not task.join(0.01)
    a.send(b"wake up")
    assert task.result(PATIENCE) == b"wake up"


@each(CONNECTION_PAIRS)
def test_the_end_wakes_a_receiver(net: Network, sockets: ExitStack, kind: Kind) -> None:
    """A recv() that waits gets b'' when the peer closes."""
    a, b = opened(sockets, net, kind)
    task = net.spawn(b.recv, 10)
    assert not task.join(0.01)
    a.close()
    assert task.result(PATIENCE) == b""


@each(CONNECTION_PAIRS)
def test_a_reset_wakes_a_receiver(net: Network, sockets: ExitStack, kind: Kind) -> None:
    """A recv() that waits fails with ECONNRESET when the peer closes with unread data."""
    a, b = opened(sockets, net, kind)
    b.send(b"unread")
    assert net.select([a], [], [], PATIENCE)[0]
    task = net.spawn(outcome, b.recv, 10)
    assert not task.join(0.01)
    a.close()
    assert task.result(PATIENCE) == "ECONNRESET"


@each(CONNECTION_NAMES, argument="named")
def test_a_client_wakes_an_acceptor(net: Network, sockets: ExitStack, named: Named) -> None:
    """An accept() that waits gets the next connection."""
    listener = sockets.enter_context(named.listening(net))
    task = net.spawn(listener.accept)
    assert not task.join(0.01)
    client = sockets.enter_context(named.socket(net))
    client.connect(listener.getsockname())
    conn, _ = task.result(PATIENCE)
    with conn:
        client.send(b"hello")
        assert conn.recv(10) == b"hello"


@each(CONNECTION_NAMES, argument="named")
def test_acceptors_are_served_in_order(net: Network, sockets: ExitStack, named: Named) -> None:
    """Of several tasks in accept() the one that waits longest gets the next connection."""
    listener = sockets.enter_context(named.listening(net))
    tasks = []
    for _ in range(3):
        tasks.append(net.spawn(listener.accept))
        assert not tasks[-1].join(0.05)
    for number, task in enumerate(tasks):
        client = sockets.enter_context(named.socket(net))
        client.connect(listener.getsockname())
        client.send(b"%d" % number)
        conn, _ = task.result(PATIENCE)
        with conn:
            assert conn.recv(1) == b"%d" % number


@each(CONNECTION_NAMES, argument="named")
def test_connections_are_accepted_in_order(net: Network, sockets: ExitStack, named: Named) -> None:
    """accept() gives connections in the order in which they were made."""
    listener = sockets.enter_context(named.listening(net))
    for number in range(4):
        client = sockets.enter_context(named.socket(net))
        client.connect(listener.getsockname())
        client.send(b"%d" % number)
    for number in range(4):
        conn, _ = listener.accept()
        with conn:
            assert conn.recv(1) == b"%d" % number


@each(UDP_PAIRS)
def test_receivers_of_datagrams_are_served_in_order(
    net: Network, sockets: ExitStack, kind: Kind
) -> None:
    """Of several tasks in recv() on one UDP socket the one that waits longest is served."""
    a, b = opened(sockets, net, kind)
    b.settimeout(None)
    tasks = []
    for _ in range(3):
        tasks.append(net.spawn(b.recv, 10))
        assert not tasks[-1].join(0.05)
    for number, task in enumerate(tasks):
        a.send(b"%d" % number)
        assert task.result(PATIENCE) == b"%d" % number


@each(STREAM_PAIRS)
def test_a_reader_wakes_a_sender(net: Network, sockets: ExitStack, kind: Kind) -> None:
    """A sendall() of more than fits goes on while another task reads."""
    a, b = opened(sockets, net, kind)
    data = bytes(range(256)) * (8 << 12)
    task = net.spawn(a.sendall, data)
    assert recv_exactly(b, len(data)) == data
    assert task.result(PATIENCE) is None


@each(STREAM_PAIRS)
def test_two_tasks_talk(net: Network, sockets: ExitStack, kind: Kind) -> None:
    """One task echoes what the other sends, line by line."""
    a, b = opened(sockets, net, kind)

    def echo() -> int:
        count = 0
        while data := b.recv(100):
            b.sendall(data)
            count += len(data)
        return count

    task = net.spawn(echo)
    for number in range(50):
        message = b"message %d" % number
        a.sendall(message)
        assert recv_exactly(a, len(message)) == message
    a.shutdown(socket.SHUT_WR)
    assert task.result(PATIENCE) == sum(len(b"message %d" % n) for n in range(50))


@each(TCP_NAMES, argument="named")
def test_a_connection_is_made_between_tasks(net: Network, sockets: ExitStack, named: Named) -> None:
    """create_server() in one task, create_connection() in another."""
    address = named.fresh_address(net)
    server = sockets.enter_context(net.create_server(address, family=named.family))

    def serve() -> bytes:
        conn, _ = server.accept()
        with conn:
            data = conn.recv(100)
            conn.sendall(data.upper())
            return data

    task = net.spawn(serve)
    with net.create_connection(server.getsockname()[:2], PATIENCE) as client:
        client.sendall(b"shout")
        assert client.recv(100) == b"SHOUT"
    assert task.result(PATIENCE) == b"shout"


@each(ALL_PAIRS)
def test_a_dup_that_shuts_down_wakes_a_receiver(
    net: Network, sockets: ExitStack, kind: Kind
) -> None:
    """shutdown() through another descriptor of the same socket ends a recv() that waits."""
    _, b = opened(sockets, net, kind)
    b.settimeout(None)
    copied = sockets.enter_context(b.dup())
    task = net.spawn(b.recv, 10)
    assert not task.join(0.01)
    copied.shutdown(socket.SHUT_RD)
    assert task.result(PATIENCE) == b""


@each(CONNECTION_PAIRS)
def test_closing_does_not_wake_a_receiver(net: Network, sockets: ExitStack, kind: Kind) -> None:
    """close() of the socket that a task receives on leaves it waiting, and the peer unaware."""
    a, b = opened(sockets, net, kind)
    b.settimeout(None)
    task = net.spawn(b.recv, 20)
    assert not task.join(0.02)
    b.close()
    assert not task.join(0.02)
    a.send(b"still heard")
    assert task.result(PATIENCE) == b"still heard"


def test_nothing_is_left_over_at_first(net: Network) -> None:
    """A fresh network has no leftovers, and close() of it says nothing, twice."""
    assert list(net.leftovers()) == []
    net.close()
    net.close()


def test_open_sockets_are_left_over(net: Network, sockets: ExitStack) -> None:
    """Every open socket is listed, as its repr, however it was made; closed ones are not."""
    made: list[Socket] = [net.socket(), *net.socketpair(), net.create_server(("127.0.0.1", 0))]
    made.append(made[0].dup())
    made.append(net.create_connection(made[3].getsockname()))
    made.append(made[3].accept()[0])
    for sock in made:
        sockets.enter_context(sock)
    assert sorted(net.leftovers()) == sorted(map(repr, made))
    for sock in made:
        sock.close()
    assert list(net.leftovers()) == []


def test_running_tasks_are_left_over(net: Network, sockets: ExitStack) -> None:
    """A task that has not ended is listed by its name."""
    a, b = map(sockets.enter_context, net.socketpair())
    task = net.spawn(b.recv, 1, name="waiter")
    assert any("waiter" in line for line in net.leftovers())
    a.send(b"x")
    assert task.join(PATIENCE)
    assert not any("waiter" in line for line in net.leftovers())


def test_closing_a_network_closes_what_is_left(net: Network) -> None:
    """close() closes what is open, with one ResourceWarning that lists it."""
    a, b = net.socketpair()
    with pytest.warns(ResourceWarning, match="left open: ") as warned:
        net.close()
    assert len(warned) == 1
    assert (a.fileno(), b.fileno(), list(net.leftovers())) == (-1, -1, [])


def test_closing_a_network_ends_its_waiting_tasks(net: Network) -> None:
    """A task that waits in recv() is woken when its network closes."""
    _, b = net.socketpair()
    task = net.spawn(b.recv, 1)
    assert not task.join(0.01)
    with pytest.warns(ResourceWarning, match="left open: "):
        net.close()
    assert task.join(PATIENCE)
