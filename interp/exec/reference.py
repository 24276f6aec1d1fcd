"""The reference engine: the literal stack machine of the specification (4.4 to 4.6), one clear step per instruction.

The machine is three things: a stack of values, a stack of frames, and in each frame a stack of labels. A frame holds
its function, the step where it goes on, its locals and the height of the value stack below its operands; a label the
height of the value stack at its block and the block itself. Wasm calls push frames and never recurse in Python, so the
machine can leave at any step and go on later. code.py prepares a function, steps.py says what each instruction does.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain
from time import perf_counter
from typing import TYPE_CHECKING, Any, NoReturn, Protocol, runtime_checkable

from interp.runtime.bulk import Rest, bulk_ticks
from interp.runtime.engine import (
    Exhausted,
    Exit,
    Failed,
    FrameInfo,
    HostCall,
    OutOfFuel,
    Paused,
    Returned,
    Stepwise,
    Threw,
    Trapped,
)
from interp.runtime.exception import WasmException
from interp.runtime.objects import Exn
from interp.runtime.pace import Pace
from interp.runtime.store import FuncInst, HostFunc, Store
from interp.syntax.errors import EmbedderError, Interrupted, ResourceError, Trap
from interp.syntax.features import WASM_3, Feature
from interp.syntax.instructions import Ins

from .code import Block, Code, prepare
from .steps import br
from .steps_exceptions import find_clause

if TYPE_CHECKING:
    from interp.runtime.instance import ModuleInst


class Monitor(Protocol):
    """Watches every instruction of a store on this engine: set `store.monitor` before the call.

    Each `before` has its `after`, unless the instruction traps.
    """

    def before(self, frame: FrameInfo, ins: Ins, operands: Sequence[int]) -> None:
        """An instruction is about to run; `operands` are raw bits, the topmost last."""

    def after(self, frame: FrameInfo, ins: Ins, operands: Sequence[int]) -> None:
        """It has run; `operands` are those of the frame that goes on (after a call the callee's, which has none)."""


@runtime_checkable
class Counter(Protocol):
    """Counts every instruction of a store on this engine, as `store.monitor`: much cheaper than a Monitor."""

    def entered(self, parent: Any, func: FuncInst, activations: int) -> Any:
        """A function begins, called by the one of node `parent`, or from outside. Gives its node, with a `count`."""

    def left(self, node: Any, func: HostFunc) -> None:
        """The function of this node calls a host function."""


class Leave(Exception):
    """The machine leaves with this exit. Not an error."""

    def __init__(self, exit: Exit) -> None:
        self.exit = exit


#: Height of the value stack, block, and in a handler of the legacy proposal a reference to what it caught.
Label = tuple[int, Block, int]


class Frame:
    """An activation of a function: where it stands, its locals, its labels, its operands' bottom."""

    __slots__ = ("code", "func", "height", "labels", "locals", "module", "node", "pc", "steps")

    def __init__(self, func: FuncInst, code: Code, locals: list[int], height: int) -> None:
        self.func = func
        self.module: ModuleInst = func.module
        self.code = code
        self.steps = code.steps
        self.pc = 0
        self.locals = locals
        self.height = height
        self.labels: list[Label] = [(height, code.block, 0)]
        self.node: Any = None  # a Counter's

    def info(self) -> FrameInfo:
        """The place of the instruction that is running or ran last."""
        return FrameInfo(self.module, self.func.index, self.code.body[max(self.pc - 1, 0)].at)


class ReferenceThread:
    """One activation on the literal stack machine."""

    def __init__(self, store: Store, func: FuncInst, args: Sequence[int]) -> None:
        self.store = store
        self.entry = func
        self.stack: list[int] = list(args)
        self.frames: list[Frame] = []
        self.frame: Frame | None = None
        self.left = 0
        self._granted = 0
        self._needed = 1
        self._pace = Pace()
        self._base_depth, self._base_cells = store.depth, store.cells
        self._cells = store.cells
        self._state = "new"  # new, running, host (in a host call), paused (repeats its last instruction), done
        self._announced = False
        self._pending: WasmException | None = None  # what a host function threw, until it is caught
        self._args: tuple[int, ...] = ()  # of the host call
        self._rest: Rest | None = None  # of a bulk instruction in the middle of which the machine left
        limits = store.limits
        self._depth_limit = limits.call_depth - store.depth
        self._cells_limit = limits.value_stack_cells

    # -- the protocol --------------------------------------------------------------------------------------------

    def run(self) -> Exit:
        """Begin, or go on after Paused or OutOfFuel."""
        self._expect("new", "paused")
        if self.frame is not None and self._pending is None and self._rest is None:
            self.frame.pc -= 1
        return self._go()

    def resume(self, values: Sequence[int]) -> Exit:
        """Answer a HostCall."""
        self._expect("host")
        self.stack.extend(values)
        if not self.frames:  # a tail call: the results are those of the activation
            self._state = "done"
            return Returned(tuple(self.stack))
        return self._go()

    def throw(self, exception: WasmException) -> Exit:
        """Answer a HostCall with an exception."""
        self._expect("host")
        if not self.frames:
            self._state = "done"
            return Threw(exception)
        self._pending = exception
        return self._go()

    def throw_trap(self, trap: Trap) -> Exit:
        """Answer a HostCall with a trap."""
        self._expect("host")
        return self._trapped(trap)

    def abort(self) -> None:
        """Drop the activation."""
        self._state = "done"
        self.frames.clear()
        self.frame = None

    def backtrace(self) -> tuple[FrameInfo, ...]:
        """The frames, innermost first."""
        return tuple(frame.info() for frame in reversed(self.frames))

    def roots(self) -> Iterator[int] | None:
        """All values of the activation, for the collector; None once it is over."""
        if self._state == "done":
            return None
        args = self._args if self._state == "host" else ()
        pending = self._pending.values if self._pending is not None else ()
        caught = (label[2] for frame in self.frames for label in frame.labels)
        return chain(self.stack, args, pending, caught, *(frame.locals for frame in self.frames))

    def operands(self) -> list[int]:
        """The operand stack of the innermost frame."""
        return self.stack[self.frame.height :] if self.frame is not None else list(self.stack)

    # -- running -------------------------------------------------------------------------------------------------

    def _expect(self, *states: str) -> None:
        if self._state not in states:
            raise EmbedderError(f"a thread that is {self._state!r} cannot go on this way")

    def _go(self) -> Exit:
        """Run until the machine must leave, and close the account."""
        started = self._state != "new" and self.frame is not None
        self._state = "running"
        self.left = self._granted = min(self.store.grant(self._needed), max(self._needed, self._pace.ticks))
        self._needed = 1
        began = perf_counter()
        try:
            if not started:
                self.store.heap.watch(self)
                self.call(self.entry)
            if self._rest is not None:
                self.work(self._rest)
            if self._pending is not None:
                pending = self._pending
                self.throw_exception(Exn(pending.tag, pending.values), pending)
                self._pending = None
            monitor = self.store.monitor
            if monitor is None:
                self._loop()
            elif isinstance(monitor, Counter):
                self._loop_counted(monitor)
            else:
                self._loop_watched(monitor)
        except Leave as leave:
            exit = leave.exit
            self._settle()
            if not isinstance(exit, OutOfFuel):
                return exit
            self._pace.took(perf_counter() - began)
            return self._paused(exit.needed)
        except Trap as trap:
            self._settle()
            return self._trapped(trap)
        except Interrupted as error:
            self._settle()
            error.backtrace += self.backtrace()
            self._state = "done"
            return Failed(error)
        except ResourceError as error:
            self._settle()
            self._state = "done"
            return Failed(error)
        except BaseException:  # KeyboardInterrupt: the account is closed, the driver drops the activation
            self._settle()
            self._state = "done"
            raise

    def _loop(self) -> NoReturn:
        """The machine: fetch a step, do it."""
        stack = self.stack
        while True:
            frame = self.frame
            handler, operand = frame.steps[frame.pc]  # type: ignore[union-attr]
            frame.pc += 1  # type: ignore[union-attr]
            handler(self, frame, stack, operand)  # type: ignore[arg-type]

    def _loop_counted(self, counter: Counter) -> NoReturn:
        """The same with a count of each step."""
        stack, frames, activations = self.stack, self.frames, self.store.activations
        node: Any = None
        try:
            while True:
                frame = self.frame
                node = frame.node  # type: ignore[union-attr]
                if node is None:
                    parent = frames[-2].node if len(frames) > 1 else None
                    node = frame.node = counter.entered(parent, frame.func, activations)  # type: ignore[union-attr]
                node.count += 1
                handler, operand = frame.steps[frame.pc]  # type: ignore[union-attr]
                frame.pc += 1  # type: ignore[union-attr]
                handler(self, frame, stack, operand)  # type: ignore[arg-type]
        except Leave as leave:
            if isinstance(leave.exit, OutOfFuel):
                node.count -= 1  # it will be repeated
            elif isinstance(leave.exit, HostCall):
                counter.left(node, leave.exit.func)
            raise

    def _loop_watched(self, monitor: Monitor) -> NoReturn:
        """The same with a monitor around every step."""
        while True:
            info, ins = self._next()
            if not self._announced:
                monitor.before(info, ins, self.operands())
            try:
                self._step()
            except Leave as leave:
                self._announced = isinstance(leave.exit, OutOfFuel)  # it will be repeated
                if not self._announced:
                    monitor.after(info, ins, self.operands())
                raise
            self._announced = False
            monitor.after(info, ins, self.operands())

    def _next(self) -> tuple[FrameInfo, Ins]:
        frame = self.frame
        if frame is None:
            raise EmbedderError("the thread has no frame")
        ins = frame.code.body[frame.pc]
        return FrameInfo(frame.module, frame.func.index, ins.at), ins

    def _step(self) -> None:
        frame = self.frame
        if frame is None:
            raise EmbedderError("the thread has no frame")
        handler, operand = frame.steps[frame.pc]
        frame.pc += 1
        handler(self, frame, self.stack, operand)

    # -- for the steps -------------------------------------------------------------------------------------------

    def ensure(self, n: int) -> None:
        """Leave unless `n` ticks are there; takes none."""
        if n > self.left:
            self._needed = n
            raise Leave(OutOfFuel(-1, -1, n))

    def ensure_branch(self, frame: Frame, depth: int) -> None:
        """Leave unless a branch to a label can be paid: one to a loop takes a tick."""
        if frame.labels[-1 - depth][1].loop:
            self.ensure(1)

    def charge(self, n: int) -> None:
        """Take `n` ticks, or leave without taking any."""
        if n > self.left:
            self._needed = n
            raise Leave(OutOfFuel(-1, -1, n))
        self.left -= n

    def call(self, func: FuncInst | HostFunc, above: int = 0) -> None:
        """Call a function whose arguments are on the stack, `above` further values to be dropped first (4.4.11)."""
        if isinstance(func, HostFunc):
            self.charge(1)
            if above:
                self.stack.pop()
            self._leave_for(func)
        code: Code = func.lowered or self._prepare(func)
        self.charge(code.ticks)
        if above:
            self.stack.pop()
        self._push(func, code)

    def tail_call(self, func: FuncInst | HostFunc, above: int = 0) -> None:
        """Call a function in the place of the current frame (4.4.11), which gives up its room before the new one asks.

        Where the last frame gives way to a host function, none is left.
        """
        code: Code | None = None
        if not isinstance(func, HostFunc):
            code = func.lowered or self._prepare(func)
        self.charge(code.ticks if code is not None else 1)
        stack = self.stack
        if above:
            stack.pop()
        left = self._cells - self.frames[-1].code.cells
        if code is not None and left + code.cells > self._cells_limit:
            raise self._exhausted("cells")  # where the tail call stands, whose frame is still there
        frame = self.frames.pop()
        self.frame = self.frames[-1] if self.frames else None
        self._cells = left
        bottom = len(stack) - len(func.type.params)
        del stack[frame.height : bottom]
        if isinstance(func, HostFunc):
            self._leave_for(func)
        elif code is not None:
            self._push(func, code)

    def _push(self, func: FuncInst, code: Code) -> None:
        """Push the frame of a function whose arguments are on top of the stack; its ticks are charged."""
        if len(self.frames) >= self._depth_limit:
            raise self._exhausted("depth")
        if self._cells + code.cells > self._cells_limit:
            raise self._exhausted("cells")
        stack = self.stack
        bottom = len(stack) - code.params
        frame = Frame(func, code, stack[bottom:] + code.zeros, bottom)
        del stack[bottom:]
        self._cells += code.cells
        self.frames.append(frame)
        self.frame = frame

    def _leave_for(self, func: HostFunc) -> NoReturn:
        """Leave with the arguments of a host function from the top of the stack."""
        stack = self.stack
        bottom = len(stack) - len(func.type.params)
        args = self._args = tuple(stack[bottom:])
        del stack[bottom:]
        self._state = "host"
        raise Leave(HostCall(func, args))

    def work(self, rest: Rest | None) -> None:
        """Do a stretch of a bulk instruction, and leave between two of them."""
        if rest is not None:
            self._rest = rest
            for _ in rest:
                self._state = "paused"
                raise Leave(Paused())
            self._rest = None

    def charge_bytes(self, n: int) -> None:
        """Take the ticks for moving or filling bytes."""
        self.charge(bulk_ticks(n))

    def charge_object(self, n: int) -> None:
        """Take the ticks for an object of `n` bytes, unless none can be so large."""
        if self.store.heap.fits(n):
            self.charge(bulk_ticks(n))

    def allocate(self, n: int) -> None:
        """Take the ticks for an object and make room for it."""
        self.charge_object(n)
        self.store.heap.make_room(n)

    def throw_exception(self, exn: Exn, origin: WasmException | None = None) -> None:
        """Go on at the innermost clause that takes an exception, or leave with it (4.4.11).

        Leaves as `origin`, if that is what a host function raised.
        """
        found = find_clause(self.frames, exn)
        if found is None:
            self._state = "done"
            exception = origin or WasmException(exn.tag, exn.values)
            exception.backtrace += self.backtrace()
            raise Leave(Threw(exception))
        depth, place, clause = found
        frame, stack = self.frames[depth], self.stack
        if not isinstance(clause, int) and frame.labels[place - 1 - clause.label][1].loop:
            self.ensure(1)
        if isinstance(clause, int) or clause.kind & 1:
            self.store.heap.make_room(exn.bytes, exn.values)
        self._cells -= sum(gone.code.cells for gone in self.frames[depth + 1 :])
        del self.frames[depth + 1 :]
        self.frame = frame
        height, block, _ = frame.labels[place]
        del stack[height:]
        del frame.labels[place:]
        if isinstance(clause, int):
            frame.labels.append((height, block._replace(handlers=(), skip=0), self.store.heap.add(exn)))
            frame.pc = clause + 1
            if frame.code.body[clause].imm:
                stack.extend(exn.values)
            return
        if clause.kind < 2:
            stack.extend(exn.values)
        if clause.kind & 1:
            stack.append(self.store.heap.add(exn))
        br(self, frame, stack, clause.label)

    def return_(self) -> None:
        """Leave the current function; its results are on top of the stack, right above the frame's height."""
        frame = self.frames.pop()
        self._cells -= frame.code.cells
        if not self.frames:
            self.frame = None
            self._state = "done"
            raise Leave(Returned(tuple(self.stack)))
        self.frame = self.frames[-1]

    # -- exits ---------------------------------------------------------------------------------------------------

    def _prepare(self, func: FuncInst) -> Code:
        code: Code = prepare(func)
        func.lowered = code
        return code

    def _settle(self) -> None:
        store = self.store
        store.settle(self._granted - self.left)
        self._granted = self.left = 0
        store.depth = self._base_depth + len(self.frames)
        store.cells = self._cells

    def _paused(self, needed: int) -> Exit:
        """The machine stands before a charge that it could not pay: the slice is used up, or the fuel."""
        self._state = "paused" if self.frame is not None else "new"
        if self.store.fuel is None or self.store.fuel >= needed:
            return Paused()
        if self.frame is None:
            return OutOfFuel(self.entry.index, self.entry.code.offset, needed)
        info = self.frame.info()
        return OutOfFuel(info.func_index, info.offset, needed)

    def _exhausted(self, which: str) -> Leave:
        self._state = "done"
        return Leave(Exhausted(which, self.backtrace()))

    def _trapped(self, trap: Trap) -> Exit:
        self._state = "done"
        trap.backtrace += self.backtrace()
        return Trapped(trap)


class ReferenceEngine(Stepwise):
    """Runs everything of version 3.0, and the proposals, slowly and plainly."""

    name = "reference"
    features: frozenset[Feature] = WASM_3 | {
        Feature.WIDE_ARITHMETIC,
        Feature.CUSTOM_PAGE_SIZES,
        Feature.THREADS,
        Feature.LEGACY_EXCEPTIONS,
    }
    capabilities = frozenset({"resumable", "steppable"})

    def link(self, inst: ModuleInst) -> None:
        """Nothing to prepare: functions are prepared on their first call."""

    def start(self, store: Store, func: FuncInst, args: Sequence[int]) -> ReferenceThread:
        """A thread that will call `func`."""
        return ReferenceThread(store, func, args)
