"""The C validator's Python side: a module's types as flat arrays, and its errors as ours (engine contract 4).

C parses no types and knows no module-level rule; it checks bodies, and keeps what it needs to lower them later.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence
from typing import Any

from interp import _native
from interp.syntax.errors import BODY_ERRORS, ResourceError, body_error
from interp.syntax.features import Feature, mask
from interp.syntax.limits import VmLimits
from interp.syntax.module import Module
from interp.syntax.types import HEAP_CODES, HEAP_NAMES, NUM_TYPES, FuncType, NumType, RefType, ValType

_IDS = tuple(BODY_ERRORS)
_FEATURES = tuple(Feature)
_NO_TYPE = 0xFFFFFFFF
#: Type codes that stand for no type, in messages.
_PSEUDO = {0: "unknown", 1: "empty", 2: "a value", 3: "a number", 4: "a reference"}
#: From here on a code stands for the results of a function type, by its index.
_RESULTS = 0x10000
#: Errors whose arguments are types.
_TYPED = ("type_mismatch",)

#: What the C validator has rules for; a module that uses more is checked in Python.
RULES = frozenset(
    {
        Feature.MVP, Feature.MUTABLE_GLOBALS, Feature.SIGN_EXTENSION, Feature.SATURATING_FLOAT_TO_INT,
        Feature.MULTI_VALUE, Feature.BULK_MEMORY, Feature.REFERENCE_TYPES, Feature.SIMD, Feature.EXTENDED_CONST,
        Feature.RELAXED_SIMD, Feature.TAIL_CALL, Feature.MULTI_MEMORY, Feature.MEMORY64,
        Feature.WIDE_ARITHMETIC, Feature.CUSTOM_PAGE_SIZES, Feature.THREADS,
    }
)  # fmt: skip


def type_code(type: ValType) -> int:
    """A value type as the byte of the binary format; only types that have one."""
    if isinstance(type, NumType):
        return type.code
    return HEAP_CODES[type.heap] if isinstance(type.heap, str) else 0


def _type_name(code: int, module: Module) -> str:
    if code >= _RESULTS:
        comp = module.comp(code - _RESULTS)
        return "[" + " ".join(map(str, comp.results if isinstance(comp, FuncType) else ())) + "]"
    if code in _PSEUDO:
        return _PSEUDO[code]
    number = NUM_TYPES.get(code)
    return str(number) if number is not None else str(RefType(True, HEAP_NAMES[code]))


class NativeCode:
    """A module's bodies in C: validated, lowered function by function on first call, shared by all its instances.

    `code` is the `tm_code *`; the arrays it points into live as long as this object.
    """

    def __init__(
        self, module: Module, refs: Iterable[int], type_ids: Sequence[int], features: int, limits: VmLimits
    ) -> None:
        ffi, lib = _native.ffi, _native.lib
        self._arrays: list[Any] = []
        env = self.env = ffi.new("tm_env *")
        self._bytes = ffi.from_buffer(module.binary)
        env.bytes, env.size = self._bytes, len(module.binary)
        sigs, places = array("I"), array("I")
        for sub in module.types:
            if isinstance(sub.comp, FuncType):
                places.append(len(sigs))
                sigs.extend((len(sub.comp.params), len(sub.comp.results)))
                sigs.extend(type_code(t) for t in (*sub.comp.params, *sub.comp.results))
            else:
                places.append(_NO_TYPE)
        own = module.funcs
        indices, offsets, lengths = (getattr(own, name) for name in ("type_indices", "offsets", "lengths"))
        imported = array("I", (i.desc for i in module.imports if isinstance(i.desc, int)))
        env.n_types, env.n_imported = len(places), len(imported)
        env.n_funcs = len(imported) + len(own)
        env.sigs, env.type_sig, env.type_ids = self._u32(sigs), self._u32(places), self._u32(array("I", type_ids))
        env.func_types = self._u32(imported + indices)
        env.code_offset, env.code_length = self._u32(offsets), self._u32(lengths)
        wide = [t.limits.index == "i64" for t in module.table_types]
        env.table_types = self._u32(
            array("I", (type_code(t.ref) | w << 31 for t, w in zip(module.table_types, wide, strict=True)))
        )
        env.mem_types = self._u32(array("I", ((m.limits.index == "i64") | m.page_log2 << 8 for m in module.mem_types)))
        env.global_types = self._u32(array("I", (type_code(g.type) | g.mutable << 31 for g in module.global_types)))
        env.elem_types = self._u32(array("I", (type_code(e.ref) for e in module.elems)))
        env.n_tables, env.n_mems = len(module.table_types), len(module.mem_types)
        env.n_globals, env.n_elems = len(module.global_types), len(module.elems)
        env.n_datas = -1 if module.data_count is None else module.data_count
        declared = bytearray(env.n_funcs + 1)
        for index in refs:
            declared[index] = 1
        env.declared = self._keep(ffi.from_buffer("uint8_t[]", declared))
        env.features = features
        env.max_function_bytes, env.max_locals, env.max_nesting = limits.function_bytes, limits.locals, limits.nesting
        env.max_br_table, env.max_frame_cells = limits.br_table, limits.frame_cells
        code = lib.tm_code_new(env)
        if code == ffi.NULL:
            raise ResourceError("the machine has no memory for a module's functions")
        self.code = ffi.gc(code, lib.tm_code_free)

    def _keep(self, pointer: Any) -> Any:
        self._arrays.append(pointer)
        return pointer

    def _u32(self, values: array[int]) -> Any:
        return self._keep(_native.ffi.from_buffer("uint32_t[]", values if values else array("I", (0,))))

    @property
    def lowered_bytes(self) -> int:
        """How many bytes of lowered code there are so far."""
        return int(_native.lib.tm_code_bytes(self.code))


def can_check(module: Module, used: Iterable[Feature]) -> bool:
    """Whether C has a rule for everything a module may contain, as far as its own declarations tell."""
    return RULES.issuperset(used) and module.binary != b""


def validate_bodies(
    module: Module, refs: Iterable[int], type_ids: Sequence[int], features: frozenset[Feature], limits: VmLimits
) -> tuple[NativeCode, Sequence[int], int]:
    """Check every body in order; gives the handle, frame_cells per own function and the mask of features used.

    Raises MalformedError, InvalidError, LimitError, UnsupportedError, ResourceError.
    """
    ffi, lib = _native.ffi, _native.lib
    handle = NativeCode(module, refs, type_ids, mask(features & RULES), limits)
    cells = array("I", bytes(4 * len(module.funcs)))
    used, error = ffi.new("uint64_t *"), ffi.new("tm_error *")
    place = ffi.from_buffer("uint32_t[]", cells if cells else array("I", (0,)))
    if lib.tm_code_validate(handle.code, place, used, error):
        if error.id < 0:
            raise ResourceError("the machine has no memory to validate with")
        id = _IDS[error.id]
        a: object = error.a
        b: object = error.b
        if id in _TYPED:
            a, b = _type_name(error.a, module), _type_name(error.b, module)
        elif id == "feature_off":
            a = _FEATURES[error.a].value
        raise body_error(id, error.offset, a, b, f"func {error.func}")
    return handle, cells, int(used[0])
