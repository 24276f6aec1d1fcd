"""The embedding interface and the short way (engine contract 10), on each engine, with Python's own numbers."""

from __future__ import annotations

import gc
import math
import struct
from typing import Any

import numpy as np
import pytest

import interp
from interp import F32, F64, I32, FuncType, Val

ALL = """
(module
  (func (export "i32") (param i32) (result i32) local.get 0)
  (func (export "i64") (param i64) (result i64) local.get 0)
  (func (export "f32") (param f32) (result f32) local.get 0)
  (func (export "f64") (param f64) (result f64) local.get 0)
  (func (export "func") (param funcref) (result funcref) local.get 0)
  (func (export "extern") (param externref) (result externref) local.get 0)
  (func (export "none"))
  (func (export "many") (result i32 f64 i64) i32.const -1 f64.const 0.5 i64.const -2)
  (memory (export "memory") 1 3)
  (table (export "table") 3 5 funcref)
  (elem (i32.const 1) $one)
  (func $one (export "one") (result i32) i32.const 1)
  (global (export "constant") i64 (i64.const -5))
  (global (export "variable") (mut f32) (f32.const 0.1))
  (func (export "get") (result f32) global.get 1)
  (func (export "call") (param i32) (result i32) (call_indirect (result i32) (local.get 0)))
)
"""


@pytest.fixture
def inst(engine: str) -> interp.Instance:
    return interp.load(ALL, engine=engine)


# -- sources --------------------------------------------------------------------------------------------------------


def test_a_module_from_text_bytes_and_paths(engine, tmp_path):
    text = '  ;; a comment\n (module (func (export "f") (result i32) i32.const 3))'
    data = interp.encode(interp.parse(text))
    (tmp_path / "m.wasm").write_bytes(data)
    (tmp_path / "m.wat").write_text(text)
    for source in (text, text.encode(), data, bytearray(data), tmp_path / "m.wasm", str(tmp_path / "m.wat")):
        assert interp.load(source, engine=engine).exports.f() == 3


def test_what_cannot_be_loaded(engine, tmp_path):
    with pytest.raises(FileNotFoundError):
        interp.load(tmp_path / "absent.wasm", engine=engine)
    with pytest.raises(interp.MalformedError):
        interp.load(b"\0asm\2\0\0\0", engine=engine)
    with pytest.raises(interp.MalformedError):
        interp.load("(module (func", engine=engine)
    with pytest.raises(interp.InvalidError):
        interp.load("(module (func (result i32)))", engine=engine)
    with pytest.raises(interp.LimitError):
        interp.load(b"\0asm\1\0\0\0" + bytes(20), engine=engine, limits=interp.VmLimits(module_bytes=10))


def test_a_module_that_needs_what_the_engine_lacks_is_refused_by_the_features_name(engine, monkeypatch):
    monkeypatch.setattr(type(interp.Store(engine).engine), "features", interp.WASM_1)
    with pytest.raises(interp.UnsupportedError, match="simd") as caught:
        interp.load("(module (func (drop (v128.const i64x2 1 2))))", engine=engine)
    assert caught.value.feature == "simd"


def test_the_engine_is_chosen_by_argument_then_environment(engine, monkeypatch):
    assert interp.Store(engine).engine.name == engine
    monkeypatch.setenv("TAMIS_ENGINE", engine)
    assert interp.Store().engine.name == engine
    assert interp.Store("reference").engine.name == "reference"
    monkeypatch.delenv("TAMIS_ENGINE")
    assert interp.Store().engine.name == interp.engines()[0]
    with pytest.raises(interp.EmbedderError, match="warp"):
        interp.Store("warp")


# -- numbers --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("n", [32, 64])
def test_integers_are_signed_and_come_in_both_ways(inst, n):
    f = inst.exports[f"i{n}"]
    for value, result in [
        (0, 0),
        (-1, -1),
        ((1 << n) - 1, -1),
        (1 << (n - 1), -(1 << (n - 1))),
        ((1 << (n - 1)) - 1, (1 << (n - 1)) - 1),
        (True, 1),
        (np.int64(-3), -3),
        (np.uint8(200), 200),
        (np.bool_(True), 1),
    ]:
        assert f(value) == result
        assert type(f(value)) is int
    for value in (1 << n, -(1 << (n - 1)) - 1, 10**30):
        with pytest.raises(OverflowError):
            f(value)
    for value in (1.0, np.float64(2), "1", None, b"1", 1j):
        with pytest.raises(TypeError):
            f(value)


def test_floats_are_exact(inst):
    assert inst.exports.f64(0.1) == 0.1
    assert inst.exports.f32(0.1) == struct.unpack("<f", struct.pack("<f", 0.1))[0]
    assert inst.exports.f32(1e300) == math.inf
    assert inst.exports.f32(3) == 3.0
    assert inst.exports.f64(np.float32(0.5)) == 0.5
    assert math.isnan(inst.exports.f64(math.nan))
    assert math.copysign(1, inst.exports.f32(-0.0)) == -1
    for value in ("1", None, b"1", 1j):
        with pytest.raises(TypeError):
            inst.exports.f64(value)


def test_results_are_none_one_value_or_a_tuple(inst):
    assert inst.exports.none() is None
    assert inst.exports.one() == 1
    assert inst.exports.many() == (-1, 0.5, -2)


def test_arguments_are_counted(inst):
    for args in ((), (1, 2)):
        with pytest.raises(TypeError, match="takes 1 arguments"):
            inst.exports.i32(*args)


def test_references(inst):
    one = inst.exports.one
    assert inst.exports.func(None) is None
    assert inst.exports.func(one)() == 1
    with pytest.raises(TypeError):
        inst.exports.func(len)
    thing = object()
    assert inst.exports.extern(thing) is thing
    assert inst.exports.extern(None) is None
    assert inst.exports.extern(0) == 0


def test_raw_values_keep_payloads(inst):
    store, raw = inst.store, inst.raw.exports
    signalling = Val(F32, 0x7FA00001)
    assert interp.invoke(store, raw["f32"], [signalling]) == [signalling]
    assert interp.invoke_bits(store, raw["f64"], [0xFFF4000000000001]) == [0xFFF4000000000001]
    assert interp.invoke(store, raw["many"], []) == [Val.i32(-1), Val.f64(0.5), Val.i64(-2)]
    with pytest.raises(interp.EmbedderError, match="i32 is needed"):
        interp.invoke(store, raw["i32"], [Val.i64(1)])
    with pytest.raises(interp.EmbedderError):
        interp.invoke(store, raw["i32"], [])


def test_values_by_themselves():
    assert Val.i32(-1) == Val(I32, 0xFFFFFFFF)
    assert Val.i64(-1).bits == (1 << 64) - 1
    assert [Val.i32(-7).number, Val.i64(-7).number, Val.f32(0.1).number, Val.f64(0.1).number] == [
        -7, -7, struct.unpack("<f", struct.pack("<f", 0.1))[0], 0.1]  # fmt: skip
    assert Val(F64, 0x7FF0000000000000).number == math.inf
    assert repr(Val.i32(255)) == "Val(i32, 0xff)"
    with pytest.raises(TypeError):
        _ = Val(interp.FUNCREF, 0).number


# -- exports --------------------------------------------------------------------------------------------------------


def test_exports_by_name_and_attribute(inst):
    exports = inst.exports
    assert exports["get"]() == exports.get() == exports.variable.value
    assert "one" in exports
    assert "two" not in exports
    assert list(exports)[:2] == ["i32", "i64"]
    assert len(exports) == 15
    assert "table" in dir(exports)
    with pytest.raises(KeyError):
        exports["absent"]
    with pytest.raises(AttributeError, match="absent"):
        _ = exports.absent
    assert exports.i32.type == FuncType((I32,), (I32,))


def test_memories(inst):
    memory = inst.exports.memory
    memory[10:13] = b"abc"
    assert memory[10:13] == b"abc"
    assert memory[11] == ord("b")
    memory[11] = 0x42
    assert memory.array[11] == 0x42
    memory[0:8] = np.arange(2, dtype=np.uint32)
    assert memory[:8] == bytes([0, 0, 0, 0, 1, 0, 0, 0])
    assert len(memory) == 65536
    assert memory.view[-1] == 0
    assert memory.grow(2) == 1
    assert (memory.pages, len(memory)) == (3, 196608)
    assert memory.grow(1) == -1
    assert memory[10:13] == b"aBc"
    with pytest.raises(IndexError):
        memory[196608]
    with pytest.raises(ValueError):
        memory[0:2] = b"abc"
    with pytest.raises(ValueError):
        memory.grow(-1)


@pytest.mark.parametrize("mode", ["reserved", "moving"])
def test_memories_have_the_buffer_protocol(engine, mode, monkeypatch):
    monkeypatch.setenv("TAMIS_MEMORY", mode)
    inst = interp.load(ALL, engine=engine)
    memory = inst.exports.memory
    memory[0:4] = b"abcd"
    with memoryview(memory) as view:
        assert (view.format, view.nbytes, view.readonly, bytes(view[:4])) == ("B", 65536, False, b"abcd")
        view[1] = ord("x")
    assert memory[:4] == b"axcd"
    assert struct.unpack_from("<I", memory, 0)[0] == int.from_bytes(b"axcd", "little")
    assert bytes(memory)[:4] == b"axcd"
    array = np.frombuffer(memory, np.uint8)
    memory.grow(1)
    assert memoryview(memory).nbytes == 131072  # the new size
    assert bytes(array[:4]) == b"axcd"  # what was taken before stays readable
    del memory, inst
    gc.collect()
    assert array.sum() == sum(b"axcd")


def test_tables(inst):
    table = inst.exports.table
    assert len(table) == 3
    assert table[0] is None
    assert table[1]() == 1
    table[0] = table[1]
    assert inst.exports.call(0) == 1
    table[-1] = inst.exports.one
    assert [f is not None for f in table] == [True, True, True]
    assert table.grow(2, inst.exports.one) == 3
    assert inst.exports.call(4) == 1
    assert table.grow(1) == -1
    for index in (5, -6):
        with pytest.raises(IndexError):
            table[index]
    with pytest.raises(TypeError):
        table[0] = 3


def test_globals(inst):
    assert inst.exports.constant.value == -5
    assert inst.exports.get() == inst.exports.variable.value
    inst.exports.variable.value = 2.5
    assert inst.exports.get() == 2.5
    with pytest.raises(TypeError, match="immutable"):
        inst.exports.constant.value = 1
    with pytest.raises(TypeError):
        inst.exports.variable.value = "a"


# -- imports --------------------------------------------------------------------------------------------------------

IMPORTS = """
(module
  (import "env" "f" (func $f (param i32 f32 i64 f64) (result i64)))
  (import "env" "two" (func $two (result i32 f32)))
  (import "env" "ref" (func $ref (param externref funcref) (result externref)))
  (import "env" "g" (global $g f64))
  (func $self (export "self") (result i32) i32.const 9)
  (elem declare func $self)
  (func (export "f") (result i64) (call $f (i32.const -1) (f32.const 0.1) (i64.const -2) (f64.const 0.1)))
  (func (export "two") (result i32 f32) call $two)
  (func (export "ref") (param externref) (result externref) (call $ref (local.get 0) (ref.func $self)))
  (func (export "g") (result f64) global.get $g))
"""


def env(**changes: Any) -> dict[str, dict[str, Any]]:
    given = {"f": lambda *a: 1, "two": lambda: (1, 2), "ref": lambda x, f: x, "g": 0.25}
    return {"env": given | changes}


def test_callables_get_and_give_pythons_numbers(engine):
    seen: list[Any] = []

    def f(*args: Any) -> int:
        seen.extend(args)
        return 1 << 63

    inst = interp.load(IMPORTS, env(f=f, two=lambda: (-1, 0.5), ref=lambda x, g: (x, g())), engine=engine)
    assert inst.exports.f() == -(1 << 63)
    assert seen == [-1, struct.unpack("<f", struct.pack("<f", 0.1))[0], -2, 0.1]
    assert inst.exports.two() == (-1, 0.5)
    assert inst.exports.ref("x") == ("x", 9)
    assert inst.exports.g() == 0.25


@pytest.mark.parametrize(
    "name, function, error",
    [
        ("f", lambda *a: 1.5, TypeError),
        ("f", lambda *a: None, TypeError),
        ("f", lambda *a: 1 << 64, OverflowError),
        ("two", lambda: 1, TypeError),
        ("two", lambda: (1, 2, 3), TypeError),
        ("two", lambda: (1, "a"), TypeError),
    ],
)
def test_results_of_callables_are_checked(engine, name, function, error):
    inst = interp.load(IMPORTS, env(**{name: function}), engine=engine)
    with pytest.raises(error):
        inst.exports[name]()


def test_a_callable_without_results_gives_none(engine):
    text = '(module (import "env" "f" (func $f)) (func (export "f") call $f))'
    assert interp.load(text, {"env": {"f": lambda: None}}, engine=engine).exports.f() is None
    with pytest.raises(TypeError, match="gives None"):
        interp.load(text, {"env": {"f": lambda: 3}}, engine=engine).exports.f()


@pytest.mark.parametrize("imports", [5, [], {"env": None}, {"env": 5}, {"env": len}])
def test_imports_of_another_form_are_refused(imports):
    with pytest.raises(TypeError, match=r"imports (are|of 'env' are)"):
        interp.load('(module (import "env" "f" (func)))', imports)


@pytest.mark.parametrize("value", [1.0, np.float32(1), "1", None, [1]])
def test_an_integer_is_asked_for_by_name(inst, value):
    with pytest.raises(TypeError, match="an i32 needs an integer, not"):
        inst.exports.i32(value)


def test_missing_and_wrong_imports(engine):
    with pytest.raises(interp.LinkError, match=r"unknown import env\.f"):
        interp.load(IMPORTS, engine=engine)
    with pytest.raises(interp.LinkError, match=r"incompatible import type for env\.g"):
        interp.load(IMPORTS, env(g=len), engine=engine)
    with pytest.raises(interp.LinkError, match=r"incompatible import type for env\.f"):
        interp.load(IMPORTS, env(f=3), engine=engine)
    other = interp.load(ALL, engine=engine)
    with pytest.raises(interp.LinkError, match="incompatible import type"):
        interp.load(IMPORTS, env(f=other.exports.one), engine=engine)


def test_objects_of_an_instance_share_its_store(engine):
    first = interp.load(ALL, engine=engine)
    text = """(module
      (import "a" "memory" (memory 1)) (import "a" "table" (table 3 funcref))
      (import "a" "one" (func $one (result i32)))
      (import "a" "variable" (global $v (mut f32))) (import "a" "constant" (global i64))
      (elem (i32.const 0) $two) (data (i32.const 0) "xyz")
      (func $two (result i32) (i32.add (call $one) (i32.const 1)))
      (func (export "set") (global.set $v (f32.const 8))))"""
    by_hand = {name: first.exports[name] for name in ("memory", "table", "one", "variable", "constant")}
    for given in ({"a": by_hand}, {"a": first.exports}, {"a": first}):
        second = interp.load(text, given, engine=engine)
        assert second.store is first.store
        assert first.exports.memory[:3] == b"xyz"
        assert first.exports.call(0) == 2
        second.exports.set()
        assert first.exports.variable.value == 8


def test_objects_of_two_stores_do_not_mix(engine):
    one, other = interp.load(ALL, engine=engine), interp.load(ALL, engine=engine)
    text = '(module (import "a" "memory" (memory 1)) (import "b" "table" (table 1 funcref)))'
    with pytest.raises(interp.EmbedderError, match="another store"):
        interp.load(text, {"a": one, "b": other})


# -- the embedding interface ----------------------------------------------------------------------------------------


def test_step_by_step_with_a_linker(engine):
    store = interp.Store(engine)
    module = interp.decode(
        interp.encode(interp.parse('(module (import "m" "f" (func (param i32) (result i32))) (export "g" (func 0)))'))
    )
    valid = interp.validate(module)
    linker = interp.Linker(store)
    with pytest.raises(interp.LinkError, match="unknown import"):
        linker.instantiate(valid)
    linker.define("m", "f", store.host_func(FuncType((I32,), (I32,)), lambda x: (x + 1) & 0xFFFFFFFF, name="f"))
    inst = linker.instantiate(valid)
    assert interp.invoke_bits(store, inst.exports["g"], [0xFFFFFFFF]) == [0]
    linker.define_instance("n", inst)
    again = linker.instantiate(
        interp.validate(interp.read_module('(module (import "n" "g" (func (param i32) (result i32))))'))
    )
    assert interp.invoke_bits(store, again.funcs[0], [1]) == [2]


def test_one_valid_module_makes_many_instances(engine):
    valid = interp.validate(interp.read_module(
        '(module (global $n (mut i32) (i32.const 0)) (func (export "next") (result i32)'
        " (global.set $n (i32.add (global.get $n) (i32.const 1))) (global.get $n)))"))  # fmt: skip
    store = interp.Store(engine)
    one, other = (interp.instantiate(store, valid, []) for _ in range(2))
    third = interp.instantiate(interp.Store(engine), valid, [])
    assert [interp.invoke_bits(store, one.exports["next"], []) for _ in range(3)] == [[1], [2], [3]]
    assert interp.invoke_bits(store, other.exports["next"], []) == [1]
    assert interp.invoke_bits(third.store, third.exports["next"], []) == [1]


def test_an_instance_outlives_its_names(engine):
    function = interp.load(ALL, engine=engine).exports.one
    gc.collect()
    assert function() == 1


def test_imports_by_number_must_be_all_there(engine):
    valid = interp.validate(interp.read_module('(module (import "a" "b" (func)))'))
    with pytest.raises(interp.LinkError, match="unknown import"):
        interp.instantiate(interp.Store(engine), valid, [])


def test_a_start_function_runs_and_its_errors_come_out(engine):
    seen: list[int] = []
    interp.load(
        '(module (import "e" "f" (func $f (param i32))) (func $s (call $f (i32.const 4))) (start $s))',
        {"e": {"f": seen.append}},
        engine=engine,
    )
    assert seen == [4]
    with pytest.raises(interp.Trap, match="unreachable"):
        interp.load("(module (func $s unreachable) (start $s))", engine=engine)
