"""The contract: what a program may ask of a socket, of a host's network, of a task, of many hosts.

Two backends keep it: the simulator (`simnet.World().host(...)`) and the operating system
(`realnet.Network()`, `realnet.Topology().host(...)`). The shape is that of the standard library's
`socket`, `select` and `selectors`; where this text is silent, the Python documentation and Linux's
manual pages hold.

Units and errors, everywhere:

* Durations are seconds (`float` or `int`); `None` waits for ever; a negative one is `ValueError`.
* A failed system call raises `OSError` with the kernel's errno, in the subclass that the standard
  library picks for it (`ConnectionRefusedError`, `BlockingIOError`, ...).
* A timeout of the socket raises `TimeoutError('timed out')`, which has no errno.
* A wrong argument raises what the standard library's socket raises: `TypeError`, `ValueError`,
  `OverflowError`, with its text.
* A name that does not resolve raises `socket.gaierror` or `socket.herror`.

What this contract leaves out on purpose: signals, `ioctl` and `fcntl` on descriptors, raw and
packet sockets, and every address family other than AF_INET, AF_INET6 and AF_UNIX.
"""

from __future__ import annotations

import selectors
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from types import TracebackType
from typing import IO, TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from typing_extensions import Buffer, Self

# `ip=` of a host: addresses for one interface, or by the names of several.
HostAddresses = str | Sequence[str] | Mapping[str, str | Sequence[str]]
# AF_INET: (host, port); AF_INET6: (host, port[, flowinfo[, scope_id]]); AF_UNIX: str or bytes.
Address = Any
Ancillary = tuple[int, int, bytes]  # (level, type, data), as in sendmsg(2)
T = TypeVar("T")


class Socket(ABC):
    """One end of a conversation, or the place where conversations arrive.

    A socket is in blocking mode (timeout None), non-blocking mode (timeout 0), or timeout mode. In
    non-blocking mode a call that cannot proceed raises `BlockingIOError`. In timeout mode it waits
    that long and then raises `TimeoutError`.

    There is no read() and no write(): use `recv` and `send`.
    """

    @property
    @abstractmethod
    def family(self) -> int:
        """`socket.AF_INET`, `AF_INET6` or `AF_UNIX`."""

    @property
    @abstractmethod
    def type(self) -> int:
        """`socket.SOCK_STREAM`, `SOCK_DGRAM` or `SOCK_SEQPACKET`, without flag bits."""

    @property
    @abstractmethod
    def proto(self) -> int:
        """The protocol number that the socket was made with."""

    @property
    @abstractmethod
    def timeout(self) -> float | None:
        """The same as `gettimeout()`."""

    # Naming and connecting

    @abstractmethod
    def bind(self, address: Address, /) -> None:
        """Give the socket a local name, once. EADDRINUSE, EADDRNOTAVAIL, EINVAL (bound already)."""

    @abstractmethod
    def listen(self, backlog: int = ..., /) -> None:
        """Accept connections from now on. `backlog` + 1 complete ones may wait to be accepted."""

    @abstractmethod
    def accept(self) -> tuple[Socket, Address]:
        """Take the oldest waiting connection: (a new socket, the address of its other end).

        The connection may be dead already; then its own calls say so, not this one.
        """

    @abstractmethod
    def connect(self, address: Address, /) -> None:
        """Set the peer. For a stream, three kinds of result:

        * it returns: the connection is established;
        * it raises BlockingIOError (EINPROGRESS): the attempt goes on. The socket becomes
          writable when it has ended, and `getsockopt(SOL_SOCKET, SO_ERROR)` gives the outcome
          once. Until then another connect raises EALREADY; after success, one more connect
          returns and later ones raise EISCONN;
        * it raises anything else: the attempt is over. ECONNREFUSED, ETIMEDOUT, EADDRNOTAVAIL, ...
          A refused socket may connect again.

        In timeout mode a TimeoutError leaves the attempt going on, as after EINPROGRESS.
        For a datagram socket it only filters who may send and sets the default destination.
        """

    @abstractmethod
    def connect_ex(self, address: Address, /) -> int:
        """Like `connect`, but return the errno of a failed call (0 for success).

        Name resolution and argument errors still raise. A timeout gives EAGAIN.
        """

    @abstractmethod
    def getsockname(self) -> Address:
        """The socket's own address."""

    @abstractmethod
    def getpeername(self) -> Address:
        """The address of the other end. ENOTCONN if there is none, or none any more."""

    # Receiving

    @abstractmethod
    def recv(self, bufsize: int, flags: int = ..., /) -> bytes:
        """At most `bufsize` bytes; from a stream, b'' means that the peer will send no more.

        What the peer had sent before it closed is delivered first. A message socket gives one
        message per call, cut to `bufsize`, and b'' may be a message of no bytes.
        """

    @abstractmethod
    def recv_into(self, buffer: Buffer, nbytes: int = ..., flags: int = ...) -> int:
        """Like `recv`, into a writable buffer; `nbytes` 0 means the buffer's length."""

    @abstractmethod
    def recvfrom(self, bufsize: int, flags: int = ..., /) -> tuple[bytes, Address]:
        """Like `recv`, with the sender's address (None for a connected stream)."""

    @abstractmethod
    def recvfrom_into(
        self, buffer: Buffer, nbytes: int = ..., flags: int = ...
    ) -> tuple[int, Address]:
        """Like `recv_into`, with the sender's address."""

    @abstractmethod
    def recvmsg(
        self, bufsize: int, ancbufsize: int = ..., flags: int = ..., /
    ) -> tuple[bytes, list[Ancillary], int, Address]:
        """(data, ancillary items, message flags, address), as recvmsg(2)."""

    @abstractmethod
    def recvmsg_into(
        self, buffers: Iterable[Buffer], ancbufsize: int = ..., flags: int = ..., /
    ) -> tuple[int, list[Ancillary], int, Address]:
        """Like `recvmsg`, scattered into several buffers."""

    # Sending

    @abstractmethod
    def send(self, data: Buffer, flags: int = ..., /) -> int:
        """Queue bytes for the peer and return how many were taken.

        The bytes taken belong to the network: the caller may change or drop its buffer, and they
        are delivered in order, after close() too, unless the connection is reset. A stream in
        non-blocking or timeout mode may take fewer than given; in blocking mode it takes all,
        unless the connection ends half-way (then the count says how far it came, and the next
        call raises). A message is taken whole or not at all (EMSGSIZE).
        """

    @abstractmethod
    def sendall(self, data: Buffer, flags: int = ..., /) -> None:
        """`send` until everything is taken. The timeout bounds the whole call.

        After an error there is no way to tell how much was taken.
        """

    @abstractmethod
    def sendto(self, data: Buffer, *flags_and_address: Any) -> int:
        """`sendto(data, address)` or `sendto(data, flags, address)`."""

    @abstractmethod
    def sendmsg(
        self,
        buffers: Iterable[Buffer],
        ancdata: Iterable[tuple[int, int, Buffer]] = ...,
        flags: int = ...,
        address: Address | None = ...,
        /,
    ) -> int:
        """Gather several buffers into one send, with ancillary items, as sendmsg(2)."""

    @abstractmethod
    def sendfile(self, file: IO[bytes], offset: int = ..., count: int | None = ...) -> int:
        """Send a file opened in binary mode until its end, or `count` bytes. Streams only."""

    # Ending

    @abstractmethod
    def shutdown(self, how: int, /) -> None:
        """End receiving (SHUT_RD), sending (SHUT_WR) or both (SHUT_RDWR)."""

    @abstractmethod
    def close(self) -> None:
        """End this object's use of the socket; twice is harmless.

        The socket itself ends when its last descriptor and its last `makefile` object have gone.
        A stream then delivers what was queued and tells the peer; with unread data of the peer's,
        or SO_LINGER 0, it resets the connection instead.
        """

    @abstractmethod
    def detach(self) -> int:
        """Give up the descriptor without closing it, and return it."""

    @abstractmethod
    def __enter__(self) -> Self: ...

    @abstractmethod
    def __exit__(self, *exc: object) -> None:
        """Close the socket. A socket that is collected unclosed warns (ResourceWarning)."""

    # Modes, options, descriptors

    @abstractmethod
    def setblocking(self, flag: bool, /) -> None:
        """True: timeout None. False: timeout 0."""

    @abstractmethod
    def getblocking(self) -> bool:
        """False only in non-blocking mode."""

    @abstractmethod
    def settimeout(self, value: float | None, /) -> None:
        """Seconds for each blocking call; None for ever; 0 non-blocking."""

    @abstractmethod
    def gettimeout(self) -> float | None:
        """Seconds, None or 0.0."""

    @abstractmethod
    def getsockopt(self, level: int, optname: int, buflen: int = ..., /) -> int | bytes:
        """An option as int; with `buflen` (1 to 1024) as at most that many bytes."""

    @abstractmethod
    def setsockopt(
        self, level: int, optname: int, value: int | Buffer | None, optlen: int = ..., /
    ) -> None:
        """Set an option from an int, from bytes, or from None and a length."""

    @abstractmethod
    def fileno(self) -> int:
        """The descriptor; -1 once closed or detached."""

    @abstractmethod
    def dup(self) -> Socket:
        """A second, non-inheritable descriptor of the same socket."""

    @abstractmethod
    def get_inheritable(self) -> bool:
        """Whether a child process would inherit the descriptor (no: PEP 446)."""

    @abstractmethod
    def set_inheritable(self, inheritable: bool) -> None:
        """Change it."""

    @abstractmethod
    def makefile(
        self,
        mode: str = ...,
        buffering: int | None = ...,
        *,
        encoding: str | None = ...,
        errors: str | None = ...,
        newline: str | None = ...,
    ) -> Any:
        """A file object over the socket, as `open()` would give for the mode.

        File and socket are closed independently; the connection lives until both are.
        """

    @abstractmethod
    def __repr__(self) -> str:
        """Descriptor, family, type, proto, and the addresses where known."""


class Task(ABC):
    """A thread of control that `Network.spawn` started."""

    name: str

    @property
    @abstractmethod
    def done(self) -> bool:
        """Whether it has returned or raised."""

    @abstractmethod
    def join(self, timeout: float | None = None) -> bool:
        """Wait until it has ended, at most `timeout` seconds; return whether it has."""

    @abstractmethod
    def result(self, timeout: float | None = None) -> Any:
        """Wait for it; return its value or raise its exception. TimeoutError if it takes longer."""


class Files(ABC):
    """The names that unix sockets live among: just what it takes to make, move and remove them."""

    @abstractmethod
    def tempdir(self) -> str:
        """Make an empty directory and return its path; `Network.close` removes it."""

    @abstractmethod
    def mkdir(self, path: str) -> None:
        """Make a directory."""

    @abstractmethod
    def touch(self, path: str) -> None:
        """Make an empty regular file."""

    @abstractmethod
    def exists(self, path: str) -> bool:
        """Whether the name is taken, by whatever."""

    @abstractmethod
    def rename(self, old: str, new: str) -> None:
        """Move a name; the socket behind it does not notice."""

    @abstractmethod
    def unlink(self, path: str) -> None:
        """Remove a name; the socket behind it lives on without one."""


class Network(ABC):
    """One host's network calls, in the shape of the modules `socket`, `select` and `time`.

    `with network:` makes it the current host of the code in the block, for code that does not
    name a host itself.
    """

    files: Files

    # Sockets

    @abstractmethod
    def socket(
        self, family: int = -1, type: int = -1, proto: int = -1, fileno: int | None = None
    ) -> Socket:
        """A new socket (AF_INET, SOCK_STREAM by default), or an object for an open descriptor."""

    @abstractmethod
    def socketpair(
        self, family: int | None = None, type: int = ..., proto: int = 0
    ) -> tuple[Socket, Socket]:
        """Two unnamed sockets, connected (AF_UNIX, SOCK_STREAM by default)."""

    @abstractmethod
    def create_connection(
        self,
        address: tuple[str | None, int | str],
        timeout: float | None = ...,
        source_address: tuple[str, int] | None = None,
        *,
        all_errors: bool = False,
    ) -> Socket:
        """Connect to the first address of a name that answers. `all_errors` from Python 3.11."""

    @abstractmethod
    def create_server(
        self,
        address: Address,
        *,
        family: int = ...,
        backlog: int | None = None,
        reuse_port: bool = False,
        dualstack_ipv6: bool = False,
    ) -> Socket:
        """A listening stream socket with SO_REUSEADDR."""

    @abstractmethod
    def has_dualstack_ipv6(self) -> bool:
        """Whether one IPv6 socket can serve IPv4 peers too."""

    @abstractmethod
    def disconnect(self, sock: Socket) -> None:
        """connect(2) with AF_UNSPEC, which Python's socket cannot say: dissolve the association.

        A datagram socket loses its peer; a stream is reset and may be used anew.
        """

    @abstractmethod
    def credentials(self) -> tuple[int, int, int]:
        """(pid, uid, gid), as SO_PEERCRED and SCM_CREDENTIALS report them for this host."""

    # Names

    @abstractmethod
    def getaddrinfo(
        self,
        host: str | bytes | None,
        port: str | bytes | int | None,
        family: int = 0,
        type: int = 0,
        proto: int = 0,
        flags: int = 0,
    ) -> list[tuple[int, int, int, str, Address]]:
        """Addresses of a name, as getaddrinfo(3)."""

    @abstractmethod
    def getnameinfo(self, sockaddr: Address, flags: int, /) -> tuple[str, str]:
        """(host, service) of an address, as getnameinfo(3)."""

    @abstractmethod
    def gethostbyname(self, hostname: str, /) -> str:
        """One IPv4 address of a name."""

    @abstractmethod
    def gethostbyname_ex(self, hostname: str, /) -> tuple[str, list[str], list[str]]:
        """(canonical name, aliases, IPv4 addresses)."""

    @abstractmethod
    def gethostbyaddr(self, ip_address: str, /) -> tuple[str, list[str], list[str]]:
        """(name, aliases, addresses) of an address."""

    @abstractmethod
    def gethostname(self) -> str:
        """This host's own name."""

    @abstractmethod
    def getfqdn(self, name: str = "") -> str:
        """The fully qualified name."""

    @abstractmethod
    def getservbyname(self, servicename: str, protocolname: str = ..., /) -> int:
        """The port of a service."""

    @abstractmethod
    def getservbyport(self, port: int, protocolname: str = ..., /) -> str:
        """The service of a port."""

    @abstractmethod
    def if_nameindex(self) -> list[tuple[int, str]]:
        """(index, name) of each interface; the loopback one is (1, 'lo')."""

    # Readiness

    @abstractmethod
    def select(
        self,
        rlist: Iterable[Any],
        wlist: Iterable[Any],
        xlist: Iterable[Any],
        timeout: float | None = None,
        /,
    ) -> tuple[list[Any], list[Any], list[Any]]:
        """As `select.select`: ready to read, ready to write, exceptional."""

    @abstractmethod
    def poll(self) -> Any:
        """As `select.poll()`: register, modify, unregister, poll(milliseconds)."""

    @abstractmethod
    def epoll(self, sizehint: int = -1, flags: int = 0) -> Any:
        """As `select.epoll()`: level, edge, one-shot and exclusive; poll(seconds)."""

    @abstractmethod
    def selector(self) -> selectors.BaseSelector:
        """As `selectors.DefaultSelector()`."""

    # Time and tasks

    @abstractmethod
    def sleep(self, seconds: float, /) -> None:
        """Let others run for that long."""

    @abstractmethod
    def monotonic(self) -> float:
        """Seconds on a clock that never goes back; its start means nothing."""

    @abstractmethod
    def time(self) -> float:
        """Seconds since the epoch."""

    @abstractmethod
    def spawn(self, function: Callable[..., T], /, *args: Any, name: str | None = None) -> Task:
        """Run `function(*args)` on this host, beside the caller."""

    # Ending

    @abstractmethod
    def leftovers(self) -> Sequence[str]:
        """What is still open or running, one line each."""

    @abstractmethod
    def close(self) -> None:
        """Close what is left over, with a ResourceWarning that lists it; twice is harmless."""

    @abstractmethod
    def __enter__(self) -> Self: ...

    @abstractmethod
    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
        /,
    ) -> None: ...


class Topology(ABC):
    """Several hosts, and the ways between them. A host is named by itself or by its name."""

    hosts: Mapping[str, Any]
    """The hosts by their names, in the order in which they were made."""

    @abstractmethod
    def host(self, name: str, *, ip: HostAddresses | None = None) -> Network:
        """A new host. `ip` is its address, or several; one of 10.0.0.0/8 is chosen if left out.

        An address may have a prefix length ("10.1.0.1/16"); {"eth0": ..., "eth1": ...} names
        several interfaces. Without a length, an address of a private block (10/8, 172.16/12,
        192.168/16) belongs to that block's subnet, another one to a /24, an IPv6 one to a /64.
        Hosts of one subnet are neighbours; a router leads to those of other subnets.
        """

    @abstractmethod
    def limit(self, host: Any, **limits: Any) -> None:
        """Change sysctls of a host by name (`tcp_syn_retries=1`), and the MTU of its interfaces.

        They stay over a restart. TypeError for one that the backend does not know.
        """

    @abstractmethod
    def link(self, source: Any, target: Any, *, symmetric: bool = True, **conditions: Any) -> Any:
        """Change conditions of the way from one host to another, and of the way back.

        Every backend knows `mtu`, in bytes. TypeError for one that it does not know, ValueError
        for an impossible one.
        """

    @abstractmethod
    def partition(
        self, one: Any, other: Any, *, one_way: bool = False
    ) -> AbstractContextManager[Any]:
        """Let nothing through between two hosts or groups; one_way: from the first to the second.

        It ends with the `with` block, or with `heal`.
        """

    @abstractmethod
    def heal(self) -> None:
        """End every partition."""

    @property
    @abstractmethod
    def unknown(self) -> str:
        """What the router says of addresses that nobody has.

        'unreachable' (as it is at first): EHOSTUNREACH; 'network': ENETUNREACH; 'silence': nothing.
        An address of a subnet of the sender's own is looked for, for 3 s: then it is EHOSTUNREACH.
        """

    @unknown.setter
    @abstractmethod
    def unknown(self, answer: str) -> None: ...

    @abstractmethod
    def crash(self, host: Any) -> None:
        """Stop a host: its sockets vanish without a word, and the tasks that use them end."""

    @abstractmethod
    def restart(self, host: Any) -> None:
        """Start a crashed host again, with its name and addresses. Nothing runs on it."""

    @abstractmethod
    def close(self) -> None:
        """End everything; twice is harmless."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
        /,
    ) -> None:
        self.close()
