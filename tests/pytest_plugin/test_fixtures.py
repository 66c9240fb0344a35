"""The fixtures `world` and `simnet`, and what the marker says of them."""

from __future__ import annotations

from tests.pytest_plugin.conftest import Run

pytest_plugins = ["pytester"]


def test_the_world_is_unpatched_and_simnet_is_patched(run: Run) -> None:
    """`simnet` is the fixture `world`."""
    result = run(
        """
        import socket, time
        import simnet as package

        REAL = (time.sleep,)  # a place that no patch finds

        def test_world(world):
            assert isinstance(world, package.World) and world.seed == 0
            assert time.sleep is REAL[0]
            assert world.host("a").name == "a"

        def test_simnet(simnet, world):
            assert simnet is world
            assert time.sleep is not REAL[0]
            time.sleep(3600)
            assert world.now == 3600
            assert socket.gethostname() == "localhost"

        def test_neither():
            assert time.sleep is REAL[0]
        """
    )
    result.assert_outcomes(passed=3)


def test_the_marker_makes_hosts_and_links(run: Run) -> None:
    """The first host is current; conditions are of all links, or of pairs, or of one direction."""
    result = run(
        """
        import socket
        import pytest

        @pytest.mark.simnet(hosts=["a", "b"])
        def test_names(simnet):
            assert list(simnet.hosts) == ["a", "b"]
            assert socket.gethostname() == "a"

        @pytest.mark.simnet(hosts={"a": "10.1.0.1", "b": ["10.1.0.2", "fd00::2"], "c": None})
        def test_addresses():
            assert socket.gethostbyname("a") == "10.1.0.1"
            assert socket.gethostbyname("c")
            with socket.create_server(("10.1.0.1", 80)) as server:
                assert server.getsockname() == ("10.1.0.1", 80)

        @pytest.mark.simnet(
            hosts=["a", "b", "c", "d"],
            links={"latency": 1, ("a", "b"): {"latency": 2}, "c, d -> a": {"latency": 3}},
        )
        def test_links(world):
            def took(source, target):
                with world.hosts[source] as host:
                    before = world.now
                    with pytest.raises(ConnectionRefusedError):
                        host.create_connection((target, 80))
                    return world.now - before

            assert took("b", "c") == 2  # there and back
            assert took("a", "b") == took("b", "a") == 4
            assert took("c", "a") == took("a", "d") == 3 + 1

        @pytest.mark.simnet(hosts=["a", "b"])
        def test_world_has_a_current_host_too(world):
            assert world.event_loop()._host.name == "a"
        """,
        "-Wignore::ResourceWarning",
    )
    result.assert_outcomes(passed=4)


def test_entropy_is_the_seeds(run: Run) -> None:
    """Only if the marker asks for it."""
    result = run(
        """
        import os, random
        import pytest

        SEEN = []

        @pytest.mark.simnet(seeds=["x", "y"], entropy=True)
        def test_entropy():
            SEEN.append((os.urandom(8), random.random()))

        @pytest.mark.simnet(seed="x", entropy=True)
        def test_again():
            assert SEEN[0] != SEEN[1]
            assert (os.urandom(8), random.random()) == SEEN[0]

        @pytest.mark.simnet(seed="x")
        def test_without():
            assert os.urandom(8) != SEEN[0][0]
        """
    )
    result.assert_outcomes(passed=4)


def test_the_marker_alone_patches_before_other_fixtures(run: Run) -> None:
    """But those of a larger scope come before; and a test that asks for `world` stays unpatched."""
    result = run(
        """
        import time
        import pytest

        REAL = (time.sleep,)  # a place that no patch finds

        @pytest.fixture(scope="module")
        def early():
            return time.sleep

        @pytest.fixture
        def late():
            return time.sleep

        @pytest.fixture
        def host(world):
            return world.host("a")

        @pytest.mark.simnet
        def test_alone(early, late):
            assert early is REAL[0]
            assert late is time.sleep is not REAL[0]

        @pytest.mark.simnet
        def test_with_simnet(late, simnet):
            assert late is time.sleep is not REAL[0]

        @pytest.mark.simnet(seed=3)
        def test_with_world(late, host):
            assert late is time.sleep is REAL[0]
            assert host.world.seed == 3
        """
    )
    result.assert_outcomes(passed=3)


def test_markers_of_classes_and_modules_hold_for_their_tests(run: Run) -> None:
    """What a nearer one says goes before what a farther one says, argument by argument."""
    result = run(
        """
        import socket
        import pytest

        pytestmark = pytest.mark.simnet(hosts=["m"], seeds=2)

        def test_of_module(simnet):
            assert socket.gethostname() == "m"

        @pytest.mark.simnet(hosts=["c"])
        class TestMarked:
            def test_of_class(self):
                assert socket.gethostname() == "c"

            @pytest.mark.simnet(seed=5)
            def test_of_function(self, simnet):
                assert socket.gethostname() == "c"
                assert simnet.seed == 5
        """,
        "-v",
    )
    result.assert_outcomes(passed=5)
    result.stdout.fnmatch_lines(
        [
            "*::test_of_module?seed-0? *",
            "*::test_of_module?seed-1? *",
            "*::TestMarked::test_of_class?seed-0? *",
            "*::TestMarked::test_of_class?seed-1? *",
            "*::TestMarked::test_of_function PASSED*",
        ]
    )


def test_a_marked_class_does_not_mark_the_functions_that_it_inherits(run: Run) -> None:
    """Another class has them unpatched."""
    result = run(
        """
        import time
        import pytest

        REAL = (time.sleep,)  # a place that no patch finds

        class Base:
            def test_it(self):
                assert (time.sleep is not REAL[0]) == self.patched

        @pytest.mark.simnet
        class TestMarked(Base):
            patched = True

        class TestDerived(TestMarked):
            pass

        class TestUnmarked(Base):
            patched = False
        """
    )
    result.assert_outcomes(passed=3)


def test_a_fixture_can_be_asked_for_dynamically(run: Run) -> None:
    """No test of the run has to name it."""
    result = run(
        """
        import time

        def test_it(request):
            world = request.getfixturevalue("simnet")
            time.sleep(10)
            assert world.now == 10

        def test_fails(request):
            request.getfixturevalue("simnet")
            assert 0
        """
    )
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["replay: *test_fails*"])


def test_a_fixture_of_that_name_in_a_project_is_its_own(run: Run) -> None:
    """It has nothing to do with simnet."""
    result = run(
        """
        import sys
        import pytest

        @pytest.fixture
        def world():
            return "hello"

        def test_it(world):
            assert world == "hello"
        """,
        "--simnet-seeds=3",
    )
    result.assert_outcomes(passed=1)


def test_methods_of_test_cases_run_in_worlds(run: Run) -> None:
    """By a marker of the class or of the method, setUp() included; a fixture gives the world."""
    result = run(
        """
        import asyncio, time, unittest
        import pytest

        REAL = (time.sleep,)  # a place that no patch finds

        @pytest.mark.simnet(seed=5)
        class TestClass(unittest.TestCase):
            @pytest.fixture(autouse=True)
            def _world(self, simnet):
                self.world = simnet

            def setUp(self):
                time.sleep(3600)

            def test_it(self):
                assert self.world.now == 3600
                assert self.world.seed == 5

        class TestMethod(unittest.TestCase):
            @pytest.mark.simnet
            def test_marked(self):
                time.sleep(3600)

            def test_unmarked(self):
                assert time.sleep is REAL[0]

        @pytest.mark.simnet
        class TestAsync(unittest.IsolatedAsyncioTestCase):
            async def asyncSetUp(self):
                await asyncio.sleep(3600)

            async def test_it(self):
                assert asyncio.get_running_loop().time() >= 3600
        """,
        "--simnet-seeds=2",
    )
    result.assert_outcomes(passed=4)
    result.stdout.fnmatch_lines(
        ["simnet: 3 tests of unittest.TestCase classes run with one seed each"]
    )


def test_the_simulator_is_not_loaded_for_other_tests(run_apart: Run) -> None:
    """Nor is any hook registered that is called while tests run."""
    result = run_apart(
        """
        import sys

        def test_it(tmp_path, pytestconfig):
            plugin = "simnet.pytest_plugin"
            light = ("", ".collecting", ".fixtures", ".options", ".scenarios", ".settings")
            loaded = {name for name in sys.modules if name.startswith("simnet.")}
            assert loaded == {plugin + name for name in light}
            assert not pytestconfig.pluginmanager.has_plugin("simnet-running")
            assert not {"asyncio", "attrs", "greenlet", "yaml"} & sys.modules.keys()
        """
    )
    result.assert_outcomes(passed=1)


def test_a_world_is_as_nasty_as_the_marker_says(run: Run) -> None:
    """Where a family strikes, a read ends early; elsewhere not."""
    result = run(
        """
        import socket

        import pytest


        def shortest():
            one, other = socket.socketpair()
            with one, other:
                lengths = []
                for _ in range(20):
                    one.sendall(b"0123456789")
                    lengths.append(len(other.recv(10)))
                    while sum(lengths) % 10:
                        lengths.append(len(other.recv(10)))
                return min(lengths)


        @pytest.mark.simnet(nasty="short_reads", seeds=3)
        def test_nasty():
            assert shortest() < 10


        @pytest.mark.simnet(nasty=["ports"])
        def test_in_another_way():
            assert shortest() == 10
        """
    )
    result.assert_outcomes(passed=4)
