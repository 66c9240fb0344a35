"""What goes wrong as time goes on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import permutations
from typing import Any

import pytest
from hypothesis import given, seed, settings

from simnet import World
from simnet import strategies as net
from simnet.scenario.setting import (
    Crash,
    Drop,
    Happening,
    Heal,
    Hold,
    Links,
    Names,
    Partition,
    Release,
    Restart,
    Setting,
)
from simnet.strategies.faults import PLAIN
from tests.scenario import same
from tests.strategies.plainest import plainest
from tests.strategies.written import reread, story_of

SOME = settings(max_examples=30, deadline=None)
Schedule = Sequence[Happening]
NAMES = ["a", "b", "c"]
UNTIL = 20.0
# A setting, and what goes wrong in it, for ever or not.
STORIES = net.topologies(2, 4, versions=(4, 6)).flatmap(
    lambda setting: net.fault_schedules(setting, UNTIL, heal=False).map(lambda s: (setting, s))
)
ENDING = net.topologies(2, 4, links=None).flatmap(
    lambda setting: net.fault_schedules(setting, UNTIL).map(lambda events: (setting, events))
)
# The events that begin a fault of each family, and those that end it.
BEGINS = {
    "partitions": (Partition, Heal),
    "crashes": (Crash, Restart),
    "drops": (Drop, None),
    "holds": (Hold, Release),
    "links": (Links, Links),
    "names": (Names, Names),
}


def kinds(schedule: Schedule) -> list[type]:
    return [type(happening.event) for happening in schedule]


@SOME
@given(STORIES)
def test_a_world_plays_every_schedule(story: tuple[Setting, Schedule]) -> None:
    """Nothing cannot happen: no heal without a partition, no restart of what is up."""
    setting, schedule = story
    with net.world_of(setting, schedule) as world:
        world.run(until=UNTIL)
        assert world.now == UNTIL


@SOME
@given(story=STORIES)
def test_a_scenario_file_can_say_every_schedule(
    tmp_path_factory: pytest.TempPathFactory, story: tuple[Setting, Schedule]
) -> None:
    """The parser finds nothing wrong with it, and reads the same."""
    told = story_of(*story)
    assert same.story(reread(told, tmp_path_factory.getbasetemp())) == same.story(told)


@SOME
@given(net.fault_schedules(NAMES, UNTIL, heal=False))
def test_events_come_in_the_order_of_time(schedule: Schedule) -> None:
    """Not after the last instant."""
    times = [happening.at or 0 for happening in schedule]
    assert times == sorted(times)
    assert all(0 <= time <= UNTIL for time in times)


@SOME
@given(ENDING)
def test_in_the_end_the_network_is_whole(story: tuple[Setting, Schedule]) -> None:
    """Every host is up and found by its name, and every other one reaches it at once."""
    setting, schedule = story
    # What a drop waits for may come whenever it likes.
    lasting = [happening for happening in schedule if not isinstance(happening.event, Drop)]
    with net.world_of(setting, lasting) as world:
        world.run(until=UNTIL)
        for one, other in permutations(world.hosts.values(), 2):
            with other.create_server(("", 80)), one.create_connection((other.name, 80)) as conn:
                assert conn.getpeername()[0] == other.addresses[0]
            there = world.link_between(one, other).conditions
            bandwidth = {"bandwidth": there.bandwidth or PLAIN["bandwidth"]}
            assert {name: getattr(there, name) for name in PLAIN} | bandwidth == PLAIN
        assert world.now < UNTIL + 0.001


@SOME
@given(net.fault_schedules(NAMES, UNTIL, spare=["a", "b"], families=["crashes"]))
def test_who_is_spared_does_not_crash(schedule: Schedule) -> None:
    """The others do."""
    crashed = {each.event.host for each in schedule if isinstance(each.event, Crash)}
    assert crashed <= {"c"}


def test_each_family_is_often_absent_and_else_plentiful() -> None:
    """Swarm testing: what does not happen makes room for what does."""
    present: Counter[type] = Counter()
    together: Counter[type] = Counter()
    examples = 100
    setting = plainest(net.topologies(3, 3))

    @seed(0)
    @settings(max_examples=examples, database=None, deadline=None)
    @given(net.fault_schedules(setting, UNTIL))
    def count(schedule: Schedule) -> None:
        found = Counter(kinds(schedule))
        present.update(found.keys())
        together.update(found)

    count()
    plenty = []
    for family, (begins, ends) in BEGINS.items():
        share = present[begins] / examples
        assert 0.15 <= share <= 0.8, family
        plenty.append(together[begins] / present[begins] / (2 if begins is ends else 1))
    assert min(plenty) > 1.1
    assert sum(plenty) / len(plenty) > 1.7


@pytest.mark.parametrize("family", BEGINS)
def test_one_family_shrinks_toward_one_fault(family: str) -> None:
    """Which begins at once, and is over soon."""
    begins, ends = BEGINS[family]
    setting = plainest(net.topologies())
    schedules = net.fault_schedules(setting, UNTIL, [family])
    assert plainest(schedules) == ()
    found = plainest(schedules, lambda schedule: begins in kinds(schedule))
    assert kinds(found) == [begins] + [ends] * (ends is not None)
    assert [happening.at for happening in found] == [0, 0.001][: len(found)]


@pytest.mark.parametrize("begins", [Partition, Drop])
def test_among_all_families_the_one_that_matters_is_left(begins: type) -> None:
    """And nothing else."""
    schedules = net.fault_schedules(NAMES, UNTIL, heal=False)
    found = plainest(schedules, lambda schedule: begins in kinds(schedule))
    assert kinds(found) in ([begins], [begins, Heal])


def answers(world: World) -> list[int]:
    """How many of the two others answer, asked each second."""

    def serve() -> None:
        with world.hosts[name].socket(type=2) as sock:
            sock.bind(("", 53))
            while True:
                sock.sendto(b"here", sock.recvfrom(100)[1])

    for name in ("b", "c"):
        world.hosts[name].spawn(serve)
    client, counts = world.hosts["a"], []
    client.sleep(0)  # let the servers get ready
    for _ in range(5):
        count = 0
        with client.socket(type=2) as sock:
            sock.settimeout(0.5)
            for name in ("b", "c"):
                sock.sendto(b"?", (world.hosts[name].addresses[0], 53))
            try:
                for _ in range(2):
                    sock.recv(100)
                    count += 1
            except OSError:
                pass
        counts.append(count)
        client.sleep(1)
    return counts


def test_what_takes_two_faults_shrinks_to_these_two() -> None:
    """A service of two fails when both are down; nothing but the two crashes is left."""
    setting = plainest(net.topologies(names=NAMES))
    families = ["crashes", "holds", "links", "names"]
    schedules = net.fault_schedules(setting, UNTIL, families, spare=["a"])

    def fails(schedule: Schedule) -> bool:
        crashes = [each for each in schedule if isinstance(each.event, Crash)]
        if {each.event.host for each in crashes} != {"b", "c"}:
            return False
        with net.world_of(setting, schedule) as world:
            return 0 in answers(world)

    found = plainest(schedules, fails)
    assert sorted(map(str, (each.event for each in found if isinstance(each.event, Crash)))) == [
        "crash: b",
        "crash: c",
    ]
    assert sorted(kinds(found), key=str) == [Crash, Crash, Restart, Restart]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: net.fault_schedules(NAMES, 1, ["crash"]), "not 'crash'; did you mean 'crashes'"),
        (lambda: net.fault_schedules(NAMES, 0), "until is from 0.001"),
        (lambda: net.fault_schedules(NAMES, 1, spare=["d"]), "spare: expected a, b or c, not 'd'"),
        (lambda: net.fault_schedules(["a", "a"], 1), "'a' is there twice"),
        (lambda: net.fault_schedules(NAMES, 1, ["names"]), "nothing of 'names' can happen here"),
        (lambda: net.fault_schedules(["a"], 1, ["holds"]), "nothing of 'holds' can happen here"),
        (lambda: net.fault_schedules(NAMES, 1, max_faults=-1), "max_faults is from 0 on, not -1"),
        (
            lambda: net.fault_schedules(["a"], 1, ["crashes"], spare=["a"]),
            "nothing of 'crashes' can happen here",
        ),
    ],
)
def test_impossible_bounds_are_told_at_once(make: Any, message: str) -> None:
    """Before anything is drawn."""
    with pytest.raises(ValueError, match=message):
        make()


def test_one_host_alone_can_only_crash() -> None:
    """There is no other to be cut off from."""
    found = plainest(net.fault_schedules(["a"], 1, heal=False), lambda schedule: len(schedule) > 0)
    assert kinds(found) in ([Crash], [Crash, Restart])
