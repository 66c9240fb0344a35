"""The names that unix sockets live among: a tree in memory, apart from the real file system.

Directories that were made here are strict: what was not made inside them does not exist. Other
directories (a program's real temporary directory, say) are presumed to exist, so that a socket may
be bound anywhere; they come into being as directories when something is made below them.

Not modelled: contents of files, symbolic links, permissions, working directories (relative paths
start at '/'), names that reach the same inode from two hosts, and '..' below something that is not
a directory (paths are normalised as text).
"""

from __future__ import annotations

import errno
import os
import posixpath
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from simnet import api
from simnet.errors import os_error


class Node:
    """Something that has a name."""

    __slots__ = ("number",)

    # Tells it from what had its name before (st_ino); 0 for directories that nobody made.
    number: int


class RegularFile(Node):
    """A file; nobody looks into it."""

    __slots__ = ()


class SocketFile(Node):
    """What bind() makes: the way to the socket, as long as that is open."""

    __slots__ = ("endpoint",)

    def __init__(self, endpoint: Any) -> None:
        self.endpoint = endpoint


class Directory(Node):
    """Names. `presuming`: an unknown name on the way to another is taken for a directory."""

    __slots__ = ("entries", "presuming")

    def __init__(self, presuming: bool) -> None:
        self.presuming = presuming
        self.entries: dict[str, Node] = {}


class Files(api.Files):
    """One host's names."""

    def __init__(self) -> None:
        self._root = Directory(presuming=True)
        for name in ("tmp", "run"):
            self._root.entries[name] = Directory(presuming=True)
        self._tempdirs = 0
        self._made = 0

    # What programs ask for, with the errors of the functions in `os`

    def tempdir(self) -> str:
        while True:
            self._tempdirs += 1
            path = f"/tmp/simnet-{self._tempdirs}"
            if not self.exists(path):
                self.mkdir(path)
                return path

    def mkdir(self, path: str) -> None:
        with _naming(path):
            self._make(path.rstrip("/") or "/", Directory(presuming=False))

    def touch(self, path: str) -> None:
        with _naming(path):
            if path.endswith("/"):
                raise os_error(errno.EISDIR)
            self._make(path, RegularFile())

    def exists(self, path: str) -> bool:
        try:
            self.find(path)
        except OSError:
            return False
        return True

    def rename(self, old: str, new: str) -> None:
        with _naming(old, new):
            source, old_name = self._parent(old, presume=False)
            _, new_name = self._parent(new, presume=False)
            if not old_name or not new_name:
                raise os_error(errno.EBUSY)
            node = self.find(old)
            target, _ = self._parent(new)
            if new.endswith("/") and not isinstance(node, Directory):
                raise os_error(errno.ENOTDIR)
            there = target.entries.get(new_name)
            if there is node:
                return
            if isinstance(there, Directory) and _holds(there, source):
                raise os_error(errno.ENOTEMPTY)
            if isinstance(node, Directory):
                if _holds(node, target):
                    raise os_error(errno.EINVAL)
                if there is not None and not isinstance(there, Directory):
                    raise os_error(errno.ENOTDIR)
                if there is not None and there.entries:
                    raise os_error(errno.ENOTEMPTY)
            elif isinstance(there, Directory):
                raise os_error(errno.EISDIR)
            target.entries[new_name] = node
            del source.entries[old_name]

    def unlink(self, path: str) -> None:
        with _naming(path):
            if isinstance(self.find(path), Directory):
                raise os_error(errno.EISDIR)
            parent, name = self._parent(path)
            del parent.entries[name]

    # What sockets ask for; the errors name no file

    def bind(self, path: str, endpoint: Any) -> SocketFile:
        """Make the name of a socket: EEXIST, ENOENT or ENOTDIR if that cannot be."""
        node = SocketFile(endpoint)
        self._make(path, node)
        return node

    def status(self, path: str) -> tuple[str, int]:
        """What a name is ('socket', 'file', 'directory'), and a number that tells it from others.

        ENOENT if there is nothing of that name.
        """
        node = self.find(path)
        kinds = {SocketFile: "socket", Directory: "directory"}
        return kinds.get(type(node), "file"), getattr(node, "number", 0)

    @property
    def in_use(self) -> bool:
        """Whether anything was ever made here."""
        return self._made > 0

    def has_made(self, path: str) -> bool:
        """Whether a name was made here, and is not only presumed."""
        try:
            return hasattr(self.find(path), "number")
        except OSError:
            return False

    def find(self, path: str) -> Node:
        """What has that name: ENOENT or ENOTDIR if nothing has."""
        parent, name = self._parent(path, presume=False)
        node = parent.entries.get(name) if name else parent
        if node is None:
            raise os_error(errno.ENOENT)
        if path.endswith("/") and not isinstance(node, Directory):
            raise os_error(errno.ENOTDIR)
        return node

    # How a path is walked

    def _make(self, path: str, node: Node) -> None:
        """Give a new node its name."""
        parent, name = self._parent(path, presume=False)
        if not name or name in parent.entries or path.endswith(("/.", "/..")):
            raise os_error(errno.EEXIST)
        if path.endswith("/"):
            raise os_error(errno.ENOENT)
        parent, name = self._parent(path)
        parent.entries[name] = node
        self._made += 1
        node.number = self._made

    def _parent(self, path: str, presume: bool = True) -> tuple[Directory, str]:
        """The directory that holds the last name of a path, and that name ('' for the root).

        With `presume` a directory that is only presumed comes into being; without, it is a passing
        thought.
        """
        if not path:
            raise os_error(errno.ENOENT)
        parts = posixpath.normpath(posixpath.join("/", path)).lstrip("/").split("/")
        directory = self._root
        for part in parts[:-1]:
            node = directory.entries.get(part)
            if node is None:
                if not directory.presuming:
                    raise os_error(errno.ENOENT)
                node = Directory(presuming=True)
                if presume:
                    directory.entries[part] = node
            if not isinstance(node, Directory):
                raise os_error(errno.ENOTDIR)
            directory = node
        return directory, parts[-1]


@contextmanager
def _naming(path: str, other: str | None = None) -> Iterator[None]:
    """Put the file's name, or both, into an error, as the functions in `os` do."""
    try:
        yield
    except OSError as error:
        number = error.errno or 0
        raise OSError(number, os.strerror(number), path, None, other) from None


def _holds(directory: Directory, other: Node) -> bool:
    """Whether a directory is the other node or is above it."""
    if directory is other:
        return True
    below = (node for node in directory.entries.values() if isinstance(node, Directory))
    return any(_holds(node, other) for node in below)
