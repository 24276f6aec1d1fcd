"""What the tests of running share: small programs and the way to load them."""

from __future__ import annotations

from typing import Any

import interp

FIB = """
(module
  (func $fib (export "fib") (param i32) (result i32)
    (if (result i32) (i32.lt_u (local.get 0) (i32.const 2))
      (then (local.get 0))
      (else (i32.add (call $fib (i32.sub (local.get 0) (i32.const 1)))
                     (call $fib (i32.sub (local.get 0) (i32.const 2)))))))
  (func (export "count") (param i32) (result i32) (local i32)
    (loop $l (local.set 1 (i32.add (local.get 1) (i32.const 1)))
      (br_if $l (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))
    (local.get 1))
  (func $down (export "down") (param i32) (if (local.get 0) (then (call $down (i32.sub (local.get 0) (i32.const 1))))))
  (func (export "forever") (loop $l (br $l))))
"""

CALLS = """
(module
  (import "env" "host" (func $host (param i32) (result i32)))
  (memory (export "mem") 1)
  (table 1 funcref) (elem (i32.const 0) $host)
  (func $inner (param i32) (result i32) (call $host (local.get 0)))
  (func (export "call") (param i32) (result i32) (i32.add (i32.const 100) (call $inner (local.get 0))))
  (func (export "indirect") (param i32) (result i32)
    (call_indirect (param i32) (result i32) (local.get 0) (i32.const 0)))
  (func (export "double") (param i32) (result i32) (i32.mul (local.get 0) (i32.const 2)))
  (func (export "trap") (unreachable)))
"""


def make(text: str, engine: str, limits: interp.VmLimits | None = None, **imports: Any) -> interp.Instance:
    return interp.load(text, {"env": imports} if imports else None, engine=engine, limits=limits)


def bits(inst: interp.Instance, name: str, *args: int) -> list[int]:
    return interp.invoke_bits(inst.store, inst.raw.exports[name], args)


def raw_host(engine: str, code: Any) -> tuple[interp.Store, interp.ModuleInst]:
    store = interp.Store(engine)
    host = store.host_func(interp.FuncType((interp.I32,), (interp.I32,)), code, name="h")
    return store, interp.instantiate(store, interp.validate(interp.read_module(CALLS)), [host])
