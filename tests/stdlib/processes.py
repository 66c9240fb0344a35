"""A process for each module, watched from outside: what hangs is ended, and the rest goes on.

A test cannot be trusted to keep the alarm or the signal handlers that a watchdog inside the process
would need. Where that is possible the process gets a network of its own, with nothing but a
loopback: no test reaches another machine, or meets the ports of somebody else.
"""

from __future__ import annotations

import contextlib
import functools
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path

import attrs

from tests.stdlib.modules import Module
from tests.stdlib.results import FAILED, Result

# For so long no test may begin or end.
PATIENCE = 120.0
# The patch's own watchdog is quicker, and says where every task stands.
WATCHDOG = 40.0
_ROOT = Path(__file__).parents[2]


@attrs.define
class _Progress:
    """What the journal of a process says so far."""

    journal: Path
    results: dict[str, Result] = attrs.field(factory=dict)
    running: str | None = None
    latest: str | None = None
    _read: int = 0

    def look(self) -> bool:
        """Read on; whether there was something new."""
        data = self.journal.read_bytes()[self._read :]
        data = data[: data.rfind(b"\n") + 1]
        self._read += len(data)
        for line in data.decode().splitlines():
            event = json.loads(line)
            if "begun" in event:
                self.running = event["begun"]
            else:
                self.running, self.latest = None, event["test"]
                self.results[event["test"]] = Result(event["outcome"], event["text"])
        return bool(data)


@functools.cache
def _apart() -> tuple[str, ...]:
    """What to put before a command so that it has a network of its own; nothing if it cannot."""
    prefix = ("unshare", "--net", "sh", "-c", 'ip link set lo up && exec "$@"', "sh")
    if shutil.which("unshare") and shutil.which("ip"):
        tried = subprocess.run([*prefix, "true"], capture_output=True)
        return prefix if tried.returncode == 0 else ()
    return ()


def run(
    module: Module, backend: str, not_run: Iterable[str], match: Iterable[str] = ()
) -> tuple[dict[str, Result], str]:
    """All tests of a module on one backend, and what the process wrote."""
    written = []
    with tempfile.TemporaryDirectory(prefix="stdlib-") as name:
        work = Path(name)
        progress = _Progress(work / "journal")
        progress.journal.touch()
        done = set(not_run)
        while True:
            (work / "done").write_text("\n".join(done))
            ending = _run_once(_command(module, backend, work, match), work, progress)
            written.append((work / "output").read_text(errors="backslashreplace"))
            if ending is None:
                break
            # What a test has started may end the process after it.
            at = progress.running or progress.latest or f"test.{module.name}"
            progress.results[at] = Result(FAILED, f"{ending}\n{written[-1][-4000:]}")
            if at in done or progress.results.keys() <= done:
                break
            done |= progress.results.keys()
            progress.running = None
    return progress.results, "".join(written)


def _command(module: Module, backend: str, work: Path, match: Iterable[str]) -> list[str]:
    command = [*_apart(), sys.executable, "-m", "tests.stdlib.runner", module.name]
    command += ["--backend", backend, "--watchdog", str(WATCHDOG)]
    command += ["--journal", str(work / "journal"), "--done", str(work / "done")]
    for resource in module.resources:
        command += ["--resource", resource]
    for part in match:
        command += ["--match", part]
    return command


def _run_once(command: list[str], work: Path, progress: _Progress) -> str | None:
    """Run a process to its end; why it did not come to a good one."""
    directory = Path(tempfile.mkdtemp(dir=work))
    environment = {
        **os.environ,
        "PYTHONPATH": str(_ROOT),
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONHASHSEED": "0",
        "TMPDIR": str(directory),
    }
    with open(work / "output", "wb") as output:
        process = subprocess.Popen(
            command,
            cwd=directory,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
        try:
            return _watch(process, progress)
        finally:
            _end(process)


def _watch(process: subprocess.Popen[bytes], progress: _Progress) -> str | None:
    latest = time.monotonic()
    while True:
        code = process.poll()
        if progress.look():
            latest = time.monotonic()
        if code is not None:
            return None if code == 0 and progress.running is None else f"ended with code {code}"
        if time.monotonic() - latest > PATIENCE:
            return f"hangs: nothing has happened for {PATIENCE:g} s"
        time.sleep(0.1)


def _end(process: subprocess.Popen[bytes]) -> None:
    """Also what it has started."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
