"""The store (specification 4.2.3): everything that instances share, and the accounts of running."""

from __future__ import annotations

import os
import threading
import time
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from interp.syntax.errors import EmbedderError, LimitError
from interp.syntax.limits import DEFAULT_LIMITS, VmLimits
from interp.syntax.module import Func
from interp.syntax.types import FuncType, GlobalType, MemType, TableType
from interp.valid.canon import Definition, function_definition

from .boundary import Accounts
from .engine import Engine
from .externs import Externs
from .heap import I31, OBJECT, Heap, HeapRef
from .memory import MemInst
from .table import GlobalInst, TableInst, TagInst

if TYPE_CHECKING:
    from .instance import ModuleInst

#: Raw bits in, raw bits out: None for no result, an integer for one, else a sequence.
HostCode = Callable[..., int | Sequence[int] | None]


class FuncInst:
    """A function of a module instance. `type_id` is the number of its type: equal types, equal numbers."""

    __slots__ = ("__weakref__", "addr", "code", "definition", "entry", "index", "lowered", "module", "type", "type_id")

    def __init__(
        self, addr: int, type: FuncType, definition: Definition, module: ModuleInst, index: int, code: Func
    ) -> None:
        self.addr = addr
        self.type = type
        self.definition = definition
        self.type_id = definition.number
        self.module = module
        self.index = index
        self.code = code
        #: What the engine of this store made of the body, None before the first call.
        self.lowered: Any = None
        #: Takes raw bits and gives a list of them, faster than a thread does; None where the engine has no such way.
        self.entry: Any = None

    @property
    def store(self) -> Store:
        """The store it lives in."""
        return self.module.store

    @property
    def extern_type(self) -> Definition:
        """The type for matching an import."""
        return self.definition


class HostFunc:
    """A function of the embedder; `code(*bits)` takes and gives raw bits.

    `numbers`, if it is not None, is the same for an engine that can give Python's numbers itself: it takes them, and
    what it gives becomes raw bits by `to_bits` of each result type. It counts only for types of nothing but numbers.
    """

    __slots__ = ("__weakref__", "addr", "code", "definition", "name", "numbers", "store", "type", "type_id")

    def __init__(
        self, addr: int, type: FuncType, definition: Definition, store: Store, code: HostCode, name: str
    ) -> None:
        self.addr = addr
        self.type = type
        self.definition = definition
        self.type_id = definition.number
        self.store = store
        self.code = code
        self.name = name
        self.numbers: Callable[..., Any] | None = None

    @property
    def extern_type(self) -> Definition:
        """The type for matching an import."""
        return self.definition


Extern = FuncInst | HostFunc | TableInst | MemInst | GlobalInst | TagInst


class FuncList(Sequence[FuncInst | HostFunc]):
    """All functions by address. The functions of an instance have consecutive addresses and are made when asked for.

    (A filter has ten thousand functions and the host calls a dozen of them.)
    """

    def __init__(self) -> None:
        self._made: list[FuncInst | HostFunc | None] = []
        self._starts: list[int] = []
        self._insts: list[ModuleInst] = []
        #: The host functions among them, in order.
        self.hosts: list[HostFunc] = []

    def __len__(self) -> int:
        return len(self._made)

    def __getitem__(self, addr: int) -> FuncInst | HostFunc:  # type: ignore[override]
        func = self._made[addr]
        if func is None:
            inst = self._insts[bisect_right(self._starts, addr) - 1]
            func = self._made[addr] = inst.make_func(addr)
        return func

    def __iter__(self) -> Iterator[FuncInst | HostFunc]:
        return (self[addr] for addr in range(len(self._made)))

    def add_host(self, func: HostFunc) -> None:
        """Append a host function, whose address must be the length so far."""
        self._made.append(func)
        self.hosts.append(func)

    def add_instance(self, inst: ModuleInst, count: int) -> int:
        """Set `count` addresses aside for the own functions of an instance and give the first."""
        first = len(self._made)
        if count:
            self._starts.append(first)
            self._insts.append(inst)
            self._made.extend([None] * count)
        return first


#: The waiting activations (`Store.waiting`) that this context belongs to, the outermost first.
INSIDE: ContextVar[tuple[object, ...]] = ContextVar("INSIDE", default=())


class Store(Accounts):
    """Functions, tables, memories, globals and external objects, with one engine that runs them.

    `fuel` is the ticks left (None: no end), `ticks` those used since the store was made, `deadline` a time of
    `time.monotonic()` or None. `sleep` lets seconds pass for a guest that waits; with None they pass at once. Not for
    two threads at a time: the second one gets an EmbedderError.
    """

    def __init__(self, engine: Engine, limits: VmLimits | None = None) -> None:
        self.engine = engine
        self.limits = limits or DEFAULT_LIMITS
        self.memory_mode = "moving" if os.environ.get("TAMIS_MEMORY") == "moving" else "reserved"
        self.funcs = FuncList()
        self.tables: list[TableInst] = []
        self.mems: list[MemInst] = []
        self.globals: list[GlobalInst] = []
        self.tags: list[TagInst] = []
        self.instances: list[ModuleInst] = []
        self.externs = Externs(self.limits.externs)
        self.sleep: Callable[[float], object] | None = time.sleep
        self._monitor: Any = None
        #: The innermost activation that waits (exec/awaiting.py), or None.
        self.waiting: Any = None
        #: What memories and tables hold.
        self.claimed_bytes = 0
        self.heap = Heap(self)
        self._definitions: dict[FuncType, Definition] = {}

    @property
    def monitor(self) -> Any:
        """What watches every instruction (`Monitor` in exec/reference.py), or None.

        Setting one raises EmbedderError if the engine is not steppable.
        """
        return self._monitor

    @monitor.setter
    def monitor(self, monitor: Any) -> None:
        if monitor is not None and "steppable" not in self.engine.capabilities:
            raise EmbedderError(
                f"the {self.engine.name} engine shows no single instructions; the reference engine does"
            )
        self._monitor = monitor

    @property
    def bytes(self) -> int:
        """What memories, tables and objects take together, of `limits.store_bytes`."""
        return self.claimed_bytes + self.heap.bytes

    # -- accounts ------------------------------------------------------------------------------------------------

    def grant(self, needed: int = 1) -> int:
        """Ticks that a thread may use before it leaves: a slice, or one charge that is larger; never over the fuel."""
        slice = max(self.limits.ticks_per_slice, needed)
        return slice if self.fuel is None else min(slice, self.fuel)

    def settle(self, used: int) -> None:
        """Account for ticks used of a grant."""
        self.ticks += used
        if self.fuel is not None:
            self.fuel -= used

    def claim_bytes(self, n: int) -> bool:
        """Take `n` bytes of `limits.store_bytes`; False, and nothing taken, if they are not there."""
        if self.bytes + n > self.limits.store_bytes:
            return False
        self.claimed_bytes += n
        self.heap.set_limit()
        return True

    def return_bytes(self, n: int) -> None:
        """Give back what was taken for nothing."""
        self.claimed_bytes -= n
        self.heap.set_limit()

    # -- entering ------------------------------------------------------------------------------------------------

    def enter(self) -> None:
        """Begin an activation. Raises EmbedderError in another thread, LimitError past `nested_activations`."""
        me = threading.get_ident()
        if self.activations == 0:
            self.thread = me
        elif self.waiting is not None and not (self.waiting in INSIDE.get() and self.waiting.thread == me):
            raise EmbedderError("the store waits for a host function of another call, which has to end first")
        elif self.waiting is None and self.thread != me:
            raise EmbedderError("a store runs on one thread at a time, and another one is in it")
        if self.activations >= self.limits.nested_activations:
            raise LimitError("activations nested deeper than the limit nested_activations", limit="nested_activations")
        self.activations += 1

    def leave(self) -> None:
        """End the innermost activation."""
        self.activations -= 1

    def check(self, owned: Extern | ModuleInst) -> None:
        """Raises EmbedderError if an object belongs to another store."""
        if owned.store is not self:
            raise EmbedderError(f"a {type(owned).__name__} of another store")

    # -- objects -------------------------------------------------------------------------------------------------

    def host_func(self, type: FuncType, code: HostCode, *, name: str = "") -> HostFunc:
        """Make a host function: `code(*bits)` gets raw bits and gives None, an integer or a sequence of them."""
        return self.typed_host_func(self._definition(type), code, name=name)

    def typed_host_func(self, definition: Definition, code: HostCode, *, name: str = "") -> HostFunc:
        """Make a host function of a defined type, which may be one of a recursion group or with a supertype."""
        if not isinstance(definition.comp, FuncType):
            raise EmbedderError("a host function needs a function type")
        func = HostFunc(len(self.funcs), definition.comp, definition, self, code, name)
        self.funcs.add_host(func)
        self.stale = True
        return func

    def tag(self, type: FuncType | Definition) -> TagInst:
        """Make an exception tag; exceptions carry values of the type's parameters."""
        definition = self._definition(type) if isinstance(type, FuncType) else type
        if not isinstance(definition.comp, FuncType) or definition.comp.results:
            raise EmbedderError("a tag needs a function type without results")
        made = TagInst(self, len(self.tags), definition.comp, definition)
        self.tags.append(made)
        return made

    def _definition(self, type: FuncType) -> Definition:
        known = self._definitions.get(type)
        if known is None:
            known = self._definitions[type] = function_definition(type)
        return known

    def table(self, type: TableType, ref: int = 0) -> TableInst:
        """Make a table filled with a raw reference. Raises LimitError."""
        table = TableInst(self, type, ref)
        self.tables.append(table)
        return table

    def memory(self, type: MemType) -> MemInst:
        """Make a memory. Raises LimitError or ResourceError."""
        memory = MemInst(self, type)
        self.mems.append(memory)
        return memory

    def global_(self, type: GlobalType, bits: int) -> GlobalInst:
        """Make a global from raw bits."""
        made = GlobalInst(self, type, bits)
        self.globals.append(made)
        return made

    def extern_ref(self, value: object) -> int:
        """The raw externref of a Python object: 0 for None, the same reference for the same object.

        A HeapRef is itself. Raises EmbedderError for one of another store, LimitError past `limits.externs`.
        """
        if value is None:
            return 0
        if isinstance(value, HeapRef):
            if value.store is not self:
                raise EmbedderError("a HeapRef of another store")
            return value.bits
        return self.externs.ref(value)

    def extern_value(self, ref: int) -> object:
        """The Python object behind a raw reference in the hierarchies of extern, any and exn.

        For an object of the heap, or an i31, a HeapRef. Raises EmbedderError for a reference to nothing.
        """
        if ref & (I31 | OBJECT):
            return HeapRef(self, ref)
        return self.externs.value(ref) if ref else None
