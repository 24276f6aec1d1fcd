"""From an offset in the bytes that a text became back to the place in the text."""

from __future__ import annotations

from interp.syntax.errors import Where
from interp.syntax.module import Module


def place_in_text(text: str, parsed: Module, encoded: Module, offset: int) -> Where | None:
    """Line and column of the instruction at `offset` in `encoded`; None where there is none, outside of bodies.

    `parsed` is the module as it was read from `text`, `encoded` the same module from its bytes.
    """
    for theirs, ours in zip(encoded.funcs, parsed.funcs, strict=False):
        if not theirs.offset <= offset < theirs.offset + theirs.length:
            continue
        for there, here in zip(theirs.body, ours.body, strict=False):
            if there.at == offset and 0 <= here.at <= len(text):
                before = text[: here.at]
                return Where(line=before.count("\n") + 1, column=here.at - (before.rfind("\n") + 1) + 1)
    return None
