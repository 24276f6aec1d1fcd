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
