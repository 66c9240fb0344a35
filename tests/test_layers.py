"""Which module may import which: the floors of the design, read from the imports themselves."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from fnmatch import fnmatch
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

# From the ground up, as patterns of names. A module belongs to the floor of the longest pattern
# that names it.
FLOORS: dict[str, tuple[str, ...]] = {
    "the contract": ("simnet", "simnet.api"),
    "values and small mechanisms": (
        "simnet.addresses",
        "simnet.clock",
        "simnet.constants",
        "simnet.current",
        "simnet.decisions",
        "simnet.descriptors",
        "simnet.errors",
        "simnet.failures",
        "simnet.files",
        "simnet.limits",
        "simnet.ordered",
        "simnet.policies",
        "simnet.queues",
        "simnet.readiness",
        "simnet.targets",
        "simnet.trace",
    ),
    "the wire": ("simnet.codec", "simnet.faults", "simnet.links", "simnet.wire", "simnet.ports"),
    "protocols": ("simnet.protocols", "simnet.protocols.*"),
    "views": ("simnet.views", "simnet.views.*"),
    "the scheduler": ("simnet.scheduler", "simnet.tasks", "simnet.waits"),
    "scenarios and the command line": (
        "simnet.__main__",
        "simnet.cli",
        "simnet.cli.run",
        "simnet.pytest_plugin",
        "simnet.pytest_plugin.*",
        "simnet.scenario",
        "simnet.scenario.*",
    ),
    "hosts, sockets and worlds": ("simnet.*",),
    "campaigns": ("simnet.campaign", "simnet.campaign.*", "simnet.cli.explore"),
}
# Scenarios replay on any backend: they know the contract and find the rest by name.
SCENARIOS = FLOORS["scenarios and the command line"]
BACKEND_NEUTRAL = (
    *("simnet", "simnet.api", "simnet.decisions", "simnet.errors", "simnet.failures"),
    *("simnet.policies", "simnet.targets", *SCENARIOS),
)
# What loads backends by name must not bring one along.
LIGHT = ("realnet", "simnet.cli", "simnet.pytest_plugin")


def modules(package: str) -> dict[str, Path]:
    """Every module of a package, by its dotted name."""
    found = {}
    for path in sorted((ROOT / package).rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def statements(node: ast.AST) -> Iterator[ast.AST]:
    """Every statement that runs: what is under `if TYPE_CHECKING` does not."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and ast.unparse(child.test).endswith("TYPE_CHECKING"):
            for otherwise in child.orelse:
                yield otherwise
                yield from statements(otherwise)
            continue
        yield child
        yield from statements(child)


def imports(path: Path) -> set[str]:
    """The modules that a file imports, wherever in it; of a package, the module that is meant."""
    found: set[str] = set()
    for node in statements(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.module is not None, f"relative import in {path}"
            inner = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= {name if name in MODULES else node.module for name in inner}
    return found


MODULES = {**modules("simnet"), **modules("realnet")}
IMPORTS = {name: imports(path) for name, path in MODULES.items()}
OURS = {name: found & MODULES.keys() for name, found in IMPORTS.items()}
SIMULATOR = sorted(name for name in MODULES if name.startswith("simnet"))
REAL = sorted(name for name in MODULES if name.startswith("realnet"))


def matches(name: str, patterns: tuple[str, ...]) -> bool:
    """Whether a module is one of those."""
    return any(fnmatch(name, pattern) for pattern in patterns)


def floor_of(name: str) -> int:
    """The number of a module's floor, 0 on the ground."""
    floors = enumerate(FLOORS.values())
    naming = {p: i for i, patterns in floors for p in patterns if fnmatch(name, p)}
    return naming[max(naming, key=len)]


@pytest.mark.parametrize("name", SIMULATOR)
def test_a_module_imports_from_its_own_floor_or_from_below(name: str) -> None:
    """Nothing reaches up."""
    above = {other for other in OURS[name] if floor_of(other) > floor_of(name)}
    assert not above, f"{name} imports {sorted(above)} from a higher floor"


def test_no_modules_import_each_other_in_a_circle() -> None:
    """Within a floor too there is an order."""
    assert list(TopologicalSorter(OURS).static_order())


def test_the_contract_imports_nothing_of_the_simulator() -> None:
    """A backend can be written against it alone."""
    assert not OURS["simnet.api"]
    assert not OURS["simnet"]


def test_every_floor_is_inhabited() -> None:
    """A pattern that matches nothing is a mistake in this file."""
    named = {pattern for patterns in FLOORS.values() for pattern in patterns}
    assert not {p for p in named if not any(fnmatch(name, p) for name in SIMULATOR)}


def test_only_the_scheduler_and_its_tasks_know_greenlets() -> None:
    """Tasks could be made of something else without anybody noticing."""
    knowing = {name for name, found in IMPORTS.items() if "greenlet" in found}
    assert knowing == {"simnet.scheduler", "simnet.tasks"}


def test_only_its_own_modules_need_trio() -> None:
    """It is optional: nothing else imports it, and nothing but a host asked for it imports them."""
    own = {name for name in SIMULATOR if name.startswith("simnet.trio_")}
    need = {
        name for name, found in IMPORTS.items() if any(o.split(".")[0] == "trio" for o in found)
    }
    assert need == own
    code = "import sys, simnet.world, simnet.patching.patch; print('trio' in sys.modules)"
    ran = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert ran.stdout == "False\n"


def test_only_the_cluster_needs_dask() -> None:
    """It is optional, too, and takes half a second to import."""
    need = {
        name
        for name, found in IMPORTS.items()
        if any(o.split(".")[0] in ("dask", "distributed") for o in found)
    }
    assert need == {"simnet.campaign.cluster"}
    code = "import sys, simnet.cli.explore; print('distributed' in sys.modules)"
    ran = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert ran.stdout == "False\n"


@pytest.mark.parametrize("name", SIMULATOR)
def test_the_simulator_knows_no_other_backend(name: str) -> None:
    """The command line, the plugin and the tests load backends by name."""
    assert not any(other.split(".")[0] == "realnet" for other in IMPORTS[name])


@pytest.mark.parametrize("name", REAL)
def test_the_real_backend_knows_only_the_contract(name: str) -> None:
    """And what both backends need to name errors."""
    assert {o for o in OURS[name] if o.startswith("simnet")} <= {"simnet.api", "simnet.errors"}


@pytest.mark.parametrize("name", [n for n in SIMULATOR if matches(n, SCENARIOS)])
def test_scenarios_know_no_backend(name: str) -> None:
    """They import the contract and each other."""
    assert not {other for other in OURS[name] if not matches(other, BACKEND_NEUTRAL)}


@pytest.mark.parametrize("name", LIGHT)
def test_importing_it_loads_no_simulator(name: str) -> None:
    """Asked of a fresh interpreter: not through a lazy import either."""
    code = f"import sys, {name}; print(*(m for m in sys.modules if m.startswith('simnet')))"
    ran = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert not [m for m in ran.stdout.split() if not matches(m, BACKEND_NEUTRAL)]


def test_every_public_name_of_the_package_loads() -> None:
    """The package itself is lazy; each name that it promises is there when asked for."""
    import simnet

    assert all(getattr(simnet, name) is not None for name in simnet.__all__)
    assert sorted(simnet.__all__) == dir(simnet)
    with pytest.raises(AttributeError, match="no attribute 'Nothing'"):
        simnet.Nothing  # noqa: B018
