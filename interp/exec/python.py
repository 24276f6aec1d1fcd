"""The `python` engine: each function becomes Python source on its first call (engine contract 14).

For machines without a compiler. Wasm calls are Python calls, host calls are plain calls, so a thread cannot be resumed:
OutOfFuel, a passed deadline and traps end it. pylower.py and what it imports write the source, pystate.py is what it
runs in. The place of each frame is found in the traceback, by a table from lines to byte offsets.
"""

from __future__ import annotations

import struct
import sys
from collections.abc import Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any

from interp.runtime.engine import Exhausted, Exit, Failed, FrameInfo, OutOfFuel, Returned, Stepwise, Threw, Trapped
from interp.runtime.exception import WasmException
from interp.runtime.pace import Pace
from interp.runtime.store import FuncInst, Store
from interp.syntax.errors import TRAPS, EmbedderError, Interrupted, ResourceError, Trap, UnsupportedError
from interp.syntax.features import Feature
from interp.syntax.types import F64

from .pyoperands import PROLOGUE
from .pyrecursion import RECURSION, SPARE, Wish
from .pystate import FILE, Leave, Linked, Shared, bits_of, float_of
from .reference import ReferenceEngine, ReferenceThread

if TYPE_CHECKING:
    from interp.runtime.instance import ModuleInst


class PythonThread:
    """One activation of generated code. It runs once, to its end."""

    def __init__(self, shared: Shared, func: FuncInst, args: Sequence[int]) -> None:
        self.shared = shared
        self.entry = func
        self.args = args
        self._frames: tuple[FrameInfo, ...] = ()
        self._done = False

    def run(self) -> Exit:
        """Run to the end."""
        if self._done:
            raise EmbedderError("a thread of the python engine does not go on once it has left")
        self._done = True
        shared = self.shared
        pace, base, outer = shared.pace, shared.base, RECURSION.newest()
        try:
            shared.pace, shared.base = Pace(), RECURSION.base(outer)
            RECURSION.set(Wish(sys._getframe(), shared.base + shared.depth + SPARE))
            shared.refresh()
            shared.grant()
            return Returned(self._call())
        except BaseException as error:
            exit = self._left(error)
            if exit is None:
                raise
            return exit
        finally:
            RECURSION.set(outer)
            shared.settle()
            shared.pace, shared.base = pace, base

    def _call(self) -> tuple[int, ...]:
        func, shared, store = self.entry, self.shared, self.shared.store
        type = func.type
        args = [float_of(bits) if t is F64 else bits for t, bits in zip(type.params, self.args, strict=True)]
        holder: dict[int, Any] = {}
        callee = shared.callees.get(func.addr) or shared.hold(func.addr, holder, 0)
        result = callee(*args, shared.depth - store.depth, shared.cells - store.cells)
        results = (result,) if len(type.results) == 1 else result or ()
        return tuple(bits_of(x) if t is F64 else x for t, x in zip(type.results, results, strict=True))

    def _left(self, error: BaseException) -> Exit | None:
        """The exit for an exception that came out of the code; None if it is the host's."""
        frames, innermost = self._places(error.__traceback__)
        match error:
            case Leave():
                self._frames = error.frames + frames
                match error.exit:
                    case Exhausted(which, _):
                        return Exhausted(which, self._frames)
                    case OutOfFuel(_, _, needed):
                        if not self._frames:
                            return OutOfFuel(self.entry.index, self.entry.code.offset, needed)
                        return OutOfFuel(self._frames[0].func_index, self._frames[0].offset, needed)
                    case exit:
                        return exit
            case Trap():
                self._recount(innermost)
                error.backtrace += frames
                self._frames = frames
                return Trapped(error)
            case WasmException():
                self._recount(innermost)
                error.backtrace += frames
                self._frames = frames
                return Threw(error)
            case Interrupted():
                self._recount(innermost)
                error.backtrace += frames
                self._frames = frames
                return Failed(error)
            case ResourceError():
                self._recount(innermost)
                self._frames = frames
                return Failed(error)
            case IndexError() | struct.error() if innermost is not None and innermost[2]:
                self._recount(innermost)
                self._frames = frames
                return Trapped(Trap(TRAPS["memory_bounds"], backtrace=frames))
            case ZeroDivisionError() if innermost is not None and innermost[2]:
                self._recount(innermost)
                self._frames = frames
                return Trapped(Trap(TRAPS["divide_by_zero"], backtrace=frames))
        self._recount(innermost)
        self._frames = getattr(error, "__tamis_frames__", ()) + frames
        return None

    def _recount(self, innermost: tuple[TracebackType, Linked, bool] | None) -> None:
        """Where the innermost function counts ticks by itself, its count is the true one."""
        if innermost is None:
            return
        tb, linked, _ = innermost
        source = linked.sources[int(tb.tb_frame.f_code.co_name[1:])]
        if source.counts and tb.tb_lineno not in source.calls:
            self.shared.ticks[0] = tb.tb_frame.f_locals.get("n", self.shared.ticks[0])

    def _places(
        self, tb: TracebackType | None
    ) -> tuple[tuple[FrameInfo, ...], tuple[TracebackType, Linked, bool] | None]:
        """The frames of a traceback, innermost first; and the innermost one, with whether nothing was within it."""
        frames: list[FrameInfo] = []
        innermost = None
        while tb is not None:
            frame = tb.tb_frame
            if frame.f_code.co_filename == FILE:
                linked: Linked = frame.f_globals["__linked__"]
                index = int(frame.f_code.co_name[1:])
                offset = linked.sources[index].places[tb.tb_lineno - 1]
                if offset != PROLOGUE:
                    frames.append(FrameInfo(linked.inst, index, offset))
                innermost = (tb, linked, tb.tb_next is None)
            elif frame.f_code.co_name == "call_host":
                break  # what follows is the host's, other activations among it
            tb = tb.tb_next
        return tuple(reversed(frames)), innermost

    def resume(self, values: Sequence[int]) -> Exit:
        """Never: there are no HostCall exits."""
        raise EmbedderError("a thread of the python engine is not resumed")

    def throw(self, exception: WasmException) -> Exit:
        """Never: there are no HostCall exits."""
        raise EmbedderError("a thread of the python engine is not resumed")

    def throw_trap(self, trap: Trap) -> Exit:
        """Never: there are no HostCall exits."""
        raise EmbedderError("a thread of the python engine is not resumed")

    def abort(self) -> None:
        """Nothing is kept."""
        self._done = True

    def backtrace(self) -> tuple[FrameInfo, ...]:
        """The frames at the end, innermost first."""
        return self._frames


#: What generated code does not do. A store with a module that needs one of them runs on the reference engine from then
#: on, with all its modules: exceptions go through frames, and the collector does not see what Python's locals hold.
_REFERRED = frozenset({Feature.GC, Feature.EXCEPTIONS, Feature.LEGACY_EXCEPTIONS})


class PythonEngine(Stepwise):
    """Runs 2.0 and much of 3.0 as Python code, and the rest on the reference engine.

    That is functions with tail calls, with all that they call, and stores with garbage collection or exceptions.
    """

    name = "python"
    features: frozenset[Feature] = ReferenceEngine.features
    capabilities: frozenset[str] = frozenset()

    def link(self, inst: ModuleInst) -> None:
        """Make the namespace; functions are written on their first call.

        Raises UnsupportedError for the first module with garbage collection of a store whose functions are running.
        """
        store = inst.store
        shared = next((other.native.shared for other in store.instances if other.native is not None), None)
        shared = shared or Shared(store)
        if inst.valid.features & _REFERRED and not shared.referred:
            if store.activations:
                raise UnsupportedError(
                    "the python engine takes no first module with garbage collection or exceptions while functions run",
                    feature=min(feature.value for feature in inst.valid.features & _REFERRED),
                )
            shared.referred = True
        inst.native = Linked(shared, inst)

    def start(self, store: Store, func: FuncInst, args: Sequence[int]) -> PythonThread | ReferenceThread:
        """A thread that will call `func`."""
        linked: Linked = func.module.native
        if linked.shared.referred:
            return ReferenceThread(store, func, args)
        return PythonThread(linked.shared, func, args)
