"""Captures and pages of scenarios."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from simnet.cli import main
from simnet.scenario.backends import Backend
from simnet.scenario.pictures import Pictures
from simnet.world import World, localhost
from tests.scenario.conftest import Write, register, scenario_of
from tests.scenario.test_plugin import run_pytest

STORY = """\
- a: create_server(("127.0.0.1", 8080))
  as: listener
- b: create_connection(("127.0.0.1", 8080))
  as: conn
- b: conn.send("hello")
  returns: 5"""
BACKENDS = ("sim=simnet.world:localhost", "real=realnet:Network")


def simnet(*arguments: str | Path) -> Result:
    """Run the command."""
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def test_a_scenario_leaves_a_capture_of_each_host_and_a_page(
    write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Named after its path, in directories that are made."""
    register(monkeypatch, BACKENDS, ("sim", "real"))
    (tmp_path / "stories").mkdir()
    write(STORY, name="stories/hello there.yaml")
    monkeypatch.chdir(tmp_path)
    result = simnet("run", "stories", "--backend", "sim", "--pcap", "out/caps", "--html", "out")
    assert result.exit_code == 0, result.output
    assert "see" not in result.output
    capture = Path("out/caps/stories-hello-there.localhost.pcapng")
    assert sorted(map(str, Path("out").rglob("*.*"))) == [
        str(capture),
        "out/stories-hello-there.html",
    ]
    assert b"hello" in capture.read_bytes()
    assert "<title>A story" in Path("out/stories-hello-there.html").read_text()


def test_a_failing_scenario_names_where_it_can_be_looked_at(
    write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Below what went wrong."""
    register(monkeypatch, BACKENDS, ("sim", "real"))
    monkeypatch.chdir(tmp_path)
    write(STORY.replace("returns: 5", "returns: 6"), name="wrong.yaml")
    result = simnet("run", "wrong.yaml", "--backend", "sim", "--pcap", "out", "--html", "out")
    assert result.exit_code == 1
    assert result.output.splitlines()[-3:-1] == [
        "      see out/wrong.localhost.pcapng",
        "      see out/wrong.html",
    ]
    assert b"hello" in Path("out/wrong.localhost.pcapng").read_bytes()


def test_of_the_real_kernel_nothing_is_written(
    write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It keeps no trace."""
    register(monkeypatch, BACKENDS, ("sim", "real"))
    path = write("- a: sleep(0)")
    out = tmp_path / "out"
    result = simnet("run", path, "--backend", "real", "--pcap", out, "--html", out)
    assert result.exit_code == 0
    assert not out.exists()


@pytest.mark.parametrize("option", ["pcap", "html"])
def test_scenarios_in_pytest_leave_them_too(write: Write, tmp_path: Path, option: str) -> None:
    """And a failure says where."""
    (tmp_path / "pytest.ini").write_text("[pytest]\nsimnet_scenarios = *.yaml\n")
    write(STORY.replace("returns: 5", "returns: 6"), name="wrong.yaml")
    lines = run_pytest(tmp_path, "-q", "--simnet-backend", "sim", f"--simnet-{option}", "out")
    (file,) = (tmp_path / "out").iterdir()
    assert file.name == {"pcap": "wrong.localhost.pcapng", "html": "wrong.html"}[option]
    assert f"  see {Path('out') / file.name}" in lines


def test_without_a_directory_nothing_is_watched() -> None:
    """The backend is then its own maker of networks."""
    backend = Backend("sim", localhost, World)
    assert Pictures(None, None).watch(backend) is backend


def test_what_is_watched_is_like_its_maker(tmp_path: Path, write: Write) -> None:
    """Worlds too; what it has besides can be asked for."""
    pictures = Pictures(str(tmp_path / "pcap"), None)
    backend = pictures.watch(Backend("sim", localhost, World))
    assert backend.virtual
    assert backend.world is not None
    world = backend.world(seed=5)
    assert isinstance(world, World)
    assert world.trace.recording
    assert world.seed == 5
    world.host("a/b")
    world.host("c")
    (path,) = [write("- a: sleep(0)", name="s.yaml")]
    files = pictures.write(scenario_of(path))
    assert [file.name.rpartition("s.")[2] for file in files] == ["a-b.pcapng", "c.pcapng"]
    assert pictures.write(scenario_of(path)) == []
