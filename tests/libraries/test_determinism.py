"""Each story of this package happens in the same way in every process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.libraries.stories import digest, stories

STORIES = stories()
ROOT = Path(__file__).parent.parent.parent


@pytest.fixture(scope="module")
def elsewhere(request: pytest.FixtureRequest) -> Mapping[str, str]:
    """The digests of a process that has other hashes, addresses of objects and identities."""
    chosen = [getattr(item, "callspec", None) for item in request.session.items]
    names = [spec.params["name"] for spec in chosen if spec and "name" in spec.params]
    done = subprocess.run(
        [
            sys.executable,
            "-W",
            "error",
            "-m",
            "tests.libraries.stories",
            *filter(STORIES.get, names),
        ],
        cwd=ROOT,
        env={**os.environ, "PYTHONHASHSEED": "7"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    digests: Mapping[str, str] = json.loads(done.stdout)
    return digests


@pytest.mark.parametrize("name", STORIES)
def test_the_same_seed_gives_the_same_run(name: str, elsewhere: Mapping[str, str]) -> None:
    """The same digest here and there."""
    assert digest(STORIES[name]) == elsewhere[name]


def test_another_seed_gives_another_run() -> None:
    """Ports and sequence numbers are chosen by it."""
    story = STORIES["test_http.test_a_connection_is_kept_for_several_requests"]
    assert digest(story, seed=1) == digest(story, seed=1) != digest(story, seed=2)
