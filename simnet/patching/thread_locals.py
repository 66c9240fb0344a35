"""Thread-local objects of the real class: within a patch each task has values of its own in them.

Wherever one is held (a module, an attribute, a container), the class is asked for its values: so it
is changed there, as in c_methods.py, and gives a task those of another object of the same kind that
is the task's own. Objects that a patched program makes are of this class too, and live on. The code
outside all tasks begins with the values that are there, and what it notes within the patch is gone
afterwards. Other threads find what they always did, and so do test tools (places.py) in any task.

Not reached: C code that looks into a thread's values without asking the class. Not modelled: a
circle of references through the values of such an object is collected only when its task or the
patch ends.
"""

from __future__ import annotations

import ctypes
import gc
import threading
from typing import Any
from weakref import WeakKeyDictionary, ref

from simnet import locks, threads
from simnet.current import host_or_none
from simnet.patching.guards import called_by_tools
from simnet.patching.places import Place, in_dict
from simnet.tasks import SimTask

_Local: Any = threading.local
_METHODS = ("__getattribute__", "__setattr__", "__delattr__")
_originals = [vars(_Local)[name] for name in _METHODS]
_get = _originals[0]

# From PyTypeObject (Include/cpython/object.h), the same in Python 3.10 to 3.13: tp_setattro, as the
# method itself refuses to be called once a class has another; and tp_flags, where
# Py_TPFLAGS_IMMUTABLETYPE is taken from the class while it is changed.
_set_slot = ctypes.c_void_p.from_address(id(_Local) + 152)
_flags = ctypes.c_ulong.from_address(id(_Local) + 168)
_IMMUTABLE = 1 << 8
assert _flags.value == _Local.__flags__
assert _set_slot.value is not None
_object = ctypes.py_object
_set = ctypes.PYFUNCTYPE(ctypes.c_int, _object, _object, _object)(_set_slot.value)
_delete = ctypes.PYFUNCTYPE(ctypes.c_int, _object, _object, ctypes.c_void_p)(_set_slot.value)

# For each task the objects by identity: whose values are meant, and which of its own has them.
_own: WeakKeyDictionary[SimTask, dict[int, tuple[ref[Any], Any]]] = WeakKeyDictionary()


def _arguments(local: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """What it was made with; each thread's values begin by its __init__ with them."""
    args: tuple[Any, ...] = ()
    named: dict[str, Any] = {}
    for referent in gc.get_referents(local):
        if type(referent) is tuple:
            args = referent
        elif type(referent) is dict and referent and all(type(key) is str for key in referent):
            named = referent
    return args, named


def _make(local: Any, task: SimTask, own: dict[int, tuple[ref[Any], Any]]) -> Any:
    args, named = _arguments(local)
    cls = type(local)
    fresh = cls.__new__(cls, *args, **named)
    own[id(local)] = ref(local), fresh
    own[id(fresh)] = ref(fresh), fresh
    if task is task.scheduler.main:
        _get(fresh, "__dict__").update(_get(local, "__dict__"))
    else:
        fresh.__init__(*args, **named)
    return fresh


def _of_task(local: Any) -> Any:
    """The object that has the values of the current task; itself in a thread that is none."""
    host = host_or_none()
    if host is None:
        return local
    task = host.scheduler.current
    own = _own.get(task)
    if own is None:
        own = _own[task] = {}
    known = own.get(id(local))
    if known is not None and known[0]() is local:
        return known[1]
    if called_by_tools():
        # Hypothesis keeps there which test runs, and tasks draw from its data, too.
        return local
    return _make(local, task, own)


def _getattribute(self: Any, name: str, /) -> Any:
    """Return getattr(self, name)."""
    return _get(_of_task(self), name)


def _setattr(self: Any, name: str, value: Any, /) -> None:
    """Implement setattr(self, name, value)."""
    _set(_of_task(self), name, value)


def _delattr(self: Any, name: str, /) -> None:
    """Implement delattr(self, name)."""
    _delete(_of_task(self), name, None)


def _put(*methods: Any) -> None:
    _flags.value &= ~_IMMUTABLE
    try:
        for name, method in zip(_METHODS, methods, strict=True):
            setattr(_Local, name, method)
    finally:
        _flags.value |= _IMMUTABLE


def places() -> list[tuple[Place, Any]]:
    """Where the simulated class is, which only programs without a patch need."""
    simulated = in_dict(vars(threads.threading), "local"), in_dict(vars(locks.module), "_local")
    return [(place, _Local) for place in simulated]


def install() -> None:
    """From now on."""
    _put(_getattribute, _setattr, _delattr)


def remove() -> None:
    """Not any more."""
    _put(*_originals)
    _own.clear()
