"""Partial everything: a world that is nasty within the law.

A kernel may give less than a program hopes for: fewer bytes, no descriptor just now, a datagram
after the one that was sent later. Programs that do not expect it work for years, and then do not.
Here such things happen often, and each is one decision, so that they are replayed and shrunk away.

A family is one kind of nastiness. It is a set of variations: classes that stand in front of the
kind classes (an endpoint, an end of a pipe, a table) and override what they spoil. A nasty world's
hosts make their sockets of these; all doors lead to them (sockets, descriptors, asyncio, trio, TLS,
patched programs), and other worlds have nothing to ask. What strikes is chosen from the stream
`nasty FAMILY`, 0 is kind: a nasty world whose every choice is 0 is a kind world. After it has
struck in a call, a family spares the next call of that sort of the same thing, so that whoever
tries again gets on, and nobody waits for ever.

Linux is the measure, and where it promises more than POSIX does, POSIX. What each family's law is,
and what it does not do, say the docstrings of its variations.
"""

from simnet.nastiness.registry import FAMILIES, families, table
from simnet.nastiness.worlds import Nastiness

__all__ = ["FAMILIES", "Nastiness", "families", "table"]
