"""Numbers of the text format (specification 6.3.1, 6.3.2) as bit patterns, and back.

Floats are read and written in integers only: the decimal text is rounded once, to the width that is asked for, and a
NaN keeps its payload.
"""

from __future__ import annotations

import re
import struct
from typing import NamedTuple

from .patterns import possessive

_NUM = f"[0-9]++{possessive('_[0-9]++')}"
_HEX = f"[0-9a-fA-F]++{possessive('_[0-9a-fA-F]++')}"
_NAT = re.compile(rf"(?:0x{_HEX}|{_NUM})\Z")
_INT = re.compile(rf"([+-]?)(?:0x({_HEX})|({_NUM}))\Z")
_FLOAT = re.compile(
    rf"([+-]?)(?:(inf)|(nan)(?::0x({_HEX}))?"
    rf"|0x({_HEX})(?:\.((?:{_HEX})?))?(?:[pP]([+-]?{_NUM}))?"
    rf"|({_NUM})(?:\.((?:{_NUM})?))?(?:[eE]([+-]?{_NUM}))?)\Z"
)
#: More digits than an integer of any width here has; longer texts are out of range without being read.
_MOST_DIGITS = 64


class Shape(NamedTuple):
    """A binary float format: its bits, those of the fraction, and the exponent of its smallest normal number."""

    bits: int
    fraction: int
    lowest: int

    @property
    def infinity(self) -> int:
        """The pattern of infinity, which is also the mask of the exponent."""
        return (1 << self.bits - 1) - (1 << self.fraction)

    @property
    def sign(self) -> int:
        """The sign bit."""
        return 1 << self.bits - 1


F32_SHAPE = Shape(32, 23, -126)
F64_SHAPE = Shape(64, 52, -1022)
SHAPES = {32: F32_SHAPE, 64: F64_SHAPE}


class RangeError(ValueError):
    """A number that is well formed and does not fit."""


def is_nat(token: str) -> bool:
    """Whether a token is an unsigned integer."""
    return _NAT.match(token) is not None


def is_number(token: str) -> bool:
    """Whether a token is an integer or a float."""
    return _FLOAT.match(token) is not None


def parse_nat(token: str, bits: int) -> int | None:
    """An unsigned integer of so many bits, None if the token is none. Raises RangeError."""
    if token.isdecimal() and len(token) < 10 and token.isascii():
        value = int(token)
    else:
        match = _NAT.match(token)
        if match is None:
            return None
        value = _int(token[2:], 16) if token[:2] == "0x" else _int(token, 10)
    if value >> bits:
        raise RangeError(f"i{bits} constant out of range")
    return value


def parse_int(token: str, bits: int) -> int | None:
    """A signed or unsigned integer as `bits` raw bits, None if the token is none. Raises RangeError."""
    if token.isdecimal() and len(token) < 10 and token.isascii():
        value = int(token)
        if value >> bits:
            raise RangeError("constant out of range")
        return value
    match = _INT.match(token)
    if match is None:
        return None
    sign, hexadecimal, decimal = match.groups()
    value = _int(decimal, 10) if hexadecimal is None else _int(hexadecimal, 16)
    if sign == "-":
        if value > 1 << bits - 1:
            raise RangeError("constant out of range")
        return -value & (1 << bits) - 1
    if value >> bits:
        raise RangeError("constant out of range")
    return value


def _int(digits: str, base: int) -> int:
    digits = digits.replace("_", "").lstrip("0")
    return int(digits or "0", base) if len(digits) <= _MOST_DIGITS else 1 << 1024


def parse_float(token: str, bits: int) -> int | None:
    """A float as a pattern of 32 or 64 bits, rounded to nearest, ties to even; None if the token is none.

    Raises RangeError when it rounds to infinity or a NaN's payload does not fit.
    """
    match = _FLOAT.match(token)
    if match is None:
        return None
    shape = SHAPES[bits]
    sign, inf, _, payload, hex_int, hex_frac, hex_exp, dec_int, dec_frac, dec_exp = match.groups()
    if dec_int is not None:
        pattern = _from_decimal(dec_int, dec_frac or "", dec_exp or "0", shape)
    elif hex_int is not None:
        pattern = _from_hexadecimal(hex_int, hex_frac or "", hex_exp or "0", shape)
    elif inf is not None:
        pattern = shape.infinity
    elif payload is None:
        pattern = shape.infinity | 1 << shape.fraction - 1
    else:
        value = _int(payload, 16)
        if not 0 < value < 1 << shape.fraction:
            raise RangeError("constant out of range")
        pattern = shape.infinity | value
    return pattern | shape.sign if sign == "-" else pattern


def _exponent(text: str) -> int:
    """An exponent, clamped to what every text within the limits can balance by its digits."""
    digits = text.replace("_", "").lstrip("+-").lstrip("0")
    value = int(digits or "0") if len(digits) <= 18 else 10**18
    return -value if text[0] == "-" else value


def _from_hexadecimal(whole: str, fraction: str, exponent: str, shape: Shape) -> int:
    fraction = fraction.replace("_", "")
    digits = (whole.replace("_", "") + fraction).lstrip("0")
    if not digits:
        return 0
    scale = _exponent(exponent) - 4 * len(fraction)
    kept = digits[:40]  # 160 bits; anything beyond only says "not exact"
    value = int(kept, 16) << 1 | (1 if digits[40:].strip("0") else 0)
    return _round(value, 1, scale - 1 + 4 * (len(digits) - len(kept)), shape)


def _from_decimal(whole: str, fraction: str, exponent: str, shape: Shape) -> int:
    fraction = fraction.replace("_", "")
    digits = (whole.replace("_", "") + fraction).lstrip("0")
    if not digits:
        return 0
    scale = _exponent(exponent) - len(fraction)
    if len(digits) > 800:  # no double or middle of two has more than 768 digits; the last one says "not exact"
        scale += len(digits) - 801
        digits = digits[:800] + ("1" if digits[800:].strip("0") else "0")
    magnitude = len(digits) + scale
    if magnitude > 320:
        raise RangeError("constant out of range")
    if magnitude < -345:
        return 0
    value = int(digits)
    if scale >= 0:
        return _round(value * 10**scale, 1, 0, shape)
    return _round(value, 10**-scale, 0, shape)


def _round(numerator: int, denominator: int, exponent: int, shape: Shape) -> int:
    """The pattern nearest to numerator / denominator * 2^exponent, which is positive; ties go to the even one."""
    # `top` is the exponent of the value's leading bit or one more; `unit` is that of the last bit of the quotient.
    top = numerator.bit_length() - denominator.bit_length() + exponent
    if top > 2000:
        raise RangeError("constant out of range")
    if top < -2000:
        return 0
    least = shape.lowest - shape.fraction
    unit = max(top - 1 - shape.fraction, least)
    if exponent >= unit:
        numerator <<= exponent - unit
    else:
        denominator <<= unit - exponent
    quotient, rest = divmod(numerator, denominator)
    if quotient >> shape.fraction + 1:
        rest += (quotient & 1) * denominator
        denominator *= 2
        quotient >>= 1
        unit += 1
    if rest * 2 > denominator or (rest * 2 == denominator and quotient & 1):
        quotient += 1
    # Adding instead of or-ing carries a fraction that became too long into the exponent, where it belongs.
    pattern = quotient + (unit - least << shape.fraction)
    if pattern >= shape.infinity:
        raise RangeError("constant out of range")
    return pattern


def print_float(pattern: int, bits: int) -> str:
    """The shortest decimal that is read back as this pattern; a NaN with its payload."""
    shape = SHAPES[bits]
    sign = "-" if pattern & shape.sign else ""
    pattern &= shape.sign - 1
    if pattern == shape.infinity:
        return f"{sign}inf"
    if pattern > shape.infinity:
        payload = pattern - shape.infinity
        return f"{sign}nan" if payload == 1 << shape.fraction - 1 else f"{sign}nan:{payload:#x}"
    if bits == 64:
        text = repr(struct.unpack("<d", pattern.to_bytes(8, "little"))[0])
    else:
        value = struct.unpack("<f", pattern.to_bytes(4, "little"))[0]
        texts = (f"{value:.{digits}g}" for digits in range(1, 10))
        text = next(text for text in texts if _reads_as(text, pattern, bits))
    return sign + text.removesuffix(".0")


def _reads_as(text: str, pattern: int, bits: int) -> bool:
    try:
        return parse_float(text, bits) == pattern
    except RangeError:  # fewer digits may round the largest numbers up to infinity
        return False
