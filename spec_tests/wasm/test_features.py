"""Which features are on: how they are named, and that what is off is refused by name and place, wherever it stands."""

from __future__ import annotations

from typing import Any

import pytest

import interp
from interp import EVERY_FEATURE, WASM_1, WASM_2, WASM_3, Feature, feature_set
from interp.valid.context import VALIDATED

# -- names ----------------------------------------------------------------------------------------------------------

SAME: list[tuple[Any, frozenset[Feature]]] = [
    (None, WASM_3),
    ("3.0", WASM_3),
    ("2.0", WASM_2),
    ("1.0", WASM_1),
    ("all", EVERY_FEATURE),
    ("threads", WASM_3 | {Feature.THREADS}),
    ("+threads, -simd", WASM_3 - {Feature.SIMD} | {Feature.THREADS}),
    ("2.0,+threads,-simd", WASM_2 - {Feature.SIMD} | {Feature.THREADS}),
    ("-simd,2.0", WASM_2),
    ("1.0,+2.0,-bulk-memory", WASM_2 - {Feature.BULK_MEMORY}),
    ("all,-3.0", EVERY_FEATURE - WASM_3 | {Feature.MVP}),
    ("1.0,mutable-global,exception-handling", WASM_1 | {Feature.EXCEPTIONS}),
    ([], frozenset({Feature.MVP})),
    ([Feature.SIMD, "gc"], frozenset({Feature.MVP, Feature.SIMD, Feature.GC})),
    (("2.0", "sign-extension-ops", "tail-call"), WASM_2 | {Feature.TAIL_CALL}),
    ({"1.0", "nontrapping-float-to-int-conversions"}, WASM_1 | {Feature.SATURATING_FLOAT_TO_INT}),
    (frozenset({"threads"}), frozenset({Feature.MVP, Feature.THREADS})),
    (WASM_2, WASM_2),
]


@pytest.mark.parametrize("given, meant", SAME, ids=range(len(SAME)))
def test_names(given: Any, meant: frozenset[Feature]) -> None:
    assert feature_set(given) == meant


def test_versions_contain_each_other() -> None:
    assert WASM_1 < WASM_2 < WASM_3 < EVERY_FEATURE
    assert len(WASM_3) == 16


@pytest.mark.parametrize("given", ["simdd", "2.0,+simdd", "2.0,-simdd", ["simdd"], {"2.0", "simdd"}])
def test_unknown_names(given: Any) -> None:
    with pytest.raises(interp.EmbedderError) as caught:
        feature_set(given)
    assert str(caught.value) == (
        "there is no feature 'simdd'; known are the versions 1.0, 2.0, 3.0, all, and mvp, mutable-globals, "
        "sign-extension, saturating-float-to-int, multi-value, bulk-memory, reference-types, simd, extended-const, "
        "tail-call, function-references, gc, exceptions, relaxed-simd, multi-memory, memory64, threads, "
        "custom-page-sizes, wide-arithmetic, legacy-exceptions"
    )


@pytest.mark.parametrize("given", ["", "2.0,,simd", "+", "--simd", "+ simd", [""], [None], ["+simd"]])
def test_what_is_no_name(given: Any) -> None:
    with pytest.raises(interp.EmbedderError, match="there is no feature"):
        feature_set(given)


# -- gates ----------------------------------------------------------------------------------------------------------

#: Feature to modules that need it, each with the place that the error names.
NEEDS: dict[str, list[tuple[str, str]]] = {
    "mutable-globals": [('(global (export "g") (mut i32) (i32.const 0))', "imports and exports")],
    "sign-extension": [("(func (drop (i32.extend8_s (i32.const 0))))", "offset 0x19, func 0")],
    "saturating-float-to-int": [("(func (drop (i32.trunc_sat_f32_s (f32.const 0))))", "func 0")],
    "multi-value": [("(func (result i32 i32) unreachable)", "type section")],
    "bulk-memory": [("(memory 1) (func (data.drop 0)) (data)", "data count section")],
    "reference-types": [("(func (local externref))", "func 0"), ("(table 1 externref)", "table section")],
    "simd": [("(func (param v128))", "type section"), ("(func (local v128))", "func 0")],
    "extended-const": [("(global i32 (i32.add (i32.const 1) (i32.const 1)))", "global 0")],
    "tail-call": [("(func return_call 0)", "func 0")],
    "function-references": [("(func (param (ref func)))", "type section"), ("(func (param (ref null 0)))", "")],
    "gc": [("(type (struct))", "type section"), ("(func (local anyref))", "func 0")],
    "exceptions": [("(tag)", "tag section"), ("(func (local exnref))", "func 0")],
    "relaxed-simd": [("(func (drop (i8x16.relaxed_swizzle (v128.const i64x2 0 0) (v128.const i64x2 0 0))))", "func 0")],
    "multi-memory": [("(memory 1) (memory 1)", "memory 1"), ('(import "a" "b" (memory 1)) (memory 1)', "memory 1")],
    "memory64": [("(memory i64 1)", "memory section"), ("(table i64 1 funcref)", "table section")],
}
CASES = [(name, text, place) for name, rows in NEEDS.items() for text, place in rows]


@pytest.mark.parametrize("bodies", ["python", "auto"])
@pytest.mark.parametrize("name, text, place", CASES, ids=lambda value: value[:50])
def test_what_is_off_is_refused_by_name_and_place(name: str, text: str, place: str, bodies: Any) -> None:
    data = interp.encode(interp.parse(f"(module {text})"))
    assert Feature(name) in interp.validate(interp.decode(data), bodies=bodies).features
    with pytest.raises(interp.UnsupportedError) as caught:
        interp.validate(interp.decode(data, features=f"-{name}"), features=f"-{name}", bodies=bodies)
    assert caught.value.feature == name
    assert caught.value.message == f"needs the feature {name}, which is off"
    assert place in str(caught.value.where)


@pytest.mark.parametrize("bodies", ["python", "auto"])
@pytest.mark.parametrize("name, text, place", CASES, ids=lambda value: value[:50])
def test_validation_alone_refuses_as_well(name: str, text: str, place: str, bodies: Any) -> None:
    """A module that was read with everything on, or came from text, is not let through by that."""
    for module in (interp.parse(f"(module {text})"), interp.read_module(f"(module {text})", features="all")):
        with pytest.raises(interp.UnsupportedError) as caught:
            interp.validate(module, features=f"-{name}", bodies=bodies)
        assert caught.value.feature == name
        assert str(caught.value.where)


def test_a_type_that_names_itself_needs_garbage_collection() -> None:
    """Before it brought recursion groups, a type could name earlier types only."""
    for types in ("(type $t (func (param (ref null $t))))", "(type $t (func (result (ref null $u)))) (type $u (func))"):
        with pytest.raises(interp.UnsupportedError) as caught:
            interp.validate(interp.parse(f"(module {types})"), features="-gc")
        assert (caught.value.feature, str(caught.value.where)) == ("gc", "type 0")
    interp.validate(interp.parse("(module (type $t (func)) (type (func (param (ref null $t)))))"), features="-gc")


def test_every_feature_of_the_standard_can_be_switched_off() -> None:
    assert {Feature(name) for name in NEEDS} == WASM_3 - {Feature.MVP}
    assert WASM_3 <= VALIDATED


@pytest.mark.parametrize("name", sorted(feature.value for feature in EVERY_FEATURE - WASM_3))
def test_what_is_no_standard_is_off(name: str) -> None:
    assert Feature(name) not in interp.DEFAULT_FEATURES


def test_load_and_read_module_take_names() -> None:
    text = '(module (func (export "f") (result i32 i32) i32.const 1 i32.const 2))'
    assert interp.load(text, features="1.0,multi-value").exports["f"]() == (1, 2)
    with pytest.raises(interp.UnsupportedError, match="multi-value"):
        interp.load(text, features=["1.0"])
    with pytest.raises(interp.UnsupportedError, match="multi-value"):
        interp.read_module(text, features="1.0")
    with pytest.raises(interp.EmbedderError, match="there is no feature 'multi'"):
        interp.load(text, features="multi")
