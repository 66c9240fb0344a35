"""A simulation asks the machine for nothing: no socket, no process, no readiness, no file."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.determinism.processes import HERE, SCENARIOS, TIMEOUT, run


def test_simulations_cause_no_audit_event() -> None:
    """Neither importing simnet, nor the program, nor any scenario touches network or processes."""
    assert run("watch.py", *SCENARIOS) == []


def test_a_real_socket_would_be_noticed() -> None:
    """The watch sees the events that it is there for."""
    seen = run("watch.py", "--control")
    events = [text.partition("(")[0] for text in seen]
    assert "socket.__new__" in events
    assert "select.select" in events
    assert "os.listdir" in events


@pytest.fixture
def network_calls(tmp_path: Path) -> list[str]:
    """The command that writes a process's network system calls to a file; the file comes last."""
    strace = shutil.which("strace")
    if strace is None:
        pytest.skip("strace is not installed")
    command = [strace, "-f", "-e", "trace=network", "-e", "signal=none", "-o"]
    tried = subprocess.run([*command, str(tmp_path / "try"), "true"], capture_output=True)
    if tried.returncode:
        pytest.skip(f"strace may not trace here: {tried.stderr.decode().strip()}")
    return [*command, str(tmp_path / "calls")]


def calls(traced: list[str], *command: str) -> list[str]:
    """The network calls of a command, by its interpreter."""
    subprocess.run(
        [*traced, sys.executable, *command], check=True, capture_output=True, timeout=TIMEOUT
    )
    lines = Path(traced[-1]).read_text().splitlines()
    return [line for line in lines if "+++" not in line]


@pytest.mark.parametrize(
    "command",
    [[str(HERE / "program.py")], [str(HERE / "replay.py"), *SCENARIOS]],
    ids=["program", "scenarios"],
)
def test_the_kernel_sees_no_network_call(network_calls: list[str], command: list[str]) -> None:
    """strace shows none in a whole process."""
    assert calls(network_calls, *command) == []


def test_strace_would_show_a_real_socket(network_calls: list[str]) -> None:
    """The trace shows what it is there for."""
    shown = calls(network_calls, "-c", "import socket; socket.socket().close()")
    assert any("socket(AF_INET" in line for line in shown)
