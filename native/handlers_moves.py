"""Handlers that no row has: what moves cells, chooses between two, branches on a cell and returns."""

from __future__ import annotations

from itertools import product

from handlers import Handlers, places, read, write_to


def _bits(c: str, place: str, slot: str) -> str:
    """A C expression for the 64 bits of an operand of class c."""
    return f"sp[{slot}]" if place == "S" else f"tm_bits_f64(f{place})" if c == "f" else f"r{place}"


def move_handlers(handlers: Handlers) -> None:
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
