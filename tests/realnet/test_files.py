"""Names of unix sockets on the real file system."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from realnet.files import Files


@pytest.fixture
def files() -> Iterator[Files]:
    """Its temporary directories are removed in the end."""
    files = Files()
    yield files
    files.remove_tempdirs()


def test_a_temporary_directory_is_a_real_one(files: Files) -> None:
    """Empty, and the caller's alone."""
    first, second = files.tempdir(), files.tempdir()
    assert first != second
    assert os.listdir(first) == []


def test_temporary_directories_go_with_what_is_in_them(files: Files) -> None:
    """All of them; twice is harmless."""
    made = [files.tempdir(), files.tempdir()]
    files.mkdir(f"{made[0]}/inner")
    files.touch(f"{made[0]}/inner/file")
    files.remove_tempdirs()
    files.remove_tempdirs()
    assert not any(os.path.exists(path) for path in made)


def test_one_that_is_gone_already_is_no_trouble(files: Files) -> None:
    """Somebody else cleaned up."""
    os.rmdir(files.tempdir())
    files.remove_tempdirs()


def test_names_are_made_moved_and_removed(files: Files) -> None:
    """As os does it."""
    base = files.tempdir()
    old, new = f"{base}/old", f"{base}/new"
    files.touch(old)
    assert os.path.getsize(old) == 0
    files.rename(old, new)
    assert (files.exists(old), files.exists(new)) == (False, True)
    files.unlink(new)
    assert not files.exists(new)


def test_a_name_that_is_taken_is_not_touched(files: Files) -> None:
    """An empty file is made, never an existing one emptied."""
    path = f"{files.tempdir()}/file"
    files.touch(path)
    with pytest.raises(FileExistsError):
        files.touch(path)


def test_a_link_that_leads_nowhere_is_a_name_all_the_same(files: Files) -> None:
    """bind() would find it taken."""
    path = f"{files.tempdir()}/link"
    os.symlink("nowhere", path)
    assert files.exists(path)
