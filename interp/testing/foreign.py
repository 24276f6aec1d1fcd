"""Programs that `wasm-tools smith` made, for the harness of parity.py; and a run of one on wasmtime.

Two engines written by one mind share misreadings. So these programs are others', and wasmtime is a third opinion: on
results, traps, memories and globals, not on ticks, which it does not have.
"""

from __future__ import annotations

import importlib
import struct
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from random import Random
from typing import Any
from zlib import crc32

from interp.api import Store
from interp.binary.decode import decode
from interp.binary.encode import encode
from interp.exec.driver import instantiate, invoke_bits
from interp.runtime.exception import WasmException
from interp.syntax.errors import TRAPS, Trap
from interp.syntax.features import Feature
from interp.syntax.limits import VmLimits
from interp.syntax.types import F32, F64, I32, I64, NumType
from interp.text.parser import parse
from interp.valid.module import validate

from .generator import Program
from .parity import LIMITS
from .shape import constant
from .wasm_tools import WasmTools, smith_options

#: What a program may import: the harness has host functions and globals of numbers.
IMPORTS = """(module
 (import "host" "a" (func)) (import "host" "b" (func (param i32) (result i32)))
 (import "host" "c" (func (param i64 f64) (result f32))) (import "host" "d" (func (param f32 i32) (result i64 i32)))
 (import "host" "e" (func (param externref) (result f64))) (import "host" "f" (func (param v128) (result v128)))
 (import "host" "g" (global i32)) (import "host" "h" (global (mut i64))) (import "host" "i" (global f64)))"""
_PAGE = 65536


def write_imports(path: Path) -> None:
    """Write the module that tells smith what there is to import."""
    path.write_bytes(encode(parse(IMPORTS)))


def _options(rng: Random, features: frozenset[Feature]) -> dict[str, bool | int | str | None]:
    return {
        **smith_options(rng, features),
        "allow-invalid-funcs": False,
        "allow-start-export": rng.random() < 0.3,
        "disallow-traps": rng.random() < 0.75,  # else most end at the first few instructions
        "export-everything": True,
        "limit-arrays-in-const-exprs": True,
        "max-elements": 20,
        "max-instructions": rng.choice((50, 200, 800)),
        "max-memory32-bytes": LIMITS.memory_pages * _PAGE,
        "max-memory64-bytes": LIMITS.memory_pages * _PAGE,
        "max-table-elements": 100,
        "min-funcs": rng.choice((2, 4)),
        "max-funcs": 8,
        "min-uleb-size": 1,
    }


def foreign_program(
    tools: WasmTools, seed: int, features: frozenset[Feature], imports: Path | None = None
) -> Program | None:
    """A program of smith's with these features; `imports` is where `write_imports` wrote, None for none of them."""
    rng = Random(seed)
    options = _options(rng, features)
    if imports is None:
        options["max-imports"] = 0
    else:
        options["available-imports"] = str(imports)
    data = tools.smith(rng.randbytes(rng.choice((4_000, 20_000, 60_000))), options)
    return None if data is None else Program((data,), seed, foreign=True)


# -- wasmtime -------------------------------------------------------------------------------------------------------

Seen = list[Any]
#: What our trap messages begin with, by the names of wasmtime's codes.
CODES: Mapping[str, tuple[str, ...]] = {
    "STACK_OVERFLOW": ("call stack exhausted",),
    "MEMORY_OUT_OF_BOUNDS": ("out of bounds memory access",),
    "TABLE_OUT_OF_BOUNDS": ("out of bounds table access", "undefined element"),
    "INDIRECT_CALL_TO_NULL": ("uninitialized element",),
    "BAD_SIGNATURE": ("indirect call type mismatch",),
    "INTEGER_OVERFLOW": ("integer overflow",),
    "INTEGER_DIVISION_BY_ZERO": ("integer divide by zero",),
    "BAD_CONVERSION_TO_INTEGER": ("invalid conversion to integer",),
    "UNREACHABLE": ("unreachable",),
    "NULL_REFERENCE": ("null ",),
    "ARRAY_OUT_OF_BOUNDS": ("out of bounds array access",),
    "CAST_FAILURE": ("cast failure",),
}
#: Turns of loops and calls, by a counter that smith writes into the module itself.
TURNS = 300
_JOBS = 6
#: Large arrays end the comparison; they take the engines in Python long.
_LIMITS = VmLimits(heap_bytes=16 << 20)


def bounded_program(tools: WasmTools, seed: int, features: frozenset[Feature]) -> bytes | None:
    """A module without imports that ends by itself, and whose memories all have a maximum.

    Without one, wasmtime lets a memory grow to 4 GiB, and its Python shows it as a copy.
    """
    rng = Random(seed)
    options = _options(rng, features)
    options |= {"ensure-termination": None, "fuel": TURNS, "max-imports": 0, "memory-max-size-required": True}
    return tools.smith(rng.randbytes(rng.choice((4_000, 20_000, 60_000))), options)


def _jobs(data: bytes, seed: int) -> list[tuple[str, tuple[tuple[NumType, int], ...]]]:
    """Exported functions of numbers with arguments, none of them NaN, whose payload a Python float may lose."""
    rng = Random(seed)
    module = decode(data, features=frozenset(Feature))
    names = []
    for export in module.exports:
        if export.kind == "func":
            type = module.func_type(export.index)
            if all(t in (I32, I64, F32, F64) for t in (*type.params, *type.results)):
                names.append((export.name, type))
    chosen = [rng.choice(names) for _ in range(_JOBS if names else 0)]
    return [(name, tuple((t, _number(rng, t)) for t in type.params if isinstance(t, NumType))) for name, type in chosen]


def _watched(data: bytes) -> list[tuple[str, NumType | None]]:
    """Exported memories, and globals of numbers with their types. (wasmtime's Python ends the process at a vector.)"""
    module = decode(data, features=frozenset(Feature))
    found: list[tuple[str, NumType | None]] = []
    for export in module.exports:
        if export.kind == "memory":
            found.append((export.name, None))
        elif export.kind == "global":
            type = module.global_types[export.index].type
            if isinstance(type, NumType) and type in (I32, I64, F32, F64):
                found.append((export.name, type))
    return found


def _number(rng: Random, type: NumType) -> int:
    bits = constant(rng, type)
    return 0x3F80_0000 if _value(type, bits) == "nan" else bits


def _value(type: NumType, bits: int) -> Any:
    """Bits as Python's number, a NaN as a word."""
    if type is F32 or type is F64:
        x = struct.unpack("<f" if type is F32 else "<d", bits.to_bytes(type.bits // 8, "little"))[0]
        return _shown(x)
    return bits - (1 << type.bits) if bits >> (type.bits - 1) else bits


def _shown(x: Any) -> Any:
    """A number so that equal ones are equal, and zeros differ by their sign."""
    if isinstance(x, float):
        return "nan" if x != x else x.hex()
    return x


def _arguments(args: tuple[tuple[NumType, int], ...]) -> list[Any]:
    return [float.fromhex(v) if isinstance(v := _value(t, bits), str) else v for t, bits in args]


def ours(data: bytes, seed: int, engine: str, features: frozenset[Feature]) -> Seen:
    """What an engine of ours makes of a module: for each call its outcome, and memories and globals after it."""
    store = Store(engine, _LIMITS)
    valid = validate(decode(data, features=features), features=features)
    seen: Seen = []

    def attempt(run: Any) -> bool:
        store.fuel = 1_000_000_000
        try:
            seen.append(("gave", run()))
        except Trap as trap:
            seen.append(("trap", trap.message))
        except WasmException:
            seen.append(("thrown",))
        return bool(seen[-1][0] == "gave")

    inst: Any = None

    def begin() -> None:
        nonlocal inst
        inst = instantiate(store, valid)

    if not attempt(begin):
        return seen

    def call(name: str, args: Sequence[int]) -> Any:
        func = inst.exports[name]
        return tuple(_value(t, bits) for t, bits in zip(func.type.results, invoke_bits(store, func, args), strict=True))

    for name, args in _jobs(data, seed):
        attempt(partial(call, name, [bits for _, bits in args]))
        for key, type in _watched(data):
            extern = inst.exports[key]
            seen.append((key, extern.length, crc32(extern.view)) if type is None else (key, _value(type, extern.bits)))
    return seen


class Wasmtime:
    """wasmtime with our choices: canonical NaN, and the deterministic profile of relaxed vectors."""

    def __init__(self, features: frozenset[Feature]) -> None:
        self._wasmtime: Any = importlib.import_module("wasmtime")
        config = self._wasmtime.Config()
        config.cranelift_nan_canonicalization = True
        config.wasm_relaxed_simd_deterministic = True
        for name in ("gc", "function_references", "exceptions", "tail_call", "memory64", "multi_memory",
                     "relaxed_simd", "wide_arithmetic", "custom_page_sizes"):  # fmt: skip
            if hasattr(type(config), f"wasm_{name}"):
                on = Feature(name.replace("_", "-")) in features
                setattr(config, f"wasm_{name}", on)
        self._engine = self._wasmtime.Engine(config)

    def seen(self, data: bytes, seed: int) -> Seen:
        """The same as `ours`, a trap by the name of its code."""
        w = self._wasmtime
        store, seen = w.Store(self._engine), list[Any]()
        module = w.Module(self._engine, data)

        def attempt(run: Any) -> bool:
            try:
                seen.append(("gave", run()))
            except (w.Trap, w.WasmtimeError) as error:
                code = getattr(error, "trap_code", None)
                if code is not None:
                    seen.append(("trap", code.name))
                elif "thrown Wasm exception" in str(error):
                    seen.append(("thrown",))
                else:
                    raise
            return bool(seen[-1][0] == "gave")

        instance: Any = None

        def begin() -> None:
            nonlocal instance
            instance = w.Instance(store, module, [])

        if not attempt(begin):
            return seen
        exports = instance.exports(store)

        def call(name: str, args: Any) -> Any:
            result = exports[name](store, *_arguments(args))
            values = result if isinstance(result, list) else [] if result is None else [result]
            return tuple(map(_shown, values))

        for name, args in _jobs(data, seed):
            attempt(partial(call, name, args))
            for key, type in _watched(data):
                extern = exports[key]
                if type is None:
                    size = extern.data_len(store)
                    seen.append((key, size, crc32(bytes(extern.read(store, 0, size)))))
                else:
                    seen.append((key, _shown(extern.value(store))))
        return seen


def same(mine: Seen, others: Seen) -> str:
    """In words, the first difference of `ours` and what wasmtime saw; empty if there is none."""
    for place, (a, b) in enumerate(zip(mine, others, strict=False)):
        if a == ("trap", TRAPS["heap_exhausted"]) or b == ("trap", "ALLOCATION_TOO_LARGE"):
            return ""  # our limit heap_bytes, or what is theirs: from here on the two need not agree
        if a[0] == b[0] == "trap" and a[1].startswith(CODES.get(b[1], ("?",))):
            continue
        if a != b:
            return f"item {place}: tamis {a}, wasmtime {b}, after {mine[max(place - 3, 0) : place]}"
    return "" if len(mine) == len(others) else f"tamis saw {len(mine)} things, wasmtime {len(others)}"
