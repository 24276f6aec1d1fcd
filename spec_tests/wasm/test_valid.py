"""Validation (specification chapter 3 and the appendix's algorithm) by both validators: same verdict, same place."""

from __future__ import annotations

import gc
import random
from typing import Any

import pytest

import interp
from interp import _native
from interp.binary.decode import decode
from interp.binary.encode import encode
from interp.binary.instructions import instructions, read_locals
from interp.binary.types import Gate
from interp.syntax.errors import BODY_ERRORS, InvalidError, LimitError, UnsupportedError, WasmError
from interp.syntax.features import WASM_1, WASM_2, Feature
from interp.syntax.instructions import BY_NAME, OPS, Ins
from interp.syntax.limits import VmLimits
from interp.syntax.module import Func, Module
from interp.syntax.types import F32, I32, FuncType, RecType, RefType, SubType
from interp.valid.canon import canonical
from interp.valid.context import VALIDATED
from interp.valid.expr import _PLAIN, SPECIAL
from interp.valid.module import ValidModule, validate

VALIDATORS: list[Any] = ["python"]
if _native.lib is not None:
    VALIDATORS.append("native")


@pytest.fixture(params=["python", "native"])
def bodies(request: pytest.FixtureRequest) -> Any:
    """Each validator that is here."""
    if request.param not in VALIDATORS:
        pytest.skip("this installation has no C validator")
    return request.param


CONTEXT = """
    (type $none (func)) (type $two (func (param i32 i64) (result i32 i64))) (type $f (func (param f32)))
    (import "env" "f" (func $import (param i32) (result i32)))
    (memory 1) (table $t 1 funcref) (table $x 1 externref)
    (global $c i32 (i32.const 0)) (global $v (mut f64) (f64.const 0))
    (elem $e funcref (ref.func $import)) (elem $ex externref) (data $d "x")
"""


def module_of(code: str, head: str = "") -> Module:
    """A module in the usual context whose last function has this code; from bytes, so that places are known."""
    return decode(encode(interp.parse(f"(module {CONTEXT} (func $last {head} {code}))")))


# One line each: code (with its parameters and results before the bar), id of the error, the instruction it is at.
INVALID = """
    drop                                                        | type_mismatch             | drop
    i32.const 1                                                 | type_mismatch_height      | end
    i64.const 1 i32.eqz drop                                    | type_mismatch             | i32.eqz
    i32.const 1 i64.const 1 i32.add drop                        | type_mismatch             | i32.add
    block i32.const 1 end                                       | type_mismatch_height      | end
    i32.const 1 block drop end                                  | type_mismatch             | drop
    block (result i32) end drop                                 | type_mismatch             | end
    block (result i32) i64.const 1 end drop                     | type_mismatch             | end
    block (param i32) drop end                                  | type_mismatch             | block
    loop (result i32) br 0 i64.const 1 end drop                 | type_mismatch             | end
    i32.const 1 if (result i32) i32.const 1 end drop            | type_mismatch_else        | end
    i64.const 1 if end                                          | type_mismatch             | if
    i32.const 1 if (result i32) i32.const 1 else end drop       | type_mismatch             | end
    i32.const 1 if i32.const 1 else end                         | type_mismatch_height      | else
    br 1                                                        | unknown_label             | br
    i32.const 0 br_if 1                                         | unknown_label             | br_if
    i32.const 0 br_table 0 0 1                                  | unknown_label             | br_table
    i32.const 0 br_table 1 0                                    | unknown_label             | br_table
    br_if 0                                                     | type_mismatch             | br_if
    block (result i32) i32.const 1 i32.const 1 br_if 1 end drop | -                         | -
    block (result i32) i32.const 1 i32.const 1 i32.const 1 br_if 1 end drop | type_mismatch_height | end
    block (result i32) br 0 end drop                            | type_mismatch             | br
    block (result i32) i32.const 0 i32.const 0 br_table 0 1 end | type_mismatch_br_table    | br_table
    block (result i32) block (result f32) unreachable br_table 0 1 end drop i32.const 0 end drop | -  | -
    block (result i32) block (result f32) i32.const 0 i32.const 0 br_table 0 1 end end drop | type_mismatch | br_table
    call 9                                                      | unknown_function          | call
    call 0                                                      | type_mismatch             | call
    i32.const 0 call_indirect (type 99)                         | unknown_type              | call_indirect
    i32.const 0 call_indirect 9 (type $none)                    | unknown_table             | call_indirect
    i32.const 0 call_indirect $x (type $none)                   | call_indirect_table       | call_indirect
    i64.const 0 call_indirect $t (type $none)                   | type_mismatch             | call_indirect
    i32.const 0 i64.const 0 i32.const 0 select drop             | type_mismatch_select      | select
    ref.null func ref.null func i32.const 0 select drop         | type_mismatch_select      | select
    ref.null func i32.const 0 i32.const 0 select (result funcref) drop | type_mismatch      | select_t
    i32.const 0 i32.const 0 i32.const 0 select (result i32 i32) drop | invalid_result_arity | select_t
    i32.const 0 select drop                                     | type_mismatch             | select
    local.get 3 drop                                            | unknown_local             | local.get
    i32.const 0 local.set 0                                     | unknown_local             | local.set
    global.get 7 drop                                           | unknown_global            | global.get
    i32.const 0 global.set $c                                   | immutable_global          | global.set
    i32.const 0 global.set $v                                   | type_mismatch             | global.set
    i32.const 0 table.get 7 drop                                | unknown_table             | table.get
    i32.const 0 ref.null func table.set $x                      | type_mismatch             | table.set
    i32.const 0 i32.const 0 i32.const 0 table.copy $t $x        | type_mismatch_elem        | table.copy
    i32.const 0 i32.const 0 i32.const 0 table.init $t $ex       | type_mismatch_elem        | table.init
    i32.const 0 i32.const 0 i32.const 0 table.init $t 9         | unknown_elem              | table.init
    elem.drop 9                                                 | unknown_elem              | elem.drop
    data.drop 9                                                 | unknown_data              | data.drop
    i32.const 0 i32.const 0 i32.const 0 memory.init 9           | unknown_data              | memory.init
    ref.null extern i64.const 0 table.grow $x drop              | type_mismatch             | table.grow
    i32.const 0 i32.load align=8 drop                           | alignment                 | i32.load
    i32.const 0 i32.load offset=4294967296 drop                 | offset_out_of_range       | i32.load
    i64.const 0 i32.load drop                                   | type_mismatch             | i32.load
    i32.const 0 i64.const 0 i32.store                           | type_mismatch             | i32.store
    i32.const 0 v128.const i64x2 0 0 v128.load8_lane 16 drop    | lane_index                | v128.load8_lane
    v128.const i64x2 0 0 i32x4.extract_lane 4 drop              | lane_index                | i32x4.extract_lane
    v128.const i64x2 0 0 i32x4.splat drop                       | type_mismatch             | i32x4.splat
    i32.const 0 ref.is_null drop                                | type_mismatch             | ref.is_null
    ref.func 9 drop                                             | unknown_function          | ref.func
    ref.func $last drop                                         | undeclared_reference      | ref.func
    unreachable i32.add drop                                    | -                         | -
    unreachable i64.const 0 i32.add drop                        | type_mismatch             | i32.add
    unreachable select drop                                     | -                         | -
    unreachable ref.null func i32.const 0 select drop           | type_mismatch_select      | select
    unreachable i32.const 0 block drop end                      | type_mismatch             | drop
    unreachable i32.const 0                                     | type_mismatch_height      | end
    unreachable br_table 0 0 i32.const 0 drop                   | -                         | -
    return i32.const 0 i64.const 0 i32.add drop                 | type_mismatch             | i32.add
    br 0 drop drop br_if 0                                      | -                         | -
    block (result i32) unreachable end i64.eqz drop             | type_mismatch             | i64.eqz
    unreachable block (param i32 i64) (result i32 i64) end i64.eqz br 0 | -                     | -
    loop (param i32) br 0 end                                   | type_mismatch             | loop
    i32.const 0 loop (param i32) (result i32) br 0 end drop     | -                         | -
    i32.const 1 if unreachable else i32.const 0 drop end        | -                         | -
"""
CASES = [tuple(part.strip() for part in line.split("|")) for line in INVALID.strip().splitlines()]


@pytest.mark.parametrize(("code", "id", "at"), CASES, ids=[case[0] for case in CASES])
def test_bodies(code: str, id: str, at: str, bodies: Any) -> None:
    module = module_of(code)
    if id == "-":
        validate(module, bodies=bodies)
        return
    with pytest.raises(InvalidError) as caught:
        validate(module, bodies=bodies)
    error = caught.value
    kind, template = BODY_ERRORS[id]
    assert (error.id, kind) == (id, "i")
    assert error.message.startswith(template.split("{", maxsplit=1)[0])
    assert error.where is not None and error.where.context == "func 1"
    func = module.funcs[0]
    pos = read_locals(module.binary, func.offset, func.length, Gate())[1]
    places = {i.at: i.op.name for i in instructions(module.binary, pos, func.offset + func.length, Gate())}
    assert places[error.where.offset or 0] == at


def test_both_validators_say_the_same_words() -> None:
    if len(VALIDATORS) < 2:
        pytest.skip("this installation has no C validator")
    for code, _, _ in CASES:
        assert outcome(module_of(code), "python") == outcome(module_of(code), "native")


def outcome(module: Module, bodies: Any, features: frozenset[Feature] = WASM_2) -> tuple[Any, ...]:
    """What a validator says of a module, comparable."""
    try:
        valid = validate(module, bodies=bodies, features=features)
    except WasmError as error:
        kind = next(c for c in type(error).__mro__ if c.__module__ == "interp.syntax.errors")
        return kind, error.id, str(error)
    return ValidModule, valid.features, list(valid.frame_cells)


SAMPLES = [
    "(module (func (param i32 i64) (result i64) (local f32) block (result i64) local.get 1 local.get 0 br_if 0 "
    "drop i64.const 5 end loop i32.const 3 local.tee 0 br_if 0 end))",
    f"(module {CONTEXT} (func (param i32) (local funcref v128) local.get 0 if (result i32) i32.const 7 else local.get 0"
    " end call $import drop i32.const 0 i32.const 1 i32.const 2 memory.init $d i32.const 4 i32.load16_s offset=300 "
    "i32.const 9 i32.store8 ref.func $import local.set 1 local.get 1 ref.is_null drop data.drop $d "
    "i32.const 0 v128.load local.tee 2 i8x16.extract_lane_u 15 br_table 0 0 0))",
    f"(module {CONTEXT} (func (param i32) block block block local.get 0 br_table 0 1 2 3 end end end "
    "i32.const 1 i64.const 2 block (type $two) end drop drop f64.const 1.5 global.set $v "
    "i32.const 0 table.get $x i32.const 1 table.grow $x drop i32.const 0 call_indirect $t (type $none)))",
]


def test_both_validators_agree_on_changed_bodies() -> None:
    if len(VALIDATORS) < 2:
        pytest.skip("this installation has no C validator")
    dice = random.Random(11)
    likely = bytes.fromhex("0b0504020300 0c0d0e0f1011 1a1b1c 2021 4142 80ff7f7e40706f d0d1d2 fcfd")
    modules = [encode(interp.parse(text)) for text in SAMPLES]
    seen = set()
    for _ in range(4000):
        data = bytearray(dice.choice(modules))
        module = decode(bytes(data))
        start, length = module.funcs[0].offset, module.funcs[0].length
        for _ in range(dice.choice((1, 1, 2, 3))):
            value = dice.choice(likely) if dice.random() < 0.6 else dice.randrange(256)
            data[start + dice.randrange(length)] = value
        changed = decode(bytes(data))
        python = outcome(changed, "python")
        assert python == outcome(changed, "native"), bytes(data).hex()
        seen.add(python[:2] if python[0] is not ValidModule else ValidModule)
    assert len(seen) > 20


# Code for itself, and how many cells: parameters, locals and highest operand stack.
CELLS = {
    "": 0,
    "nop": 0,
    "i32.const 1 drop": 1,
    "i32.const 1 i32.const 2 i32.const 3 drop drop drop": 3,
    "v128.const i64x2 0 0 i32.const 1 drop drop": 3,
    "(local v128 i32)": 3,
    "i32.const 1 br 0 i32.const 2 i32.const 3 drop drop": 2,
    "unreachable i32.const 1 i32.const 2 drop drop": 2,
    "unreachable v128.const i64x2 0 0 drop": 2,
    "unreachable select drop": 1,
    "i32.const 1 i32.const 1 block (param i32) drop end drop": 2,
    "block (result i32 i32 i32) unreachable end drop drop drop": 3,
}


@pytest.mark.parametrize("code", CELLS)
def test_frame_cells(code: str, bodies: Any) -> None:
    assert list(validate(module_of(code), bodies=bodies).frame_cells) == [CELLS[code]]
    assert list(validate(module_of(code, "(param i64 v128)"), bodies=bodies).frame_cells) == [CELLS[code] + 3]


def test_dead_results_take_no_cells(bodies: Any) -> None:
    assert list(validate(module_of("unreachable", "(result i32 i32)"), bodies=bodies).frame_cells) == [0]
    assert list(validate(module_of("i32.const 1 i32.const 2", "(result i32 i32)"), bodies=bodies).frame_cells) == [2]


MODULES = {
    '(func (export "a")) (func (export "a"))': "duplicate export name",
    '(export "a" (func 0))': "unknown function 0",
    '(export "a" (memory 0))': "unknown memory 0",
    '(export "a" (table 0))': "unknown table 0",
    '(export "a" (global 0))': "unknown global 0",
    "(func (param i32)) (start 0)": "start function",
    "(func (result i32) i32.const 0) (start 0)": "start function",
    "(start 0)": "unknown function 0",
    "(func (type 3))": "unknown type 3",
    '(import "m" "n" (func (type 3)))': "unknown type 3",
    "(memory 2 1)": "size minimum must not be greater than maximum",
    "(table 2 1 funcref)": "size minimum must not be greater than maximum",
    "(memory 65537)": "memory size must be at most 65536 pages (4GiB)",
    "(memory 1 65537)": "memory size must be at most 65536 pages (4GiB)",
    "(global i32 (i64.const 0))": "type mismatch",
    "(global i32 (i32.const 0) (i32.const 0))": "type mismatch",
    "(global i32)": "type mismatch",
    "(global i32 (nop))": "constant expression required",
    "(global i32 (i32.ctz (i32.const 0)))": "constant expression required",
    "(global i32 (global.get 0))": "unknown global 0",
    '(import "m" "g" (global (mut i32))) (global i32 (global.get 0))': "constant expression required",
    "(global funcref (ref.func 0))": "unknown function 0",
    "(elem (i32.const 0))": "unknown table 0",
    "(table 1 funcref) (elem (i32.const 0) 0)": "unknown function 0",
    "(table 1 funcref) (elem (i64.const 0))": "type mismatch",
    "(table 1 externref) (elem (i32.const 0) funcref)": "type mismatch",
    "(elem externref (ref.null func))": "type mismatch",
    '(data (i32.const 0) "x")': "unknown memory 0",
    '(memory 1) (data (f32.const 0) "x")': "type mismatch",
    '(memory 1) (data (global.get 0) "x")': "unknown global 0",
    "(func (drop (memory.grow (i32.const 0))))": "unknown memory 0",
}


@pytest.mark.parametrize("text", MODULES)
@pytest.mark.parametrize("binary", [False, True], ids=["text", "binary"])
def test_modules(text: str, binary: bool) -> None:
    module = interp.parse(f"(module {text})")
    if binary:
        module = decode(encode(module))
    with pytest.raises(InvalidError) as caught:
        validate(module, bodies="python")
    assert caught.value.message.startswith(MODULES[text])


UNSUPPORTED = {
    "(memory 1) (memory 1)": "multi-memory",
    "(memory i64 1)": "memory64",
    "(global i32 (i32.add (i32.const 1) (i32.const 2)))": "extended-const",
    "(global i32 (i32.const 1)) (global i32 (global.get 0))": "gc",
    "(func return_call 0)": "tail-call",
    "(memory 1) (func (drop (i32.atomic.load (i32.const 0))))": "threads",
}


@pytest.mark.parametrize("text", UNSUPPORTED)
def test_what_is_off_is_not_invalid(text: str) -> None:
    with pytest.raises(UnsupportedError) as caught:
        validate(interp.parse(f"(module {text})"), features=WASM_2)
    assert caught.value.feature == UNSUPPORTED[text]


def test_older_standards_refuse_newer_instructions(bodies: Any) -> None:
    newer = {
        "(func (drop (i32.extend8_s (i32.const 0))))": "sign-extension",
        "(func (drop (i32.trunc_sat_f32_s (f32.const 0))))": "saturating-float-to-int",
        "(func (result i32 i32) i32.const 1 i32.const 2)": "multi-value",
        "(memory 1) (func (memory.fill (i32.const 0) (i32.const 0) (i32.const 0)))": "bulk-memory",
        "(func (local externref))": "reference-types",
        "(func (local v128))": "simd",
        "(table 1 funcref) (table 1 funcref)": "reference-types",
    }
    for text, feature in newer.items():
        module = interp.parse(f"(module {text})")
        with pytest.raises(UnsupportedError) as caught:
            validate(module, features=WASM_1, bodies=bodies)
        assert caught.value.feature == feature
        assert Feature(feature) in validate(module, bodies=bodies).features


def test_later_rules() -> None:
    later = VALIDATED
    good = [
        "(func $f (param i32) (result i32) local.get 0 return_call $f)",
        "(table 1 funcref) (func (result i32) i64.const 1 i32.const 0 return_call_indirect (param i64) (result i32))",
        "(global i32 (i32.mul (i32.const 6) (i32.const 7)))",
        "(memory 1) (memory i64 1) (func i32.const 0 i64.const 0 i32.const 0 memory.copy 0 1)",
        "(memory i64 1) (func i64.const 0 i32.load offset=0x1_0000_0000 drop)",
    ]
    for text in good:
        validate(interp.parse(f"(module {text})"), features=later)
    bad = [
        "(func $f (result i32) i32.const 0) (func return_call $f)",
        "(func $f (param i32)) (func return_call $f)",
        "(memory 1) (memory i64 1) (func i32.const 0 i64.const 0 i64.const 0 memory.copy 0 1)",
        "(memory i64 1) (func i32.const 0 i32.load drop)",
    ]
    for text in bad:
        with pytest.raises(InvalidError, match="type mismatch"):
            validate(interp.parse(f"(module {text})"), features=later)


def test_deep_nesting_is_no_recursion(bodies: Any) -> None:
    deep = 100_000
    code = tuple(
        [Ins(BY_NAME["block"], (interp_block(),))] * deep + [Ins(BY_NAME["end"])] * (deep + 1),
    )
    types = (RecType((SubType(FuncType()),)),)
    module = Module(rec_types=types, funcs=(Func(0, _contents=((), code)),))
    validate(module, bodies=bodies)
    with pytest.raises(LimitError) as caught:
        validate(module, limits=VmLimits(nesting=deep - 1), bodies=bodies)
    assert caught.value.limit == "nesting"


def interp_block() -> Any:
    """The type of a block that takes and gives nothing."""
    from interp.syntax.types import BlockType

    return BlockType(None)


LIMITED = {
    "locals": ("(local " + "i32 " * 11 + ")", 10),
    "br_table": ("i32.const 0 br_table 0 0 0 0", 2),
    "frame_cells": ("i32.const 0 i32.const 0 i32.const 0 drop drop drop", 2),
    "function_bytes": ("nop nop nop nop", 3),
    "nesting": ("block block end end", 1),
}


@pytest.mark.parametrize("limit", LIMITED)
def test_limits_of_bodies(limit: str, bodies: Any) -> None:
    code, bound = LIMITED[limit]
    module = module_of(code)
    validate(module, bodies=bodies)
    with pytest.raises(LimitError) as caught:
        validate(module, limits=VmLimits(**{limit: bound}), bodies=bodies)
    assert caught.value.limit == limit
    assert caught.value.where is not None and caught.value.where.offset is not None


def test_a_long_line_of_super_types_is_a_limit() -> None:
    def line(length: int) -> Module:
        rest = "".join(f"(type $t{k} (sub $t{k - 1} (struct)))" for k in range(1, length))
        return interp.parse(f"(module (type $t0 (sub (struct))) {rest})")

    limits = VmLimits(subtype_depth=4)
    validate(line(5), features=frozenset(Feature), limits=limits)
    with pytest.raises(LimitError) as caught:
        validate(line(6), features=frozenset(Feature), limits=limits)
    assert caught.value.limit == "subtype_depth"


def test_a_huge_frame_is_a_limit_of_every_validator(bodies: Any) -> None:
    module = module_of("", "(local " + "v128 " * 30_001 + ")")
    with pytest.raises(LimitError) as caught:
        validate(module, bodies=bodies)
    assert caught.value.limit == "frame_cells"


def test_many_locals_keep_their_types(bodies: Any) -> None:
    head = "(param f32) (local " + "i32 " * 600 + "i64 " * 600 + "f64)"
    good = "local.get 0 f32.neg drop local.get 1 i32.eqz drop local.get 600 i32.eqz drop local.get 601 i64.eqz drop"
    good += " local.get 1200 i64.eqz drop local.get 1201 f64.neg drop"
    assert list(validate(module_of(good, head), bodies=bodies).frame_cells) == [1203]
    for bad in ("local.get 600 i64.eqz drop", "local.get 601 i32.eqz drop", "local.get 1202 drop"):
        with pytest.raises(InvalidError):
            validate(module_of(bad, head), bodies=bodies)


def test_a_module_from_text_needs_no_bytes() -> None:
    module = interp.parse(f"(module {CONTEXT} (func (param i32) (result i32) local.get 0 call $import))")
    valid = validate(module, bodies="python")
    assert valid.module is module and list(valid.frame_cells) == [2] and valid.refs == {0}
    for code in ((), (Ins(BY_NAME["end"]),) * 2, (Ins(BY_NAME["else"]), Ins(BY_NAME["end"]))):
        broken = Module(rec_types=module.rec_types, funcs=(Func(0, _contents=((), code)),))
        with pytest.raises(WasmError):
            validate(broken, bodies="python")


def test_equal_types_have_one_number_in_all_modules() -> None:
    first = validate(interp.parse("(module (type (func (param i32))) (type (func)) (type (func (param i32))))"))
    second = validate(interp.parse("(module (type (func)) (type (func (param i32))) (type (func (param f32))))"))
    a, b, c = first.type_ids
    d, e, f = second.type_ids
    assert a == c == e and b == d and len({a, b, f}) == 3


def test_recursion_groups_are_equal_as_wholes() -> None:
    def group(*comps: FuncType) -> RecType:
        return RecType(tuple(SubType(comp) for comp in comps))

    def to(index: int) -> FuncType:
        return FuncType((RefType(True, index),), ())

    alone = [group(to(0))]  # refers to itself
    pair = [group(to(1), to(0))]
    later = [group(FuncType((F32,), ())), group(to(1)), group(to(0))]
    ids, ids2, ids3 = canonical(alone), canonical(pair), canonical(later)
    assert ids3[1] is ids[0]  # the same group at another index
    assert ids2[0] is not ids[0] and ids2[0] is not ids2[1]
    assert ids3[2] not in (ids[0], ids2[0], ids2[1])
    number = canonical([group(FuncType((I32, F32), (F32, I32)))])[0].number
    gc.collect()
    assert canonical([group(FuncType((I32, F32), (F32, I32)))])[0].number != number  # nobody held the first one


def test_every_row_that_can_be_on_has_a_rule() -> None:
    from interp.valid.expr import _RULES

    for op in OPS:
        if op.feature in VALIDATED:
            assert (
                _PLAIN[op.id] is not None
                or op.name in SPECIAL
                or _RULES[op.id].__qualname__.startswith(("_memory_rule", "_lane_rule"))
            ), op
