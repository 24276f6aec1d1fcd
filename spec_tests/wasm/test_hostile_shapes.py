"""Modules made to hurt: valid, within the limits, and as large or as deep as these let them be. Time and memory stay
in proportion to the bytes. Bounds of time are wide: they tell linear from quadratic, not fast from slow."""

from __future__ import annotations

import os
import resource
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from interp import _native
from interp.api import Store
from interp.binary.decode import decode
from interp.binary.leb128 import unsigned as u
from interp.exec.driver import instantiate, invoke_bits
from interp.syntax.errors import Exhaustion, FuelExhausted, LimitError, MalformedError, ResourceError, Trap, WasmError
from interp.syntax.limits import VmLimits
from interp.valid.module import validate

HEADER = b"\0asm\1\0\0\0"
I32 = b"\x7f"
#: How much slower and larger a build may be: scripts/sanitize says.
SLOW = float(os.environ.get("TAMIS_SLOW", "1"))
native = pytest.mark.skipif(_native.lib is None, reason="this installation has no C extension")


def section(id: int, contents: bytes) -> bytes:
    return bytes((id,)) + u(len(contents)) + contents


def type_of(params: bytes, results: bytes) -> bytes:
    return b"\x60" + u(len(params)) + params + u(len(results)) + results


def module_of(code: bytes, *types: bytes, locals: bytes = b"\0", before: bytes = b"") -> bytes:
    """One exported function of type 0 ([i32] -> [i32] unless given) with this code."""
    types = types or (type_of(I32, I32),)
    entry = locals + code
    parts = [section(1, u(len(types)) + b"".join(types)), section(3, b"\1\0"), before]
    parts += [section(7, b"\1\1f\0\0"), section(10, b"\1" + u(len(entry)) + entry)]
    return HEADER + b"".join(parts)


@contextmanager
def within(seconds: float, megabytes: float = 400) -> Iterator[None]:
    began, before = time.process_time(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    yield
    used = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    assert time.process_time() - began < seconds * SLOW
    assert used < megabytes * SLOW


def run(data: bytes, engine: str, *args: int, fuel: int = 1000) -> Any:
    valid = validate(decode(data))
    store = Store(engine)
    inst = instantiate(store, valid)
    store.fuel = fuel
    try:
        return invoke_bits(store, inst.exports["f"], args)  # type: ignore[arg-type]
    except (Trap, FuelExhausted) as error:
        return error


def lowered_bytes(data: bytes) -> int:
    """How much code the native engine makes of a module's function."""
    valid = validate(decode(data))
    store = Store("native")
    inst = instantiate(store, valid)
    store.fuel = 3
    try:
        invoke_bits(store, inst.exports["f"], (0,))  # type: ignore[arg-type]
    except WasmError:
        pass
    return int(valid.native.lowered_bytes)


# -- deep -----------------------------------------------------------------------------------------------------------

DEEP = 100_000
NESTS = {
    "blocks": (b"\x02\x40" * DEEP, b"\x0b" * DEEP),
    "loops": (b"\x03\x40" * DEEP, b"\x0b" * DEEP),
    "ifs": (b"\x41\x01\x04\x40" * DEEP, b"\x0b" * DEEP),
    "ifs with else": (b"\x41\x01\x04\x40" * DEEP, b"\x05\x0b" * DEEP),
    "values carried": (b"\x41\x07" + b"\x02\1" * DEEP, b"\x0b" * DEEP + b"\x1a"),
    "dead": (b"\0" + b"\x02\x40" * DEEP, b"\x0b" * DEEP),
}


@pytest.mark.parametrize("name", NESTS)
def test_deep_nesting(name: str, engine: str) -> None:
    front, back = NESTS[name]
    data = module_of(front + back + b"\x20\0\x0b", type_of(I32, I32), type_of(I32, I32))
    with within(20):
        result = run(data, engine, 7)
    assert isinstance(result, Trap) if name == "dead" else result == [7]
    with pytest.raises(LimitError):
        validate(decode(data), limits=VmLimits(nesting=DEEP - 1))


def test_a_branch_out_of_deep_nesting(engine: str) -> None:
    leave = b"\x41\x09\x0c" + u(50_000)
    data = module_of(b"\x02\x7f" + b"\x02\x40" * 50_000 + leave + b"\x0b" * 50_000 + b"\0\x0b\x0b")
    with within(20):
        assert run(data, engine, 7) == [9]


# -- br_table -------------------------------------------------------------------------------------------------------


def test_a_table_of_four_thousand_million_labels_is_malformed() -> None:
    data = module_of(b"\x20\0\x0e\xff\xff\xff\xff\x0f" + b"\0" * 50 + b"\x0b")
    with within(2, 50), pytest.raises(MalformedError):
        validate(decode(data))


def test_a_table_over_the_limit() -> None:
    data = module_of(b"\x20\0\x20\0\x0e" + u(1_000_001) + b"\0" * 1_000_002 + b"\x0b")
    with within(10), pytest.raises(LimitError) as caught:
        validate(decode(data))
    assert caught.value.limit == "br_table"


@native
def test_a_table_of_a_million_labels() -> None:
    labels = b"".join(u(n % 3) for n in range(1_000_001))
    data = module_of(b"\x02\x40\x02\x40\x02\x40\x20\0\x0e" + u(1_000_000) + labels + b"\x0b" * 3 + b"\x41\x05\x0b")
    with within(5):
        assert run(data, "native", 999_999) == [5]


# -- values carried by branches -------------------------------------------------------------------------------------

MANY = 1000
VALUES = type_of(b"", I32 * MANY)
PUSH = b"\x41\x01\x02\1\x41\x02" + b"\x41\x05" * MANY  # a block with a thousand results, over junk
DROP = b"\x0b" + b"\x1a" * MANY + b"\x0b"


@native
def test_many_branches_that_carry_many_values() -> None:
    """Each br_if once made a thousand moves: 44 KB of bytes became 240 MB of code."""
    data = module_of(PUSH + b"\x20\0\x0d\0" * 20_000 + b"\0" + DROP, type_of(I32, I32), VALUES)
    with within(10):
        assert lowered_bytes(data) < 40 * len(data)


@native
def test_a_table_whose_labels_all_carry_many_values() -> None:
    depth = 20_000
    table = b"\x20\0\x0e" + u(depth - 1) + b"".join(map(u, range(depth)))
    values = b"\x41\x01" + b"\x41\x05" * MANY
    code = b"\x02\1" * depth + values + table + b"\x0b" * depth + b"\x1a" * (MANY - 1) + b"\x0b"
    data = module_of(code, type_of(I32, I32), VALUES)
    with within(10):
        assert lowered_bytes(data) < 40 * len(data)


def test_what_carries_many_values_arrives(engine: str) -> None:
    """Numbered values over junk, by br_if, by br_table and by br; the last ones are added up."""
    numbered = b"".join(b"\x41" + u(n) if n < 64 else b"\x41\xff\0\x41" + b"\1\x6a" for n in range(20))
    block = b"\x41\x01\x02\1\x41\x02" + numbered
    for branch in (b"\x20\0\x0d\0", b"\x41\0\x0e\0\0", b"\x0c\0"):
        code = block + branch + b"\0\x0b" + b"\x6a" * 20 + b"\x0b"
        data = module_of(code, type_of(I32, I32), type_of(b"", I32 * 20))
        assert run(data, engine, 1) == [1 + sum(range(20))]


WORST = {
    "pending locals at br_if": b"\x20\0" * 16 + b"\x20\0\x0d\0" * 100_000 + b"\x1a" * 16,
    "pending locals and sets": (b"\x20\0" * 16 + b"\x41\1\x21\0" + b"\x1a" * 16) * 20_000,
    "a tall stack and branches": b"\x41\1" * 50_000 + b"\x20\0\x0d\0" * 50_000 + b"\x1a" * 50_000,
    "blocks over a tall stack": b"\x20\0" * 50_000 + b"\x02\x40\x0b" * 50_000 + b"\x1a" * 50_000,
    "comparisons turned round": b"\x20\0\x41\1\x48" + b"\x45" * 200_000 + b"\x1a",
    "dead code": b"\x02\x40\0" + b"\x6a\x1a" * 200_000 + b"\x0b",
    "nothing": b"\1" * 1_000_000,
}


@native
@pytest.mark.parametrize("name", WORST)
def test_code_grows_with_the_body(name: str) -> None:
    data = module_of(b"\x02\x40" + WORST[name] + b"\x0b\x41\0\x0b")
    with within(10):
        assert lowered_bytes(data) < 60 * len(data)


# -- locals and functions -------------------------------------------------------------------------------------------


def many_functions(count: int, entry: bytes) -> bytes:
    sized = u(len(entry)) + entry
    parts = [section(1, b"\1\x60\0\0"), section(3, u(count) + b"\0" * count), section(7, b"\1\1f\0\0")]
    return HEADER + b"".join(parts) + section(10, u(count) + sized * count)


@native
def test_fifty_thousand_locals_in_many_functions() -> None:
    data = many_functions(20_000, b"\1\xd0\x86\3\x7f\x0b")
    with within(10, 300):
        assert run(data, "native") == []


def test_fifty_thousand_locals_cost_ticks_and_cells(engine: str) -> None:
    data = many_functions(2, b"\1\xd0\x86\3\x7e\x10\0\x0b")
    assert isinstance(run(data, engine, fuel=781), FuelExhausted)
    result = run(data, engine, fuel=10**6)
    assert isinstance(result, Exhaustion) and len(result.backtrace) == (1 << 20) // 50_000


@native
def test_a_million_functions() -> None:
    data = many_functions(1_000_000, b"\0\x0b")
    with within(20, 600):
        assert run(data, "native") == []


@native
def test_a_backtrace_of_many_places_in_a_large_function() -> None:
    """Each place was once looked for by a walk of its own: minutes, where a large function calls itself a lot."""
    calls = 1000
    arm = b"\x20\0\x41%b\x46\x04\x40\x41%b\x10\0\x1a\x0b"
    arms = b"".join(arm % (signed(n), signed(n + 1)) for n in range(calls))
    data = module_of(arms + b"\1" * 2_000_000 + b"\0\x0b")
    with within(10):
        result = run(data, "native", 0, fuel=10**6)
    assert isinstance(result, Trap) and len({frame.offset for frame in result.backtrace}) == calls + 1


def signed(n: int) -> bytes:
    out = bytearray()
    while not -64 <= n < 64:
        out.append(n & 0x7F | 0x80)
        n >>= 7
    out.append(n & 0x7F)
    return bytes(out)


def test_a_hundred_thousand_globals() -> None:
    """Each one once got a copy of the list of those before it: a minute for half a megabyte."""
    count = 100_000
    read = b"".join(b"\x7f\0\x23" + u(n - 1) + b"\x0b" for n in range(1, count))
    data = HEADER + section(6, u(count) + b"\x7f\0\x41\0\x0b" + read)
    with within(20):
        assert len(validate(decode(data)).module.globals) == count


# -- sizes at their limits ------------------------------------------------------------------------------------------


def test_counts_over_the_limits_are_limits() -> None:
    for limits, data in (
        (VmLimits(functions=9), many_functions(10, b"\0\x0b")),
        (VmLimits(module_bytes=50), many_functions(40, b"\0\x0b")),
        (VmLimits(memories=0), HEADER + section(5, b"\1\0\1")),
        (VmLimits(tables=0), HEADER + section(4, b"\1\x70\0\1")),
        (VmLimits(data_segments=1), HEADER + section(5, b"\1\0\1") + section(11, b"\2\0\x41\0\x0b\0\0\x41\0\x0b\0")),
        (VmLimits(params=1), HEADER + section(1, b"\1" + type_of(I32 * 2, b""))),
    ):
        validate(decode(data))
        with pytest.raises(LimitError):
            validate(decode(data, limits=limits), limits=limits)


def test_a_table_and_a_memory_over_the_limits(engine: str) -> None:
    for contents in (section(4, b"\1\x70\0" + u(2**32 - 1)), section(5, b"\1\0" + u(65536))):
        store = Store(engine, VmLimits(memory_pages=100, table_entries=100))
        with within(5, 50), pytest.raises(LimitError):
            instantiate(store, validate(decode(HEADER + contents)))


@native
def test_a_memory_of_four_gigabytes_takes_none_until_it_is_used() -> None:
    data = module_of(b"\x41\xff\xff\3\x40\0\x1a\x3f\0\x0b", before=section(5, b"\1\0\1"))
    if Store("native").memory_mode != "reserved":
        pytest.skip("moving memories are as large as they are")
    with within(5, 200):
        try:
            assert run(data, "native", 0, fuel=2**21) == [65536]
        except ResourceError:
            pytest.skip("this machine does not promise memory that it does not have")


def test_growing_to_the_limit(engine: str) -> None:
    store = Store(engine, VmLimits(memory_pages=50, table_entries=70))
    code = b"\x03\x40\x41\1\x40\0\x41\x7f\x47\x0d\0\x0b" + b"\xd0\x70\x41\1\xfc\x0f\0\x1a\x3f\0\x0b"
    data = module_of(code, before=section(4, b"\1\x70\0\0") + section(5, b"\1\0\0"))
    inst = instantiate(store, validate(decode(data)))
    assert invoke_bits(store, inst.exports["f"], [0]) == [50]  # type: ignore[arg-type]
    assert inst.tables[0].length == 1
