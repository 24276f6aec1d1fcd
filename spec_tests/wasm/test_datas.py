"""Data segments at instantiation: the same bytes whichever way they are written, and nothing beyond a trap."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

import interp
from interp import _native
from interp.runtime import datas

WAYS = [datas._write_run] + ([datas._write_run_in_c] if _native.lib is not None else [])
each_way = pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
PAGE = 65536


def module(segments: list[tuple[int, bytes]]) -> interp.ValidModule:
    """A module of one page with active segments, and a passive one in the middle."""
    escaped = [(address, "".join(f"\\{byte:02x}" for byte in contents)) for address, contents in segments]
    lines = [f'(data (i32.const {address}) "{contents}")' for address, contents in escaped]
    lines.insert(len(lines) // 2, '(data "passive")')
    text = '(module (memory (export "memory") 1)' + "".join(lines) + ")"
    return interp.validate(interp.decode(interp.encode(interp.parse(text))))


def use(way: object, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("_write_run", "_write_run_in_c"):
        monkeypatch.setattr(datas, name, way)


@each_way
@given(st.lists(st.tuples(st.integers(0, PAGE - 300), st.binary(max_size=300)), max_size=20))
def test_later_segments_overwrite_earlier_ones(way: object, segments: list[tuple[int, bytes]]) -> None:
    expected = bytearray(PAGE)
    for address, contents in segments:
        expected[address : address + len(contents)] = contents
    with pytest.MonkeyPatch.context() as monkeypatch:
        use(way, monkeypatch)
        memory = interp.instantiate(interp.Store(), module(segments), []).exports["memory"]
    assert isinstance(memory, interp.MemInst)
    assert memory.read(0, PAGE) == expected


@each_way
@pytest.mark.parametrize("bad", [PAGE - 1, PAGE + 1, -1])
def test_a_segment_that_does_not_fit_traps_and_those_before_it_stay(
    way: object, bad: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(way, monkeypatch)
    store = interp.Store()
    store_owner = interp.instantiate(
        store, interp.validate(interp.decode(interp.encode(interp.parse('(module (memory (export "m") 1))')))), []
    )
    memory = store_owner.exports["m"]
    text = (
        '(module (import "a" "m" (memory 1)) (data (i32.const 7) "first")'
        f'(data (i32.const {bad}) "no") (data (i32.const 20) "after"))'
    )
    valid = interp.validate(interp.decode(interp.encode(interp.parse(text))))
    with pytest.raises(interp.Trap, match="out of bounds memory access"):
        interp.instantiate(store, valid, [memory])
    assert isinstance(memory, interp.MemInst)
    assert memory.read(0, 30) == bytes(7) + b"first" + bytes(18)


def test_an_active_segment_is_dropped_and_a_passive_one_is_not() -> None:
    text = """(module (memory (export "memory") 1) (data (i32.const 0) "active") (data "passive")
      (func (export "active") (memory.init 0 (i32.const 0) (i32.const 0) (i32.const 1)))
      (func (export "passive") (memory.init 1 (i32.const 0) (i32.const 0) (i32.const 7))))"""
    exports = interp.load(text).exports
    with pytest.raises(interp.Trap, match="out of bounds memory access"):
        exports["active"]()
    exports["passive"]()
    assert bytes(exports["memory"][0:7]) == b"passive"
