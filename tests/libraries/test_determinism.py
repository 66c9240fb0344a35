"""Each story of this package happens in the same way in every process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from tests.libraries.stories import digest, parameters, stories

STORIES = stories()
ROOT = Path(__file__).parent.parent.parent


class Elsewhere:
    """Stories in another process, which has other hashes and addresses of objects."""

    def __init__(self, names: Sequence[str], errors: Path) -> None:
        self._digests: dict[str, str] = {}
        self._errors = errors
        with errors.open("w") as file:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.libraries.stories", *names],
                cwd=ROOT,
                env={**os.environ, "PYTHONHASHSEED": "7"},
                stdout=subprocess.PIPE,
                stderr=file,
                text=True,
            )

    def digest(self, name: str) -> str:
        """Of a story; it is waited for."""
        assert self._process.stdout is not None
        while name not in self._digests:
            line = self._process.stdout.readline()
            assert line, f"the other process has ended: {self._errors.read_text()}"
            told, value = json.loads(line)
            self._digests[told] = value
        return self._digests[name]

    def close(self) -> None:
        """End it."""
        self._process.kill()
        self._process.communicate()


@pytest.fixture(scope="module")
def elsewhere(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Elsewhere]:
    """The stories that are to run here, at the same time in another process."""
    here = [item for item in request.session.items if item.path == request.path]
    names = [item.callspec.params["name"] for item in here if hasattr(item, "callspec")]
    made = Elsewhere(names, tmp_path_factory.mktemp("elsewhere") / "errors")
    yield made
    made.close()


@pytest.mark.parametrize("name", parameters(STORIES))
def test_the_same_seed_gives_the_same_run(name: str, elsewhere: Elsewhere) -> None:
    """The same digest here and there."""
    assert digest(STORIES[name]) == elsewhere.digest(name)


def test_another_seed_gives_another_run() -> None:
    """Ports and sequence numbers are chosen by it."""
    story = STORIES["test_http.test_a_connection_is_kept_for_several_requests"]
    assert digest(story, seed=1) == digest(story, seed=1) != digest(story, seed=2)
