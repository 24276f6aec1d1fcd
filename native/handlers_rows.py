"""Handlers of the table's rows: one line of meaning becomes a handler per operand kind.

Comparisons also become branches: forward (F) and to a loop (B, which charges a tick); floats, whose comparisons have
no inverse, get negated ones (N). Vectors stand in slots only, two of them; only the address of a load or store has
other kinds.
"""

from __future__ import annotations

import meanings as m
import vectors as v
from handlers import CLASS, CTYPE, Handlers, Kinds, places, read, write_to

from interp.syntax.instructions import Op


def class_of(op: Op) -> str:
    """What kind of instruction a row is, for the handlers and the lowering: CLS_ in tables.h."""
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
    if op.name in m.WIDE:
        return "WIDE"
    if op.atomic and not op.name.startswith("memory."):
        return "ATOMIC"
    if op.name in v.VECTORS or op.name in v.EXTRACT or op.name in v.REPLACE:
        return "VECTOR"
    if op.name in v.LOADS or op.name in v.LOAD_LANES:
        return "VECTOR_LOAD"
    if op.name == "v128.store" or op.name in v.STORE_LANES:
        return "VECTOR_STORE"
    return "OTHER"


def _destinations(type: str, heat: int) -> tuple[str, ...]:
    if CLASS[type] == "s" or heat == 0:
        return ("S",)
    return places(type) if heat >= 2 else ("S", places(type)[-1])


def _sources(type: str, heat: int) -> tuple[str, ...]:
    return ("S",) if heat == 0 else places(type)


def _plain(handlers: Handlers, op: Op) -> None:
    bits = op.name in m.BITS
    text = m.BITS[op.name] if bits else m.MEANINGS[op.name]
    kind, params, result = class_of(op), op.params or (), (op.results or ("",))[0]
    compare = kind in ("COMPARE", "EQZ")
    heat = op.heat
    ds = _destinations(result, 1 if compare and heat else heat)
    sources = _sources(params[0], heat)
    seconds: tuple[str, ...] = ("",)
    if len(params) == 2:
        seconds = (*sources, "K") if len(sources) > 1 or heat >= 2 else sources
    kinds = handlers.kinds[op.name] = Kinds(len(handlers.rows), 0, len(ds), len(sources), len(seconds))
    integer = {"f32": "i32", "f64": "i64"} if bits else {}
    classes = "".join(CLASS[type] for type in (result, *params))

    def operands(a: str, b: str, constant: str) -> str:
        out = f"{CTYPE[integer.get(params[0], params[0])]} a = {read(params[0], a, 'B', '', bits)};"
        if b:
            out += f" {CTYPE[integer.get(params[1], params[1])]} b = {read(params[1], b, 'C', constant, bits)};"
        return out

    for d in ds:
        for a in sources:
            for b in seconds:
                size = 3 if b == "K" else 2
                body = f"{operands(a, b, 'WORD(2)')} {write_to(result, d, text, bits)} NEXT({size});"
                handlers.add(f"{op.ident}_{d}{a}{b}", size, body, classes)
    if not compare:
        return
    kinds.branch = len(handlers.rows)
    for negated in (0, 1) if op.name.startswith("f") or kind == "EQZ" else (0,):
        for back in (0, 1):
            for a in sources:
                for b in seconds:
                    size = 4 if b == "K" else 3
                    test = f"!({text})" if negated else f"({text})"
                    # operands in B and C like the plain form; the offset is word 2, the constant word 3
                    tick = "TICK; " if back else ""
                    body = f"{operands(a, b, 'WORD(3)')} if ({test}) {{ {tick}JUMP; }} NEXT({size});"
                    name = f"br_{op.ident}_{'FB'[back]}{'N' if negated else ''}_{a}{b}"
                    handlers.add(name, size, body, classes[1:])


def _access(handlers: Handlers, op: Op) -> None:
    memory, value = m.ACCESS[op.name]
    type = (op.results or op.params[1:] if op.params else ())[0]
    addresses = (*places("i32"), "A")
    first = len(handlers.rows)

    def address(a: str) -> str:
        base = "" if a == "A" else f"(uint64_t){read('i32', a, 'B')} + "
        return f"uint64_t ea = {base}WORD(2); BOUNDS(ea, {op.width});"

    if op.results:
        ds = _destinations(type, op.heat)
        handlers.kinds[op.name] = Kinds(first, 0, len(ds), len(addresses), 1)
        for d in ds:
            for a in addresses:
                loaded = f"({value})v"
                put = f"f{d} = tm_double({loaded});" if type == "f64" and d != "S" else f"r{d} = {loaded};"
                if d == "S":
                    put = f"sp[A] = {loaded};"
                body = f"{address(a)} {memory} v; memcpy(&v, mem + ea, {op.width}); {put} NEXT(3);"
                handlers.add(f"{op.ident}_{d}{a}", 3, body, CLASS[type] + "i")
        return
    values = (*_sources(type, op.heat), "K")
    handlers.kinds[op.name] = Kinds(first, 0, 1, len(addresses), len(values))
    for a in addresses:
        for b in values:
            source = {"S": "sp[C]", "K": "WORD(3)"}.get(b, f"tm_bits_f64(f{b})" if type == "f64" else f"r{b}")
            size = 4 if b == "K" else 3
            body = f"{address(a)} {memory} v = ({memory})({source}); memcpy(mem + ea, &v, {op.width}); NEXT({size});"
            handlers.add(f"{op.ident}_{a}{b}", size, body, "i" + CLASS[type])


def _wide(op: Op) -> tuple[int, str]:
    """Size and body of an instruction with two results: operands in any slots, the fourth named by word 2."""
    count = len(op.params or ())
    places = ["sp[B]", "sp[C]", "sp[D]", "sp[(uint16_t)ip[2]]"][:count]
    reads = ", ".join(f"{v} = {place}" for v, place in zip("abcd", places, strict=False))
    size = 3 if count == 4 else 2
    return size, f"uint64_t {reads}, lo, hi; {m.WIDE[op.name]} sp[A] = lo; sp[A + 1] = hi; NEXT({size});"


def _atomic(op: Op) -> str:
    """The body of an atomic access: address in B, operands in C and D, the offset in word 2."""
    type, what = f"uint{8 * op.width}_t", op.name.split(".")[-1].removesuffix("_u")
    load, store = f"memcpy(&o, mem + ea, {op.width});", f"memcpy(mem + ea, &n, {op.width});"
    body = f"uint64_t ea = (uint64_t)R_i32(B) + ip[2]; ALIGNED(ea, {op.width}); BOUNDS(ea, {op.width}); "
    if what.startswith("load"):
        body += f"{type} o; {load} sp[A] = o;"
    elif what.startswith("store"):
        body += f"{type} n = ({type})sp[C]; {store}"
    elif what == "cmpxchg":
        body += f"{type} o, e = ({type})sp[C], n = ({type})sp[D]; {load} if (o == e) {store} sp[A] = o;"
    else:
        body += f"{type} o, v = ({type})sp[C]; {load} {type} n = ({type})({m.CHANGES[what]}); {store} sp[A] = o;"
    return f"{body} NEXT(3);"


def vector_body(op: Op, slots: str = "BCD") -> str:
    """The body of a vector instruction on cells, up to where it goes on; a lane stands behind the operands' slots."""
    if op.name in v.EXTRACT:
        lane, scalar = v.EXTRACT[op.name]
        return f"W_{scalar}(A, LANE({lane}, B, C));"
    if op.name in v.REPLACE:
        scalar = (op.params or ())[1]
        value = f"R_{ {'f32': 'i32', 'f64': 'i64'}.get(scalar, scalar) }(C)"
        lane = v.REPLACE[op.name]
        return f"u64x2 a = R_V(u64x2, B); {lane} b = ({lane}){value}; W_V(A, a); SET_LANE({lane}, A, D, b);"
    types, text = v.VECTORS[op.name]
    reads = ""
    for name, slot, type in zip("abc", slots, types.split(), strict=False):
        half, _, plain = type.rpartition(":")
        if plain in CTYPE:
            reads += f"{CTYPE[plain]} {name} = R_{plain}({slot}); "
        else:
            reads += f"{plain} {name} = R_V({plain}, {slot}{' + 1' if half else ''}); "
    return f"{reads}W_{'V' if op.results == ('v128',) else 'i32'}(A, {text});"


def _vector_access(handlers: Handlers, op: Op) -> None:
    """Loads and stores: an address in any place, vectors in slots, a lane in D."""
    addresses = (*places("i32"), "A")
    handlers.kinds[op.name] = Kinds(len(handlers.rows), 0, 1, len(addresses), 1)
    for a in addresses:
        base = "" if a == "A" else f"(uint64_t){read('i32', a, 'B')} + "
        body = f"uint64_t ea = {base}WORD(2); BOUNDS(ea, {op.width}); "
        if op.name == "v128.store":
            body += "*(u64x2_at *)(mem + ea) = R_V(u64x2, C);"
        elif op.name in v.STORE_LANES:
            lane = v.STORE_LANES[op.name]
            body += f"{lane} m = LANE({lane}, C, D); memcpy(mem + ea, &m, {op.width});"
        elif op.name in v.LOAD_LANES:
            lane = v.LOAD_LANES[op.name]
            body += f"{lane} m; memcpy(&m, mem + ea, {op.width}); u64x2 a = R_V(u64x2, C);"
            body += f" W_V(A, a); SET_LANE({lane}, A, D, m);"
        else:
            type, text = v.LOADS[op.name]
            if type.startswith("uint"):
                body += f"{type} m; memcpy(&m, mem + ea, {op.width});"
            else:
                body += f"{type} m = *(const {type}_at *)(mem + ea);"
            body += f" W_V(A, {text});"
        handlers.add(f"{op.ident}_{a}", 3, f"{body} NEXT(3);")


def row_handlers(handlers: Handlers, op: Op) -> None:
    """Adds the handlers of a row, if it has any."""
    kind = class_of(op)
    if kind in ("UNARY", "BINARY", "COMPARE", "EQZ"):
        _plain(handlers, op)
    elif kind in ("LOAD", "STORE"):
        _access(handlers, op)
    elif kind == "VECTOR":
        handlers.kinds[op.name] = Kinds(len(handlers.rows))
        size = 4 if op.immediates == ("lanes16",) else 2
        handlers.add(f"{op.ident}_S", size, f"{vector_body(op)} NEXT({size});")
    elif kind in ("VECTOR_LOAD", "VECTOR_STORE"):
        _vector_access(handlers, op)
    elif kind in ("WIDE", "ATOMIC"):
        handlers.kinds[op.name] = Kinds(len(handlers.rows))
        size, body = _wide(op) if kind == "WIDE" else (3, _atomic(op))
        handlers.add(f"{op.ident}_S", size, body)
