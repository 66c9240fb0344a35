"""Names of unix sockets under the functions of `os`, held to the kernel."""

from __future__ import annotations

import os
import socket
import stat
from pathlib import Path
from typing import Any

import pytest

from simnet import World
from tests.descriptor_calls.places import REAL, SIMULATED, Place, both, outcome


@pytest.fixture
def name(tmp_path: Path) -> str:
    """A path of which nothing is left, on either side."""
    return str(tmp_path / "name")


def bound(at: Place, name: str) -> Any:
    """A socket of that name."""
    sock = at.socket.socket(socket.AF_UNIX)
    sock.bind(name)
    return sock


def shown(status: Any) -> Any:
    """What a look at a socket's name says, whenever and wherever it was made."""
    return (
        stat.S_ISSOCK(status.st_mode),
        stat.S_IMODE(status.st_mode),
        status.st_nlink,
        status.st_size,
        (status.st_uid, status.st_gid),
    )


def looked_at(at: Place, name: str) -> Any:
    """By stat(), which may be given a path in several forms, and lstat()."""
    with bound(at, name):
        given = (name, os.fsencode(name), Path(name))
        seen = [shown(look(form)) for look in (at.os.stat, at.os.lstat) for form in given]
        seen += [shown(at.os.stat(path=name)), shown(at.os.stat(name, follow_symlinks=False))]
        seen.append(at.os.stat(name).st_ino == at.os.lstat(name).st_ino)
    # Closing a socket does not remove its name.
    seen.append(shown(at.os.stat(name)))
    at.os.unlink(name)
    return [*seen, outcome(at.os.stat, name), outcome(at.os.lstat, name)]


def removed(at: Place, name: str) -> Any:
    """The name may be taken again, and connecting by it finds nobody."""
    seen = []
    for remove in (at.os.unlink, at.os.remove):
        with bound(at, name), at.socket.socket(socket.AF_UNIX) as client:
            seen += [remove(name), outcome(remove, name), outcome(client.connect, name)]
    with bound(at, name):
        seen.append(at.os.unlink(path=Path(name)))
    return [*seen, outcome(at.os.unlink, name)]


def moved(at: Place, name: str) -> Any:
    """The socket is reached by the new name, and by the old one no more."""
    seen = []
    for move in (at.os.rename, at.os.replace):
        with bound(at, name) as listener, at.socket.socket(socket.AF_UNIX) as client:
            listener.listen()
            seen += [move(name, Path(name + "2")), outcome(client.connect, name)]
            seen += [client.connect(name + "2"), outcome(move, name, name + "3")]
            seen += [move(src=name + "2", dst=name), outcome(at.os.stat, name + "2")]
        at.os.unlink(name)
    return seen


def called_badly(at: Place, name: str) -> Any:
    """Too many arguments, or too few, or none of a path."""
    with bound(at, name):
        seen = [
            outcome(call, *args)
            for call in (at.os.stat, at.os.lstat, at.os.unlink, at.os.remove)
            for args in ((), (name, name), (3.5,), (None,))
        ]
        seen += [outcome(call, *args) for call in (at.os.rename,) for args in ((), (name,))]
    at.os.unlink(name)
    return seen


@pytest.mark.parametrize("body", [looked_at, removed, moved, called_badly])
def test_the_name_of_a_socket_is_known_to_os(body: Any, name: str) -> None:
    """What is said of it, and the errors, are the kernel's."""
    on_kernel, simulated = both(lambda at: body(at, name))
    assert simulated == on_kernel


def test_real_names_are_left_alone(name: str, tmp_path: Path) -> None:
    """Also beside simulated ones, and the directory in which one was bound."""
    with World().host("localhost"), bound(SIMULATED, name):
        (tmp_path / "real").touch()
        assert SIMULATED.os.stat(tmp_path).st_ino == os.stat(tmp_path).st_ino
        assert os.listdir(tmp_path) == ["real"]
        SIMULATED.os.rename(tmp_path / "real", tmp_path / "other")
        SIMULATED.os.remove(tmp_path / "other")
        assert os.listdir(tmp_path) == []


def test_each_host_has_names_of_its_own(name: str) -> None:
    """What is bound on one is not found on another."""
    world = World()
    one, other = world.host("one"), world.host("other")
    with one:
        sock = bound(SIMULATED, name)
        assert SIMULATED.os.lstat(name)
    with other, pytest.raises(FileNotFoundError):
        SIMULATED.os.lstat(name)
    sock.close()


def test_files_and_directories_of_a_host_are_known_too() -> None:
    """Those that were made in its `files`."""
    with World().host("localhost") as host:
        directory = host.files.tempdir()
        host.files.touch(f"{directory}/file")
        assert stat.S_ISDIR(SIMULATED.os.stat(directory).st_mode)
        assert stat.S_ISREG(SIMULATED.os.stat(f"{directory}/file").st_mode)
        SIMULATED.os.unlink(f"{directory}/file")
        assert not host.files.exists(f"{directory}/file")
        with pytest.raises(IsADirectoryError):
            SIMULATED.os.unlink(directory)


def test_patched_programs_find_them(name: str) -> None:
    """In os.path and pathlib too."""
    world = World()
    with world.patch(), bound(SIMULATED, name):
        assert os.path.exists(name)
        assert Path(name).is_socket()
        Path(name).unlink()
        assert not os.path.lexists(name)
    assert REAL.os.stat is os.stat
