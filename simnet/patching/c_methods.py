"""Methods of C types, replaced in place: what reaches objects that were made before a patch.

A lock that some library took at import time, the class `datetime`: nobody can find every reference
to them, but all of them look their methods up in one dictionary, the type's own. It is changed
there, and the interpreter is told to forget what it remembers of the type (PyType_Modified).
"""

from __future__ import annotations

import ctypes
import gc
from typing import Any

_modified = ctypes.pythonapi.PyType_Modified
_modified.argtypes = [ctypes.py_object]
_modified.restype = None


def namespace(cls: type) -> dict[str, Any]:
    """The dictionary behind `cls.__dict__`, which only shows it."""
    (names,) = gc.get_referents(vars(cls))
    assert isinstance(names, dict)
    return names


class Methods:
    """Replacements for some methods of one type."""

    def __init__(self, cls: type, replacements: dict[str, Any]) -> None:
        names = namespace(cls)
        self._cls = cls
        self._replacements = {k: v for k, v in replacements.items() if k in names}
        self._originals = {name: names[name] for name in self._replacements}

    def install(self) -> None:
        """Put them in place."""
        self._put(self._replacements)

    def remove(self) -> None:
        """Put the type's own back."""
        self._put(self._originals)

    def _put(self, methods: dict[str, Any]) -> None:
        namespace(self._cls).update(methods)
        _modified(self._cls)
