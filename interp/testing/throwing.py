"""Random bodies that throw and catch, by try_table and by the legacy proposal.

References to exceptions are in locals, on the operand stack and on their way out of blocks; in signatures, tables and
globals they are not, since a harness has none to give.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from interp.syntax.instructions import Catch
from interp.syntax.module import Expr
from interp.syntax.types import I32, BlockType, FuncType, RefType, ValType

from .bodies import WEIGHTED, Body, weighted
from .objects import OBJECTS, ObjectBody
from .shape import END, const
from .values import Label

EXN = RefType(True, "exn")
_HANDLERS = ("catch", "catch_all")


class Throwing(Body):
    """What throwing adds to a body."""

    def made(self, type: RefType) -> None:
        """A reference out of nothing; not pushed."""
        if type.heap == "exn":
            self.emit("ref.null", "exn")
            if not type.nullable:
                self.emit("ref.as_non_null")
        else:
            super().made(type)

    # -- throwing ------------------------------------------------------------------------------------------------

    def _throw(self) -> None:
        tag = self.rng.randrange(len(self.s.tags))
        self.take(self.s.tag_types(tag))
        self.emit("throw", tag)
        self.die()

    def _throw_ref(self) -> None:
        self.take((EXN,))
        self.emit("throw_ref")
        self.die()

    def _rethrow(self) -> None:
        depths = [depth for depth, label in enumerate(reversed(self.labels)) if label.kind in _HANDLERS]
        if depths:
            self.emit("rethrow", self.rng.choice(depths))
            self.die()

    def _throw_if(self, likely: bool = False) -> None:
        """A throw that happens or not, so that what follows is alive."""
        if likely:
            self.code.append(const(I32, int(self.chance(0.8))))
        else:
            self.test()
            self.stack.pop()
        self.emit("if", BlockType())
        height, floor, unset = len(self.stack), self.floor, set(self.unset)
        self.labels.append(Label((), height, False))
        self.floor = height
        self.rng.choice((self._throw, self._throw, self._throw_ref, self._rethrow))()
        self._close((), height)
        self.code.append(END)
        del self.stack[height:]
        self.floor, self.unset = floor, unset

    def _keep(self) -> None:
        """A reference to an exception goes to a local, or comes from one."""
        locals = self.writable(EXN)
        if locals:
            index = self.rng.choice(locals)
            if self.chance(0.5):
                self.take((EXN,))
                self.emit("local.set", index)
            else:
                self.emit("local.get", index)
                self.push(EXN)

    def whole(self) -> Expr:
        """The body, `end` included. Some throw at once, for their callers to catch."""
        if self.chance(0.25):
            self._throw_if(likely=True)
        return super().whole()

    # -- catching ------------------------------------------------------------------------------------------------

    def _arm(self, kind: str, type: FuncType, height: int, statements: int) -> int | None:
        """The same; what is tried is likely to throw before it is over."""
        if kind not in ("try", "try_table"):
            return super()._arm(kind, type, height, statements)
        self.labels.append(Label(type.results, height, False, kind))
        self.floor = height
        for _ in range(statements):
            if self.chance(0.3):
                self._throw_if(likely=True)
            if self.chance(0.4):
                self._some_call()
            self.statement()
        return None

    def _shown(self, type: FuncType) -> BlockType:
        if not type.params and len(type.results) < 2 and self.chance(0.8):
            return BlockType(type.results[0] if type.results else None)
        return BlockType(self.s.type_index(type))

    def _clause(self) -> tuple[int, int, tuple[ValType, ...]]:
        """Kind and tag of a clause, and what it brings."""
        kind = self.rng.randrange(4)
        tag = self.rng.randrange(len(self.s.tags)) if kind < 2 else -1
        return kind, tag, (self.s.tag_types(tag) if kind < 2 else ()) + ((EXN,) if kind & 1 else ())

    def _try_table(self) -> None:
        """A try_table in a block that takes what its first clause brings."""
        rng = self.rng
        kind, tag, brought = self._clause()
        height, floor, unset = len(self.stack), self.floor, set(self.unset)
        self.emit("block", self._shown(FuncType((), brought)))
        self.labels.append(Label(brought, height, False))
        self.floor = height
        if self.chance(0.3):
            self._some_values_of()
        clauses = [Catch(kind, tag, 0)]
        for _ in range(rng.choice((0, 1, 2, 5))):
            kind, tag, types = self._clause()
            fitting = [depth for depth, label in enumerate(reversed(self.labels)) if label.types == types]
            if fitting:
                clauses.insert(rng.randrange(len(clauses) + 1), Catch(kind, tag, rng.choice(fitting)))
        params, results = self._signature()
        self.take(params)
        self.push(*params)
        inner = len(self.stack) - len(params)
        within = set(self.unset)
        self.emit("try_table", self._shown(FuncType(params, results)), tuple(clauses))
        self._arm("try_table", FuncType(params, results), inner, rng.randrange(1, 5))
        self._close(results, inner)
        self.code.append(END)
        self.unset, self.floor = within, height
        del self.stack[inner:]
        self.push(*results)
        self._close(brought, height)
        self.code.append(END)
        del self.stack[height:]
        self.push(*brought)
        self.floor, self.unset = floor, unset

    def _some_values_of(self) -> None:
        for _ in range(self.rng.choice((1, 2, 3))):
            self.value(self.s.pick())

    def _signature(self) -> tuple[tuple[ValType, ...], tuple[ValType, ...]]:
        params, results = (tuple(self.s.pick() for _ in range(self.rng.choice((0, 0, 1, 2)))) for _ in range(2))
        return params, results

    def _try(self) -> None:
        """A try of the legacy proposal, with handlers or a delegate."""
        rng = self.rng
        params, results = self._signature()
        self.take(params)
        self.push(*params)
        height, floor, unset = len(self.stack) - len(params), self.floor, set(self.unset)
        type = FuncType(params, results)
        self.emit("try", self._shown(type))
        self._arm("try", type, height, rng.randrange(1, 5))
        self._close(results, height)
        if self.chance(0.25):
            self.emit("delegate", rng.randrange(len(self.labels)))
        else:
            for _ in range(rng.choice((0, 1, 1, 2))):
                tag = rng.randrange(len(self.s.tags))
                self._handler("catch", (tag,), self.s.tag_types(tag), results, height, unset)
            if self.chance(0.5):
                self._handler("catch_all", (), (), results, height, unset)
            self.code.append(END)
        del self.stack[height:]
        self.push(*results)
        self.floor, self.unset = floor, unset

    def _handler(
        self,
        name: str,
        imm: tuple[int, ...],
        types: tuple[ValType, ...],
        results: tuple[ValType, ...],
        height: int,
        unset: set[int],
    ) -> None:
        self.emit(name, *imm)
        self.unset = set(unset)
        del self.stack[height:]
        self.push(*types)
        self._arm(name, FuncType(types, results), height, self.rng.randrange(4))
        self._close(results, height)


_THROWS: list[tuple[Callable[[Any], None], int]] = [
    (Throwing._throw, 2),
    (Throwing._throw_ref, 2),
    (Throwing._rethrow, 3),
    (Throwing._throw_if, 12),
    (Throwing._keep, 6),
    (Throwing._try_table, 16),
    (Throwing._try, 16),
]


class ThrowingBody(Throwing):
    """A body that throws."""

    STATEMENTS = weighted([*WEIGHTED, *_THROWS])


class ThrowingObjectBody(Throwing, ObjectBody):
    """The same with structures, arrays and typed references."""

    STATEMENTS = weighted([*OBJECTS, *_THROWS])
