"""The same, mended: nobody votes for a replica that has less than itself.

A counter on three hosts, which counts on while any two of them can talk to each other.
Who leads adds to the count, tells the others with each heartbeat, and acknowledges an increment as
soon as a majority has it. A replica that has not heard of a leader for some time asks the others
for their votes, and leads from then on if a majority votes for it. Messages are JSON in datagrams.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from socket import SOCK_DGRAM
from typing import Any

PORT = 4000
HEARTBEAT = 0.5  # seconds


class Replica:
    """One of the three; `net` has the network calls of its host, `others` are the addresses."""

    def __init__(self, net: Any, others: Sequence[str], patience: float) -> None:
        self._net = net
        self._others = others
        # Seconds without a leader; another number for each, so that they do not ask all at once.
        self._patience = patience
        self._term = 0
        self._leads = False
        self._voted = False
        # Who voted for it, while it asks.
        self._votes: set[str] | None = None
        # The count, and before it the term of the leader that said so: later ones are greater.
        self.state = (0, 0)
        # As a leader: what the others have, and which clients wait until a majority has what.
        self._stored: dict[str, tuple[int, int]] = {}
        self._waiting: list[tuple[tuple[int, int], Any]] = []

    def run(self) -> None:
        """Serve for ever."""
        self._expect_news()
        with self._net.socket(type=SOCK_DGRAM) as self._socket:
            self._socket.bind(("", PORT))
            while True:
                self._socket.settimeout(max(0.001, self._deadline - self._net.monotonic()))
                try:
                    data, sender = self._socket.recvfrom(2048)
                except TimeoutError:
                    self._no_news()
                else:
                    self._receive(json.loads(data), sender)

    def _expect_news(self) -> None:
        self._deadline = self._net.monotonic() + self._patience

    def _no_news(self) -> None:
        if self._leads:
            self._tell_all()
        else:
            self._begin(self._term + 1)
            self._voted, self._votes = True, set()
            self._expect_news()
            self._send_all("vote?")

    def _begin(self, term: int) -> None:
        self._term, self._leads, self._voted, self._votes = term, False, False, None
        self._waiting.clear()

    def _receive(self, message: dict[str, Any], sender: Any) -> None:
        if message["kind"] == "add":
            self._add(sender)
            return
        if message["term"] > self._term:
            self._begin(message["term"])
        if message["term"] == self._term:
            state = message["state"][0], message["state"][1]
            if message["kind"] == "vote?":
                self._vote(sender, state)
            elif message["kind"] == "vote":
                self._count_vote(sender)
            elif message["kind"] == "state":
                self._store(sender, state)
            elif message["kind"] == "stored":
                self._acknowledge(sender, state)

    # Who leads

    def _vote(self, candidate: Any, state: tuple[int, int]) -> None:
        if not self._voted and state >= self.state:
            self._voted = True
            self._expect_news()
            self._send("vote", candidate)

    def _count_vote(self, sender: Any) -> None:
        if self._votes is not None:
            self._votes.add(sender[0])
            if self._is_majority(len(self._votes)):
                self._votes, self._leads = None, True
                self._stored = dict.fromkeys(self._others, (0, 0))
                self.state = self._term, self.state[1]
                self._tell_all()

    def _is_majority(self, others: int) -> bool:
        return 1 + others > (1 + len(self._others)) / 2

    # What the count is

    def _add(self, client: Any) -> None:
        if self._leads:
            self.state = self._term, self.state[1] + 1
            self._waiting.append((self.state, client))
            self._tell_all()
        else:
            self._send("not here", client)

    def _tell_all(self) -> None:
        self._deadline = self._net.monotonic() + HEARTBEAT
        self._send_all("state")

    def _store(self, leader: Any, state: tuple[int, int]) -> None:
        self._votes = None
        self.state = max(self.state, state)
        self._expect_news()
        self._send("stored", leader)

    def _acknowledge(self, sender: Any, state: tuple[int, int]) -> None:
        if self._leads:
            self._stored[sender[0]] = max(self._stored[sender[0]], state)
        waiting, self._waiting = self._waiting, []
        for added, client in waiting:
            if self._is_majority(sum(stored >= added for stored in self._stored.values())):
                self._send("added", client)
            else:
                self._waiting.append((added, client))

    # Messages

    def _send_all(self, kind: str) -> None:
        for address in self._others:
            self._send(kind, (address, PORT))

    def _send(self, kind: str, to: Any) -> None:
        message = {"kind": kind, "term": self._term, "state": self.state}
        self._socket.sendto(json.dumps(message).encode(), to)


def add(net: Any, addresses: Sequence[str]) -> bool:
    """Add one to the count, at the replica that leads; False if it may have come to nothing."""
    with net.socket(type=SOCK_DGRAM) as sock:
        sock.settimeout(1)
        for address in addresses:
            sock.sendto(b'{"kind": "add"}', (address, PORT))
            try:
                answer = json.loads(sock.recv(2048))
            except TimeoutError:
                return False  # it may also have arrived, so that nobody else may be asked
            if answer["kind"] == "added":
                return True
    return False
