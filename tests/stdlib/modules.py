"""Which modules of the `test` package are run."""

from __future__ import annotations

import importlib.util
import pkgutil
from collections.abc import Iterator

import attrs


@attrs.frozen
class Module:
    """One module, or a package whose modules are run one by one."""

    name: str
    # Resources of `test.support` that have to be enabled.
    resources: tuple[str, ...] = ()
    # Modules of a package that concern no socket, thread or clock of the simulation.
    without: tuple[str, ...] = ()


SELECTED = (
    Module("test_socket"),
    # Enabled for servers on this machine; nothing in it goes beyond.
    Module("test_socketserver", resources=("network",)),
    Module("test_selectors"),
    Module("test_select"),
    Module("test_poll"),
    Module("test_epoll"),
    Module("test_httplib"),
    Module("test_ftplib"),
    Module("test_smtplib"),
    Module(
        "test_asyncio",
        # Of Windows, or about processes.
        without=(
            "test_proactor_events",
            "test_subprocess",
            "test_windows_events",
            "test_windows_utils",
        ),
    ),
    Module("test_ssl"),
    Module("test_xmlrpc"),
    Module("test_poplib"),
    Module("test_imaplib"),
    Module("test_urllib2_localnet"),
    Module("test_httpservers"),
    Module("test_telnetlib"),
    Module("test_asyncore"),
    Module("test_asynchat"),
    Module("test_thread"),
    Module("test_threading"),
    Module("test_threading_local"),
    Module("test_queue"),
    Module("test_sched"),
    Module(
        "test_concurrent_futures",
        without=("test_deadlock", "test_init", "test_process_pool", "test_shutdown"),
    ),
    # Only what stays on this machine: the rest asks name servers.
    Module("test_timeout", resources=("network",)),
)


def available() -> Iterator[Module]:
    """The modules that this version of Python has, those of packages one by one."""
    for module in SELECTED:
        name = f"test.{module.name}"
        spec = importlib.util.find_spec(name)
        if spec is None:
            continue
        if spec.submodule_search_locations is None:
            yield module
            continue
        for found in sorted(pkgutil.iter_modules(spec.submodule_search_locations)):
            if found.name.startswith("test_") and found.name not in module.without:
                yield attrs.evolve(module, name=f"{module.name}.{found.name}", without=())
