"""What programs of sockets say: each call of the vocabulary, with arguments to choose among.

In braces stand what is drawn anew each time: `{data}` bytes to send, `{size}` how many to take,
`{address}` an address of another socket of the family or one that nobody has, `{other}` another
socket, `{unix}` one of a unix socket (how much TCP takes, and when, is no two machines' same, and
UDP takes all), `{name}` a path of a directory that the program made. The first choice is the
plainest.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

Choices = Mapping[str, Sequence[str]]

SIZES = ("100", "1", "4", "0", "4096", "64 * KiB")
# So many bytes each, of a letter of its own.
AMOUNTS = (1, 5, 100, 1460, 0, 5000, 70_000)
SEND_FLAGS = ("MSG_DONTWAIT", "MSG_NOSIGNAL", "MSG_OOB")
RECV_FLAGS = (
    "MSG_DONTWAIT",
    "MSG_PEEK",
    "MSG_WAITALL",
    "MSG_PEEK | MSG_DONTWAIT",
    "MSG_OOB",
)
OPTIONS = (
    "SOL_SOCKET, SO_ERROR",
    "SOL_SOCKET, SO_TYPE",
    "SOL_SOCKET, SO_ACCEPTCONN",
    "SOL_SOCKET, SO_REUSEADDR",
    "SOL_SOCKET, SO_KEEPALIVE",
    "SOL_SOCKET, SO_LINGER, 8",
    "SOL_SOCKET, SO_RCVLOWAT",
    "IPPROTO_TCP, TCP_NODELAY",
)
SETTINGS = (
    "SOL_SOCKET, SO_REUSEADDR, 1",
    "SOL_SOCKET, SO_LINGER, linger(1, 0)",
    "SOL_SOCKET, SO_KEEPALIVE, 1",
    "SOL_SOCKET, SO_RCVBUF, 4096",
    "SOL_SOCKET, SO_SNDBUF, 4096",
    "SOL_SOCKET, SO_BROADCAST, 1",
    "SOL_SOCKET, SO_OOBINLINE, 1",
    "IPPROTO_TCP, TCP_NODELAY, 1",
)

# Methods of sockets.
SENDING: Choices = {
    "send": ("{data}", "{data}, {send_flags}"),
    "sendall": ("{data}", "{data}, {send_flags}"),
    "sendmsg": ("[{data}]", "[{data}, {data}]", "[{data}], rights({other})"),
    "sendfile": ("file({data})", 'file(bytes("abcdef")), 2, 3'),
}
RECEIVING: Choices = {
    "recv": ("{size}", "{size}, {recv_flags}"),
    "recvfrom": ("{size}", "{size}, {recv_flags}"),
    "recvmsg": ("{size}", "{size}, 100", "{size}, 24, {recv_flags}"),
    "recv_into": ("buffer({size})", "buffer({size}), 0, {recv_flags}"),
    "recvfrom_into": ("buffer({size})",),
    "recvmsg_into": ("[buffer({size}), buffer({size})]", "[buffer({size})], 100"),
}
ENDING: Choices = {
    "shutdown": ("SHUT_WR", "SHUT_RD", "SHUT_RDWR"),
    "close": ("",),
    "detach": ("",),
}
MAKING_FILES: Choices = {"makefile": ('"rwb"', '"rb"', '"wb"', '"r"', '"w"', '"rwb", 0')}
METHODS: Choices = {
    **SENDING,
    **RECEIVING,
    "sendto": ("{data}, {address}", "{data}, {send_flags}, {address}"),
    "accept": ("",),
    "connect": ("{address}",),
    "connect_ex": ("{address}",),
    "bind": ("{unused}",),
    "listen": ("1", "0", "5"),
    "getsockname": ("",),
    "getpeername": ("",),
    "getsockopt": OPTIONS,
    "setsockopt": SETTINGS,
    "settimeout": ("0.05", "0", "null"),
    "gettimeout": ("",),
    "setblocking": ("false", "true"),
    "getblocking": ("",),
    "fileno": ("",),
    "get_inheritable": ("",),
    "set_inheritable": ("true", "false"),
    "dup": ("",),
    **MAKING_FILES,
    **ENDING,
}
OF_FILES: Choices = {
    "write": ("{data}", '"line\\n"'),
    "read": ("{size}", ""),
    "readline": ("",),
    "readlines": ("",),
    "writelines": ('["one\\n", "two\\n"]',),
    "flush": ("",),
    "close": ("",),
}
# Functions: about sockets, about names of files, and about neither.
ABOUT_SOCKETS: Choices = {
    "readiness": ("{other}",),
    "wait_until": ('{other}, "IN"', '{other}, "OUT"', '{other}, "IN|HUP"'),
    "select": ("[{other}], [{other}], [], 0", "[{other}], [], [], 0.1"),
    "recv_exactly": ("{other}, 4", "{other}, 100"),
    "recv_until_end": ("{other}",),
    "send_until_full": ('{unix}, "f" * 1000', '{unix}, "f" * 64 * KiB'),
    "send_messages_until_full": ('{unix}, "m" * 100', '{unix}, "m" * 1000'),
    "disconnect": ("{other}",),
    "adopt": ("{rights}",),
}
ABOUT_NOTHING: Choices = {
    "socket": (
        "AF_INET, SOCK_STREAM",
        "AF_INET, SOCK_DGRAM",
        "AF_INET6, SOCK_STREAM",
        "AF_INET6, SOCK_DGRAM",
        "AF_UNIX, SOCK_STREAM",
        "AF_UNIX, SOCK_DGRAM",
        "AF_UNIX, SOCK_SEQPACKET",
    ),
    "create_server": ("({ip}, 0)", "({ip}, 0), backlog=1"),
    "create_connection": ("{address}", "{address}, 0.1"),
    "sleep": ("0.01", "0.1", "0"),
    "getaddrinfo": ("{ip}, 80", "{ip}, 80, AF_INET, SOCK_STREAM", '"nowhere.invalid", 80'),
    "getnameinfo": ("({ip}, 80), NI_NUMERICHOST | NI_NUMERICSERV",),
    "gethostbyname": ("{ip}", '"localhost"', '"nowhere.invalid"'),
    "gethostbyname_ex": ("{ip}", '"localhost"'),
    "gethostbyaddr": ('"127.0.0.1"',),
    "getservbyname": ('"http"', '"domain", "udp"', '"nothing"'),
    "getservbyport": ("80", "1"),
    "gethostname": ("",),
    "getfqdn": ("",),
    "if_nameindex": ("",),
    "has_dualstack_ipv6": ("",),
    "credentials": ("",),
    "monotonic": ("",),
    "time": ("",),
}
ABOUT_NAMES: Choices = {
    "touch": ("{name}",),
    "mkdir": ("{name}",),
    "exists": ("{name}",),
    "rename": ("{name}, {name}",),
    "unlink": ("{name}",),
    "tempdir": ("",),
}
PAIRS = ("", "AF_UNIX, SOCK_STREAM", "AF_UNIX, SOCK_DGRAM", "AF_UNIX, SOCK_SEQPACKET")

# Which way data goes in a call: two that go one way on one socket compete.
WAYS: Mapping[str, str] = {
    **dict.fromkeys((*RECEIVING, "accept", "recv_exactly", "recv_until_end"), "in"),
    **dict.fromkeys(("read", "readline", "readlines"), "in"),
    **dict.fromkeys((*SENDING, "sendto", "write", "writelines", "flush"), "out"),
    **dict.fromkeys(("send_until_full", "send_messages_until_full"), "out"),
}
