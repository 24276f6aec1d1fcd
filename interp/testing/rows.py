"""The rows of THE TABLE that random bodies are made of, by what they take and give."""

from __future__ import annotations

from interp.syntax.features import WASM_2, Feature
from interp.syntax.instructions import OPS, Op
from interp.syntax.types import F64, I32, I64, NUM_TYPES_BY_NAME, ValType

#: What random programs use.
RUNNABLE = WASM_2 | {Feature.WIDE_ARITHMETIC, Feature.THREADS, Feature.CUSTOM_PAGE_SIZES}


def _types(names: tuple[str, ...]) -> tuple[ValType, ...]:
    return tuple(I32 if name == "addr" else NUM_TYPES_BY_NAME[name] for name in names)


#: Plain rows: numeric instructions and memory accesses, with operands and results as types.
PLAIN = [
    (op, _types(op.params), _types(op.results))
    for op in OPS
    if op.feature in RUNNABLE
    and op.params is not None
    and op.results is not None
    and not any(kind in ("data", "i32", "i64", "f32", "f64", "v128") for kind in op.immediates)
    and op.name not in ("memory.copy", "nop")
]
BY_RESULT: dict[ValType, list[tuple[Op, tuple[ValType, ...]]]] = {}
for _op, _takes, _gives in PLAIN:
    if len(_gives) == 1 and _op.immediates != ("mem",):
        BY_RESULT.setdefault(_gives[0], []).append((_op, _takes))
COMPARE = [(op, takes) for op, takes in BY_RESULT[I32] if op.group.startswith("Numeric instructions: comparisons")]
DIVIDES = frozenset(f"{t}.{op}_{s}" for t in ("i32", "i64") for op in ("div", "rem") for s in "su")
#: Instructions for the locals of a kernel: two of a type give one of it, and none traps.
BINARY: dict[ValType, list[str]] = {
    t: [op.name for op, takes in BY_RESULT[t] if takes == (t, t) and not op.immediates and op.name not in DIVIDES]
    for t in (I32, I64, F64)
}
WIDE = [(op, takes, gives) for op, takes, gives in PLAIN if len(gives) > 1]
ATOMIC = [(op, takes, gives) for op, takes, gives in PLAIN if op.atomic]
STORES = [(op, takes) for op, takes, gives in PLAIN if not gives and op.immediates and op.immediates != ("mem",)]
TRUNCATES = frozenset(op.name for op in OPS if ".trunc_f" in op.name)
