"""Arguments as the C modules take them: the values that come out, and the words of refusal."""

from __future__ import annotations

import array
import math
import select
import socket
import sys
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simnet import arguments, poller_arguments, signatures
from simnet.clock import MILLISECOND_NS, SECOND_NS


class Indexed:
    """Something that is no int, but stands for one."""

    def __index__(self) -> int:
        return 5


def unresolved(host: str, family: int) -> str:
    """A resolver that must not be asked."""
    raise AssertionError(host)


def complaint(call: Callable[..., Any], *args: Any, **named: Any) -> tuple[type, str]:
    """The class and the text of the error that a call raises."""
    with pytest.raises(Exception) as raised:  # noqa: PT011
        call(*args, **named)
    return raised.type, str(raised.value)


# Integers


@pytest.mark.parametrize(
    ("convert", "most", "text"),
    [
        (arguments.c_int, (1 << 31) - 1, "signed integer is greater than maximum"),
        (arguments.plain_int, (1 << 31) - 1, "Python int too large to convert to C int"),
        (arguments.c_long, (1 << 63) - 1, "Python int too large to convert to C long"),
        (arguments.c_size, (1 << 63) - 1, "Python int too large to convert to C ssize_t"),
    ],
)
def test_integers_have_the_range_of_their_c_type(
    convert: Callable[[Any], int], most: int, text: str
) -> None:
    """What is in the range comes back; what is above it says so; what is no integer is refused."""
    assert [convert(value) for value in (most, -most - 1, True, Indexed())] == [
        most,
        -most - 1,
        1,
        5,
    ]
    assert complaint(convert, most + 1) == (OverflowError, text)
    assert complaint(convert, 1.5)[0] is TypeError


def test_an_integer_too_large_for_a_long_is_refused_as_one() -> None:
    """A C int is read as a long first."""
    assert complaint(arguments.c_int, 1 << 70)[1] == "Python int too large to convert to C long"
    assert complaint(arguments.c_int, -(1 << 31) - 1)[1] == "signed integer is less than minimum"


@given(st.integers())
def test_an_unsigned_integer_keeps_its_low_bits(value: int) -> None:
    """Higher bits are dropped in silence."""
    assert arguments.masked_uint(value) == value % (1 << 32)


def test_what_setblocking_takes_for_true() -> None:
    """Anything since Python 3.12, an integer before."""
    assert (arguments.truth(2), arguments.truth(0)) == (True, False)
    if sys.version_info >= (3, 12):
        assert arguments.truth("no")
    else:
        assert complaint(arguments.truth, "no")[0] is TypeError


# Durations


@pytest.mark.parametrize(
    ("value", "nanoseconds"),
    [
        (0, 0),
        (2, 2 * SECOND_NS),
        (1e-10, 1),
        (-1e-10, -1),
        (True, SECOND_NS),
        (0.25, SECOND_NS // 4),
    ],
)
def test_a_duration_is_rounded_away_from_zero(value: float, nanoseconds: int) -> None:
    """So that a wait is never shorter than asked for."""
    assert arguments.duration_ns(value) == nanoseconds


@pytest.mark.parametrize("value", [math.inf, -math.inf, 1e300, 1 << 70, -(1 << 70)])
def test_a_duration_fits_64_bits_of_nanoseconds(value: float) -> None:
    """The words are those of this version's own socket."""
    with socket.socket() as sock:
        assert complaint(arguments.timeout_ns, value) == complaint(sock.settimeout, value)


def test_no_timeout_and_a_wrong_one() -> None:
    """None is for ever; a negative timeout, however small, is refused."""
    assert arguments.timeout_ns(None) is None
    for value in (-1, -1e-10):
        assert complaint(arguments.timeout_ns, value) == (ValueError, "Timeout value out of range")


@pytest.mark.parametrize(
    ("convert", "timeout", "nanoseconds"),
    [
        (poller_arguments.select_timeout_ns, 1e-10, 1),
        (poller_arguments.poll_timeout_ns, 0.1, MILLISECOND_NS),
        (poller_arguments.poll_timeout_ns, -1e-10, None),
        (poller_arguments.epoll_timeout_ns, 0.0011, 2 * MILLISECOND_NS),
        (poller_arguments.epoll_timeout_ns, -0.0005, 0),
        (poller_arguments.epoll_timeout_ns, -0.001, None),
    ],
)
def test_pollers_round_their_timeouts(
    convert: Callable[[Any], int | None], timeout: float, nanoseconds: int | None
) -> None:
    """poll() and epoll wait whole milliseconds; below zero they round apart."""
    assert convert(timeout) == nanoseconds
    assert convert(None) is None


@pytest.mark.parametrize("timeout", [math.nan, math.inf, "1", 1 << 40, -(1 << 40), 1 << 70])
def test_a_poller_refuses_a_timeout_as_the_real_one_does(timeout: Any) -> None:
    """Not a number, too large, of a wrong type: class and words."""
    real = complaint(select.poll().poll, timeout)
    assert complaint(poller_arguments.poll_timeout_ns, timeout) == real


# Descriptors and masks


@pytest.mark.parametrize("fd", [-1, 1 << 40, None, "1", 1.5, object()])
def test_what_is_no_descriptor(fd: Any) -> None:
    """Neither a non-negative C int nor an object with fileno(): refused as by the real poll()."""
    real = complaint(select.poll().register, fd)
    assert complaint(poller_arguments.descriptor_number, fd) == real


@pytest.mark.parametrize("mask", [-1, 1 << 16, 1 << 64, 1.5, None])
def test_the_mask_of_poll_is_an_unsigned_short(mask: Any) -> None:
    """Refused as by the real poll()."""
    real = complaint(select.poll().register, 0, mask)
    assert complaint(poller_arguments.poll_mask, mask) == real


# Buffers


@pytest.mark.parametrize("data", [b"abcd", bytearray(b"abcd"), array.array("B", b"abcd")])
def test_bytes_like_data_becomes_bytes(data: Any) -> None:
    """Whatever has a buffer."""
    assert arguments.byte_string(data) == b"abcd"
    assert arguments.gather([data, b"", data]) == b"abcdabcd"
    assert arguments.view_of(data).nbytes == 4


def test_views_are_flat_bytes() -> None:
    """A buffer of integers, or of rows, is seen as its bytes."""
    numbers = array.array("i", [1, 2])
    rows = memoryview(bytearray(4)).cast("B", [2, 2])
    assert len(arguments.view_of(numbers)) == numbers.itemsize * 2
    assert arguments.writable_view(rows, "recv_into").shape == (4,)
    assert [len(view) for view in arguments.scatter_views([rows, numbers])] == [4, 8]


@pytest.mark.parametrize("buffer", [b"x", "x", None, 1, memoryview(bytearray(4))[::2]])
def test_a_buffer_to_fill_is_writable_and_whole(buffer: Any) -> None:
    """Refused in the words of the call."""
    with socket.socket() as sock:
        for call in ("recv_into", "recvfrom_into"):
            real = complaint(getattr(sock, call), buffer)
            assert complaint(arguments.writable_view, buffer, call) == real
        assert complaint(arguments.scatter_views, [buffer]) == complaint(
            sock.recvmsg_into, [buffer]
        )


# Addresses


@pytest.mark.parametrize("host", [None, 1, "a\0b", b"a\0b", "\udcff"])
def test_what_is_no_host(host: Any) -> None:
    """Refused as by the real bind()."""
    with socket.socket() as sock:
        real = complaint(sock.bind, (host, 0))
    assert complaint(arguments.host_text, host) == real


def test_a_host_name_of_other_letters_is_encoded() -> None:
    """By the rules of international domain names."""
    assert arguments.host_text("bücher.example") == "xn--bcher-kva.example"


@pytest.mark.parametrize(
    ("family", "address", "internal"),
    [
        (socket.AF_INET, ("127.0.0.1", 80), ("127.0.0.1", 80)),
        (socket.AF_INET, (b"10.0.0.1", True), ("10.0.0.1", 1)),
        (socket.AF_INET6, ("::1", 80), ("::1", 80)),
        (socket.AF_INET6, ("fe80::1", 80, 0, 2), ("fe80::1%2", 80)),
        (socket.AF_INET6, ("::ffff:1.2.3.4", 80, 0, 0), ("1.2.3.4", 80)),
    ],
)
def test_numeric_addresses_need_no_resolver(family: int, address: Any, internal: Any) -> None:
    """They come out in internal form."""
    assert arguments.inet_address(address, family, "bind", unresolved) == internal


def test_a_name_is_resolved_before_the_port_is_checked() -> None:
    """So that an unknown name is the error, as in C."""
    with pytest.raises(AssertionError, match="nobody"):
        arguments.inet_address(("nobody", 1 << 20), socket.AF_INET, "bind", unresolved)


@pytest.mark.parametrize(
    ("address", "internal"),
    [("", ""), ("/a", "/a"), (b"/a", "/a"), (b"/a\0b", "/a"), (b"\0a", b"\0a"), ("\0a", b"\0a")],
)
def test_names_of_unix_sockets(address: Any, internal: Any) -> None:
    """Paths end at a zero byte, abstract names begin with one."""
    assert arguments.unix_address(address) == internal


@pytest.mark.parametrize("address", ["x" * 108, b"x" * 200, b"\0" + b"x" * 108])
def test_a_unix_name_has_108_bytes_at_most(address: Any) -> None:
    """A path one fewer."""
    assert complaint(arguments.unix_address, address) == (OSError, "AF_UNIX path too long")


# setsockopt


@pytest.mark.parametrize(
    ("given", "taken"),
    [
        ((1, 2, 3), (1, 2, 3)),
        ((1, 2, Indexed()), (1, 2, 5)),
        ((1, 2, b"abc"), (1, 2, b"abc")),
        ((1, 2, bytearray(b"abc")), (1, 2, b"abc")),
        ((1, 2, None, 8), (1, 2, None, 8)),
        ((1, 2, None, -1), (1, 2, None, 0xFFFFFFFF)),
    ],
)
def test_the_three_forms_of_setsockopt(given: Any, taken: Any) -> None:
    """An int, bytes, or None and a length."""
    assert arguments.option_setting(given) == taken


@pytest.mark.parametrize(
    "wrong",
    [(), (1, 2), (1, 2, 3, 4), (1, 2, None, "x"), (1, 2, None), (1, 2, 1 << 40), ("a", 2, 3)],
)
def test_what_is_none_of_them(wrong: Any) -> None:
    """Refused in the words of the last form."""
    with socket.socket() as sock:
        assert complaint(arguments.option_setting, wrong) == complaint(sock.setsockopt, *wrong)


# Numbers of arguments


class socket_like:
    """One method of each way of calling."""

    @signatures.no_arguments
    def nothing(self) -> str:
        """No argument."""
        return "nothing"

    @signatures.one_argument
    def single(self, value: int, /) -> int:
        """One."""
        return value

    @signatures.takes(1, 2)
    def some(self, value: int, other: int = 0, /) -> int:
        """One or two."""
        return value + other

    @signatures.expects(2, 2)
    def both(self, value: int, other: int, /) -> int:
        """Two."""
        return value + other

    @signatures.by_name("named", "value", "other", required=1)
    def named(self, value: int, other: int = 0) -> int:
        """One or two, by name or by place."""
        return value + other


def test_the_right_number_of_arguments_passes() -> None:
    """And the value comes back."""
    it = socket_like()
    assert (it.nothing(), it.single(1), it.some(1), it.some(1, 2)) == ("nothing", 1, 1, 3)
    assert (it.both(1, 2), it.named(1), it.named(other=1, value=2)) == (3, 1, 3)


@pytest.mark.parametrize(
    ("method", "args", "text"),
    [
        ("nothing", (1,), "socket_like.nothing() takes no arguments (1 given)"),
        ("single", (), "socket_like.single() takes exactly one argument (0 given)"),
        ("some", (), "some() takes at least 1 argument (0 given)"),
        ("some", (1, 2, 3), "some() takes at most 2 arguments (3 given)"),
        ("both", (1,), "both expected 2 arguments, got 1"),
        ("named", (), "named() missing required argument 'value' (pos 1)"),
        ("named", (1, 2, 3), "named() takes at most 2 arguments (3 given)"),
    ],
)
def test_the_wrong_number_is_refused(method: str, args: Any, text: str) -> None:
    """In the words of the way that C would be called."""
    assert complaint(getattr(socket_like(), method), *args) == (TypeError, text)


@pytest.mark.parametrize("method", ["nothing", "single", "some", "both"])
def test_names_are_refused(method: str) -> None:
    """Where C takes none."""
    kind, text = complaint(getattr(socket_like(), method), value=1)
    assert kind is TypeError
    assert text.endswith(f"{method}() takes no keyword arguments")
