"""Vectors (specification 4.3.6 on, `vunop` to `vnarrow`): every vector instruction as a pure function on raw bits.

A v128 is an integer of 128 bits; lane 0 is its lowest part. Inside an operation the lanes are a numpy array of 16
bytes, or plain integers where that is clearer. Names of the table are `shape.operation`; an operation is written once
for all shapes, and the table says which shapes have it. Lane arithmetic that makes a NaN makes the canonical one.
Relaxed instructions take the choice of the deterministic profile: each is a strict one, or is made of strict ones.

`VECTORS` takes operands first, then immediates: `VECTORS["i8x16.replace_lane"](a, x, lane)`. Of memory instructions
`LOADED` has what becomes of the bits that were read; a lane is read into and written from by replace_lane and
extract_lane.

Legend: n width of a lane in bits, m mask of n ones, u and s the dtypes of unsigned and signed lanes, f of floats,
a b c operands as bits, x y z as lanes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from interp.syntax.instructions import BY_NAME

from .numerics import NAN32, NAN64

Vector = Callable[..., int]
Lanes = NDArray[Any]

ALL = (1 << 128) - 1
_SHAPES = {8: "i8x16", 16: "i16x8", 32: "i32x4", 64: "i64x2"}
_FLOAT_SHAPES = {32: "f32x4", 64: "f64x2"}


def lanes(a: int, dtype: str) -> Lanes:
    """The lanes of a vector, lane 0 first; `dtype` is little-endian numpy notation such as "<i2"."""
    return np.frombuffer(a.to_bytes(16, "little"), dtype)


def joined(x: Lanes) -> int:
    """The vector of lanes; fewer than 16 bytes are the low part, and the rest is zero."""
    return int.from_bytes(x.astype(x.dtype.newbyteorder("<"), copy=False).tobytes(), "little")


def lanewise(dtype: str, f: Callable[..., Lanes]) -> Vector:
    """A function on arrays of lanes as one on bits; lanes that are no float numbers are no reason for a warning."""

    def vector(*operands: int) -> int:
        with np.errstate(all="ignore"):
            return joined(f(*(lanes(a, dtype) for a in operands)))

    return vector


def _u(n: int) -> str:
    return f"<u{n // 8}"


def _s(n: int) -> str:
    return f"<i{n // 8}"


def _mask(truth: Lanes, n: int) -> Lanes:
    """Lanes of all ones where it is true."""
    mask: Lanes = np.negative(truth.astype(_s(n)))
    return mask


def _range(n: int, sign: str) -> tuple[int, int]:
    return (-(1 << (n - 1)), (1 << (n - 1)) - 1) if sign == "s" else (0, (1 << n) - 1)


def _saturated(x: Lanes, n: int, sign: str) -> Lanes:
    """Lanes of 64 bits clipped to the range of n bits."""
    low, high = _range(n, sign)
    return np.clip(x, low, high).astype(_s(n) if sign == "s" else _u(n))


# -- bits, lanes ----------------------------------------------------------------------------------------------------


def _bitwise() -> dict[str, Vector]:
    """The operations on 128 bits that know no lanes."""
    return {
        "v128.not": lambda a: a ^ ALL,
        "v128.and": lambda a, b: a & b,
        "v128.andnot": lambda a, b: a & (b ^ ALL),
        "v128.or": lambda a, b: a | b,
        "v128.xor": lambda a, b: a ^ b,
        "v128.bitselect": lambda a, b, c: a & c | b & (c ^ ALL),
        "v128.any_true": lambda a: 1 if a else 0,
    }


def _access(n: int) -> dict[str, Vector]:
    """Splat, extract_lane and replace_lane; a lane is chosen by the last argument."""
    m, ones = (1 << n) - 1, sum(1 << at for at in range(0, 128, n))

    def extract(a: int, lane: int) -> int:
        return a >> n * lane & m

    def extract_s(a: int, lane: int) -> int:
        top = 1 << (n - 1)
        return ((extract(a, lane) ^ top) - top) & 0xFFFFFFFF

    def replace(a: int, x: int, lane: int) -> int:
        return a & ~(m << n * lane) | (x & m) << n * lane

    return {
        "splat": lambda x: (x & m) * ones,
        "extract_lane": extract,
        "extract_lane_u": extract,
        "extract_lane_s": extract_s,
        "replace_lane": replace,
    }


def _shuffle(a: int, b: int, chosen: tuple[int, ...]) -> int:
    both = a.to_bytes(16, "little") + b.to_bytes(16, "little")
    return int.from_bytes(bytes(both[i] for i in chosen), "little")


def _swizzle(a: int, b: int) -> int:
    from_ = a.to_bytes(16, "little")
    return int.from_bytes(bytes(from_[i] if i < 16 else 0 for i in b.to_bytes(16, "little")), "little")


# -- integers -------------------------------------------------------------------------------------------------------


def _comparisons(n: int) -> dict[str, Vector]:
    made: dict[str, Vector] = {}
    for name, f in {"eq": np.equal, "ne": np.not_equal}.items():
        made[name] = lanewise(_u(n), lambda x, y, f=f: _mask(f(x, y), n))
    for name, f in {"lt": np.less, "gt": np.greater, "le": np.less_equal, "ge": np.greater_equal}.items():
        made[f"{name}_s"] = lanewise(_s(n), lambda x, y, f=f: _mask(f(x, y), n))
        made[f"{name}_u"] = lanewise(_u(n), lambda x, y, f=f: _mask(f(x, y), n))
    return made


def _shifts(n: int) -> dict[str, Vector]:
    """Shifts of every lane by one count, modulo the lane's width."""

    def shift(dtype: str, f: Callable[..., Lanes]) -> Vector:
        return lambda a, count: joined(f(lanes(a, dtype), np.array(count % n, dtype)))

    return {
        "shl": shift(_u(n), np.left_shift),
        "shr_s": shift(_s(n), np.right_shift),
        "shr_u": shift(_u(n), np.right_shift),
    }


def _saturating(n: int, sign: str) -> dict[str, Vector]:
    dtype = _s(n) if sign == "s" else _u(n)

    def wide(f: Callable[..., Lanes]) -> Vector:
        return lanewise(dtype, lambda x, y: _saturated(f(x.astype("i8"), y.astype("i8")), n, sign))

    return {f"add_sat_{sign}": wide(np.add), f"sub_sat_{sign}": wide(np.subtract)}


def _q15mulr(x: Lanes, y: Lanes) -> Lanes:
    """Product of two fractions of 15 bits, rounded to nearest; only -1 times -1 needs the saturation."""
    return _saturated(x.astype("i8") * y.astype("i8") + 0x4000 >> 15, 16, "s")


def _average(x: Lanes, y: Lanes) -> Lanes:
    """Mean of unsigned lanes, halves up."""
    mean: Lanes = x.astype("i8") + y.astype("i8") + 1 >> 1
    return mean.astype(x.dtype)


def _popcnt(a: int) -> int:
    return int.from_bytes(bytes(byte.bit_count() for byte in a.to_bytes(16, "little")), "little")


def _bitmask(n: int) -> Vector:
    return lambda a: sum((a >> at + n - 1 & 1) << at // n for at in range(0, 128, n))


def _integer(n: int) -> dict[str, Vector]:
    """The operations on integer lanes of n bits that stay in their shape."""
    u, s = _u(n), _s(n)
    return {
        **_access(n),
        **_comparisons(n),
        **_shifts(n),
        **_saturating(n, "s"),
        **_saturating(n, "u"),
        "add": lanewise(u, np.add),
        "sub": lanewise(u, np.subtract),
        "mul": lanewise(u, np.multiply),
        "neg": lanewise(u, np.negative),
        "abs": lanewise(s, np.abs),
        "min_s": lanewise(s, np.minimum),
        "min_u": lanewise(u, np.minimum),
        "max_s": lanewise(s, np.maximum),
        "max_u": lanewise(u, np.maximum),
        "avgr_u": lanewise(u, _average),
        "popcnt": _popcnt,
        "q15mulr_sat_s": lanewise(s, _q15mulr),
        "all_true": lambda a: int(lanes(a, u).all()),
        "bitmask": _bitmask(n),
        "shuffle": _shuffle,
        "swizzle": _swizzle,
    }


def _widening(n: int, sign: str) -> dict[str, Vector]:
    """From lanes of n bits to half as many of twice the width: the names of the wider shape."""
    narrow, wide = (_s(n), _s(2 * n)) if sign == "s" else (_u(n), _u(2 * n))
    half = 64 // n
    made: dict[str, Vector] = {}
    for which, part in {"low": slice(0, half), "high": slice(half, None)}.items():

        def extend(x: Lanes, part: slice = part) -> Lanes:
            return x[part].astype(wide)

        made[f"extend_{which}_{_SHAPES[n]}_{sign}"] = lanewise(narrow, extend)
        made[f"extmul_{which}_{_SHAPES[n]}_{sign}"] = lanewise(narrow, lambda x, y, e=extend: e(x) * e(y))
    made[f"extadd_pairwise_{_SHAPES[n]}_{sign}"] = lanewise(narrow, lambda x: _pairs(x.astype(wide)))
    return made


def _pairs(x: Lanes) -> Lanes:
    """Sums of neighbours."""
    return x[0::2] + x[1::2]


def _dot(x: Lanes, y: Lanes) -> Lanes:
    return _pairs(x.astype("<i4") * y.astype("<i4"))


def _narrow(n: int, sign: str) -> Vector:
    """From signed lanes of twice the width to lanes of n bits, saturated: those of the first operand, then the others.

    Both kinds read signed lanes.
    """
    return lanewise(_s(2 * n), lambda x, y: _saturated(np.concatenate((x, y)).astype("i8"), n, sign))


# -- floats ---------------------------------------------------------------------------------------------------------


def _float(n: int) -> dict[str, Vector]:
    """The operations of lanes that are floats of n bits."""
    f, u = f"<f{n // 8}", _u(n)
    nan = NAN32 if n == 32 else NAN64
    sign = int(_access(n)["splat"](1 << (n - 1)))

    def bits(x: Lanes) -> Lanes:
        return x.view(u)

    def canonical(x: Lanes) -> Lanes:
        return np.where(np.isnan(x), np.array(nan, u), bits(x.astype(f, copy=False)))

    def arithmetic(g: Callable[..., Lanes]) -> Vector:
        return lanewise(f, lambda *x: canonical(g(*x)))

    def integral(g: Callable[[Lanes], Lanes]) -> Vector:
        return arithmetic(lambda x: np.copysign(g(x), x))  # what rounds to zero keeps its sign

    def minimum(x: Lanes, y: Lanes) -> Lanes:
        equal = bits(x) | bits(y)  # equal bits, or two zeros: the negative one is smaller
        return _unless_nan(x, y, np.where(x == y, equal, np.where(x < y, bits(x), bits(y))))

    def maximum(x: Lanes, y: Lanes) -> Lanes:
        equal = bits(x) & bits(y)
        return _unless_nan(x, y, np.where(x == y, equal, np.where(x > y, bits(x), bits(y))))

    def _unless_nan(x: Lanes, y: Lanes, otherwise: Lanes) -> Lanes:
        return np.where(np.isnan(x) | np.isnan(y), np.array(nan, u), otherwise)

    def comparison(g: Callable[..., Lanes]) -> Vector:
        return lanewise(f, lambda x, y: _mask(g(x, y), n))

    return {
        **_access(n),
        "add": arithmetic(np.add),
        "sub": arithmetic(np.subtract),
        "mul": arithmetic(np.multiply),
        "div": arithmetic(np.divide),
        "sqrt": arithmetic(np.sqrt),
        "ceil": integral(np.ceil),
        "floor": integral(np.floor),
        "trunc": integral(np.trunc),
        "nearest": integral(np.rint),
        "min": lanewise(f, minimum),
        "max": lanewise(f, maximum),
        # These two are selections, so a NaN passes as it is.
        "pmin": lanewise(f, lambda x, y: np.where(y < x, bits(y), bits(x))),
        "pmax": lanewise(f, lambda x, y: np.where(x < y, bits(y), bits(x))),
        "abs": lambda a: a & ~sign,
        "neg": lambda a: a ^ sign,
        "eq": comparison(np.equal),
        "ne": comparison(np.not_equal),
        "lt": comparison(np.less),
        "gt": comparison(np.greater),
        "le": comparison(np.less_equal),
        "ge": comparison(np.greater_equal),
    }


def _trunc_sat(sign: str) -> Callable[[Lanes], Lanes]:
    """Floats to integers of 32 bits; NaN is 0, and what is too large the largest."""

    low, high = map(float, _range(32, sign))  # a double holds both exactly

    def trunc_sat(x: Lanes) -> Lanes:
        whole = np.where(np.isnan(x), 0.0, np.trunc(x.astype("f8")))
        return np.clip(whole, low, high).astype("i8").astype("<u4")

    return trunc_sat


def _convert(x: Lanes) -> Lanes:
    return x.astype("<f4")


def _convert_low(x: Lanes) -> Lanes:
    return x[:2].astype("<f8")


def _other_width(x: Lanes) -> Lanes:
    """The two low lanes as floats of the other width."""
    wide = x.dtype.itemsize == 8
    y = x[:2].astype("<f4" if wide else "<f8")
    return np.where(np.isnan(y), np.array(NAN32 if wide else NAN64, f"<u{y.itemsize}"), y.view(f"<u{y.itemsize}"))


def _conversions() -> dict[str, Vector]:
    made = {
        "f32x4.demote_f64x2_zero": lanewise("<f8", _other_width),
        "f64x2.promote_low_f32x4": lanewise("<f4", _other_width),
    }
    for sign, dtype in (("s", "<i4"), ("u", "<u4")):
        made[f"i32x4.trunc_sat_f32x4_{sign}"] = lanewise("<f4", _trunc_sat(sign))
        made[f"i32x4.trunc_sat_f64x2_{sign}_zero"] = lanewise("<f8", _trunc_sat(sign))
        made[f"f32x4.convert_i32x4_{sign}"] = lanewise(dtype, _convert)
        made[f"f64x2.convert_low_i32x4_{sign}"] = lanewise(dtype, _convert_low)
    return made


# -- the table ------------------------------------------------------------------------------------------------------


def _strict() -> dict[str, Vector]:
    made = {**_bitwise(), **_conversions(), "i32x4.dot_i16x8_s": lanewise("<i2", _dot)}
    for n, shape in _SHAPES.items():
        operations = _integer(n)
        if n < 64:
            operations |= {f"narrow_{_SHAPES[2 * n]}_{sign}": _narrow(n, sign) for sign in "su"}
        if n > 8:
            operations |= _widening(n // 2, "s") | _widening(n // 2, "u")
        made |= {f"{shape}.{name}": f for name, f in operations.items()}
    for n, shape in _FLOAT_SHAPES.items():
        made |= {f"{shape}.{name}": f for name, f in _float(n).items()}
    return made


#: A relaxed instruction to the strict one that the deterministic profile makes it.
RELAXED = {
    "i8x16.relaxed_swizzle": "i8x16.swizzle",
    "i16x8.relaxed_q15mulr_s": "i16x8.q15mulr_sat_s",
    **{f"{shape}.relaxed_laneselect": "v128.bitselect" for shape in _SHAPES.values()},
    **{f"{shape}.relaxed_{which}": f"{shape}.{which}" for shape in _FLOAT_SHAPES.values() for which in ("min", "max")},
    **{f"i32x4.relaxed_trunc_{tail}": f"i32x4.trunc_sat_{tail}" for tail in ("f32x4_s", "f32x4_u")},
    **{f"i32x4.relaxed_trunc_{tail}": f"i32x4.trunc_sat_{tail}" for tail in ("f64x2_s_zero", "f64x2_u_zero")},
}


def _relaxed(strict: dict[str, Vector]) -> dict[str, Vector]:
    made = {name: strict[same] for name, same in RELAXED.items()}
    for shape in _FLOAT_SHAPES.values():
        add, mul, neg = (strict[f"{shape}.{name}"] for name in ("add", "mul", "neg"))
        madd = _unfused(add, mul)
        made[f"{shape}.relaxed_madd"] = madd
        made[f"{shape}.relaxed_nmadd"] = lambda a, b, c, madd=madd, neg=neg: madd(neg(a), b, c)

    dot = lanewise("<i1", _dot_saturated)
    pairs, add = strict["i32x4.extadd_pairwise_i16x8_s"], strict["i32x4.add"]
    made["i16x8.relaxed_dot_i8x16_i7x16_s"] = dot
    made["i32x4.relaxed_dot_i8x16_i7x16_add_s"] = lambda a, b, c: add(pairs(dot(a, b)), c)
    return made


def _unfused(add: Vector, mul: Vector) -> Vector:
    return lambda a, b, c: add(mul(a, b), c)


def _dot_saturated(x: Lanes, y: Lanes) -> Lanes:
    """Both operands signed, and the sum of two products saturated: two times -128 times -128 needs it."""
    return _saturated(_pairs(x.astype("i8") * y.astype("i8")), 16, "s")


def _all() -> dict[str, Vector]:
    strict = _strict()
    return {name: f for name, f in (strict | _relaxed(strict)).items() if name in BY_NAME}


#: Instruction name to its meaning: operands, then immediates, to raw bits.
VECTORS: dict[str, Vector] = _all()


def _loaded() -> dict[str, Vector]:
    made: dict[str, Vector] = {"v128.load": lambda raw: raw}
    for n in (8, 16, 32, 64):
        made[f"v128.load{n}_splat"] = VECTORS[f"{_SHAPES[n]}.splat"]
    for n in (32, 64):
        made[f"v128.load{n}_zero"] = lambda raw: raw
    for n in (8, 16, 32):
        for sign in "su":
            extend = f"{_SHAPES[2 * n]}.extend_low_{_SHAPES[n]}_{sign}"
            made[f"v128.load{n}x{64 // n}_{sign}"] = VECTORS[extend]
    return made


#: Name of a load to the vector that the bits read from memory become.
LOADED: dict[str, Vector] = _loaded()
#: Shape of the lanes that `v128.loadN_lane` and `v128.storeN_lane` read and write, by N.
LANE_SHAPES: dict[int, str] = _SHAPES
