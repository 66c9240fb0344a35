"""Unix socket names on the real file system."""

from __future__ import annotations

import os
import shutil
import tempfile

from simnet import api


class Files(api.Files):
    """Thin calls to `os`; temporary directories are removed when the network closes."""

    def __init__(self) -> None:
        self._tempdirs: list[str] = []

    def tempdir(self) -> str:
        path = tempfile.mkdtemp(prefix="realnet-")
        self._tempdirs.append(path)
        return path

    def mkdir(self, path: str) -> None:
        os.mkdir(path)

    def touch(self, path: str) -> None:
        with open(path, "x"):
            pass

    def exists(self, path: str) -> bool:
        return os.path.lexists(path)

    def rename(self, old: str, new: str) -> None:
        os.rename(old, new)

    def unlink(self, path: str) -> None:
        os.unlink(path)

    def remove_tempdirs(self) -> None:
        """Remove the temporary directories with what is in them."""
        while self._tempdirs:
            shutil.rmtree(self._tempdirs.pop(), ignore_errors=True)
