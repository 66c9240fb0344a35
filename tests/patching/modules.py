"""Modules as a user's code would be: their source is executed under a name of its own."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

import pytest

Load = Callable[..., Any]


def loader() -> Iterator[Load]:
    """A function that loads source as a module, which is forgotten afterwards."""
    loaded: list[str] = []

    def load(source: str, name: str = "users_module") -> ModuleType:
        module = ModuleType(name)
        loaded.append(name)
        sys.modules[name] = module
        exec(compile(source, f"{name}.py", "exec"), module.__dict__)
        return module

    yield load
    for name in loaded:
        del sys.modules[name]


load = pytest.fixture(loader, name="load")
