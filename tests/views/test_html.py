"""The page: one file that needs nothing else, with the whole trace and the script that shows it."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from simnet import World
from simnet.views import html
from simnet.views.story import read
from tests.views.stories import chat_on_one_host, lossy_world, lost_syn

NODE = shutil.which("node")


class Tags(HTMLParser):
    """Every start tag with its attributes, and which are left open."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        if tag not in ("meta", "input"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def data_of(page: str) -> Any:
    """The trace that a page carries."""
    found = re.search(r'<script id="data" type="application/json">(.*?)</script>', page, re.S)
    assert found is not None
    return json.loads(found[1])


def ask(page: str, question: str) -> Any:
    """What the page's model answers to an expression about `model` and `data`."""
    if NODE is None:
        pytest.skip("node is not installed")
    script = (Path(html.__file__).parent / "page" / "model.js").read_text()
    script += f"\nconst data = {json.dumps(data_of(page))};\nconst model = makeModel(data);\n"
    script += f"console.log(JSON.stringify({question}));"
    ran = subprocess.run([NODE, "-"], input=script, capture_output=True, text=True, check=True)
    return json.loads(ran.stdout)


@pytest.mark.parametrize("make", [lossy_world, chat_on_one_host, lost_syn])
def test_the_page_needs_nothing_else(make: Any) -> None:
    """No address of anything outside; every tag is closed."""
    page = html.page(make())
    tags = Tags(page)
    assert tags.open == []
    assert not [a for _, attributes in tags.found for a in attributes if a in ("src", "href")]
    assert not re.search(r"https?://|url\(|@import|\bfetch\(|\bimport\(", page)


def test_every_packet_is_in_the_page() -> None:
    """With its lanes, its fate and what it is."""
    data = data_of(html.page(lost_syn(), "A <title> & more"))
    assert data["title"] == "A <title> & more"
    assert data["lanes"] == [["server", "10.0.0.1"], ["client", "10.0.0.2"]]
    first, second, third = data["packets"]
    assert (first["from"], first["to"], first["kind"]) == (1, 0, "syn")
    assert first["arrived"] == []
    assert [reason for _, reason in first["lost"]] == ["client->server: first_syn"]
    assert second["remark"] == "again"
    assert third["kind"] == "rst"
    assert data["times"][third["arrived"][0]] == 1_020_000_000


def test_a_host_that_talks_to_itself_has_two_lanes() -> None:
    """One opens, the other answers; what is refused comes back."""
    data = data_of(html.page(chat_on_one_host()))
    assert [name for name, _ in data["lanes"]] == ["localhost", "localhost"]
    ways = {(each["from"], each["to"], each["kind"]) for each in data["packets"]}
    assert {(0, 1, "syn"), (1, 0, "syn"), (0, 1, "udp"), (1, 0, "icmp")} <= ways
    lanes = {text.split()[0]: lane for _, lane, _, text in data["calls"]}
    assert (lanes["connect"], lanes["accept"], lanes["listen"]) == (0, 1, 1)


def test_nothing_in_a_trace_ends_the_script() -> None:
    """Whatever names and bytes there are."""
    world = World(record=True)
    world.host("</script><b>")
    other = world.host("b")
    with other.socket(2, 2) as sock:
        sock.sendto(b"</script>", ("</script><b>", 9))
    page = html.page(world, "</script>")
    assert Tags(page).open == []
    assert data_of(page)["lanes"][0][0] == "</script><b>"


def test_a_world_that_does_not_record_has_no_page(tmp_path: Path) -> None:
    """No file is left behind."""
    with pytest.raises(ValueError, match="record=True"):
        html.write(World(), tmp_path / "page.html")
    assert not list(tmp_path.iterdir())


def test_a_world_in_which_nothing_happened_has_a_page(tmp_path: Path) -> None:
    """An empty one."""
    file = tmp_path / "page.html"
    html.write(World(record=True), file)
    page = file.read_text(encoding="utf-8")
    assert data_of(page)["packets"] == []
    assert ask(page, "[model.place('even', 1, true), model.search('x'), model.rowAt([], 5)]") == [
        [],
        [],
        0,
    ]


# The page's script


@pytest.mark.parametrize("mode", ["even", "scale"])
def test_time_goes_down_the_page(mode: str) -> None:
    """Later rows are never above earlier ones, and zoom stretches all alike."""
    page = html.page(lossy_world())
    once, twice = ask(page, f"[1, 2].map((zoom) => model.place('{mode}', zoom, true))")
    assert len(once) == len(data_of(page)["times"])
    assert once == sorted(once)
    assert twice[-1] == pytest.approx(2 * once[-1], rel=0.2)


def test_the_part_in_view_is_what_crosses_it() -> None:
    """The quick look-up finds what looking at every arrow finds."""
    question = """(() => {
      const list = model.arrows(model.place("even", 1, true), () => true);
      const slow = (a, b) => list.filter((each) => each.top <= b && each.bottom >= a);
      const parts = Array.from({ length: 60 }, (_, i) => [i * 50, i * 50 + 130]);
      return [list.length, parts.map(([a, b]) => [model.crossing(list, a, b), slow(a, b)]
        .map((each) => each.map((arrow) => list.indexOf(arrow))))];
    })()"""
    world = lossy_world()
    count, found = ask(html.page(world), question)
    passages = read(world.trace).passages
    assert count == sum(len(each.arrived) + len(each.lost) for each in passages)
    assert all(quick == slow for quick, slow in found)
    assert any(quick for quick, _ in found)


def test_a_connection_can_be_looked_at_alone() -> None:
    """Only its packets have arrows then."""
    page = html.page(chat_on_one_host())
    alone = "model.arrows(model.place('even', 1, true), (packet) => packet.connection === 1).length"
    assert ask(page, alone) == 2


def test_the_panel_knows_the_states_at_a_moment() -> None:
    """They are those of the last change before it; what has ended is gone."""
    world = lossy_world()
    page = html.page(world)
    rows = len(data_of(page)["times"])
    question = (
        f"Array.from({{length: {rows}}}, (_, row) => Object.fromEntries(model.statesAt(row)))"
    )
    found = ask(page, question)
    expected: dict[int, str] = {}
    changes = {change[0]: change for change in data_of(page)["states"]}
    for row in range(rows):
        if row in changes:
            _, _, number, _, _, state = changes[row]
            expected[number] = state
        shown = {s["number"]: s["state"] for host in found[row].values() for s in host}
        assert shown == {n: state for n, state in expected.items() if state != "CLOSE"}
    assert {"LISTEN", "SYN_RECV", "ESTABLISHED"} <= {
        s["state"] for moment in found for host in moment.values() for s in host
    }


@pytest.mark.parametrize(
    ("words", "count"),
    [
        ("again", 1),
        ("lost", 1),
        ("SYN", 2),
        ("RST|ack 10.0.0.2:", 1),
        ("first_syn", 1),
        ("nothing", 0),
    ],
)
def test_the_search_finds_packets_by_their_words(words: str, count: int) -> None:
    """In any order, in upper or lower case; each of them somewhere."""
    page = html.page(lost_syn())
    found = ask(page, f"model.search({json.dumps(words)})")
    assert len(found) == count


def test_the_search_finds_payloads() -> None:
    """As text."""
    assert len(ask(html.page(chat_on_one_host()), "model.search('hello')")) == 1


def test_long_waits_are_marked() -> None:
    """A second until the SYN is repeated."""
    assert [wait for _, wait in ask(html.page(lost_syn()), "model.waits()")] == [1_000_000_000]


def test_ten_thousand_packets_are_no_trouble() -> None:
    """They are laid out, looked up and searched, and the page stays small enough to open."""
    world = World(seed=5, record=True)
    server, client = world.host("server"), world.host("client")
    world.link(server, client, latency=0.02, bandwidth=100_000_000)
    with server.create_server(("", 80)) as listener:
        conn = client.create_connection(("server", 80))
        peer, _ = listener.accept()
        server.spawn(lambda: (peer.sendall(bytes(7_500_000)), peer.close()))
        while conn.recv(1 << 20):
            pass
        conn.close()
    page = html.page(world)
    assert len(data_of(page)["packets"]) > 10_000
    assert len(page) < 10_000_000
    question = """(() => {
      const y = model.place("even", 1, true), list = model.arrows(y, () => true);
      const middle = y[y.length >> 1];
      return [model.crossing(list, middle, middle + 900).length, model.search("fin").length];
    })()"""
    in_view, fins = ask(page, question)
    assert 10 < in_view < 400
    assert fins == 2
