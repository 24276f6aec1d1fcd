"""Handlers of references and of what they refer to: casts, null checks, i31, structures and arrays."""

from __future__ import annotations

from handlers import Handlers, places, read, write_to


def reference_handlers(handlers: Handlers) -> None:
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


def object_handlers(handlers: Handlers) -> None:
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
