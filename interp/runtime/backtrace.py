"""Backtraces in words: one line per frame, with names from the name section."""

from __future__ import annotations

from collections.abc import Sequence

from interp.binary.names import module_names
from interp.syntax.demangle import demangle
from interp.syntax.errors import FuelExhausted, Interrupted, Trap

from .engine import FrameInfo
from .exception import WasmException

#: Of a longer backtrace the innermost frames and the outermost are shown.
INNERMOST, OUTERMOST = 40, 20


def frame_lines(frames: Sequence[FrameInfo]) -> list[str]:
    """Lines such as `#0 0x1a2b name`, innermost first; the number is the byte offset in the module.

    The middle of a very long backtrace is one line that says how many frames it leaves out.
    """
    left_out = len(frames) - INNERMOST - OUTERMOST
    if left_out <= 1:
        return [_line(n, frame) for n, frame in enumerate(frames)]
    first = [_line(n, frames[n]) for n in range(INNERMOST)]
    last = [_line(n, frames[n]) for n in range(INNERMOST + left_out, len(frames))]
    return [*first, f"... {left_out} more", *last]


def _line(n: int, frame: FrameInfo) -> str:
    return f"#{n} {_offset(frame)} {frame_name(frame)}"


def backtrace_lines(error: Trap | FuelExhausted | Interrupted | WasmException) -> list[str]:
    """The backtrace of an error, see `frame_lines`."""
    return frame_lines(error.backtrace)


def _offset(frame: FrameInfo) -> str:
    return f"{frame.offset:#x}" if frame.offset >= 0 else "-"


def frame_name(frame: FrameInfo) -> str:
    """The function's name: of the name section, demangled, else its first export, else its index."""
    name = module_names(frame.module.module).funcs.get(frame.func_index)
    if name is not None:
        return demangle(name)
    exports = frame.module.module.exports
    exported = next((e.name for e in exports if e.kind == "func" and e.index == frame.func_index), None)
    return exported if exported is not None else f"func {frame.func_index}"
