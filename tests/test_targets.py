"""Names of a user's functions lead to them, from a file or a module, or say why they do not."""

from __future__ import annotations

import os.path
import subprocess
import sys
from pathlib import Path

import pytest

from simnet import targets
from simnet.targets import NoTarget, name_of, resolve


class Held:
    """Holds a function."""

    def method(self) -> str:
        """Says who is there."""
        return type(self).__name__


def here() -> str:
    """Is found."""
    return "here"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory with a package, a lone file, and files that cannot be imported; it is current."""
    package = tmp_path / "pack" / "inner"
    package.mkdir(parents=True)
    (package.parent / "__init__.py").touch()
    (package / "__init__.py").touch()
    (package / "part_of_pack.py").write_text("from pack import inner\ndef check(): return inner\n")
    (tmp_path / "lone_target.py").write_text("def check(): return 'lone'\n")
    (tmp_path / "broken_target.py").write_text("1 / 0\n")
    (tmp_path / "json.py").write_text("def check(): pass\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(sys, "modules", dict(sys.modules))
    return tmp_path


def test_a_function_is_found_by_file_and_by_module() -> None:
    """Also if the module is loaded already: then it is that very function."""
    assert resolve(f"{__file__}:here") is here
    assert resolve(f"{__name__}:here") is here
    assert resolve("os.path:join") is os.path.join


def test_a_method_is_found_in_a_class() -> None:
    """As pytest finds it: on a new object."""
    assert resolve(f"{__name__}:Held.method")() == "Held"


def test_a_name_and_its_function_belong_together() -> None:
    """Functions and methods at the top of a module."""
    for each in (here, Held.method):
        assert resolve(name_of(each))
    assert resolve(name_of(here)) is here
    assert name_of(os.path.join) == "posixpath:join"


def test_a_file_in_a_package_is_imported_as_part_of_it(project: Path) -> None:
    """So that what it imports from the package is found."""
    assert resolve("pack/inner/part_of_pack.py:check")().__name__ == "pack.inner"
    assert resolve("lone_target.py:check")() == "lone"
    assert name_of(resolve("lone_target.py:check")) == "lone_target.py:check"


def test_a_file_is_also_found_from_the_directories_above_another(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A scenario that lies below the project may be replayed from elsewhere."""
    monkeypatch.chdir("/")
    near = project / "pack" / "inner" / "story.yaml"
    assert resolve("lone_target.py:check", near)() == "lone"
    with pytest.raises(NoTarget, match=r"there is no file 'lone_target\.py'"):
        resolve("lone_target.py:check")


@pytest.mark.parametrize(
    ("target", "said"),
    [
        ("nothing", "expected 'path/to/file.py:function' or"),
        (":check", "expected 'path/to/file.py:function' or"),
        ("lone_target.py:", "expected 'path/to/file.py:function' or"),
        ("missing.py:check", "there is no file 'missing.py'"),
        ("no_such_module:check", "cannot be imported: ModuleNotFoundError"),
        ("broken_target.py:check", "cannot be imported: ZeroDivisionError"),
        ("lone_target.py:absent", "there is no 'absent' in lone_target"),
        ("lone_target.py:__name__", "cannot be called: it is a str"),
        ("json.py:check", "another module has its name 'json'"),
    ],
)
def test_what_cannot_be_found_is_told(project: Path, target: str, said: str) -> None:
    """With what was looked for."""
    import json

    assert json
    with pytest.raises(NoTarget, match=said):
        resolve(target)


def test_a_function_within_another_has_no_name() -> None:
    """Nor has a lambda, or a class's object."""
    for each in (lambda: None, Held()):
        with pytest.raises(NoTarget, match="cannot be found by a name"):
            name_of(each)  # type: ignore[arg-type]


def test_a_console_script_finds_modules_of_the_current_directory(project: Path) -> None:
    """It does not begin with that directory in its path."""
    code = "from simnet import targets; print(targets.resolve('lone_target:check')())"
    told = subprocess.run(
        [sys.executable, "-P", "-c", code]
        if sys.version_info >= (3, 11)
        else [sys.executable, "-c", f"import sys; sys.path.remove(''); {code}"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert told.stdout == "lone\n"
    assert targets.EXAMPLE
