"""A host of a topology: a network in a namespace of its own."""

from __future__ import annotations

import ipaddress
import re
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from types import TracebackType
from typing import TYPE_CHECKING

import attrs

from realnet.namespaces import Namespace
from realnet.network import Network

if TYPE_CHECKING:
    from typing_extensions import Self

Address = ipaddress.IPv4Interface | ipaddress.IPv6Interface
Addresses = str | Sequence[str] | Mapping[str, str | Sequence[str]]

_NAME = re.compile(r"[\w.-]{1,15}", re.ASCII)  # IFNAMSIZ, without what iproute2 would misread
# The subnet of an address without a prefix length: private blocks are one each (RFC 1918).
_BLOCKS = tuple(map(ipaddress.ip_network, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")))


@attrs.frozen
class Interface:
    """One interface: its name, its hardware address, its addresses with their subnets."""

    name: str
    hardware: str
    addresses: tuple[Address, ...]


def parse(addresses: Addresses) -> dict[str, tuple[Address, ...]]:
    """The interfaces that `ip=` of a host means, by name; ValueError says what is wrong."""
    by_name = addresses if isinstance(addresses, Mapping) else {"eth0": addresses}
    for name in by_name:
        if name == "lo" or not _NAME.fullmatch(name):
            raise ValueError(f"an interface needs a short name of its own, not {name!r}")
    return {
        name: tuple(_parse_address(text) for text in ([texts] if isinstance(texts, str) else texts))
        for name, texts in by_name.items()
    }


def _parse_address(text: str) -> Address:
    ip = ipaddress.ip_address(text.partition("/")[0])
    if ip.is_unspecified or ip.is_loopback or ip.is_multicast:
        raise ValueError(f"{ip} cannot be a host's address")
    if "/" in text:
        return ipaddress.ip_interface(text)
    usual = 24 if ip.version == 4 else 64
    length = next((block.prefixlen for block in _BLOCKS if ip in block), usual)
    return ipaddress.ip_interface(f"{text}/{length}")


class Host(Network):
    """`simnet.api.Network` in a namespace; `with host:` moves the thread there.

    A socket may be used from everywhere, also outside.
    """

    def __init__(self, name: str, interfaces: Sequence[Interface]) -> None:
        super().__init__()
        self.name = name
        self.interfaces = tuple(interfaces)
        self.namespace = Namespace()
        self.up = True
        self._entered = threading.local()

    def __repr__(self) -> str:
        return f"<host {self.name!r} {' '.join(self.addresses)}>"

    @property
    def addresses(self) -> tuple[str, ...]:
        """Its addresses, of all interfaces."""
        return tuple(str(each.ip) for face in self.interfaces for each in face.addresses)

    def gethostname(self) -> str:
        return self.name

    @contextmanager
    def _here(self) -> Iterator[None]:
        if not self.up:
            raise ValueError(f"host {self.name!r} has crashed")
        with self.namespace.entered():
            yield

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            stack.enter_context(self._here())
            self._stacks().append(stack.pop_all())
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
        /,
    ) -> None:
        self._stacks().pop().close()

    def _stacks(self) -> list[ExitStack]:
        """How to get back from the blocks that this thread is in."""
        if not hasattr(self._entered, "stacks"):
            self._entered.stacks = []
        stacks: list[ExitStack] = self._entered.stacks
        return stacks

    def stop(self) -> None:
        """End tasks and sockets, and let go of the namespace. Its devices must be gone before."""
        self.up = False
        self._end_everything()
        self.namespace.close()

    def start(self) -> None:
        """A new namespace, with nothing in it."""
        self.namespace = Namespace()
        self.up = True
