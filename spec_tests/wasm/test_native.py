"""Promises of the native engine alone."""

from __future__ import annotations

import ctypes
import ctypes.util
import platform

import pytest

import interp

DIVIDE = '(module (func (export "f") (param f64 f64) (result f64) (f64.div (local.get 0) (local.get 1))))'
#: Rounding upward, as fenv.h numbers it.
UPWARD = {"x86_64": 0x800, "aarch64": 0x400000}


@pytest.mark.skipif("native" not in interp.engines(), reason="this installation has no native engine")
@pytest.mark.skipif(platform.machine() not in UPWARD, reason="the number of a rounding mode is not known here")
def test_rounding_of_the_process_does_not_matter() -> None:
    libm = ctypes.CDLL(ctypes.util.find_library("m"))
    instance = interp.load(DIVIDE, engine="native")
    before = instance.exports.f(1.0, 3.0)
    mode = libm.fegetround()
    libm.fesetround(UPWARD[platform.machine()])
    try:
        during = instance.exports.f(1.0, 3.0)
        kept = libm.fegetround()
    finally:
        libm.fesetround(mode)
    assert during == before == 1 / 3
    assert kept == UPWARD[platform.machine()]


CALLS = """(module
  (type $t (func (result i32)))
  (import "host" "make" (func $make))
  (table (export "table") 4 funcref)
  (func (export "run") (result i32) (call $make) (call_indirect (type $t) (i32.const 1)))
  (func (export "call") (result i32) (call_indirect (type $t) (i32.const 2))))"""


def test_functions_made_during_a_host_call_are_known_when_it_returns(engine: str) -> None:
    store = interp.Store(engine)

    def make() -> None:
        made = [store.host_func(interp.FuncType((), (interp.I32,)), lambda: 7) for _ in range(5000)]
        inst.exports["table"].set(1, made[-1].addr + 1)

    valid = interp.validate(interp.parse(CALLS))
    inst = interp.instantiate(store, valid, [store.host_func(interp.FuncType(), make)])
    assert interp.invoke_bits(store, inst.exports["run"], []) == [7]


@pytest.mark.skipif("native" not in interp.engines(), reason="this installation has no native engine")
def test_raw_bits_that_are_no_reference_are_the_embedders_error() -> None:
    store = interp.Store("native")
    valid = interp.validate(interp.parse(CALLS))
    inst = interp.instantiate(store, valid, [store.host_func(interp.FuncType(), lambda: None)])
    for bits in (10**9, 2**64 - 1, len(store.funcs) + 1):
        inst.exports["table"].set(2, bits)
        with pytest.raises(interp.EmbedderError, match="none of this store's"):
            interp.invoke_bits(store, inst.exports["call"], [])
