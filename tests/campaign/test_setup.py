"""A campaign's setup: what is explored, by which it is known again."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

import attrs
import pytest

from simnet.campaign import code, setup
from simnet.campaign.setup import Setup, WrongSetup
from simnet.targets import NoTarget, resolve

Make = Callable[..., Setup]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory with a program in a package; it is current."""
    package = tmp_path / "explored"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "program.py").write_text(
        "import json\nfrom . import near\n"
        "def check(world):\n    from explored.inner import far\n    import missing.module\n"
    )
    (package / "near.py").write_text("import attrs, yaml\n")
    (package / "inner").mkdir()
    (package / "inner" / "__init__.py").touch()
    (package / "inner" / "far.py").write_text("from ..near import attrs\nfrom .. import deep\n")
    (package / "deep.py").write_text("this is not Python\n")
    (package / "apart.py").touch()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    before = dict(sys.modules)
    monkeypatch.setattr(sys, "modules", before)
    return package


def test_the_file_of_a_target_is_told_from_the_current_directory(project: Path) -> None:
    """However it was given."""
    one = setup.make("explored/program.py:check")
    assert one.target == "explored/program.py:check"
    assert setup.make(f"{project}/../explored/program.py:check") == one
    assert setup.make("explored.program:check").target == "explored.program:check"


def test_a_setup_has_a_short_name(made: Make) -> None:
    """For its file."""
    assert made().name == "programs.some_fail"
    assert Setup("package.module:Class.method").name == "module.Class.method"


def test_a_policy_is_told_in_one_way(made: Make) -> None:
    """However loosely it was written; none is one of them, and uniform if nothing is said."""
    assert made(policy="PCT").policy == "pct(3, 100)"
    assert made(policy="pct(2,30)").policy == "pct(2, 30)"
    assert made(policy="none").policy is None
    assert made(policy=None).policy == "uniform"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"policy": "lifo"}, "expected fifo, uniform, pct or"),
        ({"policy": "exhaustive"}, "goes by seeds, and 'exhaustive' goes through schedules"),
        ({"policy": "Exhaustive(2)"}, "simnet.explore"),
    ],
)
def test_what_no_world_is_made_of_is_told(
    made: Make, options: dict[str, object], said: str
) -> None:
    """Before anything is run."""
    with pytest.raises(WrongSetup, match=said):
        made(**options)


def test_a_target_that_is_none_is_told() -> None:
    """In the words of targets.py."""
    with pytest.raises(NoTarget, match="there is no file"):
        setup.make("missing.py:check")


def test_setups_differ_in_what_they_say(made: Make) -> None:
    """A line for each."""
    one = made()
    assert one.differences(made()) == []
    other = attrs.evolve(one, policy=None, nasty=("ports", "segments"), code="x", simnet="9.9")
    assert one.differences(other) == [
        "policy: uniform in the campaign, none here",
        "nasty: none in the campaign, ports, segments here",
        "code: tests/campaign/programs.py, or a module that it imports, is not the same",
        f"version of simnet: {one.simnet} in the campaign, 9.9 here",
    ]


def test_a_worker_with_another_program_says_so(made: Make) -> None:
    """Nothing is run there."""
    one = made()
    assert one.program() is resolve(one.target)
    with pytest.raises(WrongSetup, match="another program than the campaign"):
        attrs.evolve(one, code="x").program()
    with pytest.raises(WrongSetup, match=r"version of Python: 2\.7 in the campaign"):
        attrs.evolve(one, python="2.7").program()


@pytest.mark.parametrize("name", ["program.py", "near.py", "inner/far.py", "deep.py"])
def test_the_digest_is_of_all_that_the_program_imports(project: Path, name: str) -> None:
    """Also within functions, and of what cannot be parsed."""
    before = setup.make("explored/program.py:check").code
    with (project / name).open("a") as file:
        file.write("# changed\n")
    assert setup.make("explored/program.py:check").code != before


def test_the_digest_is_of_nothing_else(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not of what lies beside it, nor of what happens to be loaded, nor of where it lies."""
    function = resolve("explored/program.py:check")
    before = code.digest(function)
    (project / "apart.py").write_text("# changed\n")
    resolve("explored/apart.py:__doc__.__class__")
    assert code.digest(function) == before
    moved = project.parent / "moved"
    moved.mkdir()
    os.rename(project, moved / "explored")
    for name in [name for name in sys.modules if name.startswith("explored")]:
        del sys.modules[name]
    sys.path.remove(str(project.parent))
    monkeypatch.chdir(moved)
    assert code.digest(resolve("explored/program.py:check")) == before


def test_a_callable_object_has_the_code_of_its_class() -> None:
    """It has no module of its own."""

    class Called:
        def __call__(self) -> None:
            """Nothing."""

    assert code.digest(Called()) == code.digest(test_a_callable_object_has_the_code_of_its_class)
