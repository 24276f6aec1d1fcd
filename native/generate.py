"""Writes the C that derives from the tables: opcodes, signatures, errors (tables.h) and the handlers (handlers.inc)."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import fuse
import meanings as m
import vectors as v
from handlers import CTYPE, REGISTERS, Handlers, Kinds
from handlers_moves import move_handlers
from handlers_objects import object_handlers, reference_handlers
from handlers_rows import class_of, row_handlers, vector_body

from interp.syntax.errors import BODY_ERRORS, TRAPS
from interp.syntax.features import Feature
from interp.syntax.instructions import OPS, Op

VALTYPE = {"i32": "T_I32", "addr": "T_ADDRESS", "i64": "T_I64", "f32": "T_F32", "f64": "T_F64", "v128": "T_V128"}
EXITS = (
    "RETURNED", "HOST_CALL", "TRAPPED", "EXHAUSTED", "SLICE", "SERVICE", "NO_MEMORY", "BAD_REFERENCE",
    "THROWN", "LANDED", "CAUGHT", "UNCAUGHT",
)  # fmt: skip
SERVICES = (
    "memory_grow", "memory_init", "memory_copy", "memory_fill", "data_drop", "table_init", "elem_drop", "table_copy",
    "table_grow", "table_fill", "throw_ref", "atomic_notify", "atomic_wait32", "atomic_wait64",
    "struct_new", "struct_new_default", "array_new", "array_new_default", "array_new_fixed", "array_new_data",
    "array_new_elem", "array_init_data", "array_init_elem", "array_fill", "array_copy",
)  # fmt: skip

#: Handlers written by hand in special.inc, in the same list so that they have numbers: name to size in words, 0 where
#: what follows is not the next word (calls, returns) or where the handler leaves.
SPECIAL = {
    "br": 3, "br_loop": 3, "call": 0, "call_import": 0, "call_indirect": 0, "ret0": 0,
    "retk": 0, "retn": 0, "moven": 2, "zero": 2, "unreachable": 0, "table_get": 3, "table_set": 3, "table_size": 3,
    "memory_size": 2, "memory_copy": 2, "memory_fill": 2, "service": 0, "ref_func": 3, "halt": 0,
    "use_memory": 2, "address": 3, "aligned_address": 3, "tail_call": 0, "tail_call_import": 0, "tail_call_indirect": 0,
    "enter": 0, "lower": 0, "throw": 0, "call_ref": 0, "tail_call_ref": 0,
    "struct_new": 5, "struct_new_default": 5, "array_new": 5, "array_new_default": 5, "array_new_fixed": 5,
    "array_fill": 5, "array_copy": 5,
    "v128_const": 4, "mov_v": 2, "select_v": 2, "global_get_v": 3, "global_set_v": 3,
}  # fmt: skip


def all_handlers() -> Handlers:
    """Every handler, the hand-written ones (without a body) first."""
    handlers = Handlers()
    for name, size in SPECIAL.items():
        handlers.add(name, size, "")
    move_handlers(handlers)
    reference_handlers(handlers)
    object_handlers(handlers)
    for op in OPS:
        row_handlers(handlers, op)
    return handlers


def _c_signature(op: Op) -> str:
    params = [VALTYPE[t] for t in op.params or ()] if all(t in VALTYPE for t in op.params or ()) else []
    results = [VALTYPE[t] for t in op.results or ()]
    if len(set(results)) > 1:
        raise ValueError(f"{op.name}: a row has results of one type")
    padded = (params + ["0"] * 4)[:4]
    return f"{len(params)}, {len(results)}, {{{', '.join(padded)}}}, {[*results, '0'][0]}"


def tables_h(handlers: Handlers) -> str:
    """Enumerations, as C."""
    out = [
        "/* Written by native/generate.py from the tables in interp/syntax. */",
        "#ifndef TAMIS_TABLES_H",
        "#define TAMIS_TABLES_H",
    ]

    def enum(prefix: str, names: Iterable[str]) -> None:
        out.append("enum { " + ", ".join(f"{prefix}{name}" for name in names) + f", {prefix}COUNT }};")

    enum("OP_", (op.ident for op in OPS))
    enum("E_", BODY_ERRORS)
    enum("TRAP_", TRAPS)
    enum("TM_EXIT_", EXITS)
    enum("SERVICE_", SERVICES)
    enum("H_", (name for name, _, _ in handlers.rows))
    enum("FEATURE_", (feature.name for feature in Feature))
    classes = ("SPECIAL", "UNARY", "BINARY", "COMPARE", "EQZ", "LOAD", "STORE", "CONST", "RENAME")
    enum("CLS_", (*classes, "VECTOR", "VECTOR_LOAD", "VECTOR_STORE", "WIDE", "ATOMIC", "OTHER"))
    kinds = sorted({"memarg", "lane", "lanes16", "v128", "mem", "zero"})
    enum("IMM_", ("none", *kinds, "memarg_lane", "i32", "i64", "f32", "f64", "other"))
    out.append("enum { " + ", ".join(f"REGISTERS_{c} = {n}" for c, n in REGISTERS.items()) + " };")
    out.append("enum { " + ", ".join(f"BASE_{name} = {base}" for name, base in handlers.bases.items()) + " };")
    out.append("#endif")
    return "\n".join(out) + "\n"


def _immediate(op: Op) -> str:
    if op.immediates == ("memarg", "lane"):
        return "memarg_lane"
    if not op.immediates:
        return "none"
    if len(op.immediates) == 1 and op.immediates[0] in (
        "memarg",
        "lane",
        "lanes16",
        "v128",
        "mem",
        "zero",
        "i32",
        "i64",
        "f32",
        "f64",
    ):
        return op.immediates[0]
    return "other"


def _indices(op: Op) -> str:
    """How many numbers follow the opcode, when nothing else does (flags of a cast are one, too)."""
    plain = (
        "castflags",
        "label",
        "func",
        "type",
        "table",
        "local",
        "global",
        "mem",
        "data",
        "elem",
        "tag",
        "field",
        "heap",
        "u32",
    )
    return str(len(op.immediates)) if all(kind in plain for kind in op.immediates) else "0xFF"


def ops_inc(handlers: Handlers) -> str:
    """The rows as initialisers of tm_ops with their handlers, and the maps from opcode to row."""
    out = ["/* Written by native/generate.py. */", "static const tm_op tm_ops[] = {"]
    for op in OPS:
        inverse = swapped = "0xFFFF"
        head, _, tail = op.name.partition(".")
        if class_of(op) == "COMPARE":
            swapped = f"OP_{head}_{m.SWAPPED[tail]}"
            if tail in m.INVERSE and head in ("i32", "i64"):
                inverse = f"OP_{head}_{m.INVERSE[tail]}"
        commutes = int(class_of(op) == "BINARY" and tail in m.COMMUTATIVE)
        k = handlers.kinds.get(op.name, Kinds())
        width = op.width.bit_length() - 1 if op.width else 0
        out.append(
            f"  {{CLS_{class_of(op)}, IMM_{_immediate(op)}, FEATURE_{op.feature.name}, {width}, {op.lanes},"
            f" {commutes}, {_c_signature(op)}, {inverse}, {swapped},"
            f" {k.base}, {k.branch}, {k.nd}, {k.na}, {k.nb}, {_indices(op)}}}, /* {op.name} */"
        )
    out.append("};")
    plain = {op.code: op for op in OPS if not op.prefix}
    out.append(
        "static const uint16_t tm_by_byte[256] = {"
        + ", ".join(str(plain[b].id + 1) if b in plain else "0" for b in range(256))
        + "};"
    )
    for prefix in sorted({op.prefix for op in OPS if op.prefix}):
        rows = {op.code: op for op in OPS if op.prefix == prefix}
        top = max(rows) + 1
        out.append(f"enum {{ PREFIX_{prefix:02X}_COUNT = {top} }};")
        out.append(
            f"static const uint16_t tm_by_{prefix:02X}[{top}] = {{"
            + ", ".join(str(rows[c].id + 1) if c in rows else "0" for c in range(top))
            + "};"
        )
    return "\n".join(out) + "\n"


def handlers_inc(handlers: Handlers) -> str:
    """The generated handlers."""
    lines = [
        "/* Written by native/generate.py: places S (slot), 0 to 3 (registers), K (constant), A (constant address). */"
    ]
    lines += [f"OP({name}, {body})" for name, _, body in handlers.rows if body]
    return "\n".join(lines) + "\n"


def list_inc(handlers: Handlers) -> str:
    """Every handler's name and size, for the table of addresses and the self-test."""
    return "\n".join(f"LIST({name}, {size})" for name, size, _ in handlers.rows) + "\n"


def numeric_inc() -> str:
    """One case per plain instruction, for comparing its meaning with the Python one."""
    out = []
    for op in OPS:
        if class_of(op) not in ("UNARY", "BINARY", "COMPARE", "EQZ"):
            continue
        bits = op.name in m.BITS
        text = m.BITS[op.name] if bits else m.MEANINGS[op.name]
        types = list(op.params or ())
        result = (op.results or ("",))[0]
        if bits:
            types = [{"f32": "i32", "f64": "i64"}[t] for t in types]
            result = {"f32": "i32", "f64": "i64"}[result]
        reads = " ".join(f"{CTYPE[t]} {v} = K_{t}({v}_);" for v, t in zip("ab", types, strict=False))
        out.append(
            f"case OP_{op.ident}: {{ {reads} uint64_t r_[1], *sp = r_;"
            f" W_{result}(0, {text}); *result = r_[0]; return 0; }}"
        )
    return "\n".join(out) + "\n"


def vector_inc() -> str:
    """One case per vector instruction without a memory: operands in the cells from 2, 4 and 6 on, the result in 0."""
    out = []
    for op in OPS:
        if class_of(op) == "VECTOR":
            lane = ""
            if op.immediates == ("lane",):
                lane = f" const uint64_t {'D' if op.name in v.REPLACE else 'C'} = ip[2];"
            names = "A = 0, B = 2" + ("" if " C " in lane else ", C = 4") + ("" if " D " in lane else ", D = 6")
            out.append(f"case OP_{op.ident}: {{ enum {{ {names} }};{lane} {vector_body(op)} break; }}")
    return "\n".join(out) + "\n"


def write(folder: Path, *, switch: bool = False, fused: bool = True) -> None:
    """Writes every generated file into `folder`, only where it changed. A switch gets few operand kinds."""
    REGISTERS["i"] = REGISTERS["f"] = 1 if switch else 4
    folder.mkdir(parents=True, exist_ok=True)
    handlers = all_handlers()
    if fused and not switch:
        fuse.add(handlers)
    files = {
        "tables.h": tables_h(handlers),
        "ops.inc": ops_inc(handlers),
        "handlers.inc": handlers_inc(handlers),
        "list.inc": list_inc(handlers),
        "fuse.inc": fuse.fuse_inc(handlers),
        "numeric.inc": numeric_inc(),
        "vector.inc": vector_inc(),
    }
    for name, text in files.items():
        path = folder / name
        if not path.exists() or path.read_text() != text:
            path.write_text(text)
