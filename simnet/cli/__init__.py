"""The command `simnet`. Each of its commands is a module, loaded when it is asked for."""

from __future__ import annotations

from importlib import import_module

import click

from simnet import __version__

_HOMES = {"run": "simnet.cli.run", "explore": "simnet.cli.explore"}


class _Commands(click.Group):
    """Replaying scenarios on the operating system takes no simulator."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_HOMES)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _HOMES:
            return None
        found: click.Command = import_module(_HOMES[cmd_name]).command
        return found


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="simnet")
def main() -> None:
    """A network that lives in memory, and the operating system's behind the same interface."""
