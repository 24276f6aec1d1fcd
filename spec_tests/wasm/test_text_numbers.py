"""Numbers of the text format: read exactly, printed so that they are read back."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interp.text.numbers import SHAPES, RangeError, parse_float, parse_int, parse_nat, print_float

BITS = st.sampled_from([32, 64])


def value(pattern: int, bits: int) -> Fraction:
    """The number that a finite, positive pattern stands for."""
    shape = SHAPES[bits]
    field, fraction = pattern >> shape.fraction, pattern & (1 << shape.fraction) - 1
    scale = Fraction(2) ** (max(field, 1) - 1 + shape.lowest - shape.fraction)
    return (fraction + ((1 << shape.fraction) if field else 0)) * scale


def assert_nearest(text: str, exact: Fraction, bits: int) -> None:
    """Reading the text gives the pattern nearest to the exact value, the even one of two."""
    shape = SHAPES[bits]
    try:
        pattern = parse_float(text, bits)
    except RangeError:
        last = shape.infinity - 1
        assert exact >= value(last, bits) + (value(last, bits) - value(last - 1, bits)) / 2
        return
    assert pattern is not None
    off = abs(value(pattern, bits) - exact)
    for other in (pattern - 1, pattern + 1):
        if 0 <= other < shape.infinity:
            other_off = abs(value(other, bits) - exact)
            assert off < other_off or (off == other_off and pattern % 2 == 0), text


@given(BITS, st.data())
def test_printed_floats_are_read_back(bits: int, data: st.DataObject) -> None:
    pattern = data.draw(st.integers(0, (1 << bits) - 1))
    assert parse_float(print_float(pattern, bits), bits) == pattern


@given(BITS, st.data())
def test_printed_nans_keep_their_payload(bits: int, data: st.DataObject) -> None:
    shape = SHAPES[bits]
    pattern = (
        shape.infinity
        | data.draw(st.integers(1, (1 << shape.fraction) - 1))
        | data.draw(st.sampled_from([0, shape.sign]))
    )
    assert parse_float(print_float(pattern, bits), bits) == pattern


@given(BITS, st.integers(0, 10**30), st.text("0123456789", max_size=30), st.integers(-360, 330))
def test_decimals_are_rounded_once(bits: int, whole: int, fraction: str, exponent: int) -> None:
    exact = Fraction(f"{whole}.{fraction or '0'}") * Fraction(10) ** exponent
    assert_nearest(f"{whole}.{fraction}e{exponent}", exact, bits)


@given(BITS, st.integers(0, 2**130), st.text("0123456789abcdefABCDEF", max_size=30), st.integers(-1200, 1100))
def test_hexadecimals_are_rounded_once(bits: int, whole: int, fraction: str, exponent: int) -> None:
    exact = Fraction(int(f"{whole:x}{fraction}", 16)) / 16 ** len(fraction) * Fraction(2) ** exponent
    assert_nearest(f"0x{whole:x}.{fraction}p{exponent}", exact, bits)


@given(BITS, st.data())
def test_middles_go_to_the_even_neighbour(bits: int, data: st.DataObject) -> None:
    shape = SHAPES[bits]
    pattern = data.draw(st.integers(0, shape.infinity - 2))
    middle = (value(pattern, bits) + value(pattern + 1, bits)) / 2
    digits, scale = middle.numerator, 0
    denominator = middle.denominator
    while denominator > 1:  # a power of two: the decimal ends
        digits, scale, denominator = digits * 5, scale - 1, denominator // 2
    text = f"{digits}e{scale}"
    even = pattern + (pattern & 1)
    assert parse_float(text, bits) == even
    # A digit behind all others, however far, decides.
    assert parse_float(f"{digits}{'0' * 50}1e{scale - 51}", bits) == pattern + 1


@pytest.mark.parametrize(
    ("text", "bits", "pattern"),
    [
        ("1", 32, 0x3F800000),
        ("-0", 32, 0x80000000),
        ("0x0p99999999999999999999", 64, 0),
        ("1.", 32, 0x3F800000),
        ("1_0.0_1", 32, 0x412028F6),
        ("0x1_fp1_0", 32, 0x46F80000),
        ("0X1p1", 32, None),
        ("inf", 32, 0x7F800000),
        ("-inf", 64, 0xFFF0000000000000),
        ("+nan", 64, 0x7FF8000000000000),
        ("nan:0x1", 32, 0x7F800001),
        ("-nan:0x7f_ffff", 32, 0xFFFFFFFF),
        ("0x1.fffffep127", 32, 0x7F7FFFFF),
        ("340282356779733661637539395458142568447", 32, 0x7F7FFFFF),
        ("1e-999999999999999999999", 64, 0),
        ("0x1p-150", 32, 0),
        ("0x1.000001p-150", 32, 1),
        ("1__0", 32, None),
        ("_1", 32, None),
        ("1_", 32, None),
        (".5", 32, None),
        ("0x.5", 32, None),
        ("1e", 32, None),
        ("nan:1", 32, None),
        ("nan:canonical", 32, None),
        ("infinity", 64, None),
        ("", 64, None),
    ],
)
def test_floats(text: str, bits: int, pattern: int | None) -> None:
    assert parse_float(text, bits) == pattern


@pytest.mark.parametrize(
    ("text", "bits"),
    [
        ("0x1.ffffffp127", 32),
        ("340282356779733661637539395458142568448", 32),
        ("1e309", 64),
        ("1e99999999999999999999", 64),
        ("nan:0x0", 32),
        ("nan:0x800000", 32),
        ("nan:0x10000000000000", 64),
    ],
)
def test_floats_out_of_range(text: str, bits: int) -> None:
    with pytest.raises(RangeError):
        parse_float(text, bits)


@given(st.sampled_from([8, 16, 32, 64]), st.data())
def test_integers(bits: int, data: st.DataObject) -> None:
    number = data.draw(st.integers(-(1 << bits), 1 << bits + 1))
    texts = [str(number), f"{'-' if number < 0 else ''}{abs(number):#x}", f"{number:_}"]
    if number >= 0:
        texts.append(f"+{number}")
    for text in texts:
        if -(1 << bits - 1) <= number < 1 << bits:
            assert parse_int(text, bits) == number % (1 << bits)
        else:
            with pytest.raises(RangeError):
                parse_int(text, bits)


@pytest.mark.parametrize("text", ["", "-", "+", "0x", "0x_1", "1_", "1__2", "0o7", "0b1", "1.0", "٣", "1 "])
def test_not_integers(text: str) -> None:
    assert parse_int(text, 32) is None
    assert parse_nat(text, 32) is None


def test_an_unsigned_integer_has_no_sign() -> None:
    assert parse_nat("+1", 32) is None
    assert parse_nat("-1", 32) is None


def test_long_numbers_take_no_longer_than_their_digits() -> None:
    zeros = "0" * 100_000
    assert parse_int(f"{zeros}7", 32) == 7
    assert parse_float(f"{zeros}1{zeros}e-{len(zeros)}", 64) == 0x3FF0000000000000
    assert parse_float(f"0x1.000001{zeros}p0", 32) == 0x3F800000
    assert parse_float(f"0x1.000001{zeros}1p0", 32) == 0x3F800001
    assert parse_float(f"0x{zeros}1{zeros}p-{4 * len(zeros)}", 32) == 0x3F800000
    with pytest.raises(RangeError):
        parse_int("9" * 100_000, 64)
