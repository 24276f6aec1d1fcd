"""Modules changed as structures: what bytes changed at random seldom reach, the rules behind the grammar.

`rewrite` takes a module, changes a few things in its types, declarations or bodies, and writes it down again. Whatever
comes out is well-formed but for what the change broke, so that most of it is refused for a rule, or stays valid.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from functools import partial
from random import Random
from typing import Any

from interp.binary.decode import decode
from interp.binary.encode import encode
from interp.syntax.errors import WasmError
from interp.syntax.features import Feature
from interp.syntax.instructions import BY_NAME, OPS, Catch, Ins, MemArg, Op
from interp.syntax.module import Data, Elem, Export, Expr, Func, Global, Import, Module
from interp.syntax.types import (
    HEAP_CODES,
    I8,
    I16,
    NUM_TYPES_BY_NAME,
    BlockType,
    FieldType,
    HeapType,
    Limits,
    NumType,
    PackedType,
    RefType,
    ValType,
)

#: Longer lists of segments are left alone.
LONGEST = 500
_NUMBERS = tuple(NUM_TYPES_BY_NAME.values())
_HEAPS = tuple(HEAP_CODES)
_EDGES = (0, 1, 2, 3, 5, 16, 63, 64, 65535, 65536, 65537, (1 << 31) - 1, 1 << 31, (1 << 32) - 1, 1 << 32, 1 << 48,
          1 << 52, (1 << 64) - 1)  # fmt: skip


def rewrite(rng: Random, data: bytes, features: frozenset[Feature] | None = None) -> bytes | None:
    """The module with a few changes; None where it is no module, or nothing could be written down.

    `features` are those that new instructions may come from; all if None.
    """
    try:
        module = decode(data, features=frozenset(Feature))
        writer = Rewriter(rng, module, frozenset(Feature) if features is None else features)
        for _ in range(rng.choice((1, 1, 1, 2, 3))):
            module = writer.change(module)
        return encode(module)
    except (WasmError, OverflowError, ValueError):
        return None


@dataclass
class Space:
    """How many there are of what an immediate may name."""

    local: int
    func: int
    type: int
    table: int
    mem: int
    global_: int
    tag: int
    elem: int
    data: int


def _space(module: Module) -> Space:
    return Space(
        local=4,
        func=module.imported_funcs + len(module.funcs),
        type=len(module.types),
        table=len(module.table_types),
        mem=len(module.mem_types),
        global_=len(module.global_types),
        tag=len(module.tag_types),
        elem=len(module.elems),
        data=len(module.datas),
    )


class Rewriter:
    """Changes to one module, drawn from one source of chance."""

    def __init__(self, rng: Random, module: Module, features: frozenset[Feature]) -> None:
        self.rng = rng
        self.space = _space(module)
        self.ops = [op for op in OPS if op.feature in features]
        self.alike: dict[tuple[str, ...], list[Op]] = {}
        for op in self.ops:
            self.alike.setdefault(op.immediates, []).append(op)

    def change(self, module: Module) -> Module:
        """One change, mostly in a body."""
        if len(module.funcs) and self.rng.random() < 0.75:
            return self._change_function(module)
        return self._change_declaration(module)

    # -- bodies --------------------------------------------------------------------------------------------------

    def _change_function(self, module: Module) -> Module:
        rng = self.rng
        funcs = list(module.funcs)
        own = rng.randrange(len(funcs))
        func = funcs[own]
        locals, body = func.contents
        self.space.local = len(locals) + 3
        roll = rng.random()
        if roll < 0.05:
            funcs[own] = Func(rng.randrange(self.space.type + 1), _contents=(locals, body))
        elif roll < 0.12:
            funcs[own] = Func(func.type_index, _contents=(self._vary_list(locals, self.value_type), body))
        else:
            funcs[own] = Func(func.type_index, _contents=(locals, self._change_code(body)))
        return replace(module, funcs=tuple(funcs))

    def _change_code(self, body: Expr) -> Expr:
        rng, code = self.rng, list(body)
        at = rng.randrange(len(code))
        match rng.randrange(9):
            case 0:
                del code[at]
            case 1:
                code.insert(at, code[rng.randrange(len(code))])
            case 2 if at + 1 < len(code):
                code[at], code[at + 1] = code[at + 1], code[at]
            case 3:
                source = rng.randrange(len(code))
                code[at:at] = code[source : source + rng.randrange(1, 6)]
            case 4:
                op = rng.choice(self.alike.get(code[at].op.immediates, [code[at].op]))
                code[at] = Ins(op, code[at].imm)
            case 5 | 6 if code[at].imm:
                code[at] = self._other_immediate(code[at])
            case 7:
                code.insert(at, self.instruction(rng.choice(self.ops)))
            case _:
                code[at:at] = self._use(rng.choice(self.ops))
        return tuple(code)

    def _other_immediate(self, ins: Ins) -> Ins:
        place = self.rng.randrange(len(ins.imm))
        values = list(ins.imm)
        values[place] = self.immediate(ins.op.immediates[place], ins.op)
        return Ins(ins.op, tuple(values))

    def _use(self, op: Op) -> list[Ins]:
        """An instruction with operands before it that mostly fit, and its results dropped."""
        rng = self.rng
        ins = self.instruction(op)
        if op.params is None or op.results is None:
            operands = [self._push(self.value_type()) for _ in range(rng.randrange(4))]
            return [*operands, ins, *[_DROP] * rng.randrange(2), *([_END] if "block" in op.immediates else [])]
        wide = rng.random() < 0.2
        types = [NUM_TYPES_BY_NAME[("i64" if wide else "i32") if name == "addr" else name] for name in op.params]
        return [*map(self._push, types), ins, *[_DROP] * len(op.results)]

    def _push(self, type: ValType) -> Ins:
        if self.rng.random() < 0.2:
            return Ins(BY_NAME["local.get"], (self.rng.randrange(self.space.local),))
        if isinstance(type, RefType):
            return Ins(BY_NAME["ref.null"], (type.heap,))
        return Ins(BY_NAME[f"{type.name}.const"], (self.immediate(type.name, None),))

    def instruction(self, op: Op) -> Ins:
        """An instruction of a row with immediates by chance, most of which name something that is there."""
        return Ins(op, tuple(self.immediate(kind, op) for kind in op.immediates))

    def index(self, count: int) -> int:
        """An index into a space: mostly one that is there, sometimes the first that is not."""
        return self.rng.randrange(count) if count and self.rng.random() < 0.95 else count

    def immediate(self, kind: str, op: Op | None) -> Any:
        """A value for an immediate of a kind."""
        rng = self.rng
        match kind:
            case "block":
                value = rng.choice((None, self.index(self.space.type), self.value_type()))
                return BlockType(value)
            case "label":
                return rng.choice((0, 0, 0, 1, 1, 2, 3, 9))
            case "labels":
                return tuple(rng.randrange(3) for _ in range(rng.randrange(1, 5)))
            case "memarg":
                natural = op.width.bit_length() - 1 if op is not None and op.width else 0
                align = rng.choice((natural, natural, natural, 0, natural + 1, 6))
                return MemArg(align, rng.choice((0, 0, 1, *_EDGES)), self.index(self.space.mem))
            case "lane":
                return rng.choice((0, 0, 1, 2, 3, 4, 8, 15, 16, 255))
            case "lanes16":
                return tuple(rng.randrange(32 if rng.random() < 0.99 else 40) for _ in range(16))
            case "i32" | "f32":
                return rng.choice((0, 1, rng.getrandbits(32)))
            case "i64" | "f64":
                return rng.choice((0, 1, rng.getrandbits(64)))
            case "v128":
                return rng.getrandbits(128)
            case "types":
                return tuple(self.value_type() for _ in range(rng.choice((1, 1, 1, 0, 2))))
            case "heap":
                return self.heap()
            case "catches":
                return tuple(self._catch() for _ in range(rng.randrange(3)))
            case "castflags":
                return rng.randrange(4)
            case "zero":
                return 0
            case "field" | "u32":
                return rng.choice((0, 0, 1, 2, 3))
            case _:
                return self.index(getattr(self.space, "global_" if kind == "global" else kind))

    def _catch(self) -> Catch:
        kind = self.rng.randrange(4)
        return Catch(kind, self.index(self.space.tag) if kind < 2 else -1, self.rng.randrange(3))

    # -- types ---------------------------------------------------------------------------------------------------

    def heap(self) -> HeapType:
        """A heap type."""
        return self.index(self.space.type) if self.rng.random() < 0.4 else self.rng.choice(_HEAPS)

    def value_type(self) -> ValType:
        """A value type."""
        if self.rng.random() < 0.5:
            return self.rng.choice(_NUMBERS)
        return RefType(self.rng.random() < 0.7, self.heap())

    # -- declarations --------------------------------------------------------------------------------------------

    def _change_declaration(self, module: Module) -> Module:
        rng = self.rng
        name = rng.choice(["start", "count", *(name for name in _LISTS if len(getattr(module, name)))])
        if name == "start":
            return replace(module, start=rng.choice((None, self.index(self.space.func))))
        if name == "count":
            return replace(module, data_count=rng.choice((None, len(module.datas), len(module.datas) + 1)))
        items = getattr(module, name)
        if len(items) > LONGEST:
            return module
        changed: dict[str, Any] = {name: self._vary_list(tuple(items), None)}
        return replace(module, **changed)

    def _vary_list(self, items: Sequence[Any], make: Callable[[], Any] | None) -> tuple[Any, ...]:
        """One thing of a list other, gone, twice or elsewhere."""
        rng, out = self.rng, list(items)
        if not out:
            return (make(),) if make else ()
        at = rng.randrange(len(out))
        roll = rng.random()
        if roll < 0.1:
            del out[at]
        elif roll < 0.2:
            out.insert(at, rng.choice(out))
        elif roll < 0.3:
            other = rng.randrange(len(out))
            out[at], out[other] = out[other], out[at]
        elif roll < 0.4 and make:
            out.insert(at, make())
        else:
            out[at] = self.vary(out[at])
        return tuple(out)

    def vary(self, node: Any, name: str = "") -> Any:
        """Another value in the place of this one; `name` is the field it stands in."""
        rng = self.rng
        if isinstance(node, RefType):
            roll = rng.random()
            if roll < 0.3:
                return RefType(not node.nullable, node.heap)
            return RefType(node.nullable, self.heap()) if roll < 0.8 else self.value_type()
        if isinstance(node, NumType):
            return self.value_type()
        if isinstance(node, PackedType):
            return rng.choice((I8, I16, *_NUMBERS))
        if isinstance(node, Ins):
            return self._other_immediate(node) if node.imm and rng.random() < 0.6 else self._constant()
        if isinstance(node, bool):
            return not node
        if isinstance(node, int) or node is None:
            return self._number(node, name)
        if isinstance(node, str):
            return rng.choice(_WORDS.get(name, (node,)))
        if isinstance(node, tuple | list):
            make = _MAKERS.get(name)
            return self._vary_list(node, None if make is None else partial(make, self))
        if is_dataclass(node) and not isinstance(node, type):
            open_ = [f.name for f in fields(node) if f.name in _FIELDS.get(type(node), ()) or type(node) not in _FIELDS]
            field = rng.choice(open_)
            return replace(node, **{field: self.vary(getattr(node, field), field)})
        return node

    def _constant(self) -> Ins:
        return self.instruction(BY_NAME[self.rng.choice(_CONSTANT)])

    def _number(self, node: int | None, name: str) -> int | None:
        rng = self.rng
        if name == "max":
            return rng.choice((None, *_EDGES))
        if name == "min":
            return rng.choice(_EDGES)
        if name == "page_log2":
            return rng.choice((16, 0, 16, 1))
        if node is None:
            return None
        return max(0, node + rng.choice((-1, 1, 1, 2)))


_MAKERS: dict[str, Callable[[Rewriter], Any]] = {
    "params": Rewriter.value_type,
    "results": Rewriter.value_type,
    "fields": lambda self: FieldType(self.value_type(), self.rng.random() < 0.5),
    "supers": lambda self: self.index(self.space.type),
}
_WORDS = {
    "mode": ("active", "passive", "declarative"),
    "kind": ("func", "table", "memory", "global", "tag"),
    "index": ("i32", "i64"),
}
#: The fields that may change, of what has others too.
_FIELDS: dict[type, tuple[str, ...]] = {
    Elem: ("ref", "mode", "items", "table", "offset"),
    Data: ("mode", "mem", "offset"),
    Import: ("desc",),
    Export: ("kind", "index"),
    Global: ("type", "init"),
    Limits: ("min", "max", "index", "shared"),
}
#: What may stand in a constant expression, and a nop, which may not.
_CONSTANT = (
    "i32.const", "i64.const", "v128.const", "ref.null", "ref.func", "global.get", "i32.add", "ref.i31",
    "struct.new_default", "array.new_fixed", "extern.convert_any", "nop",
)  # fmt: skip
#: The lists of a module that may change.
_LISTS = ("rec_types", "imports", "tables", "mems", "tags", "globals", "exports", "elems", "datas")
_DROP, _END = Ins(BY_NAME["drop"]), Ins(BY_NAME["end"])
