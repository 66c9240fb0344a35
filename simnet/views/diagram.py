"""The sequence diagram of a recording world as text, for a terminal and for Mermaid.

One line for each packet, in the order in which they were sent; what it says of a packet is what the
page says (html.py). A lost one ends in X.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from simnet.views.lanes import Lane, Lanes
from simnet.views.story import Happening, Passage, Story, label, read

if TYPE_CHECKING:
    from simnet.world import World

_TIME_WIDTH = 14
_NARROWEST = 24


def text(world: World, *, calls: bool = False, width: int = 100) -> str:
    """Lanes, arrows and times; with the programs' calls if asked for.

    `width` is how wide the lanes may be together; labels that do not fit are cut.
    """
    story = read(world.trace)
    lanes = Lanes(story, world.hosts)
    labels = [len(label(each)) for each in story.passages]
    count = max(1, len(lanes.lanes) - 1)
    gap = min(max([_NARROWEST, *(length + 8 for length in labels)]), max(width // count, 12))
    columns = [index * gap for index in range(len(lanes.lanes))]
    lines = list(_heads(lanes.lanes, gap))
    events = [(each.sent, each) for each in story.passages]
    told: list[tuple[int, Passage | Happening]] = [*events]
    if calls:
        told += [(each.instant, each) for each in story.happenings]
    for instant, event in sorted(told, key=lambda each: each[0]):
        time = f"{story.times_ns[instant] / 1e9:.6f}".rjust(_TIME_WIDTH - 2)
        if isinstance(event, Passage):
            drawn, note = _arrow(event, lanes, columns), _fate(event, story)
        else:
            column = columns[lanes.of_socket(event.host, event.socket)]
            number = f" #{event.socket}" if event.socket else ""
            drawn, note = _beside(f"* {event.text}{number}", column, columns), ""
        lines.append(f"{time}  {drawn}  {note}".rstrip())
    return "\n".join(lines)


def mermaid(world: World) -> str:
    """A `sequenceDiagram` of Mermaid's."""
    story = read(world.trace)
    lanes = Lanes(story, world.hosts)
    lines = ["sequenceDiagram"]
    for index, lane in enumerate(lanes.lanes):
        lines.append(f"    participant h{index} as {_escaped(f'{lane.host} ({lane.note})')}")
    for each in story.passages:
        source, target = lanes.of_passage(each)
        arrow = "-x" if each.lost and not each.arrived else "-->>" if each.remark else "->>"
        told = [f"{story.times_ns[each.sent] / 1e9:.6f}s", label(each)]
        note = _fate(each, story, delay=False)
        if note:
            told.append(f"[{note}]")
        to = source if target is None else target
        lines.append(f"    h{source}{arrow}h{to}: {_escaped(' '.join(told))}")
    return "\n".join(lines)


def _escaped(words: str) -> str:
    """What Mermaid would take for its own, as entity codes."""
    return "".join(f"#{ord(char)};" if char in "#;<>{}%\n" else char for char in words)


def _heads(lanes: Iterable[Lane], gap: int) -> Iterator[str]:
    for words in ([lane.host for lane in lanes], [lane.note for lane in lanes]):
        cells = "".join(word[: gap - 1].ljust(gap) for word in words)
        yield (" " * _TIME_WIDTH + cells).rstrip()


def _fate(passage: Passage, story: Story, delay: bool = True) -> str:
    words = [f"lost at {loss.where}: {loss.reason}" for loss in passage.lost]
    if len(passage.arrived) > 1:
        words.append(f"arrived {len(passage.arrived)} times")
    elif delay and passage.arrived:
        taken_ns = story.times_ns[passage.arrived[0]] - story.times_ns[passage.sent]
        if taken_ns:
            words.append(f"+{taken_ns / 1e9:.6f}")
    if not passage.arrived and not passage.lost:
        words.append("on its way")
    return ", ".join(words)


def _arrow(passage: Passage, lanes: Lanes, columns: list[int]) -> str:
    source, target = lanes.of_passage(passage)
    comes = bool(passage.arrived) or not passage.lost
    if target is None or source == target:
        head = "<-" if comes else "-X"
        return _beside(f"{head} {label(passage)}", columns[source], columns)
    cells = _empty(columns)
    left, right = sorted((columns[source], columns[target]))
    room = right - left - 1
    words = label(passage)[: max(0, room - 6)]
    body = list(f" {words} ".center(room, "-"))
    forward = source < target
    tip = room - 1 if forward else 0
    body[tip] = (">" if forward else "<") if comes else "X"
    cells[left + 1 : right] = body
    return "".join(cells)


def _beside(words: str, column: int, columns: list[int]) -> str:
    cells = _empty(columns)
    cells[column + 1 : column + 1 + len(words)] = words
    return "".join(cells)


def _empty(columns: list[int]) -> list[str]:
    cells = [" "] * (columns[-1] + 1)
    for column in columns:
        cells[column] = "|"
    return cells
