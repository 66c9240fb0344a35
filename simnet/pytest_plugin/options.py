"""The options of the command line, the ini option, and the marker."""

from __future__ import annotations

import argparse

import pytest

Seed = int | str

_MARKER = (
    "simnet(seed=, seeds=, hosts=, links=, entropy=, nasty=): run the test in a simulated world of "
    "its own, patched in unless it asks for `world` alone. seed: an integer or a string (0); "
    "seeds: how many, or which, to run it with; hosts: names, or a mapping of names to addresses, "
    "of which the first is where the test runs; links: conditions of all links, or of pairs of "
    "hosts; entropy: whether random, secrets, uuid and os.urandom follow the seed; nasty: families "
    "of lawful nastiness, True for all"
)


def pytest_addoption(parser: pytest.Parser) -> None:
    """What can be chosen for all tests of a run."""
    parser.addini(
        "simnet_scenarios",
        "globs of scenario files, relative to the root directory",
        type="linelist",
        default=[],
    )
    group = parser.getgroup("simnet", "simulated networks")
    group.addoption(
        "--simnet-seed",
        metavar="SEED",
        type=read_seed,
        default=None,
        help="run each test in a simulated world once, with this seed, whatever its marker says: "
        "what a failure's report shows replays it",
    )
    group.addoption(
        "--simnet-seeds",
        metavar="N",
        type=_read_count,
        default=None,
        help="run each test in a simulated world with the seeds 0 to N-1, unless its marker says "
        "seed= or it is a method of a unittest.TestCase",
    )
    group.addoption(
        "--simnet-backend",
        metavar="sim|real|both",
        default=None,
        help="where to replay scenarios (default: both, if both are installed)",
    )
    group.addoption(
        "--simnet-pcap",
        metavar="DIR",
        default=None,
        help="where to write a capture of each host of a scenario or a test (of the simulator "
        "only), for Wireshark",
    )
    group.addoption(
        "--simnet-html",
        metavar="DIR",
        default=None,
        help="where to write a page with the sequence diagram of a scenario or a test (of the "
        "simulator only)",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Tell what the marker is."""
    config.addinivalue_line("markers", _MARKER)
    option = config.getoption
    if option("--simnet-seed") is not None and option("--simnet-seeds") is not None:
        raise pytest.UsageError("--simnet-seed is one seed, --simnet-seeds are several: choose")


def read_seed(text: str) -> Seed:
    """A seed as it is written on a command line: an integer if it is one."""
    try:
        return int(text)
    except ValueError:
        return text


def _read_count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"a number of seeds is 1 or more, not {text!r}")
    return int(text)
