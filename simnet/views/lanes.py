"""Where packets and sockets are drawn: a lane for each host that does something.

A host that talks to itself has two, so that its arrows lead somewhere: one for the sides that open
connections (and for everything else), one for those that answer.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import attrs

from simnet.addresses import InetAddress
from simnet.views.story import Passage, Story
from simnet.wire import Unreachable

if TYPE_CHECKING:
    from simnet.host import Host


@attrs.frozen
class Lane:
    """One line from top to bottom."""

    host: str
    note: str


class Lanes:
    """The lanes of a story."""

    def __init__(self, story: Story, hosts: Mapping[str, Host]) -> None:
        self.lanes: list[Lane] = []
        # The first lane of each host, and that of its answering sides.
        self._first: dict[str, int] = {}
        self._answering: dict[str, int] = {}
        self._openers = {
            (each.packet.source, each.packet.destination)
            for each in story.passages
            if each.forward and not isinstance(each.packet, Unreachable)
        }
        self._sides = {
            change.socket: self._answers(change.local, change.remote) for change in story.states
        }
        self._make(story, hosts)

    def _make(self, story: Story, hosts: Mapping[str, Host]) -> None:
        busy = {each.source for each in story.passages}
        busy |= {each.target for each in story.passages}
        busy |= {each.host for each in story.happenings} | {each.host for each in story.states}
        if story.happenings and not busy - {""}:
            busy = set(hosts)
        alone = {
            each.source
            for each in story.passages
            if each.source == each.target and not isinstance(each.packet, Unreachable)
        }
        for host in hosts.values():
            if host.name not in busy:
                continue
            addresses = " ".join(host.addresses)
            self._first[host.name] = self._answering[host.name] = len(self.lanes)
            if host.name not in alone:
                self.lanes.append(Lane(host.name, addresses))
                continue
            self._answering[host.name] += 1
            self.lanes.append(Lane(host.name, "the side that opens"))
            self.lanes.append(Lane(host.name, "the side that answers"))

    def of_passage(self, passage: Passage) -> tuple[int, int | None]:
        """From which lane to which; None for a packet to nobody."""
        first = self._first[passage.source]
        if passage.source != passage.target:
            return first, self._first.get(passage.target)
        ends = first, self._answering[passage.source]
        if isinstance(passage.packet, Unreachable):
            about = passage.packet.about
            ours = (about.source, about.destination) in self._openers
            # What a router says comes from nowhere; what the host says, from who was meant.
            back = ends[0] if ours else ends[1]
            local = passage.packet.source[0] == about.destination[0]
            return (ends[1] if ours else ends[0]) if local else back, back
        return ends if passage.forward else (ends[1], ends[0])

    def of_socket(self, host: str, socket: int) -> int:
        """The lane of a socket, or of what befell a host."""
        return (self._answering if self._sides.get(socket) else self._first).get(host, 0)

    def _answers(self, local: InetAddress, remote: InetAddress | None) -> bool:
        return remote is None or (local, remote) not in self._openers
