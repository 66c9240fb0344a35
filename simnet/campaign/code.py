"""A digest of a program's code: of its module, and of the modules that it imports.

Imports are read from the source, wherever in it they stand, so that the digest does not depend on
what is loaded. Of other people's code (installed packages, the standard library, simnet) versions
tell. Not seen: what is imported by a computed name, and data files.
"""

from __future__ import annotations

import ast
import sysconfig
from collections.abc import Callable, Iterator
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path

_OURS = frozenset(("simnet", "realnet"))
_ELSEWHERE = tuple(
    Path(sysconfig.get_path(name)) for name in ("stdlib", "platstdlib", "purelib", "platlib")
)


def digest(function: Callable[..., object]) -> str:
    """Of the code that a function is in; the same wherever the files are."""
    first = getattr(function, "__module__", None) or type(function).__module__
    sources: dict[str, bytes] = {}
    names = [first]
    while names:
        name = names.pop()
        path = None if name in sources else _source(name)
        if path is None:
            continue
        sources[name] = path.read_bytes()
        package = name if path.name == "__init__.py" else name.rpartition(".")[0]
        names += _imports(sources[name], package)
    parts = sha256()
    for name in sorted(sources):
        parts.update(f"{name} {len(sources[name])}\n".encode())
        parts.update(sources[name])
    return parts.hexdigest()


def _source(name: str) -> Path | None:
    """The file of a module, if it is the program's own."""
    package = name.partition(".")[0]
    if package in _OURS or (name != package and _source(package) is None):
        return None
    try:
        spec = find_spec(name)
    except Exception:
        # A name within a module is no module; a package may fail to be imported, which its user
        # learns when it is.
        return None
    if spec is None or not spec.has_location or spec.origin is None:
        return None
    path = Path(spec.origin)
    if path.suffix != ".py" or any(path.is_relative_to(each) for each in _ELSEWHERE):
        return None
    return path


def _imports(source: bytes, package: str) -> Iterator[str]:
    """The modules that a source imports, and the packages that they are in."""
    try:
        tree = ast.parse(source)
    except SyntaxError:
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield from _with_packages(alias.name)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                above = package.rsplit(".", node.level - 1)[0] if node.level > 1 else package
                base = f"{above}.{base}" if base else above
            yield from _with_packages(base)
            for alias in node.names:
                yield f"{base}.{alias.name}"


def _with_packages(name: str) -> Iterator[str]:
    parts = name.split(".")
    for length in range(1, len(parts) + 1):
        yield ".".join(parts[:length])
