"""The reference engine's steps for exceptions (specification 4.4.11), and where a thrown exception goes on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from interp.runtime.objects import Exn
from interp.syntax.errors import TRAPS, Trap
from interp.syntax.instructions import Catch

from .steps import Handler, enter_block

if TYPE_CHECKING:
    from .reference import Frame, ReferenceThread

    T = ReferenceThread
    F = Frame
    S = list[int]


def throw(t: T, f: F, s: S, index: int) -> None:
    tag = f.module.tags[index]
    t.throw_exception(Exn(tag, s[len(s) - len(tag.type.params) :]))


def throw_ref(t: T, f: F, s: S, x: None) -> None:
    if s[-1] == 0:
        raise Trap(TRAPS["null_exception"])
    t.throw_exception(t.store.heap.exception(s[-1]))


def find_clause(frames: Sequence[F], exn: Exn) -> tuple[int, int, Catch] | None:
    """The innermost clause that takes an exception: position of its frame, of its label in the frame, and itself."""
    for depth in range(len(frames) - 1, -1, -1):
        labels, tags = frames[depth].labels, frames[depth].module.tags
        for place in range(len(labels) - 1, 0, -1):
            for clause in labels[place][1].catches:
                if clause.kind >= 2 or tags[clause.tag] is exn.tag:
                    return depth, place, clause
    return None


STEPS: dict[str, Handler] = {"throw": throw, "throw_ref": throw_ref, "try_table": enter_block}
