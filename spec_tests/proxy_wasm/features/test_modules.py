"""Features of modules that have no other place."""

from __future__ import annotations

import pytest

from hostabi.core.transcript import Called
from hostabi.testing import FilterHost


@pytest.mark.parametrize("module", ["wasi_snapshot_preview1", "wasi_unstable"])
def test_wasi_under_its_two_names(engine: str, module: str) -> None:
    text = f"""(module
      (import "{module}" "random_get" (func $random (param i32 i32) (result i32)))
      (import "{module}" "clock_time_get" (func $clock (param i32 i64 i32) (result i32)))
      (memory (export "memory") 1)
      (func (export "proxy_abi_version_0_2_1"))
      (func (export "malloc") (param i32) (result i32) (i32.const 4096))
      (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
        (drop (call $random (i32.const 0) (i32.const 8))) (call $clock (i32.const 0) (i64.const 0) (i32.const 8))))"""
    host = FilterHost(text, engine=engine)
    made = [r for r in host.exchange().transcript if isinstance(r, Called)]
    assert [(one.function, one.result) for one in made] == [("random_get", 0), ("clock_time_get", 0)]
    memory = host.plugins[0].vm.guest.memory
    assert memory.read(0, 8) != bytes(8) and memory.read(8, 8) != bytes(8)
