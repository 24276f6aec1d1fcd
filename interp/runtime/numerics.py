"""Numerics (specification 4.3): every plain numeric instruction as a pure function on raw bits, by its name.

Values are unsigned integers of their type's width; a float is its bit pattern, f32 included, since a Python float
cannot carry a signalling NaN of 32 bits. A NaN that arithmetic makes is always the canonical one; abs, neg, copysign
and reinterpretation only move bits. f32 arithmetic is done in double and rounded once, which is exact for + - * / and
the square root.

Legend: n width in bits, m mask of n ones, s the sign bit's value, a b operands, x y their values as Python floats.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from struct import Struct

from interp.syntax.errors import TRAPS, Trap

Numeric = Callable[..., int]

_F32, _F64 = Struct("<f"), Struct("<d")
_U32, _U64 = Struct("<I"), Struct("<Q")
M32, M64 = (1 << 32) - 1, (1 << 64) - 1
#: The canonical NaNs, the infinities.
NAN32, NAN64 = 0x7FC00000, 0x7FF8000000000000
INF32, INF64 = 0x7F800000, 0x7FF0000000000000


def _trap(id: str) -> Trap:
    return Trap(TRAPS[id])


# -- floats as bits -------------------------------------------------------------------------------------------------


def f32_value(a: int) -> float:
    """The exact value of an f32 as a Python float (a NaN stays some NaN)."""
    return _F32.unpack(_U32.pack(a))[0]  # type: ignore[no-any-return]


def f64_value(a: int) -> float:
    """The value of an f64 as a Python float."""
    return _F64.unpack(_U64.pack(a))[0]  # type: ignore[no-any-return]


def f32_bits(x: float) -> int:
    """The bits of a float rounded once to f32, to nearest and ties to even; a NaN becomes the canonical one."""
    if x != x:
        return NAN32
    try:
        return _U32.unpack(_F32.pack(x))[0]  # type: ignore[no-any-return]
    except OverflowError:
        return INF32 if x > 0 else INF32 | 1 << 31


def f64_bits(x: float) -> int:
    """The bits of a float; a NaN becomes the canonical one."""
    if x != x:
        return NAN64
    return _U64.unpack(_F64.pack(x))[0]  # type: ignore[no-any-return]


# -- integers -------------------------------------------------------------------------------------------------------


def _integer(n: int) -> dict[str, Numeric]:
    """The operations of 4.3.2 for integers of n bits."""
    m, s = (1 << n) - 1, 1 << (n - 1)

    def signed(a: int) -> int:
        return a - m - 1 if a & s else a

    def div_s(a: int, b: int) -> int:
        if b == 0:
            raise _trap("divide_by_zero")
        if a == s and b == m:
            raise _trap("integer_overflow")
        x, y = signed(a), signed(b)
        q = abs(x) // abs(y)
        return (q if (x < 0) == (y < 0) else -q) & m

    def div_u(a: int, b: int) -> int:
        if b == 0:
            raise _trap("divide_by_zero")
        return a // b

    def rem_s(a: int, b: int) -> int:
        if b == 0:
            raise _trap("divide_by_zero")
        x = signed(a)
        r = abs(x) % abs(signed(b))
        return (-r if x < 0 else r) & m

    def rem_u(a: int, b: int) -> int:
        if b == 0:
            raise _trap("divide_by_zero")
        return a % b

    def rotl(a: int, b: int) -> int:
        b %= n
        return (a << b | a >> (n - b)) & m

    def extend(width: int) -> Numeric:
        low, top = (1 << width) - 1, 1 << (width - 1)
        high = m ^ low

        def extend_s(a: int) -> int:
            return a & low | high if a & top else a & low

        return extend_s

    return {
        "add": lambda a, b: (a + b) & m,
        "sub": lambda a, b: (a - b) & m,
        "mul": lambda a, b: (a * b) & m,
        "div_s": div_s,
        "div_u": div_u,
        "rem_s": rem_s,
        "rem_u": rem_u,
        "and": lambda a, b: a & b,
        "or": lambda a, b: a | b,
        "xor": lambda a, b: a ^ b,
        "shl": lambda a, b: (a << b % n) & m,
        "shr_s": lambda a, b: (signed(a) >> b % n) & m,
        "shr_u": lambda a, b: a >> b % n,
        "rotl": rotl,
        "rotr": lambda a, b: rotl(a, n - b % n),
        "clz": lambda a: n - a.bit_length(),
        "ctz": lambda a: (a & -a).bit_length() - 1 if a else n,
        "popcnt": lambda a: a.bit_count(),
        "eqz": lambda a: 0 if a else 1,
        "eq": lambda a, b: 1 if a == b else 0,
        "ne": lambda a, b: 1 if a != b else 0,
        # Flipping the sign bit maps signed order to unsigned order.
        "lt_s": lambda a, b: 1 if a ^ s < b ^ s else 0,
        "lt_u": lambda a, b: 1 if a < b else 0,
        "gt_s": lambda a, b: 1 if a ^ s > b ^ s else 0,
        "gt_u": lambda a, b: 1 if a > b else 0,
        "le_s": lambda a, b: 1 if a ^ s <= b ^ s else 0,
        "le_u": lambda a, b: 1 if a <= b else 0,
        "ge_s": lambda a, b: 1 if a ^ s >= b ^ s else 0,
        "ge_u": lambda a, b: 1 if a >= b else 0,
        "extend8_s": extend(8),
        "extend16_s": extend(16),
        "extend32_s": extend(32),
    }


# -- floats ---------------------------------------------------------------------------------------------------------


def _divide(x: float, y: float) -> float:
    """IEEE 754 division, which Python refuses for a zero divisor."""
    if y:
        return x / y
    if x == 0 or x != x or y != y:
        return math.nan
    return math.copysign(math.inf, x) * math.copysign(1.0, y)


def _sqrt(x: float) -> float:
    return math.sqrt(x) if x >= 0 else math.nan


def _integral(round_: Callable[[float], int]) -> Callable[[float], float]:
    """A rounding to integers that keeps infinities, NaNs and the sign of zero."""

    def rounded(x: float) -> float:
        return math.copysign(float(round_(x)), x) if math.isfinite(x) else x

    return rounded


def _float(n: int, value: Callable[[int], float], bits: Callable[[float], int]) -> dict[str, Numeric]:
    """The operations of 4.3.3 for floats of n bits."""
    s = 1 << (n - 1)
    nan = bits(math.nan)

    def unary(f: Callable[[float], float]) -> Numeric:
        return lambda a: bits(f(value(a)))

    def minimum(a: int, b: int) -> int:
        x, y = value(a), value(b)
        if x != x or y != y:
            return nan
        if x == y:  # equal bits, or two zeros: the negative one is smaller
            return a | b
        return a if x < y else b

    def maximum(a: int, b: int) -> int:
        x, y = value(a), value(b)
        if x != x or y != y:
            return nan
        if x == y:
            return a & b
        return a if x > y else b

    return {
        "add": lambda a, b: bits(value(a) + value(b)),
        "sub": lambda a, b: bits(value(a) - value(b)),
        "mul": lambda a, b: bits(value(a) * value(b)),
        "div": lambda a, b: bits(_divide(value(a), value(b))),
        "sqrt": unary(_sqrt),
        "min": minimum,
        "max": maximum,
        "ceil": unary(_integral(math.ceil)),
        "floor": unary(_integral(math.floor)),
        "trunc": unary(_integral(math.trunc)),
        "nearest": unary(_integral(round)),  # Python rounds halves to even as well
        "abs": lambda a: a & ~s,
        "neg": lambda a: a ^ s,
        "copysign": lambda a, b: a & ~s | b & s,
        "eq": lambda a, b: 1 if value(a) == value(b) else 0,
        "ne": lambda a, b: 1 if value(a) != value(b) else 0,
        "lt": lambda a, b: 1 if value(a) < value(b) else 0,
        "gt": lambda a, b: 1 if value(a) > value(b) else 0,
        "le": lambda a, b: 1 if value(a) <= value(b) else 0,
        "ge": lambda a, b: 1 if value(a) >= value(b) else 0,
    }


# -- conversions ----------------------------------------------------------------------------------------------------


def _range(n: int, sign: str) -> tuple[int, int]:
    return (-(1 << (n - 1)), (1 << (n - 1)) - 1) if sign == "s" else (0, (1 << n) - 1)


def _trunc(n: int, sign: str, value: Callable[[int], float]) -> Numeric:
    """Float to integer of n bits; traps where there is no such integer."""
    low, high = _range(n, sign)
    m = (1 << n) - 1

    def trunc(a: int) -> int:
        x = value(a)
        if x != x:
            raise _trap("invalid_conversion")
        if math.isinf(x) or not low <= (i := int(x)) <= high:
            raise _trap("integer_overflow")
        return i & m

    return trunc


def _trunc_sat(n: int, sign: str, value: Callable[[int], float]) -> Numeric:
    """Float to integer of n bits; NaN is 0, and what is too large the largest."""
    low, high = _range(n, sign)
    m = (1 << n) - 1

    def trunc_sat(a: int) -> int:
        x = value(a)
        if x != x:
            return 0
        if math.isinf(x):
            return (high if x > 0 else low) & m
        return min(max(int(x), low), high) & m

    return trunc_sat


def f32_of_integer(i: int) -> int:
    """The bits of an integer of up to 64 bits rounded once to f32.

    By integer arithmetic, since the way through double would round twice.
    """
    magnitude = abs(i)
    excess = magnitude.bit_length() - 24
    if excess > 0:
        half = 1 << (excess - 1)
        rest = magnitude & ((1 << excess) - 1)
        magnitude >>= excess
        if rest > half or (rest == half and magnitude & 1):
            magnitude += 1
        magnitude <<= excess
    return f32_bits(math.copysign(float(magnitude), i) if i else 0.0)


def _convert(n: int, sign: str, bits: Callable[[int], int]) -> Numeric:
    """Integer of n bits to float."""
    if sign == "u":
        return bits
    s = 1 << (n - 1)
    return lambda a: bits((a ^ s) - s)


def _conversions() -> dict[str, Numeric]:
    made: dict[str, Numeric] = {
        "i32.wrap_i64": lambda a: a & M32,
        "i64.extend_i32_u": lambda a: a,
        "i64.extend_i32_s": lambda a: a | M64 ^ M32 if a >> 31 else a,
        "f32.demote_f64": lambda a: f32_bits(f64_value(a)),
        "f64.promote_f32": lambda a: f64_bits(f32_value(a)),
    }
    for name in ("i32.reinterpret_f32", "i64.reinterpret_f64", "f32.reinterpret_i32", "f64.reinterpret_i64"):
        made[name] = lambda a: a
    for n in (32, 64):
        for sign in "su":
            for width, value in ((32, f32_value), (64, f64_value)):
                made[f"i{n}.trunc_f{width}_{sign}"] = _trunc(n, sign, value)
                made[f"i{n}.trunc_sat_f{width}_{sign}"] = _trunc_sat(n, sign, value)
            made[f"f32.convert_i{n}_{sign}"] = _convert(n, sign, f32_of_integer)
            made[f"f64.convert_i{n}_{sign}"] = _convert(n, sign, lambda i: f64_bits(float(i)))
    return made


def _prefixed(type: str, operations: dict[str, Numeric]) -> dict[str, Numeric]:
    return {f"{type}.{name}": f for name, f in operations.items()}


#: The instructions with several results (proposal wide-arithmetic): name to what gives them all. 128 bits are two
#: numbers, the low one first.
WIDE: dict[str, Callable[..., tuple[int, ...]]] = {
    "i64.add128": lambda a, b, c, d: _halves((a | b << 64) + (c | d << 64)),
    "i64.sub128": lambda a, b, c, d: _halves((a | b << 64) - (c | d << 64)),
    "i64.mul_wide_s": lambda a, b: _halves(((a ^ 1 << 63) - (1 << 63)) * ((b ^ 1 << 63) - (1 << 63))),
    "i64.mul_wide_u": lambda a, b: _halves(a * b),
}


def _halves(value: int) -> tuple[int, int]:
    return value & M64, value >> 64 & M64


#: Instruction name to its meaning. Raises Trap where the instruction traps.
NUMERICS: dict[str, Numeric] = {
    **_prefixed("i32", _integer(32)),
    **_prefixed("i64", _integer(64)),
    **_prefixed("f32", _float(32, f32_value, f32_bits)),
    **_prefixed("f64", _float(64, f64_value, f64_bits)),
    **_conversions(),
}
del NUMERICS["i32.extend32_s"]
