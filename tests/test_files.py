"""The tree of names that unix sockets live among."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from simnet.files import Files


def error_of(call: Callable[..., Any], *args: Any) -> str | None:
    """The name of the errno that a call fails with; None if it succeeds."""
    try:
        call(*args)
    except OSError as error:
        return errno.errorcode[error.errno or 0]
    return None


def test_temporary_directories_have_the_same_names_every_time() -> None:
    """Two trees count alike."""
    names = [[files.tempdir() for _ in range(3)] for files in (Files(), Files())]
    assert names == [["/tmp/simnet-1", "/tmp/simnet-2", "/tmp/simnet-3"]] * 2


def test_a_temporary_directory_that_is_there_is_passed_over() -> None:
    """A name that somebody took is not given out."""
    files = Files()
    files.mkdir("/tmp/simnet-1")
    assert files.tempdir() == "/tmp/simnet-2"


def test_the_real_file_system_is_not_touched() -> None:
    """What is made here is nowhere else."""
    files = Files()
    path = f"{files.tempdir()}/file"
    files.touch(path)
    assert files.exists(path)
    assert not Path(path).exists()


def test_nothing_is_presumed_in_a_directory_that_was_made() -> None:
    """Below a made directory a name must be made; below a file there is nothing."""
    files = Files()
    directory = files.tempdir()
    files.touch(f"{directory}/file")
    assert error_of(files.touch, f"{directory}/missing/x") == "ENOENT"
    assert error_of(files.touch, f"{directory}/file/x") == "ENOTDIR"


def test_an_unknown_directory_is_presumed() -> None:
    """A directory of the real machine may be used; looking does not make it known."""
    files = Files()
    assert not files.exists("/home/me")
    assert not files.exists("/home/me/s")
    assert not files.exists("/home/me")
    files.touch("/home/me/s")
    assert files.exists("/home/me/s")
    assert files.exists("/home/me")


def test_paths_are_normalised() -> None:
    """Slashes, dots and relative paths lead to the same names."""
    files = Files()
    files.touch("/tmp/./a//../b")
    assert files.exists("tmp/b")
    assert files.exists("/tmp//b")
    assert not files.exists("/tmp/b/")


# Each row is run on the real file system too.
MISTAKES: list[tuple[str, tuple[str, ...], str | None]] = [
    ("mkdir", ("dir",), "EEXIST"),
    ("mkdir", ("new/",), None),
    ("touch", ("file",), "EEXIST"),
    ("touch", ("dir",), "EEXIST"),
    ("touch", ("new/",), "EISDIR"),
    ("unlink", ("missing",), "ENOENT"),
    ("unlink", ("dir",), "EISDIR"),
    ("unlink", ("file/",), "ENOTDIR"),
    ("unlink", ("file",), None),
    ("rename", ("missing", "new"), "ENOENT"),
    ("rename", ("file", "other"), None),
    ("rename", ("file", "file"), None),
    ("rename", ("file", "dir"), "EISDIR"),
    ("rename", ("file", "new/"), "ENOTDIR"),
    ("rename", ("file", "file/x"), "ENOTDIR"),
    ("rename", ("missing", "file/x"), "ENOTDIR"),
    ("rename", ("dir", "file"), "ENOTDIR"),
    ("rename", ("empty", "dir"), "ENOTEMPTY"),
    ("rename", ("dir", "empty"), None),
    ("rename", ("dir", "dir/x"), "EINVAL"),
    ("rename", ("dir/file", "dir"), "ENOTEMPTY"),
]


class RealFiles:
    """The same calls on the real file system."""

    mkdir, unlink, rename, exists = os.mkdir, os.unlink, os.rename, os.path.lexists

    @staticmethod
    def touch(path: str) -> None:
        with open(path, "x"):
            pass


@pytest.mark.parametrize("real", [False, True], ids=["sim", "real"])
@pytest.mark.parametrize(("call", "names", "expected"), MISTAKES)
def test_mistakes_get_the_errors_of_the_real_file_system(
    tmp_path: Path, real: bool, call: str, names: tuple[str, ...], expected: str | None
) -> None:
    """The errno is the one that the functions in `os` give; the message names the file."""
    files: Any = RealFiles() if real else Files()
    top = f"{tmp_path}/top"
    files.mkdir(top)
    for name in ("dir", "empty"):
        files.mkdir(f"{top}/{name}")
    for name in ("file", "other", "dir/file"):
        files.touch(f"{top}/{name}")
    paths = [f"{top}/{name}" for name in names]
    assert error_of(getattr(files, call), *paths) == expected


def test_an_error_names_its_files() -> None:
    """The exception carries the path, or both."""
    files = Files()
    with pytest.raises(FileNotFoundError) as caught:
        files.unlink("/tmp/missing")
    assert caught.value.filename == "/tmp/missing"
    with pytest.raises(FileNotFoundError, match="'/tmp/missing' -> '/tmp/new'"):
        files.rename("/tmp/missing", "/tmp/new")


def test_a_name_moves_with_what_is_behind_it() -> None:
    """After a rename the new name leads to the same thing, and the old one nowhere."""
    files = Files()
    node = files.bind("/tmp/s", endpoint=object())
    files.rename("/tmp/s", "/tmp/t")
    assert files.find("/tmp/t") is node
    assert not files.exists("/tmp/s")
