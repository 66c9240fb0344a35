"""Tasks on the operating system: threads that keep their result."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from simnet import api


class ThreadTask(api.Task):
    """A daemon thread; `join` and `result` wait for it in real time."""

    def __init__(self, function: Callable[..., Any], args: tuple[Any, ...], name: str) -> None:
        self.name = name
        self._function = function
        self._args = args
        self._value: Any = None
        self._exception: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self._value = self._function(*self._args)
        except BaseException as exc:
            self._exception = exc

    @property
    def done(self) -> bool:
        return not self._thread.is_alive()

    def join(self, timeout: float | None = None) -> bool:
        self._thread.join(timeout)
        return self.done

    def result(self, timeout: float | None = None) -> Any:
        if not self.join(timeout):
            raise TimeoutError("timed out")
        if self._exception is not None:
            raise self._exception
        return self._value
