"""The rules of the type section (specification 3.2), and of types wherever a module writes them."""

from __future__ import annotations

from interp.syntax.errors import InvalidError, LimitError, Where
from interp.syntax.limits import VmLimits
from interp.syntax.module import Module
from interp.syntax.types import ArrayType, CompType, FieldType, FuncType, PackedType, RefType, SubType, ValType

from .canon import Definition, canonical
from .subtyping import Subtyping


def check_types(module: Module, limits: VmLimits) -> tuple[Definition, ...]:
    """Check all type definitions and give their canonical ones. Raises InvalidError, LimitError."""
    end = 0
    for rec in module.rec_types:
        start, end = end, end + len(rec.types)
        for index, sub in enumerate(rec.types, start):
            _check_indices(sub, index, end)
    _check_depth(module, limits)
    definitions = canonical(module.rec_types)
    subtyping = Subtyping(definitions.__getitem__)
    for index, sub in enumerate(module.types):
        for above in sub.supers:
            _check_super(sub, module.types[above], subtyping, f"type {index}")
    return definitions


def _check_indices(sub: SubType, index: int, end: int) -> None:
    where = f"type {index}"
    if len(sub.supers) > 1:
        raise InvalidError("sub type has more than one super type", Where(context=where))
    for above in sub.supers:
        if above >= index:
            raise InvalidError(f"unknown type {above}: a super type comes before", Where(context=where))
    for type in component_types(sub.comp):
        check_value_type(type, end, where)


def _check_depth(module: Module, limits: VmLimits) -> None:
    depths: list[int] = []
    for index, sub in enumerate(module.types):
        depths.append(1 + max((depths[above] for above in sub.supers), default=-1))
        if depths[-1] > limits.subtype_depth:
            raise LimitError(
                "the type passes the limit subtype_depth", Where(context=f"type {index}"), limit="subtype_depth"
            )


def _check_super(sub: SubType, above: SubType, subtyping: Subtyping, where: str) -> None:
    if above.final:
        raise InvalidError("sub type does not match: the super type is final", Where(context=where))
    if not subtyping.comp(sub.comp, above.comp):
        raise InvalidError("sub type does not match its super type", Where(context=where))


def component_types(comp: CompType) -> list[ValType]:
    """The value types within a composite type."""
    if isinstance(comp, FuncType):
        return [*comp.params, *comp.results]
    fields: tuple[FieldType, ...] = (comp.field,) if isinstance(comp, ArrayType) else comp.fields
    return [field.storage for field in fields if not isinstance(field.storage, PackedType)]


def check_value_type(type: ValType, types: int, where: str) -> None:
    """A type in a module that has so many types. Raises InvalidError for an index beyond them."""
    if isinstance(type, RefType) and isinstance(type.heap, int) and type.heap >= types:
        raise InvalidError(f"unknown type {type.heap}", Where(context=where))
