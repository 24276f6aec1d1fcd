"""Every error the VM raises, one class per phase (specification 7.1), and the tables of messages.

The tables are read by the C part as well: an id there is the position of its row here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Where:
    """A place: byte offset in the module, or file, line and column of a text, and a path of names such as `func 3`."""

    offset: int | None = None
    line: int | None = None
    column: int | None = None
    context: str = ""

    def __str__(self) -> str:
        parts = []
        if self.line is not None:
            parts.append(f"line {self.line}" + (f", column {self.column}" if self.column is not None else ""))
        if self.offset is not None:
            parts.append(f"offset {self.offset:#x}")
        if self.context:
            parts.append(self.context)
        return ", ".join(parts)


class WasmError(Exception):
    """The root of all errors that a module, an input or a run can cause. `message` has no place in it; `where` has."""

    def __init__(self, message: str, where: Where | None = None, *, id: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.where = where
        self.id = id

    def __str__(self) -> str:
        place = str(self.where) if self.where else ""
        return f"{self.message} (at {place})" if place else self.message


class MalformedError(WasmError):
    """The bytes or the text are not a module."""


class InvalidError(WasmError):
    """The module breaks a rule of validation."""


class LinkError(WasmError):
    """An import is missing or of another type."""


class LimitError(WasmError):
    """A named limit of this implementation was passed; `limit` is its field name."""

    def __init__(self, message: str, where: Where | None = None, *, limit: str = "", id: str | None = None) -> None:
        super().__init__(message, where, id=id)
        self.limit = limit


class UnsupportedError(WasmError):
    """The module needs a feature that is off or that the engine does not run; `feature` is its name."""

    def __init__(self, message: str, where: Where | None = None, *, feature: str = "", id: str | None = None) -> None:
        super().__init__(message, where, id=id)
        self.feature = feature


class Trap(WasmError):
    """Execution trapped. `backtrace` has the frames, innermost first."""

    def __init__(self, message: str, where: Where | None = None, *, backtrace: tuple[Any, ...] = ()) -> None:
        super().__init__(message, where)
        self.backtrace = backtrace


class Exhaustion(Trap):
    """The call stack is exhausted. Not a Trap to scripts, yet handled wherever traps are."""


class FuelExhausted(WasmError):
    """The ticks ran out; the activation was dropped by a driver that does not resume it."""

    def __init__(
        self, message: str = "all fuel consumed", where: Where | None = None, *, backtrace: tuple[Any, ...] = ()
    ) -> None:
        super().__init__(message, where)
        self.backtrace = backtrace


class Interrupted(WasmError):
    """A deadline passed while the guest ran."""

    def __init__(
        self, message: str = "deadline passed", where: Where | None = None, *, backtrace: tuple[Any, ...] = ()
    ) -> None:
        super().__init__(message, where)
        self.backtrace = backtrace


class ResourceError(WasmError):
    """The machine could not give memory that every named limit allows."""


class EmbedderError(Exception):
    """The caller broke a rule of the interface (wrong store, wrong thread, wrong order)."""


class Crash(Exception):
    """A bug of ours, and nothing else."""


#: Trap messages, those of the reference interpreter.
TRAPS = {
    "unreachable": "unreachable",
    "divide_by_zero": "integer divide by zero",
    "integer_overflow": "integer overflow",
    "invalid_conversion": "invalid conversion to integer",
    "memory_bounds": "out of bounds memory access",
    "table_bounds": "out of bounds table access",
    "undefined_element": "undefined element",
    "uninitialized_element": "uninitialized element",
    "call_type_mismatch": "indirect call type mismatch",
    "stack_exhausted": "call stack exhausted",
    "null_reference": "null reference",
    "null_function": "null function reference",
    "null_structure": "null structure reference",
    "null_array": "null array reference",
    "null_i31": "null i31 reference",
    "null_exception": "null exception reference",
    "array_bounds": "out of bounds array access",
    "cast_failure": "cast failure",
    "unaligned_atomic": "unaligned atomic",
    "expected_shared": "expected shared memory",
    "endless_wait": "a wait without a timeout, and nobody can notify it",
    "long_wait": "wait passes the limit wait_seconds",
    "heap_exhausted": "allocation passes the limit heap_bytes",
}

#: What can be wrong in the bytes of a function body: id to (kind, template).
#: Kind: m malformed, i invalid, l limit, u unsupported.
#: Templates may use {a} and {b}, which are types by name or numbers, as the rule says.
BODY_ERRORS: dict[str, tuple[str, str]] = {
    "unexpected_end": ("m", "unexpected end of section or function"),
    "leb_too_long": ("m", "integer representation too long"),
    "leb_too_large": ("m", "integer too large"),
    "illegal_opcode": ("m", "illegal opcode {a:02x}"),
    "malformed_block_type": ("m", "malformed block type"),
    "malformed_value_type": ("m", "malformed value type"),
    "malformed_reference_type": ("m", "malformed reference type"),
    "malformed_memop_flags": ("m", "malformed memop flags"),
    "zero_byte_expected": ("m", "zero byte expected"),
    "end_expected": ("m", "END opcode expected"),
    "section_size_mismatch": ("m", "section size mismatch"),
    "too_many_locals": ("m", "too many locals"),
    "data_count_required": ("m", "data count section required"),
    "type_mismatch": ("i", "type mismatch: instruction requires {a} but stack has {b}"),
    "type_mismatch_height": ("i", "type mismatch: values remaining on stack at end of block"),
    "type_mismatch_else": ("i", "type mismatch: if without else must leave the types it takes"),
    "type_mismatch_br_table": ("i", "type mismatch: br_table targets differ in arity"),
    "type_mismatch_select": ("i", "type mismatch: select needs two values of one number type"),
    "type_mismatch_elem": ("i", "type mismatch: element and table types differ"),
    "else_without_if": ("m", "else without a matching if"),
    "invalid_result_arity": ("i", "invalid result arity"),
    "unknown_local": ("i", "unknown local {a}"),
    "unknown_global": ("i", "unknown global {a}"),
    "unknown_function": ("i", "unknown function {a}"),
    "unknown_type": ("i", "unknown type {a}"),
    "unknown_table": ("i", "unknown table {a}"),
    "unknown_memory": ("i", "unknown memory {a}"),
    "unknown_label": ("i", "unknown label {a}"),
    "unknown_data": ("i", "unknown data segment {a}"),
    "unknown_elem": ("i", "unknown elem segment {a}"),
    "undeclared_reference": ("i", "undeclared function reference {a}"),
    "immutable_global": ("i", "immutable global {a}"),
    "alignment": ("i", "alignment must not be larger than natural"),
    "lane_index": ("i", "invalid lane index {a}"),
    "not_a_function_type": ("i", "unknown type {a}: not a function type"),
    "call_indirect_table": ("i", "type mismatch: call_indirect needs a table of function references"),
    "body_too_large": ("l", "function body of {a} bytes passes the limit function_bytes"),
    "locals_limit": ("l", "{a} locals pass the limit locals"),
    "nesting_limit": ("l", "blocks nested deeper than the limit nesting"),
    "br_table_limit": ("l", "br_table with {a} labels passes the limit br_table"),
    "catches_limit": ("l", "try block with {a} clauses passes the limit catches"),
    "frame_cells_limit": ("l", "frame of {a} cells passes the limit frame_cells"),
    "feature_off": ("u", "needs the feature {a}, which is off"),
    "malformed_heap_type": ("m", "malformed heap type"),
    "malformed_catch": ("m", "malformed catch clause"),
    "malformed_cast_flags": ("m", "malformed br_on_cast flags"),
    "offset_out_of_range": ("i", "offset out of range"),
    "constant_required": ("i", "constant expression required"),
    "unknown_tag": ("i", "unknown tag {a}"),
    "invalid_rethrow_label": ("i", "invalid rethrow label {a}"),
    "uninitialized_local": ("i", "uninitialized local {a}"),
    "not_a_struct_type": ("i", "type mismatch: type {a} is not a structure type"),
    "not_an_array_type": ("i", "type mismatch: type {a} is not an array type"),
    "unknown_field": ("i", "unknown field {a}"),
    "immutable_field": ("i", "immutable field {a}"),
    "immutable_array": ("i", "immutable array {a}"),
    "packed_field": ("i", "type mismatch: a packed field is read with _s or _u, another without"),
    "not_defaultable": ("i", "type mismatch: {a} has no default value"),
    "not_numeric_array": ("i", "array type is not numeric or vector"),
    "type_mismatch_storage": ("i", "type mismatch: elements of type {a} are required, and these are {b}"),
    "type_mismatch_cast": ("i", "type mismatch: {a} is no supertype of {b}"),
    "atomic_alignment": ("i", "alignment of an atomic access must be natural"),
    "type_mismatch_label": ("i", "type mismatch: the label takes {a}, and {b} come"),
}
BODY_ERROR_IDS = {id: position for position, id in enumerate(BODY_ERRORS)}
_BODY_LIMITS = {
    "body_too_large": "function_bytes",
    "locals_limit": "locals",
    "nesting_limit": "nesting",
    "br_table_limit": "br_table",
    "catches_limit": "catches",
    "frame_cells_limit": "frame_cells",
}


def body_error(id: str, offset: int, a: object = "", b: object = "", context: str = "") -> WasmError:
    """The error of a row of BODY_ERRORS, to be raised; `offset` is a byte offset in the module, or -1 for none."""
    kind, template = BODY_ERRORS[id]
    message = template.format(a=a, b=b)
    where = Where(offset=offset if offset >= 0 else None, context=context)
    if kind == "m":
        return MalformedError(message, where, id=id)
    if kind == "l":
        return LimitError(message, where, limit=_BODY_LIMITS[id], id=id)
    if kind == "u":
        return UnsupportedError(message, where, feature=str(a), id=id)
    return InvalidError(message, where, id=id)
