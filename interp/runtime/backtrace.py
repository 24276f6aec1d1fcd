"""Backtraces in words: one line per frame, with names from the name section."""

from __future__ import annotations

from collections.abc import Sequence

from interp.binary.names import module_names
from interp.syntax.errors import FuelExhausted, Interrupted, Trap

from .engine import FrameInfo


def frame_lines(frames: Sequence[FrameInfo]) -> list[str]:
    """Lines such as `#0 0x1a2b name`, innermost first; the number is the byte offset in the module."""
    return [f"#{n} {_offset(frame)} {frame_name(frame)}" for n, frame in enumerate(frames)]


def backtrace_lines(error: Trap | FuelExhausted | Interrupted) -> list[str]:
    """The backtrace of an error, see `frame_lines`."""
    return frame_lines(error.backtrace)


def _offset(frame: FrameInfo) -> str:
    return f"{frame.offset:#x}" if frame.offset >= 0 else "-"


def frame_name(frame: FrameInfo) -> str:
    """The function's name: of the name section, else its first export, else its index."""
    name = module_names(frame.module.module).funcs.get(frame.func_index)
    if name is not None:
        return name
    exports = frame.module.module.exports
    exported = next((e.name for e in exports if e.kind == "func" and e.index == frame.func_index), None)
    return exported if exported is not None else f"func {frame.func_index}"
