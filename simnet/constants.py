"""The numbers of `socket`'s constants, as plain integers.

The module's own are enumeration members, whose arithmetic is slow on the paths that every call
takes.
"""

from __future__ import annotations

import socket as _socket

AF_INET = int(_socket.AF_INET)
AF_INET6 = int(_socket.AF_INET6)
AF_UNIX = int(_socket.AF_UNIX)

SOCK_STREAM = int(_socket.SOCK_STREAM)
SOCK_DGRAM = int(_socket.SOCK_DGRAM)
SOCK_RAW = int(_socket.SOCK_RAW)
SOCK_SEQPACKET = int(_socket.SOCK_SEQPACKET)
SOCK_NONBLOCK = int(_socket.SOCK_NONBLOCK)
SOCK_CLOEXEC = int(_socket.SOCK_CLOEXEC)

MSG_OOB = int(_socket.MSG_OOB)
MSG_PEEK = int(_socket.MSG_PEEK)
MSG_CTRUNC = int(_socket.MSG_CTRUNC)
MSG_TRUNC = int(_socket.MSG_TRUNC)
MSG_DONTWAIT = int(_socket.MSG_DONTWAIT)
MSG_EOR = int(_socket.MSG_EOR)
MSG_WAITALL = int(_socket.MSG_WAITALL)
MSG_ERRQUEUE = int(_socket.MSG_ERRQUEUE)
MSG_NOSIGNAL = int(_socket.MSG_NOSIGNAL)
MSG_MORE = int(_socket.MSG_MORE)
MSG_CMSG_CLOEXEC = int(_socket.MSG_CMSG_CLOEXEC)

SOL_SOCKET = _socket.SOL_SOCKET
IPPROTO_TCP = int(_socket.IPPROTO_TCP)
IPPROTO_UDP = int(_socket.IPPROTO_UDP)
