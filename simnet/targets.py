"""A user's function by name: `tests/lines.py:check` (a file) or `package.module:check`.

The file's form is found from the current directory, or from the directories above a scenario that
names it, and imported as pytest imports it: by its name in the package that it belongs to. A class
before the function (`file.py:Class.method`) is called without arguments.
"""

from __future__ import annotations

import inspect
import os
import re
import sys
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

EXAMPLE = "'path/to/file.py:function' or 'package.module:function'"
WRITTEN = re.compile(r"(.+):(\w+(?:\.\w+)*)")


class NoTarget(LookupError):
    """A name that leads to no function; the message says what was looked for, and where."""


def resolve(target: str, near: str | os.PathLike[str] | None = None) -> Callable[..., Any]:
    """The function of that name; `near` is a file beside which it may be, too.

    NoTarget if there is none, or if its module cannot be imported.
    """
    written = WRITTEN.fullmatch(target)
    if written is None:
        raise NoTarget(f"expected {EXAMPLE}, found {target!r}")
    where, name = written.groups()
    module = _of_file(where, near) if where.endswith(".py") else _of_name(where)
    found: Any = module
    for part in name.split("."):
        holder = found
        try:
            found = getattr(holder, part)
        except AttributeError:
            raise NoTarget(f"{target}: there is no {part!r} in {_shown(holder)}") from None
        if isinstance(holder, type) and inspect.isfunction(found):
            found = getattr(holder(), part)
    if not callable(found):
        raise NoTarget(f"{target}: {name!r} cannot be called: it is a {type(found).__name__}")
    return found  # type: ignore[no-any-return]


def name_of(function: Callable[..., Any]) -> str:
    """The name by which it can be found again: of a file below the current directory, if it is.

    NoTarget for a function that has none, as one within another.
    """
    name = getattr(function, "__qualname__", "")
    module = getattr(function, "__module__", None)
    if not name or module is None or "<" in name:
        raise NoTarget(
            f"{name or function!r} cannot be found by a name: it is no function or method at the "
            "top of a module"
        )
    file = getattr(sys.modules.get(module), "__file__", None)
    if file is not None:
        path = Path(file).resolve()
        here = Path.cwd()
        if path.suffix == ".py" and path.is_relative_to(here):
            return f"{path.relative_to(here).as_posix()}:{name}"
    return f"{module}:{name}"


def _shown(holder: Any) -> str:
    return str(getattr(holder, "__name__", holder))


def _of_name(name: str) -> ModuleType:
    _importable(Path.cwd())
    return _import(name, name)


def _of_file(where: str, near: str | os.PathLike[str] | None) -> ModuleType:
    candidates = [Path(where), *(above / where for above in _above(near))]
    path = next((each.resolve() for each in candidates if each.is_file()), None)
    if path is None:
        raise NoTarget(f"there is no file {where!r}" + (f" near {near}" if near else ""))
    for module in list(sys.modules.values()):
        file = getattr(module, "__file__", None)
        if file is not None and file.endswith(path.name) and Path(file).resolve() == path:
            return module
    root = path.parent
    parts = [] if path.stem == "__init__" else [path.stem]
    while (root / "__init__.py").is_file():
        parts.insert(0, root.name)
        root = root.parent
    _importable(root)
    name = ".".join(parts)
    module = _import(name, where)
    found = getattr(module, "__file__", None)
    if found is None or Path(found).resolve() != path:
        raise NoTarget(f"{where}: another module has its name {name!r}: {found}")
    return module


def _above(near: str | os.PathLike[str] | None) -> Iterator[Path]:
    if near is not None:
        yield from Path(near).resolve().parents


def _importable(root: Path) -> None:
    if str(root) not in sys.path:
        sys.path.insert(0, str(root))


def _import(name: str, shown: str) -> ModuleType:
    try:
        return import_module(name)
    except Exception as error:
        raise NoTarget(f"{shown} cannot be imported: {type(error).__name__}: {error}") from error
