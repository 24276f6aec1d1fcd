"""The C validator's Python side: a module's types as flat arrays, and its errors as ours (engine contract 4).

C parses no types and knows no module-level rule; it checks bodies, and keeps what it needs to lower them later.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence
from itertools import accumulate
from typing import Any

from interp import _native
from interp.syntax.errors import BODY_ERRORS, ResourceError, body_error
from interp.syntax.features import Feature, mask
from interp.syntax.limits import VmLimits
from interp.syntax.module import Module
from interp.syntax.types import (
    HEAP_CODES,
    HEAP_NAMES,
    I8,
    I16,
    NUM_TYPES,
    ArrayType,
    FieldType,
    FuncType,
    NumType,
    PackedType,
    RefType,
    StructType,
    SubType,
    ValType,
)

from .canon import Definition

_IDS = tuple(BODY_ERRORS)
_FEATURES = tuple(Feature)
_NO_TYPE = 0xFFFFFFFF
#: Type codes that stand for no type, in messages.
_PSEUDO = {0: "unknown", 1: "empty", 2: "a value", 3: "a number", 4: "a reference", I8.code: "i8", I16.code: "i16"}
#: In a type code of C: the type's index follows; null is no value of it (native/engine.h).
_DEFINED, _NON_NULL = 1 << 30, 1 << 29
#: The heap type below all others, of which dead code makes references.
_BOTTOM = 0x68
#: A reference to an exception, which a clause brings.
_EXN = HEAP_CODES["exn"] | _NON_NULL
#: In what an error tells: one type in brackets; so many types from a place of `sigs` on, and an exception behind them.
_LIST_ONE, _LIST_SOME, _LIST_EXN = 1 << 62, 1 << 63, 1 << 61
#: Errors whose arguments are types.
_TYPED = frozenset(
    {"type_mismatch", "type_mismatch_label", "type_mismatch_cast", "type_mismatch_storage", "not_defaultable"}
)
_KINDS: dict[type, int] = {FuncType: 0, StructType: 1, ArrayType: 2}

#: What the C validator has rules for; a module that uses more is checked in Python.
RULES = frozenset(
    {
        Feature.MVP, Feature.MUTABLE_GLOBALS, Feature.SIGN_EXTENSION, Feature.SATURATING_FLOAT_TO_INT,
        Feature.MULTI_VALUE, Feature.BULK_MEMORY, Feature.REFERENCE_TYPES, Feature.SIMD, Feature.EXTENDED_CONST,
        Feature.RELAXED_SIMD, Feature.TAIL_CALL, Feature.MULTI_MEMORY, Feature.MEMORY64,
        Feature.FUNCTION_REFERENCES, Feature.GC, Feature.EXCEPTIONS,
        Feature.WIDE_ARITHMETIC, Feature.CUSTOM_PAGE_SIZES, Feature.THREADS,
        Feature.LEGACY_EXCEPTIONS,
    }
)  # fmt: skip


def type_code(type: ValType) -> int:
    """A value type as C knows it."""
    if isinstance(type, NumType):
        return type.code
    code = HEAP_CODES[type.heap] if isinstance(type.heap, str) else _DEFINED | type.heap
    return code if type.nullable else code | _NON_NULL


def _field_code(field: FieldType) -> int:
    storage = field.storage
    return (storage.code if isinstance(storage, PackedType) else type_code(storage)) | field.mutable << 31


def _field_width(field: FieldType) -> int:
    """The 64-bit cells that a field takes in a structure."""
    return 2 if field.storage.bits > 64 else 1


def _type_name(code: int) -> str:
    if code in _PSEUDO:
        return _PSEUDO[code]
    number = NUM_TYPES.get(code)
    if number is not None:
        return str(number)
    if code & _DEFINED:
        return str(RefType(not code & _NON_NULL, code & ~(_DEFINED | _NON_NULL)))
    heap = code & ~_NON_NULL
    return str(RefType(not code & _NON_NULL, "bot" if heap == _BOTTOM else HEAP_NAMES[heap]))


class TypeArrays:
    """The types of a module as C reads them (tm_env in native/api.h has what each array means)."""

    def __init__(self, types: Sequence[SubType], definitions: Sequence[Definition]) -> None:
        self.sigs, self.places = array("I"), array("I")
        self.fields, self.field_places, self.field_cells = array("I"), array("I"), array("I")
        self.lines, self.line_places = array("I"), array("I")
        self.kinds = bytearray()
        for sub, definition in zip(types, definitions, strict=True):
            self._add(sub)
            self.line_places.append(len(self.lines))
            self.lines.extend(type_line(definition))

    def _add(self, sub: SubType) -> None:
        comp = sub.comp
        self.kinds.append(_KINDS[type(comp)])
        place, field_place = _NO_TYPE, _NO_TYPE
        if isinstance(comp, FuncType):
            place = len(self.sigs)
            self.sigs.extend((len(comp.params), len(comp.results)))
            self.sigs.extend(type_code(t) for t in (*comp.params, *comp.results))
        else:
            field_place = len(self.fields)
            fields = comp.fields if isinstance(comp, StructType) else (comp.field,)
            self.fields.append(len(fields))
            self.fields.extend(map(_field_code, fields))
            self.field_cells.extend(accumulate(map(_field_width, fields), initial=0))
        self.places.append(place)
        self.field_places.append(field_place)


def type_line(definition: Definition) -> tuple[int, ...]:
    """How many supertypes a type has and their numbers, the root's first (a type is numbered after its supertypes)."""
    return (len(definition.ancestors) - 1, *sorted(definition.ancestors))


class NativeCode:
    """A module's bodies in C: validated, lowered function by function on first call, shared by all its instances.

    `code` is the `tm_code *`; the arrays it points into live as long as this object.
    """

    def __init__(
        self,
        module: Module,
        refs: Iterable[int],
        definitions: Sequence[Definition],
        elems: Iterable[RefType],
        features: int,
        limits: VmLimits,
    ) -> None:
        ffi, lib = _native.ffi, _native.lib
        self._arrays: list[Any] = []
        env = self.env = ffi.new("tm_env *")
        self._bytes = ffi.from_buffer(module.binary)
        env.bytes, env.size = self._bytes, len(module.binary)
        types = self._types = TypeArrays(module.types, definitions)
        own = module.funcs
        indices, offsets, lengths = (getattr(own, name) for name in ("type_indices", "offsets", "lengths"))
        imported = array("I", (i.desc for i in module.imports if isinstance(i.desc, int)))
        env.n_types, env.n_imported = len(types.kinds), len(imported)
        env.n_funcs = len(imported) + len(own)
        env.sigs, env.type_sig = self._u32(types.sigs), self._u32(types.places)
        env.fields, env.type_fields = self._u32(types.fields), self._u32(types.field_places)
        env.field_cells = self._u32(types.field_cells)
        env.lines, env.type_line = self._u32(types.lines), self._u32(types.line_places)
        env.type_kinds = self._keep(ffi.from_buffer("uint8_t[]", types.kinds or bytearray(1)))
        env.func_types = self._u32(imported + indices)
        env.code_offset, env.code_length = self._u32(offsets), self._u32(lengths)
        wide = [t.limits.index == "i64" for t in module.table_types]
        env.table_types = self._u32(
            array("I", (type_code(t.ref) | w << 31 for t, w in zip(module.table_types, wide, strict=True)))
        )
        env.mem_types = self._u32(array("I", ((m.limits.index == "i64") | m.page_log2 << 8 for m in module.mem_types)))
        env.global_types = self._u32(array("I", (type_code(g.type) | g.mutable << 31 for g in module.global_types)))
        env.elem_types = self._u32(array("I", (type_code(type) for type in elems)))
        env.tag_types = self._u32(array("I", (tag.type_index for tag in module.tag_types)))
        env.n_tags = len(module.tag_types)
        env.n_tables, env.n_mems = len(module.table_types), len(module.mem_types)
        env.n_globals, env.n_elems = len(module.global_types), len(module.elems)
        env.n_datas = -1 if module.data_count is None else module.data_count
        declared = bytearray(env.n_funcs + 1)
        for index in refs:
            declared[index] = 1
        env.declared = self._keep(ffi.from_buffer("uint8_t[]", declared))
        env.features = features
        env.max_function_bytes, env.max_locals, env.max_nesting = limits.function_bytes, limits.locals, limits.nesting
        env.max_br_table, env.max_catches, env.max_frame_cells = limits.br_table, limits.catches, limits.frame_cells
        code = lib.tm_code_new(env)
        if code == ffi.NULL:
            raise ResourceError("the machine has no memory for a module's functions")
        self.code = ffi.gc(code, lib.tm_code_free)
        self._pin = _native.pin(self.code)

    def _keep(self, pointer: Any) -> Any:
        self._arrays.append(pointer)
        return pointer

    def _u32(self, values: array[int]) -> Any:
        return self._keep(_native.ffi.from_buffer("uint32_t[]", values if values else array("I", (0,))))

    def shown(self, code: int) -> str:
        """A type or a list of types that an error tells of, in words."""
        if code & _LIST_ONE:
            return f"[{_type_name(code & ~_LIST_ONE)}]"
        if code & _LIST_SOME:
            count, place = code >> 32 & 0x1FFFFFFF, code & 0xFFFFFFFF
            codes = [*self._types.sigs[place : place + count], *([_EXN] if code & _LIST_EXN else ())]
            return "[" + " ".join(map(_type_name, codes)) + "]"
        return _type_name(code)

    @property
    def lowered_bytes(self) -> int:
        """How many bytes of lowered code there are so far."""
        return int(_native.lib.tm_code_bytes(self.code))


def can_check(module: Module, used: Iterable[Feature]) -> bool:
    """Whether C has a rule for everything a module may contain, as far as its own declarations tell."""
    return RULES.issuperset(used) and module.binary != b""


def validate_bodies(
    module: Module,
    refs: Iterable[int],
    definitions: Sequence[Definition],
    elems: Iterable[RefType],
    features: frozenset[Feature],
    limits: VmLimits,
) -> tuple[NativeCode, Sequence[int], int]:
    """Check every body in order; gives the handle, frame_cells per own function and the mask of features used.

    Raises MalformedError, InvalidError, LimitError, UnsupportedError, ResourceError.
    """
    ffi, lib = _native.ffi, _native.lib
    handle = NativeCode(module, refs, definitions, elems, mask(features & RULES), limits)
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
            a, b = handle.shown(error.a), handle.shown(error.b)
        elif id == "feature_off":
            a = _FEATURES[error.a].value
        raise body_error(id, error.offset, a, b, f"func {error.func}")
    return handle, cells, int(used[0])
