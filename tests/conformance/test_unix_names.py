"""The names of unix sockets: paths, abstract names, no name, and what becomes of stale ones."""

from __future__ import annotations

import re
import socket
from collections.abc import Callable
from contextlib import ExitStack

import pytest

from simnet.api import Address, Network
from tests.conformance.kinds import (
    unix_path,
)
from tests.conformance.outcomes import outcome
from tests.conformance.unix_sockets import TYPES, bound, each_listening_type, each_type, unix

AUTOBOUND = re.compile(rb"\0[0-9a-f]{5}")


@each_type
def test_a_fresh_socket_has_an_empty_name(net: Network, sockets: ExitStack, type: int) -> None:
    """getsockname() of an unbound unix socket is the empty string."""
    assert unix(sockets, net, type).getsockname() == ""


@each_type
def test_a_path_is_reported_as_it_was_bound(net: Network, sockets: ExitStack, type: int) -> None:
    """A bound path comes back as str, and the name then exists."""
    path = unix_path(net)
    sock = bound(sockets, net, type, path)
    assert sock.getsockname() == path
    assert net.files.exists(path)


@each_type
def test_a_path_may_be_given_as_bytes(net: Network, sockets: ExitStack, type: int) -> None:
    """A path in bytes is the same name as in str, and is reported as str."""
    path = unix_path(net)
    sock = bound(sockets, net, type, path.encode())
    assert sock.getsockname() == path


@each_type
def test_a_path_is_bytes_to_the_kernel(net: Network, sockets: ExitStack, type: int) -> None:
    """A path that is not UTF-8 comes back with surrogate escapes."""
    directory = net.files.tempdir()
    sock = bound(sockets, net, type, directory.encode() + b"/\xff")
    assert sock.getsockname() == f"{directory}/\udcff"


@each_type
def test_an_abstract_name_is_reported_as_bytes(net: Network, sockets: ExitStack, type: int) -> None:
    """A name that starts with a zero byte is abstract, and comes back as bytes."""
    name = unix(sockets, net, type)
    name.bind("")
    longer = bytes(name.getsockname()) + b"-longer"
    assert bound(sockets, net, type, longer).getsockname() == longer


@each_type
def test_an_abstract_name_may_be_given_as_str(net: Network, sockets: ExitStack, type: int) -> None:
    """A str that starts with a zero character is abstract too."""
    auto = unix(sockets, net, type)
    auto.bind("")
    name = bytes(auto.getsockname()).decode() + "-text"
    assert bound(sockets, net, type, name).getsockname() == name.encode()


@each_type
def test_an_abstract_name_may_hold_zero_bytes(net: Network, sockets: ExitStack, type: int) -> None:
    """Zero bytes inside an abstract name count: two names that differ after one are two names."""
    auto = unix(sockets, net, type)
    auto.bind("")
    stem = bytes(auto.getsockname())
    names = [stem + b"\0a", stem + b"\0b", stem + b"\0"]
    assert [bound(sockets, net, type, n).getsockname() for n in names] == names


@each_type
def test_a_path_ends_at_its_first_zero_byte(net: Network, sockets: ExitStack, type: int) -> None:
    """A zero byte inside a path ends it."""
    path = unix_path(net)
    sock = unix(sockets, net, type)
    sock.bind(path + "\0rest")
    assert sock.getsockname() == path
    assert net.files.exists(path)


@each_type
@pytest.mark.parametrize("empty", ["", b""], ids=["str", "bytes"])
def test_binding_the_empty_name_picks_one(
    net: Network, sockets: ExitStack, type: int, empty: str | bytes
) -> None:
    """An empty name binds to a free abstract name: a zero byte and five hexadecimal digits."""
    sock = unix(sockets, net, type)
    sock.bind(empty)
    assert AUTOBOUND.fullmatch(bytes(sock.getsockname()))


@each_type
def test_picked_names_differ(net: Network, sockets: ExitStack, type: int) -> None:
    """Each autobound socket gets a name of its own."""
    socks = [unix(sockets, net, type) for _ in range(20)]
    for sock in socks:
        sock.bind("")
    assert len({bytes(sock.getsockname()) for sock in socks}) == len(socks)


@each_type
def test_binding_the_empty_name_again_keeps_the_first(
    net: Network, sockets: ExitStack, type: int
) -> None:
    """bind('') on a socket that has a name succeeds and changes nothing."""
    sock = unix(sockets, net, type)
    sock.bind("")
    name = sock.getsockname()
    assert outcome(sock.bind, "") is None
    assert sock.getsockname() == name


@each_type
def test_a_name_is_taken_while_it_exists(net: Network, sockets: ExitStack, type: int) -> None:
    """A second bind to the same name is EADDRINUSE, for a path and for an abstract name."""
    path = unix_path(net)
    bound(sockets, net, type, path)
    auto = unix(sockets, net, type)
    auto.bind("")
    other = unix(sockets, net, type)
    assert outcome(other.bind, path) == "EADDRINUSE"
    assert outcome(other.bind, auto.getsockname()) == "EADDRINUSE"


def test_abstract_names_of_different_types_are_apart(net: Network, sockets: ExitStack) -> None:
    """The same abstract name serves a stream, a datagram and a seqpacket socket at once."""
    auto = unix(sockets, net, socket.SOCK_STREAM)
    auto.bind("")
    name = bytes(auto.getsockname()) + b"-all"
    names = [bound(sockets, net, type, name).getsockname() for type in TYPES.values()]
    assert names == [name] * 3


@each_type
def test_a_path_outlives_its_socket(net: Network, sockets: ExitStack, type: int) -> None:
    """After close() the path is still there: EADDRINUSE to bind, ECONNREFUSED to connect."""
    path = unix_path(net)
    bound(sockets, net, type, path).close()
    assert net.files.exists(path)
    sock = unix(sockets, net, type)
    assert outcome(sock.bind, path) == "EADDRINUSE"
    assert outcome(sock.connect, path) == "ECONNREFUSED"


@each_type
def test_an_abstract_name_ends_with_its_socket(net: Network, sockets: ExitStack, type: int) -> None:
    """After close() an abstract name is free again."""
    first = unix(sockets, net, type)
    first.bind("")
    name = first.getsockname()
    first.close()
    sock = unix(sockets, net, type)
    assert outcome(sock.connect, name) == "ECONNREFUSED"
    assert outcome(sock.bind, name) is None


@each_listening_type
def test_an_abstract_name_is_free_once_its_listener_closes(
    net: Network, sockets: ExitStack, type: int
) -> None:
    """An accepted connection still reports its listener's abstract name, but does not hold it."""
    listener = unix(sockets, net, type)
    listener.bind("")
    listener.listen(1)
    name = listener.getsockname()
    client = unix(sockets, net, type)
    client.connect(name)
    conn, _ = listener.accept()
    listener.close()
    again = unix(sockets, net, type)
    assert outcome(again.connect, name) == "ECONNREFUSED"
    with conn:
        assert conn.getsockname() == name
        assert outcome(again.bind, name) is None


@each_type
def test_an_unlinked_path_may_be_bound_again(net: Network, sockets: ExitStack, type: int) -> None:
    """Once the name is removed, another socket may take it while the first still has it."""
    path = unix_path(net)
    first = bound(sockets, net, type, path)
    net.files.unlink(path)
    assert not net.files.exists(path)
    second = bound(sockets, net, type, path)
    assert first.getsockname() == second.getsockname() == path


@each_type
def test_an_unlinked_path_is_not_found(net: Network, sockets: ExitStack, type: int) -> None:
    """Connecting to a removed name is ENOENT, though its socket is still open."""
    path = unix_path(net)
    bound(sockets, net, type, path)
    net.files.unlink(path)
    assert outcome(unix(sockets, net, type).connect, path) == "ENOENT"


@each_type
def test_a_renamed_socket_answers_under_the_new_name(
    net: Network, sockets: ExitStack, type: int
) -> None:
    """After a rename the new name reaches the socket, the old one is gone, the bound text stays."""
    path = unix_path(net)
    sock = bound(sockets, net, type, path)
    net.files.rename(path, path + "-new")
    client = unix(sockets, net, type)
    assert outcome(client.connect, path) == "ENOENT"
    assert outcome(client.connect, path + "-new") is None
    assert sock.getsockname() == client.getpeername() == path


@each_type
def test_a_rename_over_a_socket_hides_it(net: Network, sockets: ExitStack, type: int) -> None:
    """A name moved over another socket's name now reaches the moved socket."""
    path = unix_path(net)
    bound(sockets, net, type, path)
    bound(sockets, net, type, path + "2")
    net.files.rename(path + "2", path)
    client = unix(sockets, net, type)
    client.connect(path)
    assert client.getpeername() == path + "2"


@each_type
def test_a_socket_has_one_name(net: Network, sockets: ExitStack, type: int) -> None:
    """A second bind() to another name is EINVAL, and the name that it tried is not taken."""
    path = unix_path(net)
    sock = bound(sockets, net, type, path)
    assert outcome(sock.bind, path + "2") == "EINVAL"
    assert sock.getsockname() == path


@each_type
def test_binding_the_same_path_again_finds_it_taken(
    net: Network, sockets: ExitStack, type: int
) -> None:
    """A second bind() to the same path is EADDRINUSE: the name is looked at first."""
    path = unix_path(net)
    sock = bound(sockets, net, type, path)
    assert outcome(sock.bind, path) == "EADDRINUSE"


def in_missing_directory(net: Network) -> str:
    return f"{net.files.tempdir()}/missing/s"


def below_a_file(net: Network) -> str:
    directory = net.files.tempdir()
    net.files.touch(f"{directory}/file")
    return f"{directory}/file/s"


def below_a_socket(net: Network) -> str:
    path = unix_path(net)
    with net.socket(socket.AF_UNIX) as sock:
        sock.bind(path)
    return f"{path}/s"


def a_file(net: Network) -> str:
    path = unix_path(net)
    net.files.touch(path)
    return path


def a_directory(net: Network) -> str:
    path = unix_path(net)
    net.files.mkdir(path)
    return path


def nothing(net: Network) -> str:
    return unix_path(net)


def a_directory_with_a_slash(net: Network) -> str:
    return unix_path(net) + "/"


def a_long_component(net: Network) -> str:
    return "/" + "x" * 106


def unnamed(net: Network) -> str:
    return ""


def a_free_abstract_name(net: Network) -> bytes:
    with net.socket(socket.AF_UNIX) as sock:
        sock.bind("")
        return bytes(sock.getsockname()) + b"-free"


@each_type
@pytest.mark.parametrize(
    ("where", "error"),
    [
        (in_missing_directory, "ENOENT"),
        (below_a_file, "ENOTDIR"),
        (below_a_socket, "ENOTDIR"),
        (a_file, "EADDRINUSE"),
        (a_directory, "EADDRINUSE"),
        (a_directory_with_a_slash, "ENOENT"),
    ],
)
def test_a_bind_that_fails_says_why(
    net: Network,
    sockets: ExitStack,
    type: int,
    where: Callable[[Network], Address],
    error: str,
) -> None:
    """bind() reports what stands in the way of the name."""
    sock = unix(sockets, net, type)
    assert outcome(sock.bind, where(net)) == error
    assert sock.getsockname() == ""


@each_type
@pytest.mark.parametrize(
    ("where", "error"),
    [
        (nothing, "ENOENT"),
        (in_missing_directory, "ENOENT"),
        (below_a_file, "ENOTDIR"),
        (below_a_socket, "ENOTDIR"),
        (a_file, "ECONNREFUSED"),
        (a_directory, "ECONNREFUSED"),
        (unnamed, "EINVAL"),
        (a_free_abstract_name, "ECONNREFUSED"),
        (a_long_component, "ENOENT"),
    ],
)
def test_a_connect_that_fails_says_why(
    net: Network,
    sockets: ExitStack,
    type: int,
    where: Callable[[Network], Address],
    error: str,
) -> None:
    """connect() reports why the name leads to no socket; the socket may connect later."""
    sock = unix(sockets, net, type)
    address = where(net)
    assert outcome(sock.connect, address) == error
    assert outcome(sock.connect_ex, address) != 0
    path = unix_path(net)
    bound(sockets, net, type, path)
    assert outcome(sock.connect, path) is None


@pytest.mark.parametrize("ours", TYPES)
@pytest.mark.parametrize("theirs", TYPES)
def test_a_path_of_another_type_is_the_wrong_protocol(
    net: Network, sockets: ExitStack, ours: str, theirs: str
) -> None:
    """connect() to a path bound by another type is EPROTOTYPE."""
    path = unix_path(net)
    bound(sockets, net, TYPES[theirs], path)
    expected = None if ours == theirs else "EPROTOTYPE"
    assert outcome(unix(sockets, net, TYPES[ours]).connect, path) == expected


@pytest.mark.parametrize("ours", TYPES)
@pytest.mark.parametrize("theirs", TYPES)
def test_an_abstract_name_of_another_type_is_not_found(
    net: Network, sockets: ExitStack, ours: str, theirs: str
) -> None:
    """connect() to an abstract name bound by another type is ECONNREFUSED: it looks by type."""
    name = a_free_abstract_name(net)
    bound(sockets, net, TYPES[theirs], name)
    expected = None if ours == theirs else "ECONNREFUSED"
    assert outcome(unix(sockets, net, TYPES[ours]).connect, name) == expected


@each_listening_type
def test_a_bound_socket_that_does_not_listen_refuses(
    net: Network, sockets: ExitStack, type: int
) -> None:
    """connect() to a bound socket before its listen() is ECONNREFUSED."""
    path = unix_path(net)
    unix(sockets, net, type).bind(path)
    assert outcome(unix(sockets, net, type).connect, path) == "ECONNREFUSED"


@each_listening_type
def test_an_unnamed_socket_cannot_listen(net: Network, sockets: ExitStack, type: int) -> None:
    """listen() without a name is EINVAL."""
    assert outcome(unix(sockets, net, type).listen, 1) == "EINVAL"


def test_a_datagram_socket_cannot_listen(net: Network, sockets: ExitStack) -> None:
    """listen() on a unix datagram socket is EOPNOTSUPP."""
    sock = bound(sockets, net, socket.SOCK_DGRAM, "")
    assert outcome(sock.listen, 1) == "EOPNOTSUPP"


@each_type
@pytest.mark.parametrize("length", [1, 50, 106, 107])
def test_a_path_of_up_to_107_bytes_fits(
    net: Network, sockets: ExitStack, type: int, length: int
) -> None:
    """sun_path has 108 bytes, one of them for the final zero: a longer path never gets that far."""
    directory = net.files.tempdir()
    path = directory + "/" + "x" * max(1, length - len(directory) - 1)
    assert outcome(unix(sockets, net, type).bind, path) is None
    assert net.files.exists(path)


@each_type
@pytest.mark.parametrize("method", ["bind", "connect", "connect_ex"])
@pytest.mark.parametrize("extra", [0, 1, 100])
def test_a_path_that_is_too_long_is_refused_by_python(
    net: Network, sockets: ExitStack, type: int, method: str, extra: int
) -> None:
    """A path of 108 bytes, or an abstract name of 109, is an OSError without an errno."""
    sock = unix(sockets, net, type)
    with pytest.raises(OSError, match="AF_UNIX path too long"):
        getattr(sock, method)("/" + "x" * (107 + extra))
    with pytest.raises(OSError, match="AF_UNIX path too long"):
        getattr(sock, method)("\0" + "x" * (108 + extra))


@each_type
def test_an_abstract_name_may_fill_all_108_bytes(
    net: Network, sockets: ExitStack, type: int
) -> None:
    """An abstract name needs no final zero."""
    name = a_free_abstract_name(net).ljust(108, b"x")
    assert bound(sockets, net, type, name).getsockname() == name


@pytest.mark.parametrize("address", [5, None, ("127.0.0.1", 1), 1.5], ids=repr)
@pytest.mark.parametrize("method", ["bind", "connect", "connect_ex"])
def test_a_name_is_text_or_bytes(
    net: Network, sockets: ExitStack, method: str, address: object
) -> None:
    """Any other type of unix address is a TypeError."""
    sock = unix(sockets, net, socket.SOCK_STREAM)
    with pytest.raises(TypeError):
        getattr(sock, method)(address)


@pytest.mark.parametrize("wrap", [bytearray, memoryview], ids=lambda wrap: wrap.__name__)
def test_a_name_may_be_any_buffer(
    net: Network, sockets: ExitStack, wrap: Callable[[bytes], object]
) -> None:
    """A bytearray or a memoryview serves as a path."""
    path = unix_path(net)
    sock = unix(sockets, net, socket.SOCK_STREAM)
    sock.bind(wrap(path.encode()))
    assert sock.getsockname() == path
