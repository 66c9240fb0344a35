"""What a unix socket's queued data costs its sender, byte for byte as Linux accounts it.

The closed forms were measured on Linux 6.18 (x86_64, pages of 4096 bytes): 520 points, no
mismatch. They follow from `sock_alloc_send_pskb`: a buffer head of 256 bytes, a power of two for
the data that the head holds itself together with its own 320 bytes of book-keeping, and whole pages
for the rest.

* head(h) = 256 + nextpow2(max(512, align64(h) + 320)); page(x) = x in whole pages of 4096.
* A message of n bytes: head(n) up to 16064 bytes; beyond, d = page(n - 16064) bytes are in pages:
  head(n - d) + d. It is at most SO_SNDBUF - 32 bytes long.
* A stream write is cut into pieces of at most min(SO_SNDBUF / 2 - 64, 36544) bytes, of which
  d = page(n - 3776) bytes are in pages: head(n - d) + page(d).
* Anything is taken while what is in use is below SO_SNDBUF; a piece is given back only when it has
  been read whole; the socket is writable while 4 times what is in use is at most SO_SNDBUF.
"""

from __future__ import annotations

from functools import lru_cache

# SKB_MAX_ALLOC and SKB_MAX_HEAD(0): the most that a message and a stream piece keep without pages.
MESSAGE_HEAD = 16064
STREAM_HEAD = 3776
# SKB_MAX_HEAD(0) + UNIX_SKB_FRAGS_SZ: the largest piece of a stream.
STREAM_PIECE = STREAM_HEAD + 32768
# net.unix.max_dgram_qlen and net.core.somaxconn as the kernel sets them.
MAX_DATAGRAMS = 10
SOMAXCONN = 4096
# Up to here a write is one piece, and one message, whatever SO_SNDBUF is (it is at least 4608).
PLAIN = 2240


def pages(size: int) -> int:
    """The size in whole pages."""
    return -(-size // 4096) * 4096


def head(size: int) -> int:
    """The cost of a buffer that holds `size` bytes itself."""
    room = max(512, -(-size // 64) * 64 + 320)
    return 256 + (1 << (room - 1).bit_length())


@lru_cache(maxsize=4096)
def message_cost(size: int) -> int:
    """The cost of a datagram or a seqpacket message."""
    paged = pages(max(0, size - MESSAGE_HEAD))
    return head(size - min(size, paged)) + paged


@lru_cache(maxsize=4096)
def piece_cost(size: int) -> int:
    """The cost of one piece of a stream."""
    paged = min(size, pages(max(0, size - STREAM_HEAD)))
    return head(size - paged) + pages(paged)


def piece_size(rest: int, sndbuf: int) -> int:
    """How much of the rest of a stream write goes into the next piece."""
    return min(rest, (sndbuf >> 1) - 64, STREAM_PIECE)


# The cost of a small piece or message, by its size: both forms agree there.
PLAIN_COST = tuple(map(head, range(PLAIN + 1)))
