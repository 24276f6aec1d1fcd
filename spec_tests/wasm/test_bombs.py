"""Modules whose counts promise more than there is, or than a limit allows: refused before anything is made of them.

What is measured is memory as Python counts it, not time. Shapes that are allowed are in test_hostile_shapes.py.
"""

from __future__ import annotations

import tracemalloc
from dataclasses import replace
from random import Random

import pytest

import interp
from interp import _native
from interp.binary.decode import decode
from interp.binary.leb128 import unsigned as u
from interp.syntax.errors import LimitError, WasmError
from interp.syntax.limits import DEFAULT_LIMITS, VmLimits
from interp.syntax.names import decode_names
from interp.testing.differential import disagreement, verdict
from interp.text.parser import parse
from interp.valid.module import validate

HEADER = b"\0asm\1\0\0\0"
HUGE = b"\xff\xff\xff\xff\x0f"
VALIDATORS = ("python", "native") if _native.lib is not None else ("python",)


def section(id: int, contents: bytes) -> bytes:
    return bytes((id,)) + u(len(contents)) + contents


def function(code: bytes, locals: bytes = b"\0", types: bytes = b"\1\x60\0\0") -> bytes:
    entry = locals + code
    return HEADER + section(1, types) + section(3, b"\1\0") + section(10, b"\1" + u(len(entry)) + entry)


MILLION = 1_000_000
#: Name: bytes, and the limit that is passed, or "" where there are fewer bytes than the count says.
COUNTS = {
    "types": (HEADER + section(1, u(MILLION) + b"\x60\0\0" * 1000 + bytes(MILLION)), "types"),
    "a recursion group": (HEADER + section(1, b"\1\x4e" + u(MILLION) + b"\x60\0\0" * MILLION), "types"),
    "super types": (HEADER + section(1, b"\1\x50" + u(MILLION) + bytes(MILLION) + b"\x60\0\0"), "types"),
    "parameters": (HEADER + section(1, b"\1\x60" + u(MILLION) + b"\x7f" * MILLION + b"\0"), "params"),
    "results": (HEADER + section(1, b"\1\x60\0" + u(MILLION) + b"\x7f" * MILLION), "results"),
    "fields": (HEADER + section(1, b"\1\x5f" + u(MILLION) + b"\x7f\0" * MILLION), "fields"),
    "imports": (HEADER + section(2, u(MILLION) + b"\0\0\0\0" * MILLION), "imports"),
    "tables": (HEADER + section(4, u(MILLION) + b"\x70\0\0" * MILLION), "tables"),
    "memories": (HEADER + section(5, u(MILLION) + b"\0\0" * MILLION), "memories"),
    "tags": (HEADER + section(13, u(MILLION) + b"\0\0" * MILLION), "tags"),
    "globals": (HEADER + section(6, u(MILLION) + b"\x7f\0\x41\0\x0b" * MILLION), "globals"),
    "exports": (HEADER + section(7, u(MILLION) + b"\0\0\0" * MILLION), "exports"),
    "element segments": (HEADER + section(9, u(MILLION) + b"\1\0\0" * MILLION), "elements"),
    "data segments": (HEADER + section(11, u(MILLION) + b"\1\0" * MILLION), "data_segments"),
    "a constant expression": (HEADER + section(6, b"\1\x7f\0" + b"\x41\0\x1a" * MILLION), "constant_instructions"),
    "nested constants": (HEADER + section(6, b"\1\x7f\0" + b"\x02\x40" * MILLION), "constant_instructions"),
    "a name": (HEADER + section(2, b"\1" + u(MILLION) + b"a" * MILLION + b"\0\0\0"), "name_bytes"),
    **{
        f"four thousand million: section {id}": (HEADER + section(id, HUGE + bytes(50)), "")
        for id in (1, 2, 3, 4, 5, 6, 7, 9, 10, 11, 13)
    },
    "four thousand million: a recursion group": (HEADER + section(1, b"\1\x4e" + HUGE + b"\x60\0\0" * 50), ""),
    "four thousand million: parameters": (HEADER + section(1, b"\1\x60" + HUGE + b"\x7f" * 50), ""),
    "four thousand million: fields": (HEADER + section(1, b"\1\x5f" + HUGE + b"\x7f\0" * 50), ""),
    "four thousand million: elements": (HEADER + section(9, b"\1\1\0" + HUGE + bytes(50)), ""),
    "four thousand million: bytes": (HEADER + section(11, b"\1\1" + HUGE + bytes(50)), ""),
}  # fmt: skip


@pytest.mark.parametrize("name", COUNTS)
def test_counts_come_before_what_they_count(name: str) -> None:
    data, limit = COUNTS[name]
    tracemalloc.start()
    try:
        with pytest.raises(WasmError) as caught:
            validate(decode(data))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert (caught.value.limit if isinstance(caught.value, LimitError) else "") == limit
    assert caught.value.where is not None
    assert peak < (12 << 20 if limit == "constant_instructions" else 1 << 20), peak


#: Bodies, and what becomes of each: an error's id or "valid".
BODIES = {
    "fifty thousand declarations of one local": (b"\x0b", u(50_000) + b"\1\x7f" * 50_000, "valid"),
    "one more": (b"\x0b", u(50_001) + b"\1\x7f" * 50_001, "locals_limit"),
    "declarations of no locals": (b"\x0b", u(300_000) + b"\0\x7f" * 300_000, "valid"),
    "four thousand million locals": (b"\x0b", b"\1" + HUGE + b"\x7f", "locals_limit"),
    "more, in two declarations": (b"\x0b", b"\2" + (HUGE + b"\x7f") * 2, "too_many_locals"),
    "four thousand million declarations": (b"\x0b", HUGE + b"\1\x7f", "unexpected_end"),
    "four thousand million labels": (b"\0\x0e" + HUGE + b"\0" * 50 + b"\x0b", b"\0", "unexpected_end"),
    "four thousand million types of select": (b"\0\x1c" + HUGE + b"\x7f" * 50 + b"\x0b", b"\0", "unexpected_end"),
    "four thousand million clauses": (b"\x1f\x40" + HUGE + b"\2\0" * 50 + b"\x0b\x0b", b"\0", "unexpected_end"),
    "ten thousand clauses": (b"\x1f\x40" + u(10_000) + b"\2\0" * 10_000 + b"\x0b\x0b", b"\0", "valid"),
    "one more clause": (b"\x1f\x40" + u(10_001) + b"\2\0" * 10_001 + b"\x0b\x0b", b"\0", "catches_limit"),
    "an array of four thousand million, in dead code": (b"\0\xfb\x08\1" + HUGE + b"\x1a\x0b", b"\0", "valid"),
    "a hundred thousand try_tables": (b"\x1f\x40\1\2\0" * 100_000 + b"\x0b" * 100_001, b"\0", "valid"),
    "one more block": (b"\x02\x40" * 100_001 + b"\x0b" * 100_002, b"\0", "nesting_limit"),
    "many locals to be set": (b"\x02\x40" * 999 + b"\x0b" * 1000, u(25_000) + b"\1\x64\x70" * 25_000, "valid"),
    "an index written too long": (b"\x20\x80\x80\x80\x80\x80\0\x1a\x0b", b"\1\1\x7f", "leb_too_long"),
    "an index too large": (b"\x20\xff\xff\xff\xff\x7f\x1a\x0b", b"\1\1\x7f", "leb_too_large"),
    "an index written long": (b"\x20\x80\x80\x80\x80\0\x1a\x0b", b"\1\1\x7f", "valid"),
}  # fmt: skip
TYPES = b"\2\x60\0\0\x5e\x7f\0"


@pytest.mark.parametrize("name", BODIES)
def test_bodies(name: str) -> None:
    code, locals, wanted = BODIES[name]
    data = function(code, locals, TYPES)
    for validator in VALIDATORS:
        said = verdict(data, validator)  # type: ignore[arg-type]
        assert wanted == (said[0] if said[0] == "valid" else said[1]), (validator, said[:4])
    if len(VALIDATORS) == 2:
        assert not disagreement(data)


#: Handlers of a try of the legacy proposal, each for tag 0 but the last.
HANDLERS = {
    "ten thousand": (b"\6\x40" + b"\7\0" * 9_999 + b"\x19\x0b\x0b", "valid"),
    "one more": (b"\6\x40" + b"\7\0" * 9_999 + b"\7\0\x19\x0b\x0b", "catches_limit"),
    "of an inner try": (b"\6\x40" + (b"\7\0" * 5000 + b"\6\x40" + b"\7\0" * 9000 + b"\x0b") * 2 + b"\x0b" * 2, "valid"),
    "in no try": (b"\2\x40" + b"\7\0" * 20_000 + b"\x0b\x0b", "end_expected"),
}


@pytest.mark.parametrize("name", HANDLERS)
def test_handlers_of_one_try(name: str) -> None:
    code, wanted = HANDLERS[name]
    sections = (1, b"\1\x60\0\0"), (3, b"\1\0"), (13, b"\1\0\0"), (10, b"\1" + u(len(code) + 1) + b"\0" + code)
    data = HEADER + b"".join(section(id, contents) for id, contents in sections)
    for validator in VALIDATORS:
        said = verdict(data, validator, features="all")  # type: ignore[arg-type]
        assert wanted == (said[0] if said[0] == "valid" else said[1]), (validator, said[:4])
    if len(VALIDATORS) == 2:
        assert not disagreement(data, features="all")


def test_clauses_in_the_text_format() -> None:
    for block in ("(try_table{} (nop))", "(try (do){} )"):
        for n in (3, 4):
            clauses = " (catch_all 0)" * n if "table" in block else " (catch 0)" * n
            module = parse(f"(module (tag) (func {block.format(clauses)}))")
            limits = replace(DEFAULT_LIMITS, catches=3)
            if n == 3:
                validate(module, features="all", limits=limits, bodies="python")
                continue
            with pytest.raises(LimitError) as caught:
                validate(module, features="all", limits=limits, bodies="python")
            assert caught.value.limit == "catches"


def test_limits_that_were_raised_hold_when_bodies_are_read(engine: str) -> None:
    """Engines in Python read a body when it is called: within the limits of its module."""
    locals, code = u(50_001) + b"\1\x7f" * 50_001, b"\x1f\x40" + u(10_001) + b"\2\0" * 10_001 + b"\x0b\x0b"
    limits = VmLimits(locals=60_000, catches=20_000)
    guest = interp.load(function(code, locals), engine=engine, limits=limits)
    interp.invoke_bits(guest.raw.store, guest.raw.funcs[0], [])


# -- custom sections ------------------------------------------------------------------------------------------------


def test_garbage_in_a_name_section_is_no_error() -> None:
    rng = Random(6)
    good = b"\0\2\1m" + b"\1\5\1\0\2ab" + b"\2\7\1\0\1\0\2xy"
    for _ in range(400):
        if rng.random() < 0.5:
            contents = rng.randbytes(rng.randrange(60))
        else:
            changed = bytearray(good)
            for _ in range(rng.randrange(1, 4)):
                changed[rng.randrange(len(changed))] = rng.choice((0, 1, 2, 5, 0x7F, 0x80, 0xFF, rng.randrange(256)))
            contents = bytes(changed) + rng.randbytes(rng.randrange(8))
        module = decode(HEADER + section(0, b"\4name" + contents))
        validate(module)
        names = decode_names(module.customs[0].data)
        assert sum(map(len, names.funcs.values())) <= 3 * len(contents)


def test_counts_in_a_name_section_size_nothing() -> None:
    data = b"\1" + HUGE + HUGE + b"\2" + HUGE + HUGE + bytes(100)
    tracemalloc.start()
    try:
        decode_names(data)
        assert tracemalloc.get_traced_memory()[1] < 100_000
    finally:
        tracemalloc.stop()


def test_custom_sections_are_counted() -> None:
    one = section(0, b"\1x")
    assert len(decode(HEADER + one * 1000).customs) == 1000
    with pytest.raises(LimitError) as caught:
        decode(HEADER + one * 100_001)
    assert caught.value.limit == "custom_sections"
    assert str(caught.value.where) == f"offset {8 + 100_000 * len(one):#x}"
