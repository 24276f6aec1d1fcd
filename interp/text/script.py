"""Parse `.wast` scripts into commands."""

from __future__ import annotations

from interp.syntax.limits import VmLimits

from .commands import Command


def parse_script(text: str | bytes, *, limits: VmLimits | None = None) -> list[Command]:
    """The commands of a script, in order. Modules inside are parsed when asked for.

    Raises MalformedError when the script itself, outside its modules, breaks the grammar.
    """
    raise NotImplementedError
