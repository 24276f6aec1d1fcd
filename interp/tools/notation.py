"""Values and types as people write them on a command line: integers signed, floats as in the text format."""

from __future__ import annotations

from collections.abc import Sequence

from interp.syntax.types import NUM_TYPES_BY_NAME, FuncType, NumType, RefType, ValType
from interp.text.numbers import RangeError, parse_float, parse_int, print_float


def parse_value(type: ValType, text: str) -> int:
    """The raw bits of a value of this type. Raises ValueError with a message for people.

    A reference can only be `null`; a vector is one number of 128 bits.
    """
    if isinstance(type, RefType):
        if text == "null" and type.nullable:
            return 0
        raise ValueError(f"{text!r} is no {type}: only null can be given")
    try:
        bits = parse_float(text, type.bits) if type.name in ("f32", "f64") else parse_int(text, type.bits)
    except RangeError:
        raise ValueError(f"{text!r} is out of the range of {type}") from None
    if bits is None:
        raise ValueError(f"{text!r} is no {type}")
    return bits


def print_value(type: ValType, bits: int) -> str:
    """Raw bits as text: integers signed, floats as short as they can be read back, references by number or `null`."""
    if isinstance(type, RefType):
        return f"{type} {bits - 1}" if bits else "null"
    if type.name in ("f32", "f64"):
        return print_float(bits, type.bits)
    if type.name == "v128":
        return f"{bits:#034x}"
    return str(bits - (1 << type.bits) if bits >> (type.bits - 1) else bits)


def print_typed(type: ValType, bits: int) -> str:
    """The same with the type in front, as a constant of the text format, for listings that mix types."""
    text = print_value(type, bits)
    return f"{type}:{text}" if isinstance(type, NumType) else text


def func_type(params: Sequence[str], results: Sequence[str]) -> FuncType:
    """A function type of number types by name. Raises KeyError."""
    return FuncType(tuple(NUM_TYPES_BY_NAME[n] for n in params), tuple(NUM_TYPES_BY_NAME[n] for n in results))
