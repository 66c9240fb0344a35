"""Places where modules hold references: names, class attributes, defaults, closures, containers.

Objects are found by identity, in every loaded module: also `from socket import socket`, or a
default argument `clock=time.monotonic`. What lies deeper in a module than its names is looked for
once, as long as the module does not grow. Of containers, dictionaries, lists and partial functions
are searched that a name of a module or of a class holds, not what is deeper in them, nor other
kinds. Not searched: attributes of instances, and the modules of the test tools (INFRASTRUCTURE),
which keep the real system.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from importlib.machinery import BuiltinImporter, ExtensionFileLoader
from types import BuiltinFunctionType, CellType, FunctionType, ModuleType
from typing import Any, cast

import attrs

# Who watches a test from outside it: their clocks, threads and sockets stay the real ones.
INFRASTRUCTURE = frozenset(
    (
        "IPython",
        "_pytest",
        "bdb",
        "cmd",
        "code",
        "coverage",
        "debugpy",
        "execnet",
        "hypothesis",
        "hypothesmith",
        "iniconfig",
        "pdb",
        "pluggy",
        "py",
        "pydevd",
        "pydevd_bundle",
        "pytest",
        "pytest_asyncio",
        "pytest_cov",
        "pytest_timeout",
        "pytest_xdist",
        "xdist",
    )
)
# What the rest stands on: the simulator itself, the import system, and what twins stand in for.
_LEFT_ALONE = frozenset(
    (
        "_frozen_importlib",
        "_frozen_importlib_external",
        "_thread",
        "_threading_local",
        "builtins",
        "faulthandler",
        "functools",
        "gc",
        "greenlet",
        "importlib",
        "queue",
        "_queue",
        "realnet",
        "select",
        "selectors",
        "signal",
        "simnet",
        "socket",
        "_socket",
        "ssl",
        "subprocess",
        "sys",
        "threading",
        "time",
        "zipimport",
    )
)
_LEFT_ALONE_MODULES = frozenset(
    (
        "asyncio.base_events",
        "asyncio.selector_events",
        "asyncio.unix_events",
        "concurrent.futures._base",
        "concurrent.futures.process",
        "concurrent.futures.thread",
    )
)


# Where names of modules and classes hold several things, or a function with arguments.
_CONTAINERS = (dict, list, functools.partial)


@attrs.frozen
class Place:
    """One reference: what it held when it was found, what it holds now; `put` changes it.

    `where` tells it from others: the object that holds it, by its identity, and how.
    """

    where: tuple[int, str | int]
    name: str
    held: Any
    now: Callable[[], Any]
    put: Callable[[Any], None]


def in_dict(names: Any, name: str) -> Place:
    """A name of a module, or a keyword's default."""

    def put(value: Any) -> None:
        names[name] = value

    return Place((id(names), name), name, names[name], lambda: names.get(name), put)


def _of_namespace(cls: type, name: str) -> Callable[[], Any]:
    def now() -> Any:
        value = vars(cls).get(name)
        return value.__func__ if isinstance(value, staticmethod) else value

    return now


def in_class(cls: type, name: str, held: Any) -> Place:
    """An attribute of a class."""

    def put(value: Any) -> None:
        if isinstance(held, BuiltinFunctionType) and isinstance(value, FunctionType):
            # A built-in function does not become a method of the class, a Python one would.
            value = staticmethod(value)
        setattr(cls, name, value)

    return Place((id(cls), name), name, held, _of_namespace(cls, name), put)


def _in_static_method(cls: type, name: str, held: Any) -> Place:
    def put(value: Any) -> None:
        setattr(cls, name, staticmethod(value))

    return Place((id(cls), name), name, held, _of_namespace(cls, name), put)


def _in_defaults(function: FunctionType, index: int) -> Place:
    def put(value: Any) -> None:
        defaults = list(function.__defaults__ or ())
        defaults[index] = value
        function.__defaults__ = tuple(defaults)

    def now() -> Any:
        return (function.__defaults__ or ())[index : index + 1]

    (held,) = now()
    return Place((id(function), index), "", held, lambda: next(iter(now()), None), put)


def _in_cell(name: str, cell: CellType) -> Place:
    def put(value: Any) -> None:
        cell.cell_contents = value

    def now() -> Any:
        try:
            return cell.cell_contents
        except ValueError:
            return None

    return Place((id(cell), name), name, cell.cell_contents, now, put)


def _of_key(names: dict[Any, Any], key: Any) -> Place:
    """A key of a dictionary, whose order stays."""
    ours = [key]

    def put(value: Any) -> None:
        items = [(value if k is ours[0] else k, v) for k, v in names.items()]
        names.clear()
        names.update(items)
        ours[0] = value

    def now() -> Any:
        return next((k for k in names if k is ours[0]), None)

    return Place((id(names), f"key {id(key)}"), getattr(key, "__name__", ""), key, now, put)


def _of_item(items: list[Any], index: int) -> Place:
    def put(value: Any) -> None:
        items[index] = value

    def now() -> Any:
        return next(iter(items[index : index + 1]), None)

    return Place((id(items), index), "", items[index], now, put)


def _of_partial(partial: functools.partial[Any]) -> Place:
    def put(value: Any) -> None:
        cast(Any, partial).__setstate__((value, partial.args, partial.keywords, vars(partial)))

    held: Any = partial.func
    return Place((id(partial), "func"), held.__name__, held, lambda: partial.func, put)


def _family(cls: type) -> set[type]:
    derived: list[type] = cls.__subclasses__()
    return {cls}.union(*map(_family, derived))


class _Wanted:
    """What is looked for: these very objects, and instances of a class and what derives from it."""

    def __init__(self, objects: Iterable[object], base: type | None) -> None:
        self._objects = list(objects)
        self._base = base
        self.ids = {id(each) for each in self._objects}
        self.types: set[type] = set()

    def look_again(self) -> None:
        """Classes may have been derived since."""
        if self._base is not None:
            self.types = _family(self._base)

    def __call__(self, value: Any) -> bool:
        return id(value) in self.ids or type(value) in self.types


def _of_function(function: FunctionType, wanted: _Wanted) -> Iterator[Place]:
    for index, value in enumerate(function.__defaults__ or ()):
        if wanted(value):
            yield _in_defaults(function, index)
    by_name = function.__kwdefaults__ or {}
    for name, value in by_name.items():
        if wanted(value):
            yield in_dict(by_name, name)
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
        try:
            value = cell.cell_contents
        except ValueError:
            continue
        if wanted(value):
            yield _in_cell(name, cell)


def _of_container(container: Any, wanted: _Wanted) -> Iterator[Place]:
    """What a dictionary, a list or a partial function has in it, and not deeper."""
    kind = type(container)
    if container is sys.modules:
        return
    if kind is dict:
        if not wanted.ids.isdisjoint(map(id, container.values())):
            for key, value in container.items():
                if wanted(value):
                    yield in_dict(container, key)
        for key in filter(wanted, container):
            yield _of_key(container, key)
    elif kind is list:
        if not wanted.ids.isdisjoint(map(id, container)):
            for index, value in enumerate(container):
                if wanted(value):
                    yield _of_item(container, index)
    elif kind is functools.partial and wanted(container.func):
        yield _of_partial(container)


def _holds_something(function: FunctionType) -> bool:
    """Whether there is anything in a function to look at; in most there is not."""
    return bool(function.__defaults__ or function.__closure__ or function.__kwdefaults__)


def _of_class(cls: type, wanted: _Wanted) -> Iterator[Place]:
    ids, types = wanted.ids, wanted.types
    for name, value in list(vars(cls).items()):
        kind = type(value)
        if (id(value) in ids or kind in types) and not name.startswith("__"):
            yield in_class(cls, name, value)
        elif kind is FunctionType:
            if _holds_something(value):
                yield from _of_function(value, wanted)
        elif kind in _CONTAINERS:
            if not name.startswith("__"):
                yield from _of_container(value, wanted)
        elif isinstance(value, staticmethod) and wanted(value.__func__):
            yield _in_static_method(cls, name, value.__func__)
        elif isinstance(value, (staticmethod, classmethod)):
            function = value.__func__
            if isinstance(function, FunctionType) and _holds_something(function):
                yield from _of_function(function, wanted)


def _is_python(module: object) -> bool:
    """Whether it is a module of Python code; one of C takes no references."""
    # By its type: some objects only say that they are modules.
    if not issubclass(type(module), ModuleType):
        return False
    spec = object.__getattribute__(module, "__dict__").get("__spec__")
    loader = getattr(spec, "loader", None)
    return loader is not BuiltinImporter and not isinstance(loader, ExtensionFileLoader)


class Places:
    """The references to some objects, in all modules but those left alone."""

    def __init__(self, objects: Iterable[object], base: type | None = None) -> None:
        """Look for these very objects, and for instances of a class and what derives from it."""
        self._wanted = _Wanted(objects, base)
        # By the name of a module: which it was, its size when it was searched, and what was found.
        self._deep: dict[str, tuple[ModuleType, int, list[Place]]] = {}
        self._left_alone: dict[str, bool] = {}

    def find(self, ignore: frozenset[str] = frozenset()) -> list[Place]:
        """Every place; those of modules and packages named in `ignore` are left out."""
        found: list[Place] = []
        self._wanted.look_again()
        ids, types = self._wanted.ids, self._wanted.types
        for name, module in list(sys.modules.items()):
            if self._is_left_alone(name, module, ignore):
                continue
            # Not through the module's own lookup, which may load it (importlib.util.LazyLoader).
            names: dict[str, Any] = object.__getattribute__(module, "__dict__")
            if not ids.isdisjoint(map(id, names.values())):
                found += [in_dict(names, key) for key, v in names.items() if id(v) in ids]
            if types:
                found += [in_dict(names, key) for key, v in names.items() if type(v) in types]
            known = self._deep.get(name)
            if known is None or known[0] is not module or known[1] != len(names):
                places = self._below(names.get("__name__", name), names)
                known = self._deep[name] = module, len(names), places
            found += known[2]
        return found

    def _is_left_alone(self, name: str, module: object, ignore: frozenset[str]) -> bool:
        left = self._left_alone.get(name)
        package = name.partition(".")[0]
        if left is None:
            left = package in INFRASTRUCTURE or package in _LEFT_ALONE
            left = left or name in _LEFT_ALONE_MODULES or not _is_python(module)
            self._left_alone[name] = left
        return left or (bool(ignore) and not ignore.isdisjoint((name, package)))

    def _below(self, home: str, names: Mapping[str, Any]) -> list[Place]:
        """Places in the classes and functions of a module."""
        wanted = self._wanted
        places: list[Place] = []
        for name, value in list(names.items()):
            if type(value) in _CONTAINERS:
                if not name.startswith("__"):
                    places += _of_container(value, wanted)
            elif isinstance(value, FunctionType):
                if value.__module__ == home and _holds_something(value):
                    places += _of_function(value, wanted)
            elif isinstance(value, type) and value.__module__ == home:
                places += _of_class(value, wanted)
        return places
