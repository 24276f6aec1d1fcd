"""Constant expressions (specification 3.4.14): which instructions they may have, then the usual check of their type."""

from __future__ import annotations

from typing import NoReturn

from interp.syntax.errors import body_error
from interp.syntax.features import Feature
from interp.syntax.instructions import Ins
from interp.syntax.module import Expr
from interp.syntax.types import FuncType, ValType

from .checker import Checker
from .context import Context
from .expr import check

_PLAIN = frozenset({"i32.const", "i64.const", "f32.const", "f64.const", "v128.const", "ref.null", "ref.func", "end"})
#: What garbage collection made constant.
CONSTANT_GC = frozenset(
    {
        "ref.i31",
        "struct.new",
        "struct.new_default",
        "array.new",
        "array.new_default",
        "array.new_fixed",
        "any.convert_extern",
        "extern.convert_any",
    }
)
_EXTENDED = frozenset({"i32.add", "i32.sub", "i32.mul", "i64.add", "i64.sub", "i64.mul"})


class Constants:
    """Checks constant expressions of a module and gathers the features they need.

    They see the imported globals; a module's own earlier ones came with garbage collection.
    """

    def __init__(self, context: Context, imported_globals: int) -> None:
        self.context = context
        self.imported_globals = imported_globals
        self.own_globals = len(context.globals) - imported_globals
        self.used: set[Feature] = set()

    def check(self, code: Expr, type: ValType, where: str, globals_before: int | None = None) -> None:
        """One expression of a type; `globals_before` counts the module's own globals that stand before it.

        Raises InvalidError, or UnsupportedError for what only a later feature makes constant.
        """
        before = self.own_globals if globals_before is None else globals_before
        for ins in code:
            self._constant(ins, where, before)
        # Which globals are visible was checked above, so the rule for global.get may see all.
        checker = Checker(self.context, FuncType((), (type,)), (), where, code[0].at if code else -1)
        check(checker, code)

    def _constant(self, ins: Ins, where: str, before: int) -> None:
        name = ins.op.name
        if name == "global.get":
            self._global(ins, where, before)
        elif name in _EXTENDED:
            if Feature.EXTENDED_CONST not in self.context.features:
                raise body_error("feature_off", ins.at, Feature.EXTENDED_CONST.value, context=where)
            self.used.add(Feature.EXTENDED_CONST)
        elif name not in _PLAIN and name not in CONSTANT_GC:
            self._fail("constant_required", ins, where)
        if ins.op.feature not in self.context.features:
            raise body_error("feature_off", ins.at, ins.op.feature.value, context=where)
        self.used.add(ins.op.feature)

    def _global(self, ins: Ins, where: str, before: int) -> None:
        index: int = ins.imm[0]
        if index >= self.imported_globals + before:
            self._fail("unknown_global", ins, where)
        if index >= self.imported_globals:
            if Feature.GC not in self.context.features:
                raise body_error("feature_off", ins.at, Feature.GC.value, context=where)
            self.used.add(Feature.GC)
        if self.context.globals[index].mutable:
            self._fail("constant_required", ins, where)

    def _fail(self, id: str, ins: Ins, where: str) -> NoReturn:
        raise body_error(id, ins.at, ins.imm[0] if ins.imm else "", context=where)
