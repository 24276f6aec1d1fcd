"""Small filters from a few lines of text: the frame (marker, memory, allocator, imports) is made around the bodies.

    text = small_filter(
        {"proxy_on_tick": "(drop (call $proxy_log (i32.const 2) (i32.const 16) (i32.const 5)))"},
        data={16: b"hello"},
    )

Host calls are imported because they are mentioned as `$name`; their types come from the registry.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import hostabi.hostcalls  # noqa: F401  (fills the registry)
from hostabi.abi.callbacks import CALLBACKS
from hostabi.abi.enums import AbiVersion
from hostabi.abi.hostcall import REGISTRY
from hostabi.hostcalls.wasi import SIGNATURES

ALLOCATOR = """
  (global $free (mut i32) (i32.const 32768))
  (func (export "proxy_on_memory_allocate") (param $size i32) (result i32)
    (global.get $free)
    (global.set $free (i32.and (i32.add (i32.add (global.get $free) (local.get $size)) (i32.const 7)) (i32.const -8))))
"""
"""A bump allocator from address 32768 on, in steps of 8 bytes."""


def small_filter(
    callbacks: Mapping[str, str] | None = None,
    *,
    data: Mapping[int, bytes] | None = None,
    abi: AbiVersion = AbiVersion.V0_2_1,
    allocator: str = ALLOCATOR,
    extra: str = "",
    pages: str = "1",
    marker: str | None = None,
) -> str:
    """The text of a filter with these callbacks, by name, and these bytes in its memory, by address.

    In a callback's body, parameters are numbered and results are what the callback's type asks for. `extra` is put
    into the module as it is; `marker` replaces the ABI marker, "" leaves it out.
    """
    bodies = "".join(_callback(name, body, abi) for name, body in (callbacks or {}).items())
    rest = f"{allocator}{bodies}{extra}"
    name = abi.marker if marker is None else marker
    announce = f'  (func (export "{name}"))\n' if name else ""
    imports = "".join(_import(name) for name in dict.fromkeys(re.findall(r"\$(\w+)", rest)) if _import(name))
    segments = "".join(f'  (data (i32.const {at}) "{_escape(bytes_)}")\n' for at, bytes_ in (data or {}).items())
    return f'(module\n{imports}  (memory (export "memory") {pages})\n{announce}{segments}{rest})\n'


def text_constant(data: bytes) -> str:
    """Bytes as a string literal of the text format."""
    return f'"{_escape(data)}"'


def _callback(name: str, body: str, abi: AbiVersion) -> str:
    params, results = CALLBACKS[name].signature(abi)
    head = f"(param {' '.join(params)})" + (f" (result {' '.join(results)})" if results else "")
    return f'  (func (export "{name}") {head}\n    {body})\n'


def _import(name: str) -> str:
    call = REGISTRY.calls.get(name)
    if call is not None:
        return _import_text("env", name, call.wasm_params(), ("i32",))
    raw = REGISTRY.raw.get(name)
    if raw is not None:
        return _import_text("env", name, raw.params, raw.results)
    if name in SIGNATURES:
        params, results = SIGNATURES[name]
        return _import_text("wasi_snapshot_preview1", name, params, results)
    return ""


def _import_text(module: str, name: str, params: tuple[str, ...], results: tuple[str, ...]) -> str:
    head = f" (param {' '.join(params)})" if params else ""
    tail = f" (result {' '.join(results)})" if results else ""
    return f'  (import "{module}" "{name}" (func ${name}{head}{tail}))\n'


def _escape(data: bytes) -> str:
    return "".join(f"\\{byte:02x}" for byte in data)
