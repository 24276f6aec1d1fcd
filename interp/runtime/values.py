"""Values (specification 4.2.1) at the interface: typed raw bits, and the way to and from Python's numbers.

Raw bits are unsigned integers; a reference is 0 for null, else index + 1 into the store's functions or external
objects. The interface takes and gives bits because a Python float loses the payload of a NaN.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from operator import index
from typing import Any, NamedTuple, SupportsFloat

import numpy as np

from interp.syntax.errors import EmbedderError
from interp.syntax.types import F32, F64, I32, I64, V128, FuncType, NumType, RefType, ValType
from interp.valid.subtyping import CLOSED

from .numerics import f32_bits, f32_value, f64_bits, f64_value
from .references import ref_matches
from .store import FuncInst, HostFunc, Store


class Val(NamedTuple):
    """A value of the embedding interface: its type and its raw bits."""

    type: ValType
    bits: int

    @classmethod
    def i32(cls, value: int) -> Val:
        """An i32 of a signed or unsigned integer. Raises OverflowError."""
        return cls(I32, _integer(value, 32))

    @classmethod
    def i64(cls, value: int) -> Val:
        """An i64 of a signed or unsigned integer. Raises OverflowError."""
        return cls(I64, _integer(value, 64))

    @classmethod
    def f32(cls, value: float) -> Val:
        """An f32, rounded once to nearest; a NaN is the canonical one (give bits for another)."""
        return cls(F32, f32_bits(value))

    @classmethod
    def f64(cls, value: float) -> Val:
        """An f64; a NaN keeps its payload only as bits."""
        return cls(F64, f64_bits(value))

    @property
    def number(self) -> int | float:
        """A number as Python's: integers signed, floats exact, a vector unsigned. Raises TypeError for a reference."""
        if isinstance(self.type, RefType):
            raise TypeError(f"a {self.type} is not a number")
        return number(self.type, self.bits)

    def __repr__(self) -> str:
        return f"Val({self.type}, {self.bits:#x})"


def _integer(value: object, n: int) -> int:
    if isinstance(value, (float, np.floating)):
        raise TypeError(f"an i{n} needs an integer, not {value!r}")
    try:
        i = int(value) if isinstance(value, np.bool_) else index(value)  # type: ignore[arg-type]
    except TypeError:
        raise TypeError(f"an i{n} needs an integer, not {value!r}") from None
    if not -(1 << (n - 1)) <= i < 1 << n:
        raise OverflowError(f"{i} does not fit into i{n}")
    return i & ((1 << n) - 1)


def number(type: NumType, bits: int) -> int | float:
    """Raw bits as a Python number: integers signed, an f32 as the exact double, a v128 as an unsigned integer."""
    if type is I32:
        return bits - (1 << 32) if bits >> 31 else bits
    if type is I64:
        return bits - (1 << 64) if bits >> 63 else bits
    if type is F32:
        return f32_value(bits)
    if type is F64:
        return f64_value(bits)
    return bits


def to_bits(store: Store, type: ValType, value: object) -> int:
    """A Python value as raw bits of a type.

    Integers from -2^(n-1) to 2^n - 1, bool and numpy integers included, else OverflowError; floats and integers for
    f32 and f64; an integer or 16 bytes, lane 0 first, for v128 (ValueError for another number of bytes); a function or
    None for funcref; any object for externref, None being null; a HeapRef for what guests made. Raises TypeError for a
    value of the wrong kind (a float for an integer) and EmbedderError for one of another store.
    """
    if type is I32:
        return _integer(value, 32)
    if type is I64:
        return _integer(value, 64)
    if type is F32 or type is F64:
        if isinstance(value, (str, bytes)) or not isinstance(value, SupportsFloat):
            raise TypeError(f"an {type} needs a number, not {value!r}")
        x = float(value)
        return f32_bits(x) if type is F32 else f64_bits(x)
    if type is V128:
        return _vector(value)
    if isinstance(type, RefType) and CLOSED.top(type.heap) != "func":
        bits = store.extern_ref(value)
    elif value is None:
        bits = 0
    elif isinstance(value, (FuncInst, HostFunc)):
        store.check(value)
        bits = value.addr + 1
    else:
        raise TypeError(f"a {type} needs a function or None, not {value!r}")
    if isinstance(type, RefType) and not ref_matches(store, bits, type):
        raise TypeError(f"{value!r} is no {type}")
    return bits


def _vector(value: object) -> int:
    if isinstance(value, (bytes, bytearray, memoryview)):
        if len(value) != 16:
            raise ValueError("a v128 has 16 bytes")
        return int.from_bytes(value, "little")
    return _integer(value, 128)


def from_bits(store: Store, type: ValType, bits: int) -> object:
    """Raw bits as a Python value: numbers as `number`, a funcref as function or None, an externref as its object."""
    if isinstance(type, NumType):
        return number(type, bits)
    if CLOSED.top(type.heap) != "func":
        return store.extern_value(bits)
    return store.funcs[bits - 1] if bits else None


def check_bits(store: Store, types: Sequence[ValType], values: Sequence[Any]) -> None:
    """Raises EmbedderError unless the values are raw bits of these types: the count, the range, known references."""
    if len(types) != len(values):
        raise EmbedderError(f"{len(types)} values are needed, {len(values)} given")
    for type, bits in zip(types, values, strict=True):
        fits = isinstance(bits, int) and bits >= 0
        if not fits or not (bits >> type.bits == 0 if isinstance(type, NumType) else ref_matches(store, bits, type)):
            raise EmbedderError(f"{bits!r} is not the raw bits of a {type}")


def result_bits(
    store: Store, type: FuncType, result: object, each: Callable[[object], object] = lambda value: value
) -> list[int]:
    """What a host function of Python's values gave (None, one value, or several), as raw bits of `each` of them.

    Raises TypeError for another number of results than the type has, and as `to_bits`.
    """
    if not type.results:
        if result is not None:
            raise TypeError(f"a host function of type {type} gives None, not {result!r}")
        return []
    values = (result,) if len(type.results) == 1 else tuple(result)  # type: ignore[arg-type]
    if len(values) != len(type.results):
        raise TypeError(f"a host function of type {type} gives {len(type.results)} values, not {len(values)}")
    return [to_bits(store, t, each(value)) for t, value in zip(type.results, values, strict=True)]
