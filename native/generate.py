"""Writes the C that derives from the tables: opcodes, signatures, errors (tables.h) and the handlers (handlers.inc).

One line of meaning becomes a handler per operand kind: S a frame slot, K a constant in the code. Comparisons also
become branches: forward (F) and to a loop (B, which charges a tick); floats, whose comparisons have no inverse, get
negated ones (N).
"""

from __future__ import annotations

from pathlib import Path

from interp.syntax.errors import BODY_ERRORS, TRAPS
from interp.syntax.features import Feature
from interp.syntax.instructions import OPS, Op

try:
    from . import meanings as m
except ImportError:
    import meanings as m  # type: ignore[import-not-found, no-redef]

CTYPE = {"i32": "uint32_t", "i64": "uint64_t", "f32": "float", "f64": "double"}
VALTYPE = {"i32": "T_I32", "addr": "T_I32", "i64": "T_I64", "f32": "T_F32", "f64": "T_F64", "v128": "T_V128"}
VARIANTS = ("S", "K", "A", "FS", "FK", "BS", "BK", "NFS", "NFK", "NBS", "NBK")
EXITS = ("RETURNED", "HOST_CALL", "TRAPPED", "EXHAUSTED", "SLICE", "SERVICE", "NO_MEMORY")
SERVICES = (
    "memory_grow", "memory_init", "data_drop", "table_init", "elem_drop", "table_copy", "table_grow", "table_fill",
)  # fmt: skip

#: Handlers written by hand in special.inc, in the same list so that they have numbers: name to size in words, 0 where
#: what follows is not the next word (calls, returns) or where the handler leaves.
SPECIAL = {
    "mov": 2, "movk": 3, "select": 2, "br": 3, "br_loop": 3, "br_if_F": 3, "br_if_B": 3, "br_ifnot_F": 3,
    "br_ifnot_B": 3, "br_eqz64_F": 3, "br_eqz64_B": 3, "br_nez64_F": 3, "br_nez64_B": 3, "br_table": 0, "call": 0,
    "call_import": 0, "call_indirect": 0, "ret0": 0, "ret1": 0, "retk": 0, "retn": 0, "zero": 2, "unreachable": 0,
    "global_get": 3, "global_set": 3, "global_setk": 4, "table_get": 3, "table_set": 3, "table_size": 3,
    "memory_size": 2, "memory_copy": 2, "memory_fill": 2, "service": 0, "ref_func": 3, "is_null": 2, "halt": 0,
    "enter": 0, "lower": 0,
}  # fmt: skip


def _class(op: Op) -> str:
    if op.special:
        return "SPECIAL"
    if op.name in m.MEANINGS or op.name in m.BITS:
        params = op.params or ()
        if len(params) == 1:
            return "EQZ" if op.name.endswith(".eqz") else "UNARY"
        plain = op.name.split(".")[1]
        if op.results == ("i32",) and plain in (*m.SWAPPED, *m.INVERSE):
            return "COMPARE"
        return "BINARY"
    if op.name in m.RENAMES:
        return "RENAME"
    if op.name in m.ACCESS:
        return "LOAD" if op.results else "STORE"
    if op.name.endswith(".const"):
        return "CONST"
    return "OTHER"


class Handlers:
    """The list of handlers: (name, size in words, body)."""

    def __init__(self) -> None:
        self.rows: list[tuple[str, int, str]] = []
        self.variants: dict[str, dict[str, int]] = {}

    def add(self, op: Op | None, kind: str, name: str, size: int, body: str) -> None:
        """Adds a handler; an op's handler is found by the op and the kind of its operands."""
        self.rows.append((name, size, body))
        if op is not None:
            self.variants.setdefault(op.name, {})[kind] = len(self.rows) - 1


def _operands(op: Op, constant: str, bits: bool) -> str:
    """Declarations of a and b; `constant` is the word that holds b, or empty for a slot."""
    lines = []
    for position, type_ in enumerate(op.params or ()):
        var = "ab"[position]
        integer = {"f32": "i32", "f64": "i64"}.get(type_, type_) if bits else type_
        source = f"K_{integer}({constant})" if constant and var == "b" else f"R_{integer}({'BC'[position]})"
        lines.append(f"{CTYPE[integer]} {var} = {source};")
    return " ".join(lines)


def _plain(handlers: Handlers, op: Op) -> None:
    bits = op.name in m.BITS
    text = m.BITS[op.name] if bits else m.MEANINGS[op.name]
    result = (op.results or ("",))[0]
    if bits:
        result = {"f32": "i32", "f64": "i64"}[result]
    kind = _class(op)
    two = kind in ("BINARY", "COMPARE")
    handlers.add(op, "S", op.ident, 2, f"{_operands(op, '', bits)} W_{result}(A, {text}); NEXT(2);")
    if two and op.heat >= 2:
        handlers.add(op, "K", f"{op.ident}_K", 3, f"{_operands(op, 'ip[2]', bits)} W_{result}(A, {text}); NEXT(3);")
    if kind != "COMPARE":
        return
    floats = op.name.startswith("f")
    for negated in ("", "N") if floats else ("",):
        for direction in "FB":
            for operand in "SK":
                size = 4 if operand == "K" else 3
                test = f"!({text})" if negated else f"({text})"
                # operands in B and C like the plain form; the offset is word 2, the constant word 3
                reads = _operands(op, "ip[3]" if operand == "K" else "", bits)
                tick = "TICK; " if direction == "B" else ""
                body = f"{reads} if ({test}) {{ {tick}JUMP; }} NEXT({size});"
                handlers.add(
                    op, f"{negated}{direction}{operand}", f"br_{op.ident}_{negated}{direction}{operand}", size, body
                )


def _access(handlers: Handlers, op: Op) -> None:
    memory, value = m.ACCESS[op.name]
    if op.results:
        for kind, address in (("S", "R_i32(B)"), ("A", "0")):
            body = (
                f"uint64_t ea = (uint64_t){address} + ip[2]; BOUNDS(ea, {op.width}); {memory} v; "
                f"memcpy(&v, mem + ea, {op.width}); sp[A] = ({value})v; NEXT(3);"
            )
            handlers.add(op, kind, f"{op.ident}{'' if kind == 'S' else '_A'}", 3, body)
        return
    for kind, address, source, size in (
        ("S", "R_i32(A)", "sp[B]", 3), ("K", "R_i32(A)", "ip[3]", 4), ("A", "0", "sp[B]", 3),
    ):  # fmt: skip
        body = (
            f"uint64_t ea = (uint64_t){address} + ip[2]; BOUNDS(ea, {op.width}); {memory} v = ({memory})({source}); "
            f"memcpy(mem + ea, &v, {op.width}); NEXT({size});"
        )
        handlers.add(op, kind, f"{op.ident}{'' if kind == 'S' else '_' + kind}", size, body)


def all_handlers() -> Handlers:
    """Every handler, the hand-written ones (without a body) first."""
    handlers = Handlers()
    for name, size in SPECIAL.items():
        handlers.add(None, "", name, size, "")
    for op in OPS:
        kind = _class(op)
        if kind in ("UNARY", "BINARY", "COMPARE", "EQZ"):
            _plain(handlers, op)
        elif kind in ("LOAD", "STORE"):
            _access(handlers, op)
    return handlers


def _c_signature(op: Op) -> str:
    params = [VALTYPE[t] for t in op.params or ()] if all(t in VALTYPE for t in op.params or ()) else []
    results = [VALTYPE[t] for t in op.results or ()]
    padded = (params + ["0"] * 4)[:4]
    return f"{len(params)}, {len(results)}, {{{', '.join(padded)}}}, {[*results, '0'][0]}"


def tables_h(handlers: Handlers) -> str:
    """Enumerations and the instruction table as C data."""
    out = [
        "/* Written by native/generate.py from the tables in interp/syntax. */",
        "#ifndef TAMIS_TABLES_H",
        "#define TAMIS_TABLES_H",
    ]

    def enum(prefix: str, names: object) -> None:
        out.append("enum { " + ", ".join(f"{prefix}{name}" for name in names) + f", {prefix}COUNT }};")  # type: ignore[attr-defined]

    enum("OP_", (op.ident for op in OPS))
    enum("E_", BODY_ERRORS)
    enum("TRAP_", TRAPS)
    enum("TM_EXIT_", EXITS)
    enum("SERVICE_", SERVICES)
    enum("H_", (name for name, _, _ in handlers.rows))
    enum("V_", VARIANTS)
    enum("FEATURE_", (feature.name for feature in Feature))
    enum("CLS_", ("SPECIAL", "UNARY", "BINARY", "COMPARE", "EQZ", "LOAD", "STORE", "CONST", "RENAME", "OTHER"))
    kinds = sorted({"memarg", "lane", "lanes16", "v128", "mem"})
    enum("IMM_", ("none", *kinds, "memarg_lane", "i32", "i64", "f32", "f64", "other"))
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
        "i32",
        "i64",
        "f32",
        "f64",
    ):
        return op.immediates[0]
    return "other"


def ops_inc(handlers: Handlers) -> str:
    """The rows as initialisers of tm_ops, the maps from opcode to row, and the handlers by row and operand kind."""
    out = ["/* Written by native/generate.py. */", "static const tm_op tm_ops[] = {"]
    for op in OPS:
        inverse = swapped = "0xFFFF"
        head, _, tail = op.name.partition(".")
        if _class(op) == "COMPARE":
            swapped = f"OP_{head}_{m.SWAPPED[tail]}"
            if tail in m.INVERSE and head in ("i32", "i64"):
                inverse = f"OP_{head}_{m.INVERSE[tail]}"
        commutes = int(_class(op) == "BINARY" and tail in m.COMMUTATIVE)
        variants = handlers.variants.get(op.name, {})
        row = ", ".join(str(variants.get(kind, 0)) for kind in VARIANTS)
        width = op.width.bit_length() - 1 if op.width else 0
        out.append(
            f"  {{CLS_{_class(op)}, IMM_{_immediate(op)}, FEATURE_{op.feature.name}, {width}, {op.lanes},"
            f" {commutes}, {_c_signature(op)}, {inverse}, {swapped}, {{{row}}}}}, /* {op.name} */"
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
    lines = ["/* Written by native/generate.py: operand kinds S (slot), K (constant), A (constant address). */"]
    lines += [f"OP({name}, {body})" for name, _, body in handlers.rows if body]
    return "\n".join(lines) + "\n"


def list_inc(handlers: Handlers) -> str:
    """Every handler's name and size, for the table of addresses and the self-test."""
    return "\n".join(f"LIST({name}, {size})" for name, size, _ in handlers.rows) + "\n"


def numeric_inc() -> str:
    """One case per plain instruction, for comparing its meaning with the Python one."""
    out = []
    for op in OPS:
        if _class(op) not in ("UNARY", "BINARY", "COMPARE", "EQZ"):
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


def write(folder: Path) -> None:
    """Writes every generated file into `folder`, only where it changed."""
    folder.mkdir(parents=True, exist_ok=True)
    handlers = all_handlers()
    files = {
        "tables.h": tables_h(handlers),
        "ops.inc": ops_inc(handlers),
        "handlers.inc": handlers_inc(handlers),
        "list.inc": list_inc(handlers),
        "numeric.inc": numeric_inc(),
    }
    for name, text in files.items():
        path = folder / name
        if not path.exists() or path.read_text() != text:
            path.write_text(text)
