"""The binary format (specification chapter 5): what is accepted, and that everything else ends in a clear error."""

from __future__ import annotations

import random
from array import array
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from interp import _native
from interp.binary import leb128
from interp.binary.decode import SECTIONS, decode
from interp.binary.encode import encode
from interp.binary.instructions import instructions, read_body
from interp.binary.names import module_names
from interp.binary.types import Gate
from interp.binary.write import body, expression
from interp.syntax.errors import LimitError, MalformedError, UnsupportedError, WasmError
from interp.syntax.features import DEFAULT_FEATURES, WASM_1, WASM_2, Feature
from interp.syntax.instructions import BY_NAME, OPS, Catch, Ins, MemArg
from interp.syntax.limits import VmLimits
from interp.syntax.module import Custom, Data, Elem, Export, Func, Global, Import, Module, Table
from interp.syntax.types import (
    EXTERNREF,
    FUNCREF,
    I32,
    I64,
    NUM_TYPES,
    V128,
    BlockType,
    FuncType,
    GlobalType,
    Limits,
    MemType,
    RecType,
    SubType,
    TableType,
)

HEADER = b"\0asm\1\0\0\0"
ALL = frozenset(Feature)
BOMB = b"\xff\xff\xff\xff\x0f"


def u(value: int) -> bytes:
    return leb128.unsigned(value)


def section(id: int, contents: bytes) -> bytes:
    return bytes((id,)) + u(len(contents)) + contents


def with_body(code: bytes, *before: bytes, after: bytes = b"") -> bytes:
    """A module of one function [] -> [] whose code entry is `code`."""
    parts = [section(1, b"\1\x60\0\0"), section(3, b"\1\0"), *before, section(10, b"\1" + u(len(code)) + code), after]
    return HEADER + b"".join(parts)


def ins(name: str, *imm: Any) -> Ins:
    return Ins(BY_NAME[name], imm)


END = ins("end")


def example() -> Module:
    """A module with something in every section."""
    const = (ins("i32.const", 8), END)
    code = (
        ins("block", BlockType(None)),
        ins("loop", BlockType(I32)),
        ins("i32.const", 0xFFFFFFFF),
        ins("i64.const", 1 << 63),
        ins("drop"),
        ins("br_table", (0, 1, 1)),
        END,
        ins("drop"),
        END,
        ins("i32.const", 3),
        ins("i64.load", MemArg(3, 70000)),
        ins("drop"),
        ins("f32.const", 0x7FA00000),
        ins("drop"),
        ins("v128.const", 1 << 127 | 5),
        ins("i8x16.shuffle", tuple(range(16, 32))),
        ins("i32x4.extract_lane", 3),
        ins("drop"),
        ins("ref.null", "extern"),
        ins("drop"),
        ins("i32.const", 0),
        ins("i32.const", 0),
        ins("i32.const", 0),
        ins("memory.init", 1, 0),
        ins("local.get", 1),
        ins("i64.const", 5),
        ins("i32.const", 0),
        ins("select_t", (I64,)),
        ins("local.set", 1),
        END,
    )
    return Module(
        rec_types=(
            RecType((SubType(FuncType((I32,), ())),)),
            RecType((SubType(FuncType((), (I32, I64))),)),
        ),
        imports=(
            Import("env", "f", "func", 0),
            Import("env", "t", "table", TableType(EXTERNREF, Limits(1, 5))),
            Import("env", "g", "global", GlobalType(I64, False)),
        ),
        funcs=(Func(0, _contents=((I64, I64, V128), code)),),
        tables=(Table(TableType(FUNCREF, Limits(3))),),
        mems=(MemType(Limits(1, 2)),),
        globals=(Global(GlobalType(I32, True), const),),
        exports=(Export("f", "func", 1), Export("memory", "memory", 0)),
        start=None,
        elems=(
            Elem(FUNCREF, "active", True, array("I", [0, 1]), 1, const),
            Elem(FUNCREF, "passive", True, array("I", [1])),
            Elem(EXTERNREF, "declarative", False, ((ins("ref.null", "extern"), END),)),
        ),
        data_count=2,
        datas=(Data("active", b"abc", 0, const), Data("passive", b"def")),
        customs=(Custom("before", b"1", 0), Custom("middle", b"22", 3), Custom("last", b"", 11)),
    )


def meaning(module: Module) -> object:
    """A module without the places of things in the bytes."""

    def code(expr: tuple[Ins, ...]) -> tuple[object, ...]:
        return tuple((i.op, i.imm) for i in expr)

    return (
        module.rec_types,
        module.imports,
        [(f.type_index, f.locals, code(f.body)) for f in module.funcs],
        module.tables,
        module.mems,
        module.tags,
        [(g.type, code(g.init)) for g in module.globals],
        module.exports,
        module.start,
        [(e.ref, e.mode, e.table, code(e.offset), [i if e.funcs else code(i) for i in e.items]) for e in module.elems],  # type: ignore[arg-type]
        module.data_count,
        [(d.mode, bytes(d.init), d.mem, code(d.offset)) for d in module.datas],
        [(c.name, bytes(c.data), c.after) for c in module.customs],
    )


def test_every_section_survives_a_round_trip() -> None:
    module = example()
    data = encode(module)
    again = decode(data)
    assert meaning(again) == meaning(module)
    assert encode(again) == data
    assert [id for id, _, _ in again.sections] == [0, 1, 2, 3, 0, 4, 5, 6, 7, 9, 12, 10, 11, 0]


def test_bodies_are_places_until_asked_for() -> None:
    data = with_body(b"\0\xff\x0b")
    module = decode(data)  # the body has an illegal opcode, which nobody has looked at
    func = module.funcs[0]
    assert data[func.offset : func.offset + func.length] == b"\0\xff\x0b"
    with pytest.raises(MalformedError, match="illegal opcode ff"):
        func.body  # noqa: B018
    assert module.funcs.type_indices == array("I", [0])  # type: ignore[attr-defined]
    assert module.funcs.lengths == array("I", [3])  # type: ignore[attr-defined]


def test_every_truncation_is_malformed() -> None:
    data = encode(example())
    whole = {8} | {decode(data).sections[i][1] + decode(data).sections[i][2] for i in range(len(decode(data).sections))}
    for end in range(len(data)):
        try:
            decode(data[:end])
        except MalformedError as error:
            assert error.where is not None and (error.where.offset or 0) <= end
        else:
            assert end in whole  # a module may end where a section does, if no other one asks for more


def test_flipped_bytes_are_errors_or_other_modules() -> None:
    data = encode(example())
    for place in range(len(data)):
        for bit in range(8):
            changed = bytearray(data)
            changed[place] ^= 1 << bit
            try:
                module = decode(bytes(changed))
                for func in module.funcs:
                    func.body  # noqa: B018
            except WasmError as error:
                assert str(error)


def test_random_bytes_never_break_the_decoder() -> None:
    dice = random.Random(7)
    for _ in range(3000):
        junk = b"".join(
            section(dice.choice(list(SECTIONS)), dice.randbytes(dice.randrange(12))) for _ in range(dice.randrange(4))
        )
        try:
            for func in decode(HEADER + junk, features=ALL).funcs:
                func.body  # noqa: B018
        except WasmError as error:
            assert error.where is not None


@pytest.mark.parametrize("id", [id for id in SECTIONS if id not in (8, 12)])
def test_a_count_takes_no_memory_before_its_bytes_are_there(id: int) -> None:
    with pytest.raises(MalformedError, match="length out of bounds"):
        decode(HEADER + section(id, BOMB), features=ALL)


BOMBS = {
    "params": section(1, b"\1\x60" + BOMB + b"\0"),
    "results": section(1, b"\1\x60\0" + BOMB),
    "import name": section(2, b"\1" + BOMB + b"abc"),
    "element items": section(9, b"\1\1\0" + BOMB),
    "element expressions": section(9, b"\1\5\x70" + BOMB),
    "struct fields": section(1, b"\1\x5f" + BOMB),
    "supertypes": section(1, b"\1\x50" + BOMB),
    "group": section(1, b"\1\x4e" + BOMB),
}


@pytest.mark.parametrize("what", BOMBS)
def test_inner_counts_take_no_memory_either(what: str) -> None:
    with pytest.raises(MalformedError, match="length out of bounds"):
        decode(HEADER + BOMBS[what], features=ALL)


def test_sizes_are_held_against_the_bytes() -> None:
    with pytest.raises(MalformedError, match="unexpected end"):
        decode(HEADER + section(11, b"\1\1" + BOMB + b"abc"))
    with pytest.raises(MalformedError, match="unexpected end"):
        decode(HEADER + section(3, b"\1\0") + section(10, b"\1" + BOMB + b"\0\x0b"))


def test_a_br_table_of_four_thousand_million_labels() -> None:
    module = decode(with_body(b"\0\x41\0\x0e" + BOMB + b"\0\x0b"))
    with pytest.raises(MalformedError, match="unexpected end"):
        module.funcs[0].body  # noqa: B018


def test_limits_have_names() -> None:
    data = encode(example())
    for limit in ("types", "imports", "exports", "globals", "tables", "memories", "functions", "elements"):
        with pytest.raises(LimitError) as caught:
            decode(data, limits=VmLimits(**{limit: 0}))
        assert caught.value.limit == limit
    for limit in (
        "constant_instructions",
        "data_segments",
        "module_bytes",
        "name_bytes",
        "params",
        "results",
        "table_entries",
    ):
        with pytest.raises(LimitError) as caught:
            decode(data, limits=VmLimits(**{limit: 0}))
        assert caught.value.limit == limit


def test_locals_are_counted_before_they_are_made() -> None:
    module = decode(with_body(b"\1\xd1\x86\x03\x7f\x0b"))  # 50,001 locals
    with pytest.raises(LimitError) as caught:
        module.funcs[0].locals  # noqa: B018
    assert caught.value.limit == "locals"
    most = decode(with_body(b"\2\xff\xff\xff\xff\x0f\x7f\1\x7e\x0b"))
    with pytest.raises(MalformedError, match="too many locals"):
        most.funcs[0].locals  # noqa: B018


def test_ten_thousand_blocks_are_no_recursion() -> None:
    code = b"\0" + b"\x02\x40" * 50_000 + b"\x0b" * 50_001
    assert len(decode(with_body(code)).funcs[0].body) == 100_001


MALFORMED = {
    "magic header not detected": [b"wasm\1\0\0\0", b"\0ASM\1\0\0\0"],
    "unknown binary version": [b"\0asm\2\0\0\0", b"\0asm\1\0\1\0"],
    "unexpected end": [b"", b"\0as", b"\0asm", b"\0asm\1\0\0", HEADER + b"\0\0", HEADER + b"\1"],
    "malformed section id": [HEADER + b"\x0e\1\0", HEADER + b"\x80\1\0"],
    "length out of bounds": [HEADER + b"\1\7\2\x60\0\0", HEADER + HEADER],
    "section size mismatch": [HEADER + section(1, b"\1\x60\0\0\x60\0\0"), HEADER + section(8, b"\0\0")],
    "unexpected content after last section": [
        HEADER + section(1, b"\0") * 2,
        HEADER + section(10, b"\0") + section(12, b"\0"),
        HEADER + section(6, b"\0") + section(5, b"\0"),
    ],
    "function and code section have inconsistent lengths": [
        HEADER + section(3, b"\1\0"),
        HEADER + section(10, b"\1\2\0\x0b"),
    ],
    "data count and data section have inconsistent lengths": [
        HEADER + section(12, b"\1"),
        HEADER + section(12, b"\1") + section(11, b"\0"),
    ],
    "malformed UTF-8 encoding": [
        HEADER + section(0, b"\1\x80"),
        HEADER + section(7, b"\1\3\xed\xa0\x80\0\0"),
        HEADER + section(2, b"\1\0\2\xc0\x80\0\0"),
    ],
    "malformed import kind": [HEADER + section(2, b"\1\0\0\5\0")],
    "malformed export kind": [HEADER + section(7, b"\1\0\5\0")],
    "malformed limits flags": [HEADER + section(5, b"\1\x10\0"), HEADER + section(4, b"\1\x70\x02\0\0")],
    "malformed mutability": [HEADER + section(6, b"\1\x7f\2\x41\0\x0b")],
    "malformed value type": [HEADER + section(6, b"\1\x40\0\x41\0\x0b")],
    "malformed reference type": [HEADER + section(4, b"\1\x7f\0\0")],
    "malformed definition type": [HEADER + section(1, b"\1\x61\0\0")],
    "malformed elements segment kind": [HEADER + section(9, b"\1\x08")],
    "malformed element kind": [HEADER + section(9, b"\1\1\1\0")],
    "malformed data segment kind": [HEADER + section(11, b"\1\3")],
    "integer representation too long": [
        HEADER + b"\1\x80\x80\x80\x80\x80\0",
        HEADER + section(3, b"\1\x80\x80\x80\x80\x80\0"),
        HEADER + section(5, b"\1\0\x82\x80\x80\x80\x80\x80\x80\x80\x80\x80\0"),
    ],
    "integer too large": [
        HEADER + section(3, b"\1\x80\x80\x80\x80\x10"),
        HEADER + section(6, b"\1\x7f\0\x41\x80\x80\x80\x80\x08\x0b"),
        HEADER + section(5, b"\1\0\x82\x80\x80\x80\x80\x80\x80\x80\x80\x70"),
    ],
}


@pytest.mark.parametrize(("message", "data"), [(m, d) for m, datas in MALFORMED.items() for d in datas])
def test_malformed_modules(message: str, data: bytes) -> None:
    with pytest.raises(MalformedError) as caught:
        decode(data)
    assert caught.value.message.startswith(message)
    assert caught.value.where is not None and caught.value.where.offset is not None


#: Bodies (with their locals) to the message, and how far behind the body's first byte the error is.
BODIES: dict[bytes, tuple[str, int]] = {
    b"\0\xff\x0b": ("illegal opcode ff", 1),
    b"\0\xfc\x7f\x0b": ("illegal opcode fc7f", 1),
    b"\0\x02\x41\x0b\x0b": ("malformed block type", 2),
    b"\0\xd0\x41\x0b": ("malformed heap type", 2),
    b"\1\1\x41\x0b": ("malformed value type", 2),
    b"\0\x05\x0b": ("END opcode expected", 1),
    b"\0\x04\x40\x05\x05\x0b\x0b": ("END opcode expected", 4),
    b"\0\x0b\x01": ("section size mismatch", 2),
    b"\0\x41\x80\x80\x80\x80\x80\0\x0b": ("integer representation too long", 2),
    b"\0\x42\x80\x80\x80\x80\x80\x80\x80\x80\x80\x02\x0b": ("integer too large", 2),
    b"\0\x28\x80\1\0\x0b": ("malformed memop flags", 2),
    b"\0\x43\0\0\0": ("unexpected end", 2),
    b"\0\x01": ("unexpected end", 2),
    b"\xff\x7f\x0b": ("unexpected end", 0),
    b"\0\xfe\x03\x01\x0b": ("zero byte expected", 3),
}


@pytest.mark.parametrize("code", BODIES)
def test_malformed_bodies(code: bytes) -> None:
    message, place = BODIES[code]
    data = with_body(code)
    module = decode(data)
    with pytest.raises(MalformedError) as caught:
        module.funcs[0].body  # noqa: B018
    assert caught.value.message.startswith(message)
    assert caught.value.where is not None
    assert caught.value.where.offset == module.funcs[0].offset + place


def test_what_is_off_is_not_malformed() -> None:
    cases: list[tuple[bytes, str]] = [
        (section(13, b"\0"), "exceptions"),
        (section(5, b"\1\4\0"), "memory64"),
        (section(5, b"\1\3\0\1"), "threads"),
        (section(1, b"\1\x5f\0"), "gc"),
        (section(1, b"\1\x60\1\x64\x70\0"), "function-references"),
        (section(4, b"\1\x40\0\x70\0\0\xd0\x70\x0b"), "function-references"),
    ]
    for contents, feature in cases:
        with pytest.raises(UnsupportedError) as caught:
            decode(HEADER + contents, features=WASM_2)
        assert caught.value.feature == feature
        decode(HEADER + contents, features=ALL)
    with pytest.raises(UnsupportedError) as caught:
        decode(HEADER + section(12, b"\0"), features=WASM_1)
    assert caught.value.feature == "bulk-memory"


def test_custom_sections_are_kept_and_never_wrong() -> None:
    data = HEADER + section(0, b"\4name\xff\xff\xff") + section(1, b"\0") + section(0, b"\1x\0\1\2")
    module = decode(data)
    assert [(c.name, bytes(c.data), c.after) for c in module.customs] == [
        ("name", b"\xff\xff\xff", 0),
        ("x", b"\0\1\2", 1),
    ]
    assert encode(module) == HEADER + section(0, b"\4name\xff\xff\xff") + section(0, b"\1x\0\1\2")


def test_names_give_what_can_be_read() -> None:
    good = section(0, b"\4name\0\2\1m\1\7\2\0\1a\5\1b\2\7\1\0\1\0\2xy")
    module = decode(HEADER + good)
    names = module_names(module)
    assert (names.module, dict(names.funcs), {k: dict(v) for k, v in names.locals.items()}) == (
        "m",
        {0: "a", 5: "b"},
        {0: {0: "xy"}},
    )
    dice = random.Random(3)
    for _ in range(500):
        junk = bytearray(good[2:])
        for _ in range(dice.randrange(1, 6)):
            junk[dice.randrange(5, len(junk))] = dice.randrange(256)
        module_names(decode(HEADER + section(0, bytes(junk))))
    assert module_names(decode(HEADER)).funcs == {}


@pytest.fixture(params=["python", "c"])
def scanner(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Who reads simple data segments."""
    if request.param == "python":
        monkeypatch.setattr(_native, "lib", None)
    elif _native.lib is None:
        pytest.skip("this installation has no C part")
    return str(request.param)


@pytest.mark.usefixtures("scanner")
def test_data_segments_by_arrays_and_one_by_one() -> None:
    def segment(address: bytes, contents: bytes) -> bytes:
        return b"\0\x41" + address + b"\x0b" + u(len(contents)) + contents

    addresses = [0, 63, 64, 5000, 1 << 20, (1 << 27) - 1, 1 << 27, 1 << 30, 0xFFFFFFFF, 0x80000000, 7]
    contents = [bytes((i,)) * (i * 37 % 300) for i in range(len(addresses))]
    signed = [a - (1 << 32) if a >> 31 else a for a in addresses]
    parts = [segment(leb128.signed(a), c) for a, c in zip(signed, contents, strict=True)]
    parts.insert(4, b"\1\2hi")
    parts.append(b"\x80\0" + segment(b"\x09", b"long")[1:])
    parts.append(b"\2\0\x41\5\x0b\1z")
    module = decode(HEADER + section(5, b"\1\0\1") + section(11, u(len(parts)) + b"".join(parts)))
    datas = module.datas
    assert len(datas) == len(parts)
    assert [bytes(d.init) for d in datas] == [*contents[:4], b"hi", *contents[4:], b"long", b"z"]
    assert [d.offset[0].imm[0] for d in datas if d.mode == "active"] == [*addresses, 9, 5]
    assert list(datas.addresses) == [*addresses[:4], 0, *addresses[4:], 9, 0]  # type: ignore[attr-defined]
    assert sorted(datas.others) == [4, 13]  # type: ignore[attr-defined]
    assert all(module.binary[d.at] in (0, 1, 2, 0x80) for d in datas)


@pytest.mark.usefixtures("scanner")
def test_cut_data_sections() -> None:
    whole = b"\3" + b"\0\x41\x80\x80\x04\x0b\x05hello" * 3
    decode(HEADER + section(11, whole))
    for end in range(len(whole)):
        with pytest.raises(MalformedError):
            decode(HEADER + section(11, whole[:end]))
        # What stands behind the section is not its own.
        with pytest.raises(MalformedError, match=r"unexpected end|out of bounds"):
            decode(HEADER + section(11, whole[:end]) + section(0, b"\1x" + bytes(20)))


def test_a_wrong_body_length_is_the_body_s_error() -> None:
    # The offset of i32.load has a byte too many, which makes the code section end too early.
    code = b"\x0f\1\1\x7f\x41\0\x28\2\x82\x80\x80\x80\x80\x80\x80\x80\x80\x80\0\x1a\x0b"
    data = HEADER + section(1, b"\1\x60\0\0") + section(3, b"\1\0") + b"\x0a\x11\1" + code
    with pytest.raises(MalformedError, match="integer representation too long"):
        decode(data)


# Properties.


@given(st.integers(0, 2**64 - 1))
def test_unsigned_integers(value: int) -> None:
    data = leb128.unsigned(value)
    assert leb128.read_unsigned(data, 0, len(data), 64) == (value, len(data))
    padded = data[:-1] + bytes((data[-1] | 0x80, 0))
    if len(padded) <= 10:
        assert leb128.read_unsigned(padded, 0, len(padded), 64) == (value, len(padded))
    if value < 2**32:
        assert leb128.read_u32(data, 0, len(data)) == (value, len(data))


@given(st.integers(-(2**63), 2**63 - 1))
def test_signed_integers(value: int) -> None:
    data = leb128.signed(value)
    assert leb128.read_signed(data, 0, len(data), 64) == (value, len(data))
    if -(2**31) <= value < 2**31:
        assert leb128.read_signed(data, 0, len(data), 32) == (value, len(data))
    else:
        with pytest.raises(MalformedError):
            leb128.read_signed(data, 0, len(data), 32)


@given(st.binary(max_size=12), st.sampled_from([32, 33, 64]))
def test_integers_of_any_bytes(data: bytes, bits: int) -> None:
    for read in (leb128.read_unsigned, leb128.read_signed):
        try:
            value, end = read(data, 0, len(data), bits)
        except MalformedError as error:
            assert error.where is not None and error.where.offset == 0
        else:
            assert end <= len(data) and end <= (bits + 6) // 7
            low, high = (0, 1 << bits) if read is leb128.read_unsigned else (-1 << bits - 1, 1 << bits - 1)
            assert low <= value < high


_INDEX = st.integers(0, 2**32 - 1)
_HEAP = st.sampled_from(["func", "extern", "any", "exn", "none"]) | st.integers(0, 1000)
_VALUE = st.sampled_from([*NUM_TYPES.values(), FUNCREF, EXTERNREF])
_IMMEDIATES: dict[str, st.SearchStrategy[Any]] = {
    "block": st.builds(BlockType, st.none() | _VALUE | st.integers(0, 1000)),
    "labels": st.lists(_INDEX, min_size=1, max_size=5).map(tuple),
    "memarg": st.builds(MemArg, st.integers(0, 63), st.integers(0, 2**64 - 1), st.integers(0, 3)),
    "lane": st.integers(0, 255),
    "lanes16": st.lists(st.integers(0, 255), min_size=16, max_size=16).map(tuple),
    "i32": _INDEX,
    "f32": _INDEX,
    "i64": st.integers(0, 2**64 - 1),
    "f64": st.integers(0, 2**64 - 1),
    "v128": st.integers(0, 2**128 - 1),
    "types": st.lists(_VALUE, max_size=3).map(tuple),
    "heap": _HEAP,
    "catches": st.lists(
        st.builds(Catch, st.integers(0, 1), st.integers(0, 9), st.integers(0, 9))
        | st.builds(Catch, st.integers(2, 3), st.just(-1), st.integers(0, 9)),
        max_size=3,
    ).map(tuple),
    "castflags": st.integers(0, 3),
    "zero": st.just(0),
}
_STRUCTURE = {"block", "loop", "if", "else", "end", "try", "try_table", "catch", "catch_all", "delegate"}


@st.composite
def _instruction(draw: st.DrawFn) -> Ins:
    op = draw(st.sampled_from([op for op in OPS if op.name not in _STRUCTURE]))
    return Ins(op, tuple(draw(_IMMEDIATES.get(kind, _INDEX)) for kind in op.immediates))


@settings(max_examples=200, deadline=None)
@given(st.lists(_instruction(), max_size=8), st.lists(_VALUE, max_size=6))
def test_code_survives_a_round_trip(code: list[Ins], locals: list[Any]) -> None:
    data = body(tuple(locals), (*code, END))
    got_locals, got = read_body(data, 0, len(data))
    assert got_locals == tuple(locals)
    assert [i[:2] for i in got] == [i[:2] for i in (*code, END)]


@pytest.mark.parametrize("op", OPS, ids=lambda op: op.name)
def test_every_row_is_written_and_read(op: Any) -> None:
    samples = {"block": BlockType(7), "labels": (3, 1), "memarg": MemArg(1, 1 << 33, 2), "types": (V128, FUNCREF)}
    samples |= {"lanes16": tuple(range(16)), "heap": 5, "catches": (Catch(1, 4, 2), Catch(2, -1, 0)), "castflags": 2}  # type: ignore[dict-item]
    samples |= {"zero": 0, "i64": 1 << 63, "f64": 1 << 62, "v128": 1 << 100}  # type: ignore[dict-item]
    tested = Ins(op, tuple(samples.get(kind, 9) for kind in op.immediates))
    opener = {"else": "if", "catch": "try", "catch_all": "try", "delegate": "try"}.get(op.name)
    opening = (ins(opener, BlockType(None)),) if opener else ()
    closing = () if op.name in ("end", "delegate") else (END,) * ("block" in op.immediates or opener is not None)
    code = (*opening, tested, *closing, *(() if op.name == "end" else (END,)))
    data = expression(code)
    assert [i[:2] for i in instructions(data, 0, len(data), Gate())] == [i[:2] for i in code]
    if op.feature not in DEFAULT_FEATURES:
        with pytest.raises(UnsupportedError) as caught:
            list(instructions(data, 0, len(data), Gate(DEFAULT_FEATURES)))
        assert caught.value.feature == op.feature.value or opening


@settings(max_examples=50, deadline=None)
@given(st.binary(max_size=40))
def test_junk_behind_a_body_is_found(junk: bytes) -> None:
    data = with_body(b"\0\x0b" + junk)
    func = decode(data).funcs[0]
    if junk:
        with pytest.raises(MalformedError, match="section size mismatch"):
            func.body  # noqa: B018
    else:
        assert len(func.body) == 1


def test_functions_are_the_same_object_while_in_use() -> None:
    module = decode(with_body(b"\0\x0b"))
    first = module.funcs[0]
    assert module.funcs[0] is first and module.funcs[-1] is first
    assert replace(first) == first
    with pytest.raises(IndexError):
        module.funcs[1]
