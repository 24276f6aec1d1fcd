"""tamis, the virtual machine: the specification's embedding interface.

    bytes --decode--> Module --validate--> ValidModule --instantiate--> ModuleInst --invoke--> values
    text  --parse---^

`load` does all of it at once and gives exports that take and give Python's numbers.
"""

from __future__ import annotations

import sys

if not getattr(sys, "_is_gil_enabled", lambda: True)():
    raise ImportError("tamis is not tested without the GIL yet: use a build of Python that has it")

from interp.api import Linker, Store, read_module
from interp.binary.decode import decode
from interp.binary.encode import encode
from interp.exec.driver import instantiate, invoke, invoke_bits
from interp.exec.engines import available as engines
from interp.runtime.backtrace import backtrace_lines
from interp.runtime.engine import FrameInfo
from interp.runtime.exception import WasmException
from interp.runtime.heap import HeapRef
from interp.runtime.instance import ModuleInst
from interp.runtime.memory import MemInst
from interp.runtime.store import Extern, FuncInst, HostFunc
from interp.runtime.table import GlobalInst, TableInst, TagInst
from interp.runtime.values import Val
from interp.sugar import Function, Global, Instance, Memory, Table, load
from interp.syntax.errors import (
    Crash,
    EmbedderError,
    Exhaustion,
    FuelExhausted,
    Interrupted,
    InvalidError,
    LimitError,
    LinkError,
    MalformedError,
    ResourceError,
    Trap,
    UnsupportedError,
    WasmError,
    Where,
)
from interp.syntax.features import (
    DEFAULT_FEATURES,
    EVERY_FEATURE,
    WASM_1,
    WASM_2,
    WASM_3,
    Feature,
    Features,
    feature_set,
)
from interp.syntax.limits import DEFAULT_LIMITS, VmLimits
from interp.syntax.module import Module
from interp.syntax.types import (
    EXTERNREF,
    F32,
    F64,
    FUNCREF,
    I32,
    I64,
    V128,
    FuncType,
    GlobalType,
    MemType,
    RefType,
    TableType,
    ValType,
)
from interp.syntax.types import Limits as SizeLimits
from interp.text.parser import parse
from interp.text.printer import print_module
from interp.valid.module import ValidModule, validate

Limits = VmLimits

__all__ = [
    # modules
    "Module",
    "ValidModule",
    "decode",
    "encode",
    "parse",
    "print_module",
    "read_module",
    "validate",
    # running
    "Extern",
    "FuncInst",
    "GlobalInst",
    "HeapRef",
    "HostFunc",
    "Linker",
    "MemInst",
    "ModuleInst",
    "Store",
    "TableInst",
    "TagInst",
    "Val",
    "engines",
    "instantiate",
    "invoke",
    "invoke_bits",
    # the short way
    "Function",
    "Global",
    "Instance",
    "Memory",
    "Table",
    "load",
    # types
    "EXTERNREF",
    "F32",
    "F64",
    "FUNCREF",
    "I32",
    "I64",
    "V128",
    "FuncType",
    "GlobalType",
    "MemType",
    "RefType",
    "SizeLimits",
    "TableType",
    "ValType",
    # features and limits
    "DEFAULT_FEATURES",
    "DEFAULT_LIMITS",
    "EVERY_FEATURE",
    "Feature",
    "Features",
    "Limits",
    "VmLimits",
    "WASM_1",
    "WASM_2",
    "WASM_3",
    "feature_set",
    # errors
    "Crash",
    "EmbedderError",
    "Exhaustion",
    "FrameInfo",
    "FuelExhausted",
    "Interrupted",
    "InvalidError",
    "LimitError",
    "LinkError",
    "MalformedError",
    "ResourceError",
    "Trap",
    "UnsupportedError",
    "WasmException",
    "WasmError",
    "Where",
    "backtrace_lines",
]
