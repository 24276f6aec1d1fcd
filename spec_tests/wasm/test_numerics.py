"""The Python numerics (specification 4.3) against numpy, against exact rationals, and on edges by the book."""

from __future__ import annotations

import itertools
import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from interp import _native
from interp.runtime.numerics import (
    NAN32,
    NAN64,
    NUMERICS,
    f32_bits,
    f32_value,
    f64_bits,
    f64_value,
)
from interp.syntax.errors import TRAPS, Trap
from interp.syntax.instructions import BY_NAME, OPS

MASK = {32: (1 << 32) - 1, 64: (1 << 64) - 1}
EDGES_INT = {
    n: sorted(
        {
            0,
            1,
            2,
            3,
            n - 1,
            n,
            n + 1,
            (1 << n) - 1,
            (1 << n) - 2,
            1 << (n - 1),
            (1 << (n - 1)) - 1,
            0x7F,
            0x80,
            0xFF,
            0x7FFF,
            0x8000,
        }
    )
    for n in (32, 64)
}
EDGES_FLOAT = {
    32: [0, 1, 0x007FFFFF, 0x00800000, 0x3F000000, 0x3F7FFFFF, 0x3F800000, 0x3FC00000, 0x40200000, 0x4B000000,
         0x4B800000, 0x4EFFFFFF, 0x4F000000, 0x4F7FFFFF, 0x4F800000, 0x5EFFFFFF, 0x5F000000, 0x5F800000, 0x7F7FFFFF,
         0x7F800000, 0x7F800001, 0x7FA00000, 0x7FC00000, 0x7FC00001, 0x7FFFFFFF],
    64: [0, 1, 0x000FFFFFFFFFFFFF, 0x0010000000000000, 0x36A0000000000000, 0x380FFFFFFFFFFFFF, 0x3FE0000000000000,
         0x3FEFFFFFFFFFFFFF, 0x3FF0000000000000, 0x3FF8000000000000, 0x4004000000000000, 0x41DFFFFFFFC00000,
         0x41E0000000000000, 0x41EFFFFFFFE00000, 0x41F0000000000000, 0x4330000000000000, 0x4340000000000000,
         0x43DFFFFFFFFFFFFF, 0x43E0000000000000, 0x43F0000000000000, 0x47EFFFFFE0000000, 0x47EFFFFFF0000000,
         0x7FEFFFFFFFFFFFFF, 0x7FF0000000000000, 0x7FF0000000000001, 0x7FF4000000000000, 0x7FF8000000000000,
         0x7FF8000000000001, 0x7FFFFFFFFFFFFFFF],
}  # fmt: skip
for _n, _edges in EDGES_FLOAT.items():
    EDGES_FLOAT[_n] = _edges + [1 << (_n - 1) | e for e in _edges]
NP_FLOAT = {32: np.float32, 64: np.float64}
NP_INT = {("s", 32): np.int32, ("u", 32): np.uint32, ("s", 64): np.int64, ("u", 64): np.uint64}


def integers(n: int) -> st.SearchStrategy[int]:
    return st.sampled_from(EDGES_INT[n]) | st.integers(0, MASK[n])


def floats(n: int) -> st.SearchStrategy[int]:
    near_integers = st.integers(-(1 << 65), 1 << 65).map(
        (lambda i: f32_bits(float(i))) if n == 32 else (lambda i: f64_bits(float(i)))
    )
    return st.sampled_from(EDGES_FLOAT[n]) | st.integers(0, MASK[n]) | near_integers


def as_numpy(n: int, bits: int) -> np.floating:
    return np.array([bits], dtype=np.uint32 if n == 32 else np.uint64).view(NP_FLOAT[n])[0]


def from_numpy(n: int, value: np.floating) -> int:
    if np.isnan(value):
        return NAN32 if n == 32 else NAN64
    return int(np.array([value], dtype=NP_FLOAT[n]).view(np.uint32 if n == 32 else np.uint64)[0])


def test_every_plain_numeric_instruction_of_version_2_has_a_meaning():
    rows = {
        op.name
        for op in OPS
        if op.group.startswith("Numeric") and "constants" not in op.group and op.feature.value != "wide-arithmetic"
    }
    assert rows == set(NUMERICS)


# -- integers -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("n", [32, 64])
@pytest.mark.parametrize("op", ["add", "sub", "mul", "and", "or", "xor"])
def test_wrapping_arithmetic_is_numpys(n, op):
    numpy = {
        "add": np.add,
        "sub": np.subtract,
        "mul": np.multiply,
        "and": np.bitwise_and,
        "or": np.bitwise_or,
        "xor": np.bitwise_xor,
    }[op]

    @given(integers(n), integers(n))
    def check(a, b):
        unsigned = NP_INT["u", n]
        with np.errstate(all="ignore"):
            assert NUMERICS[f"i{n}.{op}"](a, b) == int(numpy(unsigned(a), unsigned(b)))

    check()


@pytest.mark.parametrize("n", [32, 64])
def test_division_and_remainder_by_the_book(n):
    def signed(a):
        return a - (1 << n) if a >> (n - 1) else a

    @given(integers(n), integers(n))
    def check(a, b):
        if b == 0:
            for op in ("div_s", "div_u", "rem_s", "rem_u"):
                with pytest.raises(Trap, match="integer divide by zero"):
                    NUMERICS[f"i{n}.{op}"](a, b)
            return
        assert NUMERICS[f"i{n}.div_u"](a, b) == a // b
        assert NUMERICS[f"i{n}.rem_u"](a, b) == a % b
        quotient = math.trunc(Fraction(signed(a), signed(b)))
        assert NUMERICS[f"i{n}.rem_s"](a, b) == (signed(a) - quotient * signed(b)) & MASK[n]
        if quotient == 1 << (n - 1):
            with pytest.raises(Trap, match="integer overflow"):
                NUMERICS[f"i{n}.div_s"](a, b)
        else:
            assert NUMERICS[f"i{n}.div_s"](a, b) == quotient & MASK[n]

    check()


@pytest.mark.parametrize("n", [32, 64])
def test_bits_as_strings(n):
    """Shifts, rotations and counts, said with the string of binary digits."""

    @given(integers(n), integers(n))
    def check(a, b):
        digits, k = f"{a:0{n}b}", b % n
        said = {
            "shl": digits[k:] + "0" * k,
            "shr_u": "0" * k + digits[: n - k],
            "shr_s": digits[0] * k + digits[: n - k],
            "rotl": digits[k:] + digits[:k],
            "rotr": digits[n - k :] + digits[: n - k],
        }
        for op, expected in said.items():
            assert NUMERICS[f"i{n}.{op}"](a, b) == int(expected, 2), op
        assert NUMERICS[f"i{n}.clz"](a) == n - len(digits.lstrip("0"))
        assert NUMERICS[f"i{n}.ctz"](a) == n - len(digits.rstrip("0"))
        assert NUMERICS[f"i{n}.popcnt"](a) == digits.count("1")
        for width in (8, 16, 32)[: 2 if n == 32 else 3]:
            low = digits[n - width :]
            assert NUMERICS[f"i{n}.extend{width}_s"](a) == int(low[0] * (n - width) + low, 2)

    check()


@pytest.mark.parametrize("n", [32, 64])
def test_comparisons(n):
    @given(integers(n), integers(n))
    def check(a, b):
        for sign in "su":
            x, y = (NP_INT[sign, n](np.array([v], NP_INT["u", n]).view(NP_INT[sign, n])[0]) for v in (a, b))
            for op, expected in {"lt": x < y, "gt": x > y, "le": x <= y, "ge": x >= y}.items():
                assert NUMERICS[f"i{n}.{op}_{sign}"](a, b) == int(expected)
        assert NUMERICS[f"i{n}.eq"](a, b) == int(a == b)
        assert NUMERICS[f"i{n}.ne"](a, b) == int(a != b)
        assert NUMERICS[f"i{n}.eqz"](a) == int(a == 0)

    check()


# -- floats ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("n", [32, 64])
@pytest.mark.parametrize("op", ["add", "sub", "mul", "div"])
def test_float_arithmetic_is_numpys_with_canonical_nans(n, op):
    numpy = {"add": np.add, "sub": np.subtract, "mul": np.multiply, "div": np.divide}[op]

    @given(floats(n), floats(n))
    def check(a, b):
        with np.errstate(all="ignore"):
            assert NUMERICS[f"f{n}.{op}"](a, b) == from_numpy(n, numpy(as_numpy(n, a), as_numpy(n, b)))

    check()


@pytest.mark.parametrize("n", [32, 64])
@pytest.mark.parametrize("op", ["sqrt", "ceil", "floor", "trunc", "nearest"])
def test_float_functions_are_numpys_with_canonical_nans(n, op):
    numpy = {"sqrt": np.sqrt, "ceil": np.ceil, "floor": np.floor, "trunc": np.trunc, "nearest": np.rint}[op]

    @given(floats(n))
    def check(a):
        with np.errstate(all="ignore"):
            assert NUMERICS[f"f{n}.{op}"](a) == from_numpy(n, numpy(as_numpy(n, a)))

    check()


@pytest.mark.parametrize("n", [32, 64])
def test_every_edge_with_every_edge(n):
    """The float operations on all pairs of edges, so that none depends on luck."""
    numpy = {"add": np.add, "sub": np.subtract, "mul": np.multiply, "div": np.divide}
    with np.errstate(all="ignore"):
        for a in EDGES_FLOAT[n]:
            for b in EDGES_FLOAT[n]:
                x, y = as_numpy(n, a), as_numpy(n, b)
                for op, function in numpy.items():
                    assert NUMERICS[f"f{n}.{op}"](a, b) == from_numpy(n, function(x, y)), (op, hex(a), hex(b))
                for op, expected in {
                    "lt": x < y,
                    "gt": x > y,
                    "le": x <= y,
                    "ge": x >= y,
                    "eq": x == y,
                    "ne": x != y,
                }.items():
                    assert NUMERICS[f"f{n}.{op}"](a, b) == int(expected), (op, hex(a), hex(b))
                assert_min_max(n, a, b)


def assert_min_max(n: int, a: int, b: int) -> None:
    value = f32_value if n == 32 else f64_value
    low, high = NUMERICS[f"f{n}.min"](a, b), NUMERICS[f"f{n}.max"](a, b)
    if math.isnan(value(a)) or math.isnan(value(b)):
        assert low == high == (NAN32 if n == 32 else NAN64)
        return
    order = sorted((a, b), key=lambda bits: (value(bits), math.copysign(1, value(bits))))
    assert [low, high] == order


@pytest.mark.parametrize("n", [32, 64])
def test_sign_operations_keep_every_bit(n):
    sign = 1 << (n - 1)

    @given(floats(n), floats(n))
    def check(a, b):
        assert NUMERICS[f"f{n}.abs"](a) == a % sign
        assert NUMERICS[f"f{n}.neg"](a) == a ^ sign
        assert NUMERICS[f"f{n}.copysign"](a, b) == a % sign + (sign if b >= sign else 0)

    check()


# -- conversions ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("sign", ["s", "u"])
@pytest.mark.parametrize("n", [32, 64])
@pytest.mark.parametrize("width", [32, 64])
def test_float_to_integer(n, width, sign):
    low, high = (-(1 << (n - 1)), (1 << (n - 1)) - 1) if sign == "s" else (0, MASK[n])
    value = f32_value if width == 32 else f64_value
    trapping, saturating = NUMERICS[f"i{n}.trunc_f{width}_{sign}"], NUMERICS[f"i{n}.trunc_sat_f{width}_{sign}"]

    def check_one(a):
        x = value(a)
        if math.isnan(x):
            assert saturating(a) == 0
            with pytest.raises(Trap, match="invalid conversion to integer"):
                trapping(a)
        elif math.isinf(x) or not low <= math.trunc(x) <= high:
            assert saturating(a) == (high if x > 0 else low) & MASK[n]
            with pytest.raises(Trap, match="integer overflow"):
                trapping(a)
        else:
            assert trapping(a) == saturating(a) == math.trunc(x) & MASK[n]

    for edge in EDGES_FLOAT[width]:
        check_one(edge)
    given(floats(width))(check_one)()


def nearest(width: int, i: int) -> int:
    """The float nearest to an integer, ties to even, by comparing exact distances."""
    value, bits = (f32_value, f32_bits) if width == 32 else (f64_value, f64_bits)
    guess = bits(float(i)) & ~(1 << (width - 1))
    candidates = [b for b in (guess - 1, guess, guess + 1) if b >= 0 and math.isfinite(value(b))]
    best = min(candidates, key=lambda b: (abs(Fraction(value(b)) - abs(i)), b & 1))
    return best | (1 << (width - 1) if i < 0 else 0)


@pytest.mark.parametrize("sign", ["s", "u"])
@pytest.mark.parametrize("n", [32, 64])
@pytest.mark.parametrize("width", [32, 64])
def test_integer_to_float_rounds_once(n, width, sign):
    convert = NUMERICS[f"f{width}.convert_i{n}_{sign}"]

    def check_one(a):
        i = a - (1 << n) if sign == "s" and a >> (n - 1) else a
        assert convert(a) == nearest(width, i)

    for edge in [*EDGES_INT[n], *(((1 << k) + d) & MASK[n] for k in range(20, n) for d in (-1, 0, 1))]:
        check_one(edge)
    given(integers(n))(check_one)()


def test_the_way_through_double_would_round_twice():
    """The known counterexample: the double of this integer is a tie for f32, the integer is not."""
    i = 0x8000008000000001
    assert NUMERICS["f32.convert_i64_u"](i) == 0x5F000001
    assert f32_bits(float(i)) == 0x5F000000


@given(floats(64))
def test_demote(a):
    with np.errstate(all="ignore"):
        assert NUMERICS["f32.demote_f64"](a) == from_numpy(32, np.float32(as_numpy(64, a)))


@given(floats(32))
def test_promote(a):
    expected = NAN64 if math.isnan(f32_value(a)) else f64_bits(f32_value(a))
    assert NUMERICS["f64.promote_f32"](a) == expected


@given(integers(64))
def test_width_changes(a):
    assert NUMERICS["i32.wrap_i64"](a) == a % (1 << 32)
    low = a % (1 << 32)
    assert NUMERICS["i64.extend_i32_u"](low) == low
    assert NUMERICS["i64.extend_i32_s"](low) == (low - (1 << 32) if low >> 31 else low) & MASK[64]


@given(floats(32), floats(64))
def test_reinterpretation_keeps_signalling_nans(a, b):
    assert NUMERICS["i32.reinterpret_f32"](a) == NUMERICS["f32.reinterpret_i32"](a) == a
    assert NUMERICS["i64.reinterpret_f64"](b) == NUMERICS["f64.reinterpret_i64"](b) == b


# -- the C twins ----------------------------------------------------------------------------------------------------


def in_python(name: str, *operands: int) -> int | str:
    try:
        return NUMERICS[name](*operands)
    except Trap as trap:
        return trap.message


def in_c(name: str, *operands: int) -> int | str:
    result = _native.ffi.new("uint64_t *")
    trap = _native.lib.tm_numeric(BY_NAME[name].id, operands[0], operands[1] if len(operands) > 1 else 0, result)
    assert trap >= 0, "no C meaning"
    return list(TRAPS.values())[trap - 1] if trap else result[0]


def operands_of(type: str) -> tuple[list[int], st.SearchStrategy[int]]:
    n = int(type[1:])
    return (EDGES_INT[n], integers(n)) if type[0] == "i" else (EDGES_FLOAT[n], floats(n))


#: A reinterpretation is no code in C: the bits stay in their slot.
HAVE_CODE = sorted(name for name in NUMERICS if "reinterpret" not in name)


@pytest.mark.skipif(_native.lib is None, reason="this installation has no C extension")
@pytest.mark.parametrize("name", HAVE_CODE)
def test_c_and_python_agree_bit_for_bit(name):
    edges, strategies = zip(*map(operands_of, BY_NAME[name].params), strict=True)
    for operands in itertools.product(*edges):
        assert in_c(name, *operands) == in_python(name, *operands), operands

    @given(st.tuples(*strategies))
    def check(operands):
        assert in_c(name, *operands) == in_python(name, *operands)

    check()
