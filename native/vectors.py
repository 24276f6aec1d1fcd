"""The C meaning of every vector instruction: operand types, and one expression of a, b and c (helpers: vectors.h).

An operand type is a C vector type (`hi:` before a half: the upper one), or i32 or i64 for a scalar's bits. The result
has the row's type: 16 bytes of whatever lanes for a v128.
"""

from __future__ import annotations

#: Integer shape to (lane bits, lanes).
_INTEGERS = {"i8x16": (8, 16), "i16x8": (16, 8), "i32x4": (32, 4), "i64x2": (64, 2)}
_FLOATS = {"f32x4": 32, "f64x2": 64}

#: Every integer shape: $U unsigned and $S signed vectors, $E the unsigned lane, $M its bits less one, $T the shape.
_INTEGER_ROWS = {
    "splat": ("$N", "($U){0} + ($E)a"),
    "eq": ("$U $U", "a == b"),
    "ne": ("$U $U", "a != b"),
    "lt_s": ("$S $S", "a < b"),
    "lt_u": ("$U $U", "a < b"),
    "gt_s": ("$S $S", "a > b"),
    "gt_u": ("$U $U", "a > b"),
    "le_s": ("$S $S", "a <= b"),
    "le_u": ("$U $U", "a <= b"),
    "ge_s": ("$S $S", "a >= b"),
    "ge_u": ("$U $U", "a >= b"),
    "abs": ("$S", "(($U)a ^ ($U)(a >> $M)) - ($U)(a >> $M)"),
    "neg": ("$U", "-a"),
    "all_true": ("u64x2", "tm_all_true_$T(a)"),
    "bitmask": ("u64x2", "tm_bitmask_$T(a)"),
    "shl": ("$U i32", "a << ($E)(b & $M)"),
    "shr_s": ("$S i32", "a >> ($E_S)(b & $M)"),
    "shr_u": ("$U i32", "a >> ($E)(b & $M)"),
    "add": ("$U $U", "a + b"),
    "sub": ("$U $U", "a - b"),
    "mul": ("$U $U", "a * b"),
    "add_sat_s": ("$U $U", "tm_add_sat_s_$T(a, b)"),
    "add_sat_u": ("$U $U", "(a + b) | ($U)(a + b < a)"),
    "sub_sat_s": ("$U $U", "tm_sub_sat_s_$T(a, b)"),
    "sub_sat_u": ("$U $U", "(a - b) & ($U)(a > b)"),
    "min_s": ("$S $S", "PICK(a < b, a, b)"),
    "min_u": ("$U $U", "PICK(a < b, a, b)"),
    "max_s": ("$S $S", "PICK(a > b, a, b)"),
    "max_u": ("$U $U", "PICK(a > b, a, b)"),
    "avgr_u": ("$U $U", "(a | b) - ((a ^ b) >> 1)"),
    "relaxed_laneselect": ("u64x2 u64x2 u64x2", "PICK(c, a, b)"),
}
#: From the shape of lanes half as wide ($n) to this one: its signed ($s) and unsigned ($u) halves, or lanes by twos.
_WIDENING_ROWS = {
    "extend_low_$n_s": ("$s", "CONV($S, a)"),
    "extend_high_$n_s": ("hi:$s", "CONV($S, a)"),
    "extend_low_$n_u": ("$u", "CONV($U, a)"),
    "extend_high_$n_u": ("hi:$u", "CONV($U, a)"),
    "extmul_low_$n_s": ("$s $s", "($U)CONV($S, a) * ($U)CONV($S, b)"),
    "extmul_high_$n_s": ("hi:$s hi:$s", "($U)CONV($S, a) * ($U)CONV($S, b)"),
    "extmul_low_$n_u": ("$u $u", "CONV($U, a) * CONV($U, b)"),
    "extmul_high_$n_u": ("hi:$u hi:$u", "CONV($U, a) * CONV($U, b)"),
    "extadd_pairwise_$n_s": ("$S", "($U)(($S)(($U)a << $H) >> $H) + ($U)(a >> $H)"),
    "extadd_pairwise_$n_u": ("$U", "(a << $H >> $H) + (a >> $H)"),
}
#: Both float shapes: $V.
_FLOAT_ROWS = {
    "splat": ("$N", "($U){0} + a"),
    "eq": ("$V $V", "a == b"),
    "ne": ("$V $V", "a != b"),
    "lt": ("$V $V", "a < b"),
    "gt": ("$V $V", "a > b"),
    "le": ("$V $V", "a <= b"),
    "ge": ("$V $V", "a >= b"),
    "abs": ("$U", "a & ~$G"),
    "neg": ("$U", "a ^ $G"),
    "ceil": ("$V", "tm_ceil_$V(a)"),
    "floor": ("$V", "tm_floor_$V(a)"),
    "trunc": ("$V", "tm_trunc_$V(a)"),
    "nearest": ("$V", "tm_nearest_$V(a)"),
    "sqrt": ("$V", "tm_canon_$V(tm_sqrt_$V(a))"),
    "add": ("$V $V", "tm_canon_$V(a + b)"),
    "sub": ("$V $V", "tm_canon_$V(a - b)"),
    "mul": ("$V $V", "tm_canon_$V(a * b)"),
    "div": ("$V $V", "tm_canon_$V(a / b)"),
    "min": ("$V $V", "tm_min_$V(a, b)"),
    "max": ("$V $V", "tm_max_$V(a, b)"),
    "pmin": ("$V $V", "PICK(b < a, b, a)"),
    "pmax": ("$V $V", "PICK(a < b, b, a)"),
    # the deterministic choices: not fused, and the strict minimum and maximum
    "relaxed_madd": ("$V $V $V", "tm_canon_$V(a * b + c)"),
    "relaxed_nmadd": ("$V $V $V", "tm_canon_$V(-a * b + c)"),
    "relaxed_min": ("$V $V", "tm_min_$V(a, b)"),
    "relaxed_max": ("$V $V", "tm_max_$V(a, b)"),
}
_ROWS = {
    "v128.not": ("u64x2", "~a"),
    "v128.and": ("u64x2 u64x2", "a & b"),
    "v128.andnot": ("u64x2 u64x2", "a & ~b"),
    "v128.or": ("u64x2 u64x2", "a | b"),
    "v128.xor": ("u64x2 u64x2", "a ^ b"),
    "v128.bitselect": ("u64x2 u64x2 u64x2", "PICK(c, a, b)"),
    "v128.any_true": ("u64x2", "tm_any_true(a)"),
    "i8x16.shuffle": ("", "SHUFFLE(B, C, ip + 2)"),
    "i8x16.swizzle": ("", "SWIZZLE(B, C)"),
    "i8x16.relaxed_swizzle": ("", "SWIZZLE(B, C)"),
    "i8x16.popcnt": ("u8x16", "tm_popcnt_i8x16(a)"),
    "i8x16.narrow_i16x8_s": ("i16x8 i16x8", "NARROW(i8x8, tm_clamp_i16x8, -128, 127)"),
    "i8x16.narrow_i16x8_u": ("i16x8 i16x8", "NARROW(u8x8, tm_clamp_i16x8, 0, 255)"),
    "i16x8.narrow_i32x4_s": ("i32x4 i32x4", "NARROW(i16x4, tm_clamp_i32x4, -32768, 32767)"),
    "i16x8.narrow_i32x4_u": ("i32x4 i32x4", "NARROW(u16x4, tm_clamp_i32x4, 0, 65535)"),
    "i16x8.q15mulr_sat_s": ("i32x4 i32x4", "tm_q15mulr(a, b)"),
    "i16x8.relaxed_q15mulr_s": ("i32x4 i32x4", "tm_q15mulr(a, b)"),
    "i32x4.dot_i16x8_s": ("i32x4 i32x4", "tm_dot(a, b)"),
    "i16x8.relaxed_dot_i8x16_i7x16_s": ("i16x8 i16x8", "tm_dot_bytes(a, b)"),
    "i32x4.relaxed_dot_i8x16_i7x16_add_s": (
        "i16x8 i16x8 u32x4",
        "({ i32x4 d = (i32x4)tm_dot_bytes(a, b); (u32x4)tm_even(d) + (u32x4)tm_odd(d) + c; })",
    ),
    "f32x4.demote_f64x2_zero": ("f64x2", "tm_canon_f32x4((f32x4){(float)a[0], (float)a[1], 0, 0})"),
    "f64x2.promote_low_f32x4": ("f32x2", "tm_canon_f64x2(EACH2(f64x2, (double), a))"),
    "f32x4.convert_i32x4_s": ("i32x4", "EACH4(f32x4, (float), a)"),
    "f32x4.convert_i32x4_u": ("u32x4", "EACH4(f32x4, (float), a)"),
    "f64x2.convert_low_i32x4_s": ("i32x2", "EACH2(f64x2, (double), a)"),
    "f64x2.convert_low_i32x4_u": ("u32x2", "EACH2(f64x2, (double), a)"),
}
_TRUNCATIONS = {
    "f32x4_s": ("f32x4", "EACH4(i32x4, tm_sat_i32_s_f32, a)"),
    "f32x4_u": ("f32x4", "EACH4(u32x4, tm_sat_i32_u_f32, a)"),
    "f64x2_s_zero": ("f64x2", "((i32x4){tm_sat_i32_s_f64(a[0]), tm_sat_i32_s_f64(a[1]), 0, 0})"),
    "f64x2_u_zero": ("f64x2", "((u32x4){tm_sat_i32_u_f64(a[0]), tm_sat_i32_u_f64(a[1]), 0, 0})"),
}


def _filled(rows: dict[str, tuple[str, str]], head: str, words: dict[str, str]) -> dict[str, tuple[str, str]]:
    out = {}
    for row in rows.items():
        name, types, text = row[0], *row[1]
        for key, value in words.items():
            name, types, text = (part.replace(key, value) for part in (name, types, text))
        out[f"{head}.{name}"] = (types, text)
    return out


def _meanings() -> dict[str, tuple[str, str]]:
    out = dict(_ROWS)
    for tail, row in _TRUNCATIONS.items():
        out[f"i32x4.trunc_sat_{tail}"] = out[f"i32x4.relaxed_trunc_{tail}"] = row
    for shape, (bits, lanes) in _INTEGERS.items():
        words = {
            "$U": f"u{bits}x{lanes}", "$S": f"i{bits}x{lanes}", "$E_S": f"int{bits}_t", "$E": f"uint{bits}_t",
            "$M": str(bits - 1), "$N": "i64" if bits == 64 else "i32", "$T": shape,
            "$H": str(bits // 2), "$n": f"i{bits // 2}x{lanes * 2}", "$s": f"i{bits // 2}x{lanes}",
            "$u": f"u{bits // 2}x{lanes}",
        }  # fmt: skip
        out |= _filled(_INTEGER_ROWS, shape, words)
        if bits > 8:
            out |= _filled(_WIDENING_ROWS, shape, words)
    for shape, bits in _FLOATS.items():
        words = {
            "$V": shape, "$U": f"u{shape[1:]}", "$G": f"((uint{bits}_t)1 << {bits - 1})", "$N": f"i{bits}",
        }  # fmt: skip
        out |= _filled(_FLOAT_ROWS, shape, words)
    return out


#: Name to (operand types, expression). Not every combination of shape and row is an instruction.
VECTORS: dict[str, tuple[str, str]] = _meanings()


def _lanes() -> tuple[dict[str, tuple[str, str]], dict[str, str]]:
    extract = {
        "i8x16.extract_lane_s": ("int8_t", "i32"),
        "i8x16.extract_lane_u": ("uint8_t", "i32"),
        "i16x8.extract_lane_s": ("int16_t", "i32"),
        "i16x8.extract_lane_u": ("uint16_t", "i32"),
    }
    replace = {}
    for shape, lane, scalar in (
        ("i8x16", "uint8_t", ""), ("i16x8", "uint16_t", ""), ("i32x4", "uint32_t", "i32"),
        ("i64x2", "uint64_t", "i64"), ("f32x4", "uint32_t", "i32"), ("f64x2", "uint64_t", "i64"),
    ):  # fmt: skip
        if scalar:
            extract[f"{shape}.extract_lane"] = (lane, scalar)
        replace[f"{shape}.replace_lane"] = lane
    return extract, replace


#: Lanes as C types: extract to (lane, how the cell is written), replace to the lane.
EXTRACT, REPLACE = _lanes()


def _loads() -> dict[str, tuple[str, str]]:
    out = {"v128.load": ("u64x2", "m"), "v128.load32_zero": ("uint32_t", "((u64x2){m, 0})")}
    out["v128.load64_zero"] = ("uint64_t", "((u64x2){m, 0})")
    for bits, lanes in ((8, 8), (16, 4), (32, 2)):
        out[f"v128.load{bits}x{lanes}_s"] = (f"i{bits}x{lanes}", f"CONV(i{2 * bits}x{lanes}, m)")
        out[f"v128.load{bits}x{lanes}_u"] = (f"u{bits}x{lanes}", f"CONV(u{2 * bits}x{lanes}, m)")
    for bits in (8, 16, 32, 64):
        out[f"v128.load{bits}_splat"] = (f"uint{bits}_t", f"((u{bits}x{128 // bits}){{0}} + m)")
    return out


#: Loads: C type in memory, expression of m. Vectors in memory have a type that needs no alignment.
LOADS = _loads()
LOAD_LANES = {f"v128.load{bits}_lane": f"uint{bits}_t" for bits in (8, 16, 32, 64)}
STORE_LANES = {f"v128.store{bits}_lane": f"uint{bits}_t" for bits in (8, 16, 32, 64)}
