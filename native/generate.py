"""Writes the C that derives from the tables: opcodes, signatures, errors (tables.h) and the handlers (handlers.inc).

One line of meaning becomes a handler per operand kind: S a frame slot, K a constant in the code. Comparisons also
become branches: forward (F) and to a loop (B, which charges a tick); floats, whose comparisons have no inverse, get
negated ones (N). Vectors stand in slots only, two of them; only the address of a load or store has other kinds.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import product
from pathlib import Path

from interp.syntax.errors import BODY_ERRORS, TRAPS
from interp.syntax.features import Feature
from interp.syntax.instructions import OPS, Op

try:
    from . import fuse
    from . import meanings as m
    from . import vectors as v
except ImportError:
    import fuse  # type: ignore[import-not-found, no-redef]
    import meanings as m  # type: ignore[import-not-found, no-redef]
    import vectors as v  # type: ignore[import-not-found, no-redef]

CTYPE = {"i32": "uint32_t", "i64": "uint64_t", "f32": "float", "f64": "double"}
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

#: Type to class of registers: integer, float, or none (f32, which would need conversions between the formats).
CLASS = {"i32": "i", "i64": "i", "addr": "i", "f64": "f", "f32": "s"}
#: How many registers a class has; the last one is for temporaries. Each makes more handlers for every other: with four
#: and four they are 9,000, which gcc builds in 20 s as functions and not at all as cases of one: `write` lowers them.
REGISTERS = {"i": 4, "f": 4, "s": 0}


def places(type: str) -> tuple[str, ...]:
    """Where an operand of a type may stand: a slot, or a register of its class."""
    return ("S", *map(str, range(REGISTERS[CLASS[type]])))


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


@dataclass(slots=True)
class Kinds:
    """The operand kinds of a row: handler number = base + (d * na + a) * nb + b, and the same for its branches.

    nd: 1 the result goes to a slot, 2 to a slot or the temporaries' register, else to a slot or any register.
    """

    base: int = 0
    branch: int = 0
    nd: int = 1
    na: int = 1
    nb: int = 1


class Handlers:
    """The list of handlers: (name, size in words, body); `classes` has a letter for each place that a name ends in."""

    def __init__(self) -> None:
        self.rows: list[tuple[str, int, str]] = []
        self.kinds: dict[str, Kinds] = {}
        self.bases: dict[str, int] = {}
        self.classes: dict[str, str] = {}
        self.fused: dict[str, tuple[int, ...]] = {}

    def add(self, name: str, size: int, body: str, classes: str = "") -> None:
        """Adds a handler."""
        self.rows.append((name, size, body))
        self.classes[name] = classes


def _destinations(type: str, heat: int) -> tuple[str, ...]:
    if CLASS[type] == "s" or heat == 0:
        return ("S",)
    return places(type) if heat >= 2 else ("S", places(type)[-1])


def _sources(type: str, heat: int) -> tuple[str, ...]:
    return ("S",) if heat == 0 else places(type)


def read(type: str, place: str, slot: str, constant: str = "", bits: bool = False) -> str:
    """A C expression for an operand; `bits`: the pattern of a float as an integer."""
    integer = {"f32": "i32", "f64": "i64"}.get(type, type) if bits else type
    integer = "i32" if integer == "addr" else integer
    if place == "S":
        return f"R_{integer}({slot})"
    if place == "K":
        return f"K_{integer}({constant})"
    if type == "f64":
        return f"tm_bits_f64(f{place})" if bits else f"f{place}"
    return f"({CTYPE[integer]})r{place}"


def write_to(type: str, place: str, value: str, bits: bool = False) -> str:
    """A C statement that puts a result away."""
    if place == "S":
        return f"W_{ {'f32': 'i32', 'f64': 'i64'}.get(type, type) if bits else type }(A, {value});"
    if type == "f64":
        return f"f{place} = tm_double({value});" if bits else f"f{place} = {value};"
    return f"r{place} = ({CTYPE[type]})({value});"


def _plain(handlers: Handlers, op: Op) -> None:
    bits = op.name in m.BITS
    text = m.BITS[op.name] if bits else m.MEANINGS[op.name]
    kind, params, result = _class(op), op.params or (), (op.results or ("",))[0]
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
        for v in values:
            source = {"S": "sp[C]", "K": "WORD(3)"}.get(v, f"tm_bits_f64(f{v})" if type == "f64" else f"r{v}")
            size = 4 if v == "K" else 3
            body = f"{address(a)} {memory} v = ({memory})({source}); memcpy(mem + ea, &v, {op.width}); NEXT({size});"
            handlers.add(f"{op.ident}_{a}{v}", size, body, "i" + CLASS[type])


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


def _vector(op: Op, slots: str = "BCD") -> str:
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


def _bits(c: str, place: str, slot: str) -> str:
    """A C expression for the 64 bits of an operand of class c."""
    return f"sp[{slot}]" if place == "S" else f"tm_bits_f64(f{place})" if c == "f" else f"r{place}"


def _moves(handlers: Handlers) -> None:
    """What moves cells between slots, registers, constants and globals, selects, tests a cell, and returns one."""

    def base(name: str) -> None:
        handlers.bases[name] = len(handlers.rows)

    for c, type in (("i", "i64"), ("f", "f64")):
        here = places(type)
        base(f"mov_{c}")
        for d in here:
            for a in (*here, "K"):
                size = 3 if a == "K" else 2
                body = f"{write_to(type, d, read(type, a, 'B', 'WORD(2)'))} NEXT({size});"
                if d == "S" and a in "SK":
                    body = f"sp[A] = {'sp[B]' if a == 'S' else 'WORD(2)'}; NEXT({size});"
                handlers.add(f"mov_{c}_{d}{a}", size, body, c + c)
        base(f"ret1_{c}")
        for a in here:
            source = "sp[A]" if a == "S" else f"tm_bits_f64(f{a})" if c == "f" else f"r{a}"
            handlers.add(f"ret1_{c}_{a}", 0, f"sp[0] = {source}; RETURN;", c)
        base(f"global_get_{c}")
        for d in here:
            cell = "*cx->instance->globals[WORD(2)]"
            put = f"sp[A] = {cell};" if d == "S" else f"f{d} = tm_double({cell});" if c == "f" else f"r{d} = {cell};"
            handlers.add(f"global_get_{c}_{d}", 3, f"{put} NEXT(3);", c)
        base(f"global_set_{c}")
        for a in (*here, "K"):
            source = {"S": "sp[B]", "K": "WORD(3)"}.get(a, f"tm_bits_f64(f{a})" if c == "f" else f"r{a}")
            size = 4 if a == "K" else 3
            handlers.add(f"global_set_{c}_{a}", size, f"*cx->instance->globals[WORD(2)] = {source}; NEXT({size});", c)
        base(f"select_{c}")  # the condition stands in a slot or in the temporaries' register
        for d, a, b in product(here, repeat=3):
            for test in ("S", places("i32")[-1]):
                cell = (
                    f"uint64_t a = {_bits(c, a, 'B')}, b = {_bits(c, b, 'C')}; uint32_t c = {read('i32', test, 'D')};"
                )
                put = "sp[A] = v;" if d == "S" else f"f{d} = tm_double(v);" if c == "f" else f"r{d} = v;"
                body = f"{cell} IN_REGISTER(a); IN_REGISTER(b); uint64_t v = c ? a : b; {put} NEXT(2);"
                handlers.add(f"select_{c}_{d}{a}{b}{test}", 2, body, c * 3 + "i")
    base("br_table")  # a word for the number of targets without the default, then a word for each and the default
    for a in places("i32"):
        body = f"uint64_t i = {read('i32', a, 'A')}; uint64_t n = WORD(2); if (i > n) i = n;"
        handlers.add(f"br_table_{a}", 0, f"{body} ip = (const word *)(uintptr_t)WORD(3 + i); DISPATCH;", "i")
    base("br_if")  # (negated * 2 + back) * places + place
    for negated in (0, 1):
        for back in (0, 1):
            for a in places("i32"):
                test = f"{'!' if negated else ''}{read('i32', a, 'B')}"
                name = f"br_if_{'FB'[back]}{'N' if negated else ''}_{a}"
                handlers.add(name, 3, f"if ({test}) {{ {'TICK; ' if back else ''}JUMP; }} NEXT(3);", "i")


def _references(handlers: Handlers) -> None:
    """Casts, null checks and i31: the reference stands in a slot or a register; base + d * places + a.

    Branches on a cast: base + (negated * 2 + back) * places + a.
    """
    here, spare = places("i64"), places("i64")[-1]

    def base(name: str) -> None:
        handlers.bases[name] = len(handlers.rows)

    base("as_non_null")
    for a in here:
        body = f"if (unlikely({read('i64', a, 'B')} == 0)) TRAP(null_reference); NEXT(2);"
        handlers.add(f"as_non_null_{a}", 2, body, "i")
    base("ref_cast")
    for a in here:
        body = f"MATCH(yes, {read('i64', a, 'B')}, WORD(2)) if (unlikely(!yes)) TRAP(cast_failure); NEXT(3);"
        handlers.add(f"ref_cast_{a}", 3, body, "i")
    base("br_cast")
    for negated in (0, 1):
        for back in (0, 1):
            for a in here:
                test = f"{'!' if negated else ''}yes"
                tick = "TICK; " if back else ""
                body = f"MATCH(yes, {read('i64', a, 'B')}, WORD(3)) if ({test}) {{ {tick}JUMP; }} NEXT(4);"
                handlers.add(f"br_cast_{'FB'[back]}{'N' if negated else ''}_{a}", 4, body, "i")
    base("ref_test")
    for d in ("S", spare):
        for a in here:
            body = f"MATCH(yes, {read('i64', a, 'B')}, WORD(2)) {write_to('i32', d, 'yes')} NEXT(3);"
            handlers.add(f"ref_test_{d}{a}", 3, body, "ii")
    base("i31_new")
    for d in here:
        for a in here:
            value = f"TM_I31 | ({read('i32', a, 'B')} & 0x7FFFFFFF)"
            handlers.add(f"i31_new_{d}{a}", 2, f"{write_to('i64', d, value)} NEXT(2);", "ii")
    for name, value in (("s", "(uint32_t)((int32_t)((uint32_t)ref << 1) >> 1)"), ("u", "ref & 0x7FFFFFFF")):
        base(f"i31_get_{name}")
        for d in ("S", spare):
            for a in here:
                check = f"uint64_t ref = {read('i64', a, 'B')}; if (unlikely(ref == 0)) TRAP(null_i31);"
                handlers.add(f"i31_get_{name}_{d}{a}", 2, f"{check} {write_to('i32', d, value)} NEXT(2);", "ii")


#: Packed elements and fields with their sign or without: the C type that reads one.
PACKED = {"s8": "int8_t", "u8": "uint8_t", "s16": "int16_t", "u16": "uint16_t"}


def _objects(handlers: Handlers) -> None:
    """Fields, elements and lengths: base + d * places + a, for elements base + (d * places + a) * places + b.

    A reference and an index stand in a slot or an integer register; results and new values too, or in a float register.
    Packed results and new elements know only the register for temporaries: the lowering has the rest moved.
    """
    here, floats = places("i32"), places("f64")
    spare, spare_f = here[-1], floats[-1]

    def add(name: str, size: int, body: str, classes: str) -> None:
        handlers.add(name, size, f"{body} NEXT({size});", classes)

    def base(name: str) -> None:
        handlers.bases[name] = len(handlers.rows)

    def put(d: str, value: str, f: bool = False) -> str:
        return f"sp[A] = {value};" if d == "S" else f"f{d} = tm_double({value});" if f else f"r{d} = {value};"

    for name, type in {"i": "", "f": "", **PACKED}.items():
        base(f"struct_get_{name}")
        for d in {"i": here, "f": floats}.get(name, ("S", spare)):
            for a in here:
                find = f"uint64_t i = WORD(2); STRUCT(o, {read('i64', a, 'B')}, i);"
                value = "o->contents[i]" if name in "if" else f"(uint32_t)({type})o->contents[i]"
                body = f"{find} {put(d, value, name == 'f')}"
                add(f"struct_get_{name}_{d}{a}", 3, body, "fi" if name == "f" else "ii")
    base("struct_get_v")
    for a in here:
        find = f"uint64_t i = WORD(2); STRUCT(o, {read('i64', a, 'B')}, i + 1);"
        add(f"struct_get_v_{a}", 3, f"{find} sp[A] = o->contents[i]; sp[A + 1] = o->contents[i + 1];", "i")
    base("struct_set")
    for v in (*here, *(f"f{place}" for place in floats[1:])):
        for a in here:
            source = "sp[C]" if v == "S" else f"tm_bits_f64({v})" if v[0] == "f" else f"r{v}"
            find = f"uint64_t i = WORD(2); STRUCT(o, {read('i64', a, 'B')}, i);"
            add(f"struct_set_{v}{a}", 3, f"{find} o->contents[i] = {source};", "fi" if v[0] == "f" else "ii")
    base("struct_set_v")
    for a in here:
        find = f"uint64_t i = WORD(2); STRUCT(o, {read('i64', a, 'B')}, i + 1);"
        add(f"struct_set_v_{a}", 3, f"{find} o->contents[i] = sp[C]; o->contents[i + 1] = sp[C + 1];", "i")

    elements = {**PACKED, "i32": "uint32_t", "i64": "uint64_t", "f64": "uint64_t"}
    for name, type in elements.items():
        base(f"array_get_{name}")
        for d in floats if name == "f64" else here if name in ("i32", "i64") else ("S", spare):
            for a in here:
                for b in here:
                    find = f"uint32_t i = {read('i32', b, 'C')}; ELEMENT(o, {read('i64', a, 'B')}, sizeof({type}), i);"
                    widen = "" if "64" in name else "(uint32_t)"
                    body = f"{find} {put(d, f'{widen}((const {type} *)o->contents)[i]', name == 'f64')}"
                    add(f"array_get_{name}_{d}{a}{b}", 2, body, "fii" if name == "f64" else "iii")
    base("array_get_v")
    for a in here:
        for b in here:
            find = f"uint32_t i = {read('i32', b, 'C')}; ELEMENT(o, {read('i64', a, 'B')}, 16, i);"
            move = "sp[A] = o->contents[2 * i]; sp[A + 1] = o->contents[2 * i + 1];"
            add(f"array_get_v_{a}{b}", 2, f"{find} {move}", "ii")
    for width in (8, 16, 32, 64):
        base(f"array_set_{width}")
        type = f"uint{width}_t"
        for v in ("S", spare, *([f"f{spare_f}"] if width == 64 else [])):
            for a in here:
                for b in here:
                    source = "sp[C]" if v == "S" else f"tm_bits_f64({v})" if v[0] == "f" else f"r{v}"
                    find = f"uint32_t i = {read('i32', b, 'B')}; ELEMENT(o, {read('i64', a, 'A')}, sizeof({type}), i);"
                    body = f"{find} (({type} *)o->contents)[i] = ({type}){source};"
                    add(f"array_set_{width}_{v}{a}{b}", 2, body, "fii" if v[0] == "f" else "iii")
    base("array_set_v")
    for a in here:
        for b in here:
            find = f"uint32_t i = {read('i32', b, 'B')}; ELEMENT(o, {read('i64', a, 'A')}, 16, i);"
            move = "o->contents[2 * i] = sp[C]; o->contents[2 * i + 1] = sp[C + 1];"
            add(f"array_set_v_{a}{b}", 2, f"{find} {move}", "ii")
    base("array_len")
    for d in ("S", spare):
        for a in here:
            find = f"uint64_t ref = {read('i64', a, 'B')}; tm_object *o = tm_object_of(cx->heap, ref);"
            check = "if (unlikely(!o || o->shape >= TM_SHAPE_STRUCTURE)) { cx->need = ref; GO_COLD(no_array); }"
            add(f"array_len_{d}{a}", 2, f"{find} {check} {put(d, 'o->length')}", "ii")


def all_handlers() -> Handlers:
    """Every handler, the hand-written ones (without a body) first."""
    handlers = Handlers()
    for name, size in SPECIAL.items():
        handlers.add(name, size, "")
    _moves(handlers)
    _references(handlers)
    _objects(handlers)
    for op in OPS:
        kind = _class(op)
        if kind in ("UNARY", "BINARY", "COMPARE", "EQZ"):
            _plain(handlers, op)
        elif kind in ("LOAD", "STORE"):
            _access(handlers, op)
        elif kind == "VECTOR":
            handlers.kinds[op.name] = Kinds(len(handlers.rows))
            size = 4 if op.immediates == ("lanes16",) else 2
            handlers.add(f"{op.ident}_S", size, f"{_vector(op)} NEXT({size});")
        elif kind in ("VECTOR_LOAD", "VECTOR_STORE"):
            _vector_access(handlers, op)
        elif kind in ("WIDE", "ATOMIC"):
            handlers.kinds[op.name] = Kinds(len(handlers.rows))
            size, body = _wide(op) if kind == "WIDE" else (3, _atomic(op))
            handlers.add(f"{op.ident}_S", size, body)
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
        if _class(op) == "COMPARE":
            swapped = f"OP_{head}_{m.SWAPPED[tail]}"
            if tail in m.INVERSE and head in ("i32", "i64"):
                inverse = f"OP_{head}_{m.INVERSE[tail]}"
        commutes = int(_class(op) == "BINARY" and tail in m.COMMUTATIVE)
        k = handlers.kinds.get(op.name, Kinds())
        width = op.width.bit_length() - 1 if op.width else 0
        out.append(
            f"  {{CLS_{_class(op)}, IMM_{_immediate(op)}, FEATURE_{op.feature.name}, {width}, {op.lanes},"
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


def vector_inc() -> str:
    """One case per vector instruction without a memory: operands in the cells from 2, 4 and 6 on, the result in 0."""
    out = []
    for op in OPS:
        if _class(op) == "VECTOR":
            lane = ""
            if op.immediates == ("lane",):
                lane = f" const uint64_t {'D' if op.name in v.REPLACE else 'C'} = ip[2];"
            names = "A = 0, B = 2" + ("" if " C " in lane else ", C = 4") + ("" if " D " in lane else ", D = 6")
            out.append(f"case OP_{op.ident}: {{ enum {{ {names} }};{lane} {_vector(op)} break; }}")
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
