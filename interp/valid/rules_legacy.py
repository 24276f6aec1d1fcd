"""The rules of the legacy exceptions proposal, which C++ toolchains still emit: try, catch, delegate, rethrow.

A handler keeps what it caught for `rethrow`, in a cell of the frame: as many as handlers are open at once count among
frame_cells (`Checker.caught`).
"""

from __future__ import annotations

from collections.abc import Sequence

from interp.syntax.types import ValType

from .checker import HANDLERS, Checker
from .rules import Imm, Rule, begin
from .rules_refs import tag


def _try(c: Checker, imm: Imm) -> None:
    begin(c, "try", imm[0])


def _count(c: Checker) -> None:
    """Only a try, or a handler of one, has a handler, and not too many."""
    frame = c.frames[-1]
    if frame.name not in ("try", "catch"):
        c.fail("end_expected")
    frame.caught += 1
    if frame.caught > c.c.limits.catches:
        c.fail("catches_limit", frame.caught)


def _handler(c: Checker, name: str, types: Sequence[ValType]) -> None:
    frame = c.leave()
    c.enter(name, types, frame.end)
    c.frames[-1].caught = frame.caught


def _catch(c: Checker, imm: Imm) -> None:
    _count(c)
    _handler(c, "catch", tag(c, imm[0]).params)


def _catch_all(c: Checker, imm: Imm) -> None:
    _count(c)
    _handler(c, "catch_all", ())


def _delegate(c: Checker, imm: Imm) -> None:
    if c.frames[-1].name != "try":
        c.fail("end_expected")
    if imm[0] + 1 >= len(c.frames):  # it does not see the label of its own try
        c.fail("unknown_label", imm[0])
    c.push_all(c.leave().end)


def _rethrow(c: Checker, imm: Imm) -> None:
    c.label(imm[0])
    if c.frames[-1 - imm[0]].name not in HANDLERS:
        c.fail("invalid_rethrow_label", imm[0])
    c.die()


SPECIAL: dict[str, Rule] = {
    "try": _try,
    "catch": _catch,
    "catch_all": _catch_all,
    "delegate": _delegate,
    "rethrow": _rethrow,
}
