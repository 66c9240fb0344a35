"""Runs the program and the scenarios under an audit hook, as a script: what they ask for.

python watch.py [--control] FILE...

Prints a JSON list of the audit events that a simulation must not cause. While simnet is imported
and everything runs for the first time, those are network and processes; while it runs again, with
every module at hand, files too. With --control, a real socket is opened, which must be noticed.
"""

from __future__ import annotations

import json
import os
import select
import selectors  # noqa: F401  (at import it tries out which kinds of selector the kernel has)
import sys
from typing import Any

NETWORK = ("socket.", "subprocess.", "os.system", "os.fork", "os.posix_spawn", "os.exec")
ANYTHING = (*NETWORK, "open", "os.", "tempfile.", "shutil.", "glob.", "pathlib.", "fcntl.", "mmap.")

forbidden: tuple[str, ...] = NETWORK
seen: list[str] = []


def hook(event: str, args: tuple[Any, ...]) -> None:
    if event.startswith(forbidden):
        seen.append(f"{event}{args!r}")


def forbid_select() -> None:
    """No audit event tells of select, poll and epoll: note every call of them."""
    for name in ("select", "poll", "epoll"):
        real = getattr(select, name)

        def noted(*args: Any, _name: str = name, _real: Any = real) -> Any:
            seen.append(f"select.{_name}{args!r}")
            return _real(*args)

        setattr(select, name, noted)


def main() -> None:
    global forbidden
    control = "--control" in sys.argv
    paths = [arg for arg in sys.argv[1:] if arg != "--control"]
    sys.addaudithook(hook)
    forbid_select()
    sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
    from program import Story
    from replay import load_all, replay

    scenarios = load_all(paths)
    for phase in (NETWORK, ANYTHING):
        forbidden = phase
        Story(seed=0).run()
        for scenario in scenarios:
            replay(scenario)
    if control:
        import socket

        socket.socket().close()
        select.select([], [], [], 0)
        os.listdir("/")
    forbidden = ("nothing more",)
    print(json.dumps(seen))


if __name__ == "__main__":
    main()
