"""Tests and fixtures that are coroutines."""

from __future__ import annotations

import re

import hypothesis
import pytest

from tests.pytest_plugin.conftest import Run

pytest_plugins = ["pytester"]


def test_coroutines_run_in_a_loop_of_the_world(run: Run) -> None:
    """With `simnet`, `world` or the marker, and no other plugin."""
    result = run(
        """
        import asyncio
        import pytest

        async def an_hour(world):
            await asyncio.sleep(3600)
            assert world.now == 3600

        async def test_simnet(simnet):
            await an_hour(simnet)

        async def test_world(world):
            assert list(world.hosts) == ["localhost"]
            await an_hour(world)

        @pytest.mark.simnet(hosts=["a", "b"], seeds=2)
        class TestMarked:
            async def test_method(self, world):
                await an_hour(world)

            async def test_streams(self, simnet):
                async def serve(reader, writer):
                    writer.write(await reader.readline())
                    writer.close()

                async with await asyncio.start_server(serve, "a", 80):
                    reader, writer = await asyncio.open_connection("a", 80)
                    writer.write(b"hello\\n")
                    assert await reader.read() == b"hello\\n"
                    writer.close()

        def test_plain():
            pass

        async def test_not_ours():
            pass
        """,
        "-Wignore",
    )
    outcomes = result.parseoutcomes()
    assert outcomes["passed"] == 7
    assert outcomes.get("failed", 0) + outcomes.get("skipped", 0) == 1


FIXTURES = """
    import asyncio
    import time
    import pytest

    LOG = []

    @pytest.fixture
    async def value():
        await asyncio.sleep(10)
        return asyncio.get_running_loop()

    @pytest.fixture
    async def generated(value):
        task = asyncio.current_task()
        async with asyncio.Lock():
            yield time.monotonic()
        assert asyncio.current_task() is task
        await asyncio.sleep(10)
        LOG.append(time.monotonic())

    @pytest.fixture
    def plain(generated):
        yield generated
        LOG.append("plain")

    async def test_a(plain, value, simnet):
        assert value is asyncio.get_running_loop()
        assert plain == simnet.now == 10
        await asyncio.sleep(80)

    def test_b():
        assert LOG == ["plain", 100]

    @pytest.mark.simnet
    def test_a_plain_test_with_such_a_fixture(generated, simnet):
        assert simnet.now == generated == 10

    class TestClass:
        @pytest.fixture
        async def own(self):
            self.mine = 5
            yield self

        async def test_it(self, own, simnet):
            assert own is self and self.mine == 5
"""


def test_fixtures_may_be_coroutines(run: Run) -> None:
    """They run in the loop of the test, from beginning to end as one task, and patched."""
    run(FIXTURES).assert_outcomes(passed=4)


def test_a_fixture_that_fails_says_so(run: Run) -> None:
    """While it is set up, while it is torn down, and if it yields never or twice."""
    result = run(
        """
        import pytest

        @pytest.fixture
        async def fails():
            raise ValueError("in setup")
            yield

        @pytest.fixture
        async def fails_later():
            yield
            raise ValueError("in teardown")

        @pytest.fixture
        async def never():
            return
            yield

        @pytest.fixture
        async def twice():
            yield
            yield

        async def test_1(simnet, fails): pass
        async def test_2(simnet, fails_later): pass
        async def test_3(simnet, never): pass
        async def test_4(simnet, twice): pass
        """
    )
    result.assert_outcomes(passed=2, errors=4)
    result.stdout.fnmatch_lines(["E * ValueError: in setup", "*test_it.py:5: ValueError"])
    result.stdout.fnmatch_lines(["E * ValueError: in teardown", "*test_it.py:11: ValueError"])
    result.stdout.fnmatch_lines(["E * RuntimeError: a fixture yields once, and this one did not"])
    result.stdout.fnmatch_lines(["E * RuntimeError: a fixture yields once, and this one did again"])


def test_a_deadlock_is_shown_where_the_coroutine_waits(run: Run) -> None:
    """With the tasks of the loop, and without frames of the loop, the simulator or pytest."""
    result = run(
        """
        import asyncio

        async def ask():
            reader, writer = await asyncio.open_connection("localhost", 80)
            try:
                return await reader.read()
            finally:
                writer.close()

        async def keep_silent(reader, writer):
            await reader.read()
            writer.close()

        async def test_it(simnet):
            async with await asyncio.start_server(keep_silent, "", 80):
                idler = asyncio.create_task(asyncio.Event().wait(), name="idler")
                try:
                    await ask()
                finally:
                    await asyncio.sleep(1)
                    print("cleaned up")
                    idler.cancel()
        """
    )
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            ">*await ask()",
            "*return await reader.read()",
            "E  *Deadlock: every task waits, at 0 s:",
            "E * asyncio 'idler': waits*",
            "E * asyncio 'Task-*': waits, at *test_it.py:6 in ask",
            "test_it.py:6: Deadlock",
            "*Captured stdout call*",
            "cleaned up",
            "*asyncio 'Task-*': waits, at *test_it.py:6 in ask",
        ]
    )
    assert not [line for line in result.outlines if "site-packages/pluggy" in line]


def test_a_fixture_that_waits_for_ever_is_a_deadlock_too(run: Run) -> None:
    """Shown where it waits."""
    result = run(
        """
        import asyncio
        import pytest

        @pytest.fixture
        async def stuck():
            await asyncio.Event().wait()
            yield

        async def test_it(simnet, stuck): pass
        """
    )
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines([">*await asyncio.Event().wait()", "*: Deadlock"])


def test_what_a_coroutine_raises_is_reported_as_ever(run: Run) -> None:
    """Failures, skips, expected failures; tasks that it leaves are cancelled."""
    result = run(
        """
        import asyncio
        import pytest

        async def test_fails(simnet):
            asyncio.create_task(asyncio.sleep(1000))
            await asyncio.sleep(0)
            assert 1 == 2

        async def test_skips(simnet):
            pytest.skip("not now")

        @pytest.mark.xfail(strict=True)
        async def test_expected(simnet):
            raise ValueError

        async def test_leaves_a_task(simnet):
            asyncio.create_task(asyncio.sleep(1000))
            assert await asyncio.to_thread(lambda: 5) == 5
        """
    )
    result.assert_outcomes(failed=1, skipped=1, xfailed=1, passed=1)
    result.stdout.fnmatch_lines([">*assert 1 == 2", "*asyncio 'Task-*': waits*"])


ALONGSIDE = """
    import asyncio
    import pytest

    RUNS = []

    def simulated():
        return "simnet" in type(asyncio.get_running_loop()).__module__

    @pytest.mark.{name}
    async def test_ours(simnet):
        await asyncio.sleep(3600)
        assert simulated()
        RUNS.append(1)

    @pytest.mark.simnet(hosts=["a"])
    class TestClass:
        @pytest.mark.{name}
        async def test_ours_too(self):
            await asyncio.sleep(3600)
            assert simulated()
            RUNS.append(1)

    def test_once():
        assert len(RUNS) == 2

    @pytest.mark.{name}
    async def test_theirs():
        assert not simulated()
"""
LOOP_SCOPE = "-oasyncio_default_fixture_loop_scope=function"


@pytest.mark.parametrize("mode", ["strict", "auto"])
def test_alongside_pytest_asyncio(run: Run, mode: str) -> None:
    """A test that is marked for it as well runs in the world's loop, and only once."""
    options = ("-Werror", LOOP_SCOPE, f"-oasyncio_mode={mode}")
    code = ALONGSIDE.format(name="asyncio")
    run(code, *options, plugins=("asyncio",)).assert_outcomes(passed=4)


@pytest.mark.parametrize("mode", ["strict", "auto"])
def test_fixtures_of_pytest_asyncio_run_in_the_worlds_loop(run: Run, mode: str) -> None:
    """Those of its own decorator; in its automatic mode all of them."""
    code = FIXTURES
    if mode == "strict":
        code = code.replace("@pytest.fixture\n    async", "@pytest_asyncio.fixture\n    async")
        code = code.replace("import pytest\n", "import pytest\n    import pytest_asyncio\n")
    options = ("-Werror", LOOP_SCOPE, f"-oasyncio_mode={mode}")
    run(code, *options, plugins=("asyncio",)).assert_outcomes(passed=4)


def test_alongside_anyio(run: Run) -> None:
    """It runs its own tests on each of its backends, and ours once in the world's loop."""
    pytest.importorskip("anyio")
    code = ALONGSIDE.format(name="anyio").replace(
        "test_theirs()", "test_theirs(anyio_backend_name)"
    )
    code = code.replace("assert not", "assert anyio_backend_name == 'trio' or not")
    result = run(code, plugins=("anyio",))
    outcomes = result.parseoutcomes()
    assert outcomes["passed"] >= 4
    assert "failed" not in outcomes
    assert "errors" not in outcomes
    code = re.sub("( +)async def test", r"\1@pytest.mark.anyio\n\1async def test", FIXTURES)
    run(code, "-Werror", plugins=("anyio",)).assert_outcomes(passed=4)


def test_a_test_that_wants_anyios_trio_is_told(run: Run) -> None:
    """A simulated world has an asyncio loop."""
    pytest.importorskip("anyio")
    result = run(
        """
        import pytest

        @pytest.mark.anyio
        @pytest.mark.parametrize("anyio_backend", ["asyncio", "trio"])
        async def test_it(simnet):
            pass
        """,
        plugins=("anyio",),
    )
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["anyio's backend is 'trio' in this test, *"])


def test_a_property_may_be_a_coroutine(run: Run) -> None:
    """Each example runs in the loop."""
    assert hypothesis.given  # loaded once for all
    result = run(
        """
        import asyncio
        import pytest
        from hypothesis import HealthCheck, given, settings, strategies as st

        SEEN = []

        @pytest.mark.simnet
        @settings(max_examples=5, suppress_health_check=list(HealthCheck), database=None)
        @given(st.integers())
        async def test_it(number):
            await asyncio.sleep(3600)
            SEEN.append(number)

        def test_ran():
            assert SEEN
        """
    )
    result.assert_outcomes(passed=2)
