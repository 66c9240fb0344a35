"""The sequence diagram of a recording world as one page that needs nothing else.

A lane for each host, virtual time downwards, every packet an arrow, and what each socket was at the
moment under the pointer. The page's parts lie in `page/`; they are put together here with the
trace as data. Payloads are shown by their first bytes only.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from simnet.views import pages
from simnet.views.lanes import Lanes
from simnet.views.story import Passage, Story, endpoint_text, label, read
from simnet.wire import FIN, RST, SYN, Datagram, Segment, Unreachable, flag_names

if TYPE_CHECKING:
    import os

    from simnet.world import World

# Bytes of a payload that the page shows.
SHOWN = 96


def write(world: World, file: str | os.PathLike[str], title: str = "A world") -> None:
    """Write the page; ValueError if the world does not record."""
    Path(file).write_text(page(world, title), encoding="utf-8")


def page(world: World, title: str = "A world") -> str:
    """The page as text."""
    data = json.dumps(content(world, title), ensure_ascii=False, separators=(",", ":"))
    parts = {
        "theme": pages.part("simnet.views", "theme.css"),
        "style": pages.part("simnet.views", "page.css"),
        "model": pages.part("simnet.views", "model.js"),
        "script": pages.part("simnet.views", "page.js"),
        # Nothing in the data may end the script that it stands in.
        "data": data.replace("<", "\\u003c").replace("\u2028", "\\u2028"),
        "title": title.replace("&", "&amp;").replace("<", "&lt;"),
    }
    return pages.filled(pages.part("simnet.views", "page.html"), parts)


def content(world: World, title: str) -> dict[str, Any]:
    """What the page shows, as JSON has it. Rows are the instants at which something happens."""
    story = read(world.trace)
    lanes = Lanes(story, world.hosts)
    rows = {instant: row for row, instant in enumerate(_instants(story))}
    connections: dict[Any, int] = {}
    packets = [_packet(each, lanes, rows, connections) for each in story.passages]
    return {
        "title": title,
        "seed": world.seed,
        "lanes": [[lane.host, lane.note] for lane in lanes.lanes],
        "times": [story.times_ns[instant] for instant in rows],
        "packets": packets,
        "connections": [_connection(ends) for ends in connections],
        "states": [
            [
                rows[each.instant],
                each.host,
                each.socket,
                endpoint_text(each.local),
                endpoint_text(each.remote),
                each.state,
            ]
            for each in story.states
        ],
        "calls": [
            [rows[each.instant], lanes.of_socket(each.host, each.socket), each.socket, each.text]
            for each in story.happenings
        ],
    }


def _instants(story: Story) -> list[int]:
    found = {each.instant for each in story.states}
    found |= {each.instant for each in story.happenings}
    for passage in story.passages:
        found |= {passage.sent, *passage.arrived, *(loss.instant for loss in passage.lost)}
    return sorted(found)


def _packet(
    passage: Passage, lanes: Lanes, rows: dict[int, int], connections: dict[Any, int]
) -> dict[str, Any]:
    packet = passage.packet
    source, target = lanes.of_passage(passage)
    found = {
        "number": passage.number,
        "from": source,
        "to": target,
        "sent": rows[passage.sent],
        "arrived": [rows[instant] for instant in passage.arrived],
        "lost": [[rows[each.instant], f"{each.where}: {each.reason}"] for each in passage.lost],
        "label": label(passage),
        "kind": kind_of(passage),
        "remark": passage.remark,
        "connection": connections.setdefault(_key(passage), len(connections)),
        "fields": [list(field) for field in _fields(passage)],
    }
    if packet.payload:
        found["length"] = len(packet.payload)
        found["payload"] = packet.payload[:SHOWN].hex()
    return found


def kind_of(passage: Passage) -> str:
    """What colour a packet has: by the most important thing about it."""
    packet = passage.packet
    if isinstance(packet, Unreachable):
        return "icmp"
    if isinstance(packet, Datagram):
        return "udp"
    for flag, kind in ((RST, "rst"), (SYN, "syn"), (FIN, "fin")):
        if packet.flags & flag:
            return kind
    return "data" if packet.payload else "ack"


def _key(passage: Passage) -> Any:
    packet = passage.packet
    protocol = "UDP" if isinstance(packet, Datagram) else "TCP"
    if isinstance(packet, Unreachable):
        protocol = "UDP" if isinstance(packet.about, Datagram) else "TCP"
    return protocol, passage.connection


def _connection(key: Any) -> str:
    protocol, (one, other) = key
    return f"{protocol} {endpoint_text(one)} – {endpoint_text(other)}"  # noqa: RUF001


def _fields(passage: Passage) -> list[tuple[str, str]]:
    packet = passage.packet
    ends = [
        ("from", endpoint_text(packet.source)),
        ("to", endpoint_text(packet.destination)),
    ]
    size = ("size", f"{packet.size} bytes with headers")
    if isinstance(packet, Unreachable):
        about = packet.about
        quoted = f"{endpoint_text(about.source)} to {endpoint_text(about.destination)}"
        return [*ends, ("about", quoted), size]
    if isinstance(packet, Datagram):
        rest = [("tos", str(packet.tos)), ("hop limit", str(packet.hops))]
        return [*ends, *rest, size]
    assert isinstance(packet, Segment)
    fields = [
        ("flags", flag_names(packet.flags)),
        ("seq", f"{passage.seq} ({packet.seq})"),
        ("ack", f"{passage.ack} ({packet.ack})"),
        ("window", str(packet.window)),
    ]
    if packet.urgent:
        fields.append(("urgent", str(packet.urgent)))
    if packet.mss:
        fields.append(("MSS", str(packet.mss)))
    if packet.wscale is not None:
        fields.append(("window scale", str(packet.wscale)))
    return [*ends, *fields, ("hop limit", str(packet.hops)), size]
