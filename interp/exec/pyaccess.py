"""Loads and stores as Python: through a view of the memory as numbers where the address is a multiple of the width.

A view refuses what lies outside with an IndexError, and `struct` with its own error: the thread makes both the trap.
A view reads in the machine's order of bytes; where that is not WebAssembly's, `struct` does all but single bytes.
"""

from __future__ import annotations

import sys

from interp.syntax.instructions import BY_NAME, Ins, MemArg

from .pyoperands import Operands
from .pyvalues import Value, canonical, helper, number

_NARROW = {"8_s": ("b", 1), "8_u": ("B", 1), "16_s": ("h", 2), "16_u": ("H", 2), "32_s": ("i", 4), "32_u": ("I", 4)}
_VIEWS = sys.byteorder == "little"
_FULL = {"i32": ("I", 4), "i64": ("Q", 8), "f32": ("I", 4), "f64": ("d", 8)}


class Accesses(Operands):
    """The part that writes accesses to memories."""

    # -- memory --------------------------------------------------------------------------------------------------

    def address(self, memarg: MemArg, width: int, *, whole_check: bool = False) -> tuple[str, int]:
        """The effective address as a simple text, and how far it is known to be a multiple of the width (0 or 1).

        The operand is popped; what is written is one line.
        """
        a = self.popc()
        mem, offset = memarg.mem, memarg.offset
        if whole_check or self.module.mem_types[mem].limits.index == "i64":
            self.line(f"e = {self.use(f'MEM{mem}')}.effective_address({a.text}, {offset}, {width})")
            return "e", 0
        if a.constant:
            k = a.lo + offset
            return str(k), 1 if k % width == 0 else 0
        if a.simple and not offset:
            return a.text, 0
        self.line(f"e = {a.text} + {offset}" if offset else f"e = {a.text}")
        return "e", 0

    def load(self, ins: Ins) -> None:
        """A load of a number."""
        name = ins.op.name
        type, access = name[:3], name[8:]
        format, width = _NARROW[access] if access else _FULL[type]
        memarg: MemArg = ins.imm[0]
        e, aligned = self.address(memarg, width)
        text = self._read(memarg, format, width, e, aligned)
        if format in "bhi":
            half = 1 << (8 * width - 1)
            self.result(text, type, -half, half - 1)
        else:
            self.result(text, type, 0, (1 << 8 * width) - 1)

    def _read(self, memarg: MemArg, format: str, width: int, e: str, aligned: int) -> str:
        mem = memarg.mem
        slow = f"U{format}({self.use(f'mB{mem}')}, {e})[0]"
        view = f"m{format}{mem}"
        shift = width.bit_length() - 1
        if width == 1:
            return f"{self.use(view)}[{e}]"
        if not _VIEWS:
            return slow
        if aligned:
            return f"{self.use(view)}[{int(e) >> shift}]"
        if 1 << memarg.align < width:
            return slow
        return f"{self.use(view)}[{e} >> {shift}] if not {e} & {width - 1} else {slow}"

    def store(self, ins: Ins) -> None:
        """A store of a number."""
        name = ins.op.name
        type, access = name[:3], name[9:]
        format, width = _NARROW[f"{access}_u"] if access else _FULL[type]
        memarg: MemArg = ins.imm[0]
        v = self.pop()
        bits = 8 * width
        if type in ("i32", "i64"):
            if not (v.lo >= 0 and v.hi < 1 << bits):
                k = (1 << bits) - 1
                v = (
                    number(type, int(v.text.strip("()")) & k)
                    if v.constant
                    else Value(f"({v.text} & {k})", type, 0, k, v.reads, v.depth + 1)
                )
        else:
            v = canonical(v)
        mem = memarg.mem
        shift = width.bit_length() - 1
        e, aligned = self.address(memarg, width)
        view = f"m{format}{mem}"
        slow = f"P{format}({self.use(f'mB{mem}')}, {e}, {v.text})"
        if width == 1:
            self.line(f"{self.use(view)}[{e}] = {v.text}")
        elif not _VIEWS:
            self.line(slow)
        elif aligned:
            self.line(f"{self.use(view)}[{int(e) >> shift}] = {v.text}")
        elif 1 << memarg.align < width:
            self.line(slow)
        else:
            self.line(f"if {e} & {width - 1}: {slow}")
            self.line(f"else: {self.use(view)}[{e} >> {shift}] = {v.text}")

    def vector_access(self, ins: Ins) -> None:
        """Loads and stores of vectors and lanes."""
        name = ins.op.name
        width = ins.op.width
        if name == "v128.const":
            self.push(Value(str(ins.imm[0]), "v128"))
            return
        memarg: MemArg = ins.imm[0]
        vector = self.pop() if name.endswith("_lane") or name == "v128.store" else None
        e, _ = self.address(memarg, width, whole_check=True)
        view = self.use(f"mB{memarg.mem}")
        raw = f'int.from_bytes({view}[{e}:{e} + {width}], "little")'
        if name == "v128.store" and vector:
            self.line(f'{view}[{e}:{e} + 16] = ({vector.text}).to_bytes(16, "little")')
        elif name.startswith("v128.store") and vector:
            k = width * ins.imm[1]
            self.line(f'{view}[{e}:{e} + {width}] = ({vector.text}).to_bytes(16, "little")[{k}:{k + width}]')
        elif vector:
            shape = {1: "i8x16", 2: "i16x8", 4: "i32x4", 8: "i64x2"}[width]
            replace = self.use(helper(BY_NAME[f"{shape}.replace_lane"]))
            self.result(f"{replace}({vector.text}, {raw}, {ins.imm[1]})", "v128")
        else:
            self.result(f"{self.use(helper(ins.op))}({raw})", "v128")
