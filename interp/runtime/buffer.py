"""The buffer protocol for classes written in Python.

From 3.12 on a class says `__buffer__` (PEP 688). CPython 3.11 knows the protocol for types in C only; its type
structure is final and known, so the slot that 3.12 would fill is filled here, for that one version. Elsewhere (PyPy on
3.11) such a class has no buffer, and its `view` is the way.
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable
from typing import Any, TypeVar

Class = TypeVar("Class", bound=type)

#: Where CPython 3.11 has `tp_as_buffer` in a type: after the variable-size head (3 words) and 17 slots.
_AS_BUFFER = 20 * ctypes.sizeof(ctypes.c_void_p)
#: The functions made for types; they must live as long as the types do.
_slots: list[Any] = []


def has_buffer(cls: Class) -> Class:
    """Class decorator: instances give the buffer that their `__buffer__` gives."""
    traced = hasattr(sys, "getobjects")  # a debug build whose objects have another head
    if sys.implementation.name == "cpython" and sys.version_info[:2] == (3, 11) and not traced:
        _fill_slot(cls)
    return cls


def _fill_slot(cls: type) -> None:
    """Make the type's `bf_getbuffer` ask the object that `__buffer__` gives, as 3.12 does."""
    signature = ctypes.PYFUNCTYPE(ctypes.c_int, ctypes.py_object, ctypes.c_void_p, ctypes.c_int)
    of_object = ctypes.pythonapi.PyObject_GetBuffer
    of_object.argtypes = (ctypes.py_object, ctypes.c_void_p, ctypes.c_int)
    of_object.restype = ctypes.c_int
    give: Callable[[Any, int], Any] = cls.__dict__["__buffer__"]

    def getbuffer(self: Any, buffer: int, flags: int) -> int:
        try:
            return int(of_object(give(self, flags), buffer, flags))
        except (BufferError, ValueError, MemoryError):
            ctypes.c_void_p.from_address(buffer + ctypes.sizeof(ctypes.c_void_p)).value = None  # the view's owner
            return -1

    def releasebuffer(self: Any, buffer: int) -> None:
        """The view belongs to the object given, which releases it; the slot itself tells numpy to hold a view."""

    slots = (signature(getbuffer), ctypes.PYFUNCTYPE(None, ctypes.py_object, ctypes.c_void_p)(releasebuffer))
    _slots.extend(slots)
    procs = ctypes.c_void_p.from_address(id(cls) + _AS_BUFFER)
    if procs.value:  # a class made by Python always has the table of its slots
        for n, slot in enumerate(slots):
            place = ctypes.c_void_p.from_address(procs.value + n * ctypes.sizeof(ctypes.c_void_p))
            place.value = ctypes.cast(slot, ctypes.c_void_p).value
