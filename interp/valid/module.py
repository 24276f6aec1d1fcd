"""Modules (specification 3.5): `validate` and what it gives, the ValidModule, without which nothing runs.

The rules of a module are here, for every engine. Bodies are checked by the C validator where there is one, else by
expr.py; both say the same.
"""

from __future__ import annotations

import importlib
import importlib.util
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from interp import _native
from interp.binary.decode import decode
from interp.binary.encode import encode
from interp.binary.instructions import Runs, instructions, read_locals
from interp.binary.types import Gate, heap_feature
from interp.syntax.errors import UnsupportedError, WasmError, Where, body_error
from interp.syntax.features import Feature, Features, feature_set, from_mask
from interp.syntax.instructions import Ins
from interp.syntax.limits import DEFAULT_LIMITS, VmLimits
from interp.syntax.module import Expr, Func, Module
from interp.syntax.types import BlockType, RefType, ValType

from .canon import Definition
from .checker import Checker
from .context import VALIDATED, Context
from .expr import check
from .rules_module import check_module, make_context, module_needs

Bodies = Literal["auto", "python", "native"]


@dataclass(frozen=True, eq=False)
class ValidModule:
    """A module that keeps every rule.

    `features` are those it needs; `frame_cells` has one number per own function: parameters, locals and highest operand
    stack in 64-bit cells; `refs` are the functions that `ref.func` may name; `type_ids` has one number per type, equal
    for equal types of any two modules of the process, and `definitions` has what is behind them; `native` is the C
    validator's handle, or None.
    """

    module: Module = field(repr=False)
    features: frozenset[Feature]
    frame_cells: Sequence[int] = field(repr=False)
    refs: frozenset[int] = field(repr=False)
    type_ids: Sequence[int] = field(repr=False)
    definitions: Sequence[Definition] = field(repr=False)
    native: Any = None


def validate(
    module: Module,
    *,
    features: Features = None,
    limits: VmLimits | None = None,
    bodies: Bodies = "auto",
) -> ValidModule:
    """Check a module: its own rules first, then its bodies in order.

    `features` are those that are on, as `feature_set` reads them. `bodies` chooses who checks bodies; what the C
    validator has no rules for is checked in Python. A module from text that goes to the C validator is encoded first,
    and the result holds that module. Raises InvalidError, MalformedError (bodies are not read before), LimitError,
    UnsupportedError.
    """
    enabled = feature_set(features) & VALIDATED
    bound = DEFAULT_LIMITS if limits is None else limits
    native = _native_validator() if bodies != "python" else None
    if bodies == "native" and native is None:
        raise UnsupportedError("there is no C validator in this installation", feature="native")
    if native is not None and not module.binary:
        module = decode(encode(module), features=enabled, limits=bound)
    needs = module_needs(module)
    used = set(needs)
    _require(needs, enabled)
    if native is not None and not native.can_check(module, used):
        native = None
    context = make_context(module, enabled, bound)
    used |= check_module(module, context)
    type_ids = array("I", (definition.number for definition in context.definitions))
    handle: Any = None
    cells: Sequence[int] | None = None
    if native is not None:
        try:
            handle, cells, mask = native.validate_bodies(
                module, context.refs, context.definitions, context.elems, enabled, bound
            )
            used |= from_mask(mask)
        except UnsupportedError as error:
            if Feature(error.feature) not in enabled:
                raise
            # The C validator has no rules for it, but there are some here.
    if cells is None:
        gate = Gate(enabled, bound.catches)
        cells = array("I", (_check_body(module, context, gate, index) for index in range(len(module.funcs))))
        used |= gate.used
    return ValidModule(module, frozenset(used), cells, context.refs, type_ids, context.definitions, handle)


def _native_validator() -> Any:
    """The module that hands bodies to C, or None where there is no C."""
    if _native.lib is None or importlib.util.find_spec("interp.valid.native") is None:
        return None
    return importlib.import_module("interp.valid.native")


def _require(needs: Mapping[Feature, str], enabled: frozenset[Feature]) -> None:
    """Raise UnsupportedError for the first feature, by name, that is needed somewhere and off."""
    missing = sorted(feature.value for feature in needs if feature not in enabled)
    if missing:
        raise body_error("feature_off", -1, missing[0], context=needs[Feature(missing[0])])


def _check_body(module: Module, context: Context, gate: Gate, index: int) -> int:
    """Check one own function; gives its frame_cells."""
    func = module.funcs[index]
    number = module.imported_funcs + index
    where = f"func {number}"
    try:
        read = _from_bytes(module, func, context, gate) if module.binary else _from_text(func, gate, context.limits)
        runs, code, start = read
        for _, type in runs:
            if isinstance(type, RefType) and isinstance(type.heap, int) and type.heap >= len(context.types):
                raise body_error("unknown_type", start, type.heap)
        checker = Checker(context, context.funcs[number], runs, where, start)
        check(checker, code)
    except WasmError as error:
        error.where = replace(error.where or Where(), context=where)
        raise
    return checker.frame_cells


_Body = tuple[Runs, Iterable[Ins], int]


def _from_bytes(module: Module, func: Func, context: Context, gate: Gate) -> _Body:
    data, offset, end = module.binary, func.offset, func.offset + func.length
    runs, pos = read_locals(data, offset, func.length, gate, context.limits)
    counted = module.data_count is not None
    return runs, instructions(data, pos, end, gate, context.limits, data_count=counted), offset


def _from_text(func: Func, gate: Gate, limits: VmLimits) -> _Body:
    locals, body = func.contents
    if len(locals) > limits.locals:
        raise body_error("locals_limit", -1, len(locals))
    for type in locals:
        _need_type(type, gate)
    return [(1, type) for type in locals], _gated(body, gate), -1


def _gated(body: Expr, gate: Gate) -> Iterator[Ins]:
    """The instructions of a body that has no bytes, held against what reading bytes would have refused."""
    depth = 1
    for ins in body:
        if not depth:
            raise body_error("section_size_mismatch", ins.at)
        gate.need(ins.op.feature, ins.at)
        if "block" in ins.op.immediates:
            depth += 1
        elif ins.op.name in ("end", "delegate"):
            depth -= 1
        for immediate, value in zip(ins.op.immediates, ins.imm, strict=True):
            if immediate == "heap":
                gate.need(heap_feature(value), ins.at)
            elif isinstance(value, BlockType):
                if isinstance(value.value, int):
                    gate.need(Feature.MULTI_VALUE, ins.at)
                elif value.value is not None:
                    _need_type(value.value, gate)
        yield ins
    if depth:
        raise body_error("unexpected_end", -1)


def _need_type(type: ValType, gate: Gate) -> None:
    if isinstance(type, RefType):
        gate.need(heap_feature(type.heap, type.nullable), -1)
    elif type.name == "v128":
        gate.need(Feature.SIMD, -1)
