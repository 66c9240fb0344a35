"""What every part of a socket object needs: its endpoint, its mode, its addresses, its trace."""

from __future__ import annotations

import errno
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from simnet import blocking, constants
from simnet.addresses import present
from simnet.arguments import inet_address, unix_address
from simnet.descriptors import Descriptor
from simnet.errors import name_of, os_error
from simnet.protocols.base import Endpoint
from simnet.trace import BLOCK

if TYPE_CHECKING:
    from simnet.host import Host

CLOSED = Descriptor(-1, None)
_INET = (constants.AF_INET, constants.AF_INET6)


class SocketCore:
    """The state of a socket object, and the helpers of its methods."""

    __slots__ = (
        "_descriptor",
        "_family",
        "_home",
        "_proto",
        "_recent",
        "_timeout_ns",
        "_type",
    )

    _descriptor: Descriptor
    _family: int
    _home: Host
    _proto: int
    _recent: list[tuple[Any, ...]]
    _timeout_ns: int | None
    _type: int

    def _endpoint(self) -> Endpoint:
        """The endpoint; EBADF when this object is closed."""
        endpoint = self._descriptor.endpoint
        if endpoint is None:
            raise os_error(errno.EBADF)
        return endpoint  # type: ignore[return-value]

    @property
    def host(self) -> Host:
        """The host that it is, or was, on."""
        return self._home

    def _record(self, what: int | str, *details: Any) -> None:
        """Note an event of this socket in the trace."""
        recent = self._recent
        endpoint = self._descriptor.endpoint
        number = -1 if endpoint is None else endpoint.number  # type: ignore[attr-defined]
        recent.append((what, number, *details))
        if len(recent) >= BLOCK:
            self._home.trace.fold()

    def _try(self, call: str, function: Callable[..., Any], *arguments: Any) -> Any:
        """Make a call of the endpoint and note its failure."""
        try:
            return function(*arguments)
        except OSError as error:
            self._note_failure(call, error)
            raise

    def _note_failure(self, call: str, error: OSError) -> None:
        endpoint = self._descriptor.endpoint
        number = -1 if endpoint is None else endpoint.number  # type: ignore[attr-defined]
        text = name_of(error.errno) if error.errno else type(error).__name__
        self._recent.append((call, number, text))

    def _wait(self, attempt: Callable[[], Any], mask: int, call: str, limit_ns: int | None) -> Any:
        """A call that may wait, in this socket's mode."""
        endpoint = self._endpoint()
        timeout = self._timeout_ns
        if timeout:
            deadline_ns = self._home.deadline(timeout)
            return blocking.timed(endpoint, attempt, mask, deadline_ns, call, self)
        if not endpoint.nonblocking:
            return blocking.until_result(endpoint, attempt, mask, limit_ns, call, self)
        result = attempt()
        if result is None:
            raise blocking.would_block(endpoint.host.scheduler)
        return result

    def _address(self, address: Any, call: str) -> Any:
        """An address as the user wrote it, in its internal form."""
        family = self._family
        if family in _INET:
            return inet_address(address, family, call, self._home.resolver.resolve)
        return unix_address(address)

    def _shown(self, address: Any) -> Any:
        """An internal address as the user is to see it; an unnamed unix socket's is ''."""
        if self._family in _INET:
            return present(address, self._family)
        return "" if address is None else address
