"""The C meaning of every plain instruction that the native engine runs: one expression of a (and b).

Operands have the C type of their Wasm type: i32 uint32_t, i64 uint64_t, f32 float, f64 double. `TRAP(name)` leaves with
a row of TRAPS. Names with `bits` work on the bit pattern of a float, so payloads stay. Helpers are in numerics.h.
"""

from __future__ import annotations

_INT_BINARY = {
    "add": "a + b",
    "sub": "a - b",
    "mul": "a * b",
    "div_s": "({ if (unlikely(b == 0)) TRAP(divide_by_zero);"
    " if (unlikely(a == $LEAST && b == ($U)-1)) TRAP(integer_overflow); ($U)(($S)a / ($S)b); })",
    "div_u": "({ if (unlikely(b == 0)) TRAP(divide_by_zero); a / b; })",
    "rem_s": "({ if (unlikely(b == 0)) TRAP(divide_by_zero); b == ($U)-1 ? 0 : ($U)(($S)a % ($S)b); })",
    "rem_u": "({ if (unlikely(b == 0)) TRAP(divide_by_zero); a % b; })",
    "and": "a & b",
    "or": "a | b",
    "xor": "a ^ b",
    "shl": "a << (b & $M)",
    "shr_s": "($U)(($S)a >> (b & $M))",
    "shr_u": "a >> (b & $M)",
    "rotl": "(a << (b & $M)) | (a >> (-b & $M))",
    "rotr": "(a >> (b & $M)) | (a << (-b & $M))",
}
_INT_COMPARE = {
    "eq": "a == b",
    "ne": "a != b",
    "lt_s": "($S)a < ($S)b",
    "lt_u": "a < b",
    "gt_s": "($S)a > ($S)b",
    "gt_u": "a > b",
    "le_s": "($S)a <= ($S)b",
    "le_u": "a <= b",
    "ge_s": "($S)a >= ($S)b",
    "ge_u": "a >= b",
}
_FLOAT_COMPARE = {"eq": "a == b", "ne": "a != b", "lt": "a < b", "gt": "a > b", "le": "a <= b", "ge": "a >= b"}

#: What is tested the other way round, and with the operands changed; only integers have exact inverses.
INVERSE = {"eq": "ne", "lt_s": "ge_s", "lt_u": "ge_u", "gt_s": "le_s", "gt_u": "le_u"}
INVERSE |= {v: k for k, v in INVERSE.items()}
SWAPPED = {
    "eq": "eq",
    "ne": "ne",
    "lt_s": "gt_s",
    "lt_u": "gt_u",
    "le_s": "ge_s",
    "le_u": "ge_u",
    "lt": "gt",
    "le": "ge",
}
SWAPPED |= {v: k for k, v in SWAPPED.items()}
COMMUTATIVE = {"add", "mul", "and", "or", "xor"}


def _integers() -> dict[str, str]:
    rows = {}
    for t, bits in (("i32", 32), ("i64", 64)):
        fill = {
            "$U": f"uint{bits}_t",
            "$S": f"int{bits}_t",
            "$M": str(bits - 1),
            "$LEAST": f"((uint{bits}_t)1 << {bits - 1})",
        }
        for name, text in {**_INT_BINARY, **_INT_COMPARE}.items():
            for key, value in fill.items():
                text = text.replace(key, value)
            rows[f"{t}.{name}"] = text
        rows[f"{t}.eqz"] = "a == 0"
        rows[f"{t}.clz"] = f"tm_clz{bits}(a)"
        rows[f"{t}.ctz"] = f"tm_ctz{bits}(a)"
        rows[f"{t}.popcnt"] = f"tm_popcnt{bits}(a)"
    rows["i32.wrap_i64"] = "(uint32_t)a"
    rows["i64.extend_i32_s"] = "(uint64_t)(int64_t)(int32_t)a"
    rows["i64.extend_i32_u"] = "(uint64_t)a"
    for t, width in (("i32", 8), ("i32", 16), ("i64", 8), ("i64", 16), ("i64", 32)):
        rows[f"{t}.extend{width}_s"] = f"(uint{t[1:]}_t)(int{t[1:]}_t)(int{width}_t)a"
    return rows


def _floats() -> dict[str, str]:
    rows = {}
    for t in ("f32", "f64"):
        for name, text in _FLOAT_COMPARE.items():
            rows[f"{t}.{name}"] = text
        for name, sign in (("add", "+"), ("sub", "-"), ("mul", "*"), ("div", "/")):
            rows[f"{t}.{name}"] = f"tm_canon_{t}(a {sign} b)"
        for name in ("min", "max"):
            rows[f"{t}.{name}"] = f"tm_{name}_{t}(a, b)"
        for name in ("ceil", "floor", "trunc", "nearest", "sqrt"):
            rows[f"{t}.{name}"] = f"tm_canon_{t}(tm_{name}_{t}(a))"
        for i in ("i32", "i64"):
            for sign in "su":
                rows[f"{i}.trunc_{t}_{sign}"] = (
                    f"({{ if (unlikely(a != a)) TRAP(invalid_conversion);"
                    f" if (unlikely(!tm_fits_{i}_{sign}_{t}(a))) TRAP(integer_overflow); tm_to_{i}_{sign}_{t}(a); }})"
                )
                rows[f"{i}.trunc_sat_{t}_{sign}"] = f"tm_sat_{i}_{sign}_{t}(a)"
                c = {"s": f"(int{i[1:]}_t)a", "u": "a"}[sign]
                rows[f"{t}.convert_{i}_{sign}"] = f"({'float' if t == 'f32' else 'double'})({c})"
    rows["f32.demote_f64"] = "tm_canon_f32((float)a)"
    rows["f64.promote_f32"] = "tm_canon_f64((double)a)"
    return rows


MEANINGS: dict[str, str] = {**_integers(), **_floats()}

#: Instructions on the bit patterns of floats.
BITS: dict[str, str] = {
    "f32.abs": "a & 0x7FFFFFFFu",
    "f32.neg": "a ^ 0x80000000u",
    "f32.copysign": "(a & 0x7FFFFFFFu) | (b & 0x80000000u)",
    "f64.abs": "a & 0x7FFFFFFFFFFFFFFFull",
    "f64.neg": "a ^ 0x8000000000000000ull",
    "f64.copysign": "(a & 0x7FFFFFFFFFFFFFFFull) | (b & 0x8000000000000000ull)",
}
#: Reinterpretations change nothing in a cell: the lowering only renames the operand.
RENAMES = ("i32.reinterpret_f32", "i64.reinterpret_f64", "f32.reinterpret_i32", "f64.reinterpret_i64")

#: Instructions with two results, `lo` and `hi`, from numbers of 64 bits: one statement or two.
WIDE: dict[str, str] = {
    "i64.add128": "lo = a + c; hi = b + d + (lo < a);",
    "i64.sub128": "lo = a - c; hi = b - d - (a < c);",
    "i64.mul_wide_s": "lo = a * b; hi = tm_high_s64(a, b);",
    "i64.mul_wide_u": "lo = a * b; hi = tm_high_u64(a, b);",
}

#: What an atomic change puts into memory: of the old number `o` and the operand `v`, both of the access's width.
CHANGES: dict[str, str] = {
    "add": "o + v",
    "sub": "o - v",
    "and": "o & v",
    "or": "o | v",
    "xor": "o ^ v",
    "xchg": "v",
}

#: How a memory access reads or writes: C type in memory, C type of the value, Wasm type of the cell.
ACCESS: dict[str, tuple[str, str]] = {
    "i32.load": ("uint32_t", "uint32_t"),
    "i64.load": ("uint64_t", "uint64_t"),
    "f32.load": ("uint32_t", "uint32_t"),
    "f64.load": ("uint64_t", "uint64_t"),
    "i32.load8_s": ("int8_t", "uint32_t"),
    "i32.load8_u": ("uint8_t", "uint32_t"),
    "i32.load16_s": ("int16_t", "uint32_t"),
    "i32.load16_u": ("uint16_t", "uint32_t"),
    "i64.load8_s": ("int8_t", "uint64_t"),
    "i64.load8_u": ("uint8_t", "uint64_t"),
    "i64.load16_s": ("int16_t", "uint64_t"),
    "i64.load16_u": ("uint16_t", "uint64_t"),
    "i64.load32_s": ("int32_t", "uint64_t"),
    "i64.load32_u": ("uint32_t", "uint64_t"),
    "i32.store": ("uint32_t", "uint32_t"),
    "i64.store": ("uint64_t", "uint64_t"),
    "f32.store": ("uint32_t", "uint32_t"),
    "f64.store": ("uint64_t", "uint64_t"),
    "i32.store8": ("uint8_t", "uint32_t"),
    "i32.store16": ("uint16_t", "uint32_t"),
    "i64.store8": ("uint8_t", "uint64_t"),
    "i64.store16": ("uint16_t", "uint64_t"),
    "i64.store32": ("uint32_t", "uint64_t"),
}
