"""A monitor that shows every instruction of a run: offset, function, text, and the stack before and after.

Values on the operand stack are raw bits without types, so the tracer remembers what the instructions that made them say
about their types. What it cannot know (after a branch, say) it shows as an unsigned number.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from interp.runtime.engine import FrameInfo
from interp.syntax.instructions import Ins
from interp.syntax.module import Module
from interp.syntax.types import NUM_TYPES_BY_NAME, BlockType, FuncType, ValType

from .disasm import Formatter
from .notation import print_value

SHOWN = 6
"""How many values of the stack are shown, the topmost ones."""


class LimitReached(BaseException):
    """So many instructions as asked for were shown; not an Exception, since it must pass through any handler."""


class Tracer:
    """Writes a line per instruction; set it as `store.monitor` of a store on the reference engine.

    `write` takes a finished line. Raises LimitReached after `limit` instructions.
    """

    def __init__(self, write: Callable[[str], None], limit: int | None = None) -> None:
        self.write = write
        self.limit = limit
        self.count = 0
        self._formatters: dict[int, tuple[Module, Formatter]] = {}
        self._types: dict[tuple[int, int], tuple[int, ValType]] = {}
        self._pending: tuple[FrameInfo, Ins, str] | None = None
        self._returning: dict[int, Sequence[ValType]] = {}
        self._locals: dict[int, tuple[ValType, ...]] = {}

    # -- the monitor ---------------------------------------------------------------------------------------------

    def before(self, frame: FrameInfo, ins: Ins, operands: Sequence[int]) -> None:
        """An instruction is about to run."""
        if self.limit is not None and self.count >= self.limit:
            raise LimitReached
        self.count += 1
        index = frame.func_index
        self._note(index, operands, self._returning.pop(index, ()))
        self._note(index, operands, _named(ins.op.params))
        self._pending = frame, ins, self._stack(index, operands)

    def after(self, frame: FrameInfo, ins: Ins, operands: Sequence[int]) -> None:
        """It has run: write its line."""
        index = frame.func_index
        module = frame.module.module
        results = self._results(module, index, ins)
        if ins.op.name in ("call", "call_indirect"):
            self._returning[index] = results  # they are there when the callee has returned
        else:
            self._note(index, operands, results)
        self._line(self._stack(index, operands))

    def unfinished(self) -> None:
        """Write the line of an instruction that did not come to its end: it trapped."""
        self._line("trap")

    def _line(self, outcome: str) -> None:
        if self._pending is None:
            return
        frame, ins, before = self._pending
        self._pending = None
        formatter = self._formatter(frame.module.module)
        name = formatter.func_name(frame.func_index) or f"func {frame.func_index}"
        place = f"{ins.at:08x}" if ins.at >= 0 else "-" * 8
        self.write(f"{place}  {name:<20} {formatter.instruction(ins):<28} {before} -> {outcome}")

    # -- types ---------------------------------------------------------------------------------------------------

    def _formatter(self, module: Module) -> Formatter:
        known = self._formatters.get(id(module))
        if known is None:
            known = self._formatters[id(module)] = (module, Formatter(module))
        return known[1]

    def _note(self, func: int, operands: Sequence[int], types: Sequence[ValType]) -> None:
        """The topmost operands are of these types."""
        first = len(operands) - len(types)
        for position, type in enumerate(types, first):
            if position >= 0:
                self._types[func, position] = operands[position], type

    def _stack(self, func: int, operands: Sequence[int]) -> str:
        first = max(0, len(operands) - SHOWN)
        shown = ["..."] if first else []
        for position in range(first, len(operands)):
            bits, type = self._types.get((func, position), (None, None))
            known = type is not None and bits == operands[position]
            shown.append(print_value(type, operands[position]) if known and type else str(operands[position]))
        return f"[{' '.join(shown)}]"

    def _results(self, module: Module, func: int, ins: Ins) -> Sequence[ValType]:
        op = ins.op
        if op.results is not None:
            return _named(op.results)
        match op.name:
            case "local.get" | "local.tee":
                return (self._local_types(module, func)[ins.imm[0]],)
            case "global.get":
                return (module.global_types[ins.imm[0]].type,)
            case "table.get":
                return (module.table_types[ins.imm[0]].ref,)
            case "call":
                return module.func_type(ins.imm[0]).results
            case "call_indirect":
                comp = module.comp(ins.imm[ins.op.immediates.index("type")])
                return comp.results if isinstance(comp, FuncType) else ()
            case "block" | "loop" | "if":
                return self._block_params(module, ins.imm[0])
            case "table.grow" | "table.size" | "ref.is_null":
                return _named(("i32",))
        return ()

    def _local_types(self, module: Module, func: int) -> tuple[ValType, ...]:
        types = self._locals.get(func)
        if types is None:
            own = module.funcs[func - module.imported_funcs]
            types = self._locals[func] = module.func_type(func).params + own.locals
        return types

    def _block_params(self, module: Module, block: BlockType) -> Sequence[ValType]:
        comp = module.comp(block.value) if isinstance(block.value, int) else None
        return comp.params if isinstance(comp, FuncType) else ()


def _named(names: Sequence[str] | None) -> Sequence[ValType]:
    """Types by name; an address is shown as an i32, unknown names end the knowledge."""
    types: list[ValType] = []
    for name in names or ():
        type = NUM_TYPES_BY_NAME.get("i32" if name == "addr" else name)
        if type is None:
            return ()
        types.append(type)
    return types
