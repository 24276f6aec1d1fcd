"""The reference engine's steps for exceptions (specification 4.4.11), and where a thrown exception goes on.

Those of the legacy proposal too: there a label that stands for a handler keeps what it caught.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from interp.runtime.objects import Exn
from interp.syntax.errors import TRAPS, Trap
from interp.syntax.instructions import Catch

from .steps import Handler, else_, end, enter_block

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


def rethrow(t: T, f: F, s: S, depth: int) -> None:
    t.throw_exception(t.store.heap.exception(f.labels[-1 - depth][2]))


def find_clause(frames: Sequence[F], exn: Exn) -> tuple[int, int, Catch | int] | None:
    """The innermost clause that takes an exception: position of its frame, of its label in the frame, and itself.

    For a handler of the legacy proposal, that is the step of its `catch` or `catch_all`.
    """
    for depth in range(len(frames) - 1, -1, -1):
        labels, tags = frames[depth].labels, frames[depth].module.tags
        place = len(labels) - 1
        while place > 0:
            block = labels[place][1]
            for clause in block.catches:
                if clause.kind >= 2 or tags[clause.tag] is exn.tag:
                    return depth, place, clause
            for tag, step in block.handlers:
                if tag < 0 or tags[tag] is exn.tag:
                    return depth, place, step
            place -= 1 + block.skip
    return None


STEPS: dict[str, Handler] = {
    "throw": throw,
    "throw_ref": throw_ref,
    "try_table": enter_block,
    "try": enter_block,
    "catch": else_,
    "catch_all": else_,
    "delegate": end,
    "rethrow": rethrow,
}
