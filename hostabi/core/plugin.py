"""Plugins, and the Wasm guests behind them. The only module of this package that knows the VM (`interp`).

`LoadedFilter` is a module with what the ABI says about it; `WasmGuest` is an instance of one; `Plugin` is a configured
root context in a VM, and turns events into commands.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Protocol

import interp
from hostabi.abi.callbacks import ALLOCATORS, CALLBACKS, START_FUNCTIONS, versions_announced
from hostabi.abi.enums import AbiVersion, LogLevel, RedisStatus, Status
from hostabi.abi.envoy import encode_addresses, encode_statistics
from hostabi.abi.hostcall import REGISTRY, EmbedderError, GuestError, Phase, ProcExit
from hostabi.abi.marshal import GuestMemory, GuestMemoryError, check_range
from hostabi.core.buffers import JOINED_IN_RESPONSE_TRAILERS, JOINED_IN_RESPONSES, HeaderMap
from hostabi.core.commands import Command, Log, PluginFailed, PluginGone
from hostabi.core.connection import Connections
from hostabi.core.context import Callout, Context, RootContext, VmState
from hostabi.core.events import (
    AccessLog,
    CallFailed,
    CallResponse,
    ConnectionEvent,
    DnsResolved,
    Event,
    ForeignCall,
    GrpcEvent,
    PluginEvent,
    QueueReady,
    RedisResponse,
    RequestHeaders,
    RequestMetadata,
    ResponseMetadata,
    Shutdown,
    Start,
    StatsUpdate,
    StreamEnd,
    StreamEvent,
    StreamInfo,
    StreamLog,
    Tick,
    Way,
    frame_of,
)
from hostabi.core.grpc import GrpcReceiver
from hostabi.core.link import NO_THREADS, Code, Judged, LinkRefused, Wanted, judge, link
from hostabi.core.policy import Profile
from hostabi.core.stream import FilterStream, logged_context
from hostabi.core.transcript import Called
from hostabi.core.vm import GuestTrap, Vm
from hostabi.core.world import FilterWorld
from hostabi.hostcalls import wasi
from hostabi.hostcalls.timers import arm_tick
from hostabi.hostcalls.wasi import WasiLimits

Source = bytes | str | Path
#: Which features filters may use, as `interp.feature_set` reads them; None is version 3.0.
Features = interp.Features


class LoadError(Exception):
    """A filter that cannot be loaded or started; `reasons` are whole sentences for people."""

    def __init__(self, *reasons: str) -> None:
        super().__init__("\n".join(reasons))
        self.reasons = reasons


# --- modules ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class LoadedFilter:
    """A validated module, its ABI version, and what is odd about it."""

    valid: interp.ValidModule
    abi: AbiVersion
    digest: str
    warnings: tuple[str, ...] = ()

    @property
    def module(self) -> interp.Module:
        """The module itself."""
        return self.valid.module

    def function_imports(self) -> list[Wanted]:
        """Its function imports, in order, duplicates included."""
        return wanted_functions(self.module)


def wanted_functions(module: interp.Module) -> list[Wanted]:
    """The function imports of a module, in order, duplicates included, with their types by name.

    Raises LoadError for one without a function type, which validation refuses.
    """
    wanted = []
    for one in module.imports:
        if isinstance(one.desc, int):
            params, results = _signature(module, one.desc)
            wanted.append(Wanted(one.module, one.name, params, results))
    return wanted


def _signature(module: interp.Module, type_index: int) -> tuple[tuple[str, ...], tuple[str, ...]]:
    type = module.comp(type_index) if type_index < len(module.types) else None
    if not isinstance(type, interp.FuncType):
        raise LoadError(f"type {type_index} is not a function type")
    return tuple(map(str, type.params)), tuple(map(str, type.results))


def parse_source(source: Source, *, features: Features = None, limits: interp.VmLimits | None = None) -> interp.Module:
    """A module from a path, from bytes (binary or text), or from text that begins with a parenthesis."""
    if isinstance(source, str) and source.lstrip().startswith(("(", ";;")):
        return interp.read_module(source, features=features, limits=limits)
    data = source if isinstance(source, bytes) else Path(source).read_bytes()
    return interp.read_module(data, features=features, limits=limits)


def find_abi(module: interp.Module, profile: Profile) -> tuple[AbiVersion, list[str]]:
    """The ABI version a module announces, and remarks; LoadError when it announces none (abi_reference 1.1)."""
    announced = versions_announced([export.name for export in module.exports if export.kind == "func"])
    if not profile.higress_version:
        announced = [one for one in announced if one is not AbiVersion.V0_2_100]
    known = [one for one in announced if isinstance(one, AbiVersion)]
    if known:
        chosen = known[0] if profile.first_marker_wins else max(known)
        odd = [f"several ABI markers are exported; {chosen.text} is taken"] if len(announced) > 1 else []
        return chosen, odd
    unknown = [one for one in announced if isinstance(one, str)]
    if any(text.startswith("0.2.") for text in unknown) and profile.newer_versions:
        return AbiVersion.V0_2_1, [f"the ABI version {unknown[0]} is unknown and taken for 0.2.1"]
    if "vnext" in unknown:
        raise LoadError("the filter was built for the abandoned vNEXT draft of the ABI (proxy_abi_version_vnext)")
    if profile.allow_unversioned and not unknown:
        return AbiVersion.V0_2_1, ["no ABI marker is exported; 0.2.1 is assumed"]
    raise LoadError("Missing or unknown Proxy-Wasm ABI version")


def load_filter(
    source: Source, profile: Profile, limits: interp.VmLimits | None = None, features: Features = None
) -> LoadedFilter:
    """Read and validate a filter that may use the features given, those of version 3.0 for None.

    Raises LoadError, and the errors of `interp` for a bad module.
    """
    try:
        module = parse_source(source, features=features, limits=limits)
        abi, odd = find_abi(module, profile)
        valid = interp.validate(module, features=features, limits=limits)
    except interp.UnsupportedError as error:
        if error.feature != "threads":
            raise
        raise LoadError(f"the filter wants threads: {error.message}", NO_THREADS) from error
    retired = sorted(export.name for export in module.exports if export.name in REGISTRY.retired_exports)
    if retired:
        odd.append(f"exports of the abandoned vNEXT draft of the ABI, which are never called: {', '.join(retired)}")
    return LoadedFilter(valid, abi, sha256(module.binary).hexdigest(), tuple(odd))


def judge_imports(module: interp.Module, abi: AbiVersion, profile: Profile) -> list[Judged]:
    """What linking would make of each function import, and of what a host never gives."""
    known = wasi.offered()
    judged = [judge(wanted, abi, profile, known) for wanted in wanted_functions(module)]
    for one in module.imports:
        if one.kind in ("global", "tag"):
            judged.append(Judged(Wanted(one.module, one.name, (), ()), "refused", f"an imported {one.kind}"))
    return judged


# --- guests ----------------------------------------------------------------------------------------------------------


class CountedMemory(GuestMemory, Protocol):
    """A guest's memory that counts the bytes which go through it."""

    copied: int


class _Memory:
    """The memory of an instance as the ABI sees it."""

    def __init__(self, find: Callable[[], interp.MemInst]) -> None:
        self._find = find
        self._found: interp.MemInst | None = None
        self._read, self._write = self._first_read, self._first_write
        #: Bytes read and written so far.
        self.copied = 0

    @property
    def _memory(self) -> interp.MemInst:
        """The instance, which is not there before a guest is instantiated; GuestMemoryError when there is none."""
        if self._found is None:
            self._found = self._find()
            self._read, self._write = self._found.read, self._found.write
        return self._found

    def _first_read(self, address: int, n: int) -> bytes:
        return self._memory.read(address, n)

    def _first_write(self, address: int, data: bytes | bytearray | memoryview) -> None:
        self._memory.write(address, data)

    @property
    def length(self) -> int:
        """Size in bytes."""
        return self._memory.length

    def read(self, addr: int, n: int) -> bytes:
        """n bytes at addr."""
        try:
            data = self._read(addr, n)
        except interp.Trap:
            raise self._outside(addr, n) from None
        self.copied += n
        return data

    def write(self, addr: int, data: bytes) -> None:
        """Store data at addr."""
        try:
            self._write(addr, data)
        except interp.Trap:
            raise self._outside(addr, len(data)) from None
        self.copied += len(data)

    def _outside(self, addr: int, n: int) -> GuestMemoryError:
        check_range(self._memory.length, addr, n)
        return GuestMemoryError(f"{n} bytes at {addr:#x} cannot be had")


class WasmGuest:
    """An instance of a filter in a store of its own.

    The rules of the ABI come first; what is said to the VM is under "the machine". A subclass that says the latter to
    another VM runs filters by the same rules (`MACHINES`).
    """

    def __init__(self, filter: LoadedFilter, state: VmState, engine: str | None) -> None:
        self.filter = filter
        self.abi = filter.abi
        self.state = state
        self.open(engine)
        module = filter.module
        self._exports = {export.name: export.index for export in module.exports if export.kind == "func"}
        self._params: dict[str, int | None] = {}
        order = reversed(ALLOCATORS) if state.profile.malloc_first else ALLOCATORS
        self._allocator = next((name for name in order if name in self._exports), None)
        if self._allocator is None and state.profile.allocator_required:
            raise LoadError("Wasm module is missing malloc function.")
        self._check_exports()

    @property
    def can_allocate(self) -> bool:
        """Whether there is an allocator."""
        return self._allocator is not None

    def _type_of(self, name: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
        type = self.filter.module.func_type(self._exports[name])
        return tuple(map(str, type.params)), tuple(map(str, type.results))

    def _check_exports(self) -> None:
        wanted: dict[str, list[tuple[tuple[str, ...], tuple[str, ...]]]] = {}
        for name, row in CALLBACKS.items():
            versions = [self.abi] if self.state.profile.strict_versions else list(AbiVersion)
            wanted[name] = [row.signature(version) for version in versions]
        wanted |= {name: [(("i32",), ("i32",))] for name in ALLOCATORS}
        wanted |= {"_initialize": [((), ())], "_start": [((), ())], "__main_void": [((), ("i32",))]}
        bad = [name for name, types in wanted.items() if name in self._exports and self._type_of(name) not in types]
        if bad:
            raise LoadError(*(f"Bad function signature for: {name}" for name in bad))

    def params_of(self, callback: str) -> int | None:
        """How many parameters a callback takes, None when it is not exported or of a later version."""
        if callback not in self._params:
            row = CALLBACKS.get(callback)
            there = callback in self._exports and row is not None and row.since <= self.abi
            self._params[callback] = len(self._type_of(callback)[0]) if there else None
        return self._params[callback]

    # --- running

    def start(self) -> None:
        """Instantiate, which runs the start section, then run the start functions (abi_reference 4.2)."""
        self.state.phase = Phase.LINK
        self._guarded(self._instantiate)
        self.state.phase = Phase.START
        names = [name for name in START_FUNCTIONS if name in self._exports]
        if self.state.profile.one_start_function:
            first = next((name for name in self._exports if name in ("_start", "_initialize")), None)
            if first is not None:
                self._run_start(first)
        elif "_initialize" in names:
            self._run_start("_initialize")
            if "main" in names:
                params = len(self._type_of("main")[0])
                self._run_start("main", (0, 0)[:params])
            elif "__main_void" in names:
                self._run_start("__main_void")
        elif "_start" in names:
            self._run_start("_start")

    def _run_start(self, name: str, args: tuple[int, ...] = ()) -> None:
        self._guarded(lambda: self.call(name, args))

    def _guarded(self, body: Callable[[], object]) -> None:
        try:
            body()
        except ProcExit as exit:
            # A command ends so when all went well; its memory stays, and its exports can be called (4.2).
            if exit.code:
                raise GuestTrap(str(exit)) from exit

    def _instantiate(self) -> None:
        try:
            functions = wasi.imports(FilterWorld(self.state), self._wasi_limits())
            wanted = self.filter.function_imports()
            codes = link(wanted, self.state, functions)
        except LinkRefused as refused:
            raise LoadError(*refused.reasons) from refused
        exits = [name.name == "proc_exit" for name in wanted]
        self.instantiate([self._exit(code) if ends else code for code, ends in zip(codes, exits, strict=True)])

    def _exit(self, code: Code) -> Code:
        """What proc_exit is in a filter: the end of its start functions with 0, else its death, or nothing."""

        def end(*bits: int) -> int | None:
            try:
                return code(*bits)
            except ProcExit as exit:
                if self.state.profile.proc_exit_returns:
                    self.state.record(Called(self.state.plugin_key, "proc_exit", (), None, (), is_status=False))
                    self.state.log(LogLevel.ERROR, f"{exit} goes on".encode())
                    return None
                if exit.code == 0 and self.state.phase in (Phase.LINK, Phase.START):
                    raise
                raise GuestError(str(exit)) from exit

        return end

    def _wasi_limits(self) -> WasiLimits:
        profile = self.state.profile
        most, exact = self.state.limits.random_bytes, profile.random_bytes
        return WasiLimits(
            random_bytes=most if exact is None else min(most, exact),
            clocks=profile.wasi_clocks,
            reports_clocks=profile.poll_reports_clocks,
        )

    # --- the machine

    def open(self, engine: str | None) -> None:
        """Make ready for `instantiate`; called before anything else."""
        limits = replace(
            interp.DEFAULT_LIMITS, memory_pages=self.state.limits.memory_pages, call_depth=self.state.limits.call_depth
        )
        self.store = interp.Store(engine, limits)
        self.store.sleep = None  # a filter that waits must not keep its host from the other streams
        self._instance: interp.ModuleInst | None = None
        self._funcs: dict[str, interp.FuncInst | interp.HostFunc] = {}
        self.memory: CountedMemory = _Memory(self._find_memory)

    @property
    def engine(self) -> str:
        """The name of the engine."""
        return self.store.engine.name

    @property
    def ticks(self) -> int:
        """Fuel used so far."""
        return self.store.ticks

    def _find_memory(self) -> interp.MemInst:
        # While the start section runs, `instantiate` has not returned, and the instance is the store's last.
        instance = self._instance or self.store.instances[-1]
        if not instance.mems:
            raise GuestMemoryError("the guest has no memory")
        return instance.mems[0]

    @property
    def bytes_copied(self) -> int:
        """Bytes that the host read from its memory and wrote to it so far."""
        return self.memory.copied

    def instantiate(self, codes: Sequence[Code]) -> None:
        """Make the instance, with the code for each function import in order; raises LoadError, GuestTrap, ProcExit."""
        module, functions = self.filter.module, iter(codes)
        externs: list[interp.Extern] = []
        for one in module.imports:
            if isinstance(one.desc, int):
                externs.append(self._host_func(one.desc, f"{one.module}.{one.name}", next(functions)))
            elif isinstance(one.desc, interp.MemType):
                externs.append(self.store.memory(one.desc))
            elif isinstance(one.desc, interp.TableType):
                externs.append(self.store.table(one.desc))
            else:
                raise LoadError(f"import {one.module}.{one.name} cannot be linked: an imported {one.kind}")
        self.store.fuel = self.state.limits.fuel_per_call
        try:
            self._instance = interp.instantiate(self.store, self.filter.valid, externs)
        except ProcExit:
            self._instance = self.store.instances[-1]
            raise
        except (interp.Trap, interp.FuelExhausted, interp.Interrupted) as trap:
            raise GuestTrap(trap.message, tuple(interp.backtrace_lines(trap))) from trap

    def _host_func(self, type_index: int, name: str, code: Code) -> interp.HostFunc:
        def run(*bits: int) -> int | None:
            try:
                return code(*bits)
            except GuestError as error:
                raise interp.Trap(str(error)) from error

        type = self.filter.module.comp(type_index)
        if not isinstance(type, interp.FuncType):
            raise LoadError(f"{name} is imported with no function type")
        return self.store.host_func(type, run, name=name)

    def call(self, callback: str, args: tuple[int, ...]) -> int | None:
        """Run a callback or another export, from outside, with a fresh allowance of fuel."""
        self.store.fuel = self.state.limits.fuel_per_call
        func = self._funcs.get(callback) or self._func(callback)
        try:
            results = interp.invoke_bits(self.store, func, args)
        except (interp.Trap, interp.FuelExhausted, interp.Interrupted) as trap:
            raise GuestTrap(trap.message, tuple(interp.backtrace_lines(trap))) from trap
        except (interp.LimitError, interp.ResourceError) as error:
            raise GuestTrap(error.message) from error
        return results[0] if results else None

    def _func(self, name: str) -> interp.FuncInst | interp.HostFunc:
        # While the start section runs, `instantiate` has not returned, and the instance is the store's last.
        instance = self._instance or self.store.instances[-1]
        func = instance.exports[name]
        if not isinstance(func, interp.FuncInst | interp.HostFunc):
            raise EmbedderError(f"the export {name!r} is not a function")
        self._funcs[name] = func
        return func

    def allocate(self, size: int) -> int:
        """Run the allocator, within a host call: what goes wrong unwinds the callback that made the call."""
        if self._allocator is None:
            raise GuestMemoryError("the guest exports no allocator")
        func = self._funcs.get(self._allocator) or self._func(self._allocator)
        try:
            return interp.invoke_bits(self.store, func, (size,))[0]
        except (interp.Trap, interp.FuelExhausted, interp.LimitError, interp.ResourceError) as error:
            if self.state.profile.allocator_trap_unwinds:
                raise
            self.state.allocator_failure = self.state.allocator_failure or f"{self._allocator}: {error.message}"
            raise GuestMemoryError(f"the guest's allocator failed: {error.message}") from error


#: Other machines than `interp` by a name that stands where an engine's would. Empty but for who compares machines.
MACHINES: dict[str, type[WasmGuest]] = {}


# --- plugins ---------------------------------------------------------------------------------------------------------


class Plugin:
    """A filter with a configuration, in a VM that it may share. `handle(event)` gives commands."""

    def __init__(self, vm: Vm, root: RootContext) -> None:
        self.vm = vm
        self.root = root
        self.streams: dict[int, FilterStream] = {}
        self.refusal: str | None = None
        """Why the plugin does not work although its VM does: its configuration was refused."""
        self.gone = False
        self.on_gone: list[Callable[[], None]] = []
        self._told = False
        self.connections = Connections(self)
        self._grpc = GrpcReceiver(vm, root)
        self._ending = False
        root.delete = self._delete_root
        vm.on_failure.append(self._vm_failed)

    @property
    def key(self) -> str:
        """The name that events and commands use for it, unique in its host."""
        return self.root.plugin

    @property
    def working(self) -> bool:
        """Whether callbacks can be run."""
        return not (self.vm.failure or self.refusal or self.gone)

    @property
    def failure(self) -> str | None:
        """Why it does not work, in a line; None when it does."""
        return self.vm.failure.message if self.vm.failure else self.refusal

    def handle(self, event: Event) -> list[Command]:
        """Deal with an event. EmbedderError when one is under way in the VM, or when it is another plugin's."""
        if isinstance(event, PluginEvent) and event.plugin != self.key:
            raise EmbedderError(f"an event for the plugin {event.plugin!r} came to {self.key!r}")
        self.vm.begin(event.now)
        try:
            self._dispatch(event)
            if self.vm.state.deferred:
                self.vm.settle()
        finally:
            commands = self.vm.end()
        return commands

    def _dispatch(self, event: Event) -> None:
        match event:
            case StreamEvent():
                self._on_stream(event)
            case ConnectionEvent():
                self.connections.handle(event)
                self._go_if_last()
            case Start():
                self._on_start()
            case _ if not self.working:
                self._on_late(event)
            case Tick():
                self._on_tick()
            case CallResponse():
                joins = self.vm.state.profile.joins_headers
                headers = HeaderMap(event.headers, JOINED_IN_RESPONSES if joins else frozenset())
                trailers = HeaderMap(event.trailers, JOINED_IN_RESPONSE_TRAILERS if joins else frozenset())
                callout = Callout(headers, trailers, event.body)
                self._on_call(event.token, callout, 0, b"")
            case CallFailed():
                self._on_call(event.token, self._no_answer(event), Status.BROKEN_CONNECTION, event.message.encode())
            case GrpcEvent():
                self._grpc.receive(event)
            case RedisResponse():
                self._on_redis(event.token, event.response)
            case QueueReady():
                self._call("proxy_on_queue_ready", event.queue)
            case DnsResolved():
                if self.vm.state.lookups.pop(event.token, None) is self.root:
                    data = b"" if event.addresses is None else encode_addresses(event.addresses)
                    self._call_with(data, "envoy_on_resolve_dns", self.root, event.token, len(data))
            case StatsUpdate():
                data = encode_statistics(event.counters, event.gauges)
                self._call_with(data, "envoy_on_stats_update", self.root, len(data))
            case AccessLog():
                self._call_on("proxy_on_log", logged_context(self, event))
            case ForeignCall():
                self._on_foreign(event)
            case Shutdown():
                self._on_shutdown(event.force)
            case _:
                raise EmbedderError(f"a plugin has no use for {type(event).__name__}")

    def _call(self, callback: str, *args: int) -> int | None:
        return self._call_on(callback, self.root, *args)

    def _call_on(self, callback: str, context: Context, *args: int) -> int | None:
        result = self.vm.call(callback, context, *args)
        self.vm.settle()
        return result

    def _call_with(self, data: bytes, callback: str, context: Context, *args: int) -> None:
        """Run a callback that reads its data from the buffer of arguments."""
        self.vm.state.foreign_arguments = data
        try:
            self.vm.call(callback, context, *args)
        finally:
            self.vm.state.foreign_arguments = None
        self.vm.settle()

    # --- life of the plugin

    def _on_start(self) -> None:
        state, root = self.vm.state, self.root
        if root.id:
            raise EmbedderError(f"the plugin {self.key!r} has been started already")
        root.id = state.new_context_id()
        state.contexts[root.id] = root
        root.configuring = True
        self._call("proxy_on_context_create", 0)
        root.configuring = False
        self._demand("proxy_on_vm_start", len(state.vm_configuration))
        root.configuring = True
        self._demand("proxy_on_configure", len(root.configuration))
        root.configuring = False

    def _demand(self, callback: str, size: int) -> None:
        if self.working and self._call(callback, size) == 0:
            self.refusal = f"{callback} returned false"
            self._tell(self.refusal, self.refusal, ())
            self._all_failed()

    def _all_failed(self) -> None:
        """Every stream and connection goes on without the plugin, or is answered or closed."""
        for stream in list(self.streams.values()):
            stream.failed()
        self.connections.failed()

    def _vm_failed(self) -> None:
        failure = self.vm.failure
        if failure is not None and not self._told:
            self._tell(f"{failure.callback}: {failure.message}", failure.report(), failure.frames)
        self._all_failed()
        self._grpc.forget()

    def _tell(self, message: str, report: str, frames: tuple[str, ...]) -> None:
        self._told = True
        self.vm.state.emit(PluginFailed(self.key, message, report, frames))

    def _on_late(self, event: Event) -> None:
        """An event for a plugin that does not work: nothing but its end matters."""
        if isinstance(event, Shutdown) and not self.gone:
            self._leave()

    def _on_shutdown(self, force: bool) -> None:
        """The root goes after its last stream; forced, at once, and its streams as if it had failed."""
        if (self.streams or self.connections) and not force:
            self._ending = True
            return
        self._all_failed()
        if self.root.done_pending:
            if force:
                self._delete_root()
            return
        agrees = self._call("proxy_on_done")
        if self.gone or not self.working:
            return
        if agrees == 0 and not force:
            self.root.done_pending = True
        else:
            self._delete_root()

    def _delete_root(self) -> None:
        if self.gone:
            return
        self.vm.call("proxy_on_delete", self.root)
        self._leave()

    def _leave(self) -> None:
        self.gone = True
        self._grpc.forget()
        self.vm.forget(self.root)
        self.vm.on_failure.remove(self._vm_failed)
        self.vm.state.emit(PluginGone(self.key))
        for tell in self.on_gone:
            tell()

    # --- what comes from outside

    def _on_tick(self) -> None:
        if self.root.tick_period_ms:
            self._call("proxy_on_tick")
            if self.working and self.root.tick_period_ms:
                arm_tick(self.vm.state, self.root)

    def _no_answer(self, event: CallFailed) -> Callout:
        if not self.vm.state.profile.dispatch_status:
            return Callout()
        reason = b"timeout" if "timeout" in event.message else b"broken connection"
        return Callout(HeaderMap([(b":dispatch_status", reason)]), failed=True)

    def _on_call(self, token: int, callout: Callout, code: int, message: bytes) -> None:
        root = self.root
        if self.vm.state.calls.pop(token, None) is not root:
            return  # a token this plugin does not hold (any more): SDKs panic on those
        root.callout, root.status_message = callout, message
        if code or not self.vm.state.profile.status_code_stays:
            root.status_code = code
        try:
            counts = (0 if callout.failed else len(callout.headers), len(callout.body), len(callout.trailers))
            self.vm.call("proxy_on_http_call_response", root, token, *counts)
        finally:
            root.callout, root.status_message = None, b""
            if not self.vm.state.profile.status_code_stays:
                root.status_code = 0
        self.vm.settle()

    def _on_redis(self, token: int, response: bytes | None) -> None:
        root, state = self.root, self.vm.state
        if state.calls.pop(token, None) is not root:
            return
        if response is not None and len(response) > state.limits.redis_response_bytes:
            state.complain(f"an answer of Redis with {len(response)} bytes is over the limit, and counts as none")
            response = None
        root.redis_response = response
        if response is None:
            root.status_code, root.status_message = Status.BROKEN_CONNECTION, b"reset"
        try:
            status = RedisStatus.OK if response is not None else RedisStatus.NETWORK_ERROR
            self.vm.call("proxy_on_redis_call_response", root, token, status, len(response or b""))
        finally:
            root.redis_response = None
            root.status_message = b""
            if not state.profile.status_code_stays:
                root.status_code = 0
        self.vm.settle()

    def _on_foreign(self, event: ForeignCall) -> None:
        context = self.root if event.stream is None else self._context(event.stream)
        if context is None:
            return
        data = event.arguments
        self._call_with(data, "proxy_on_foreign_function", context, event.function_id, len(data))

    # --- streams

    def _context(self, number: int) -> Context | None:
        """The context of a stream or connection, if the guest knows of it."""
        stream = self.streams.get(number)
        if stream is not None:
            return stream.context if stream.context.created else None
        return self.connections.context(number)

    def _on_stream(self, event: StreamEvent) -> None:
        stream = self.streams.get(event.stream)
        match event:
            case StreamEnd():
                if stream is not None:
                    del self.streams[event.stream]
                    if not self.gone:
                        stream.end()
                self._go_if_last()
                return
            case StreamLog():
                if stream is not None and not self.gone and self.vm.state.profile.log_before_done:
                    stream.log()
                return
            case RequestHeaders() if stream is None:
                stream = self._new_stream(event.stream, event.info or StreamInfo(start_time=event.now))
            case RequestMetadata() | ResponseMetadata():
                way = Way.REQUEST if isinstance(event, RequestMetadata) else Way.RESPONSE
                if stream is not None and stream.context.created and self.working:
                    self.vm.call(f"proxy_on_{way.value}_metadata", stream.context, event.elements)
                return
            case RequestHeaders():
                raise EmbedderError(f"the stream {event.stream} has begun already")
        found = frame_of(event)
        if stream is None or found is None:
            return  # the stream has ended, or never came here
        stream.context.direction(found[0]).feed(found[1])

    def _go_if_last(self) -> None:
        """The root goes after its last stream and connection, when it was asked to."""
        if self._ending and not self.streams and not self.connections and self.working:
            self._on_shutdown(False)

    def _new_stream(self, number: int, info: StreamInfo) -> FilterStream:
        stream = FilterStream(self, number, info)
        self.streams[number] = stream
        return stream

    def announce(self, number: int, info: StreamInfo) -> None:
        """A stream exists that this plugin may never see a frame of; it gets its access log all the same."""
        if number not in self.streams and self.working:
            self._new_stream(number, info)

    def log(self, level: LogLevel, message: str) -> None:
        """A line of the host itself in the name of this plugin."""
        self.vm.state.emit(Log(self.key, level, message.encode()))
