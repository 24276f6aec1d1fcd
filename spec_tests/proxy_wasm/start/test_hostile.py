"""Filters that are cut or flipped: an error for people, a failed filter, or a working one, never anything else."""

from __future__ import annotations

import interp
from hostabi import Limits, LoadError
from hostabi.testing import FilterHost
from hostabi.testing.wat import small_filter
from spec_tests.proxy_wasm.kit import callback, expression

BODY = callback(
    "proxy_on_request_headers",
    expression("proxy_get_header_map_value", [0, 0, 5]),
    "(call $proxy_log (i32.const 2) (i32.load (i32.const 256)) (i32.load (i32.const 264)))",
)
FILTER = interp.encode(
    interp.parse(
        small_filter(
            {"proxy_on_request_headers": BODY, "proxy_on_configure": callback("proxy_on_configure")},
            data={0: b":path"},
            extra='(func (export "_initialize"))',
        )
    )
)
LIMITS = Limits(fuel_per_call=100_000, memory_pages=64)


def outcome(engine: str, data: bytes) -> str:
    """What comes of a filter: the kind of error, trap, refused or done."""
    try:
        done = FilterHost(data, engine=engine, limits=LIMITS).exchange(path="/x")
    except (interp.WasmError, LoadError) as error:
        assert str(error)
        return type(error).__name__
    return "trap" if done.trap else "done"


def test_the_whole_filter_works(engine: str) -> None:
    assert FilterHost(FILTER, engine=engine).exchange(path="/x").log_lines == ["/x"]


def test_every_cut(engine: str) -> None:
    found = [outcome(engine, FILTER[:n]) for n in range(len(FILTER))]
    # A cut between two sections leaves a module: one without the marker, without its data, or without its names.
    assert found.count("done") == 2
    assert {"MalformedError", "LoadError"} <= set(found) and "trap" not in found


def test_every_byte_flipped(engine: str) -> None:
    found = [
        outcome(engine, FILTER[:n] + bytes([FILTER[n] ^ mask]) + FILTER[n + 1 :])
        for n in range(len(FILTER))
        for mask in (1, 0x80, 0xFF)
    ]
    assert {"MalformedError", "InvalidError", "LoadError", "trap", "done"} <= set(found)
