"""The host: owns VMs by key, shared data, queues and metrics, and routes events to plugins and chains."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Mapping, MutableSequence, Sequence
from dataclasses import dataclass, field
from hashlib import sha256

from hostabi.abi.enums import AbiVersion, LogLevel, MetricType
from hostabi.abi.hostcall import EmbedderError
from hostabi.core.chain import Chain
from hostabi.core.clock import Clock, Entropy, seed_bytes
from hostabi.core.commands import Command
from hostabi.core.context import ForeignFunction, RootContext, VmState
from hostabi.core.events import Event, PluginEvent, Start
from hostabi.core.faults import Faults
from hostabi.core.plugin import (
    MACHINES,
    Features,
    LoadedFilter,
    LoadError,
    Plugin,
    Source,
    WasmGuest,
    load_filter,
)
from hostabi.core.policy import PROFILES, Limits, Profile
from hostabi.core.python_filter import PythonFilter, PythonGuest
from hostabi.core.shared import Shared
from hostabi.core.transcript import Record
from hostabi.core.vm import Guest, GuestTrap, Vm

_RECORDS_KEPT = 64


@dataclass(frozen=True, slots=True)
class PluginConfig:
    """How a filter is to be run: what Envoy's PluginConfig and VmConfig say (abi_reference 12.2)."""

    name: str = ""
    root_id: str = ""
    configuration: bytes = b""
    vm_id: str = ""
    vm_configuration: bytes = b""
    fail_open: bool = False
    literal_stop_iteration: bool = False
    environ: tuple[tuple[bytes, bytes], ...] = ()
    attributes: Mapping[str, object] = field(default_factory=dict)
    log_level: LogLevel = LogLevel.INFO
    allowed_capabilities: frozenset[str] = frozenset()
    """Host calls, WASI functions and callbacks that the filter may have, by name; empty allows all (12.5)."""
    limits: Limits | None = None
    """Limits of its VM; None takes the host's."""


class Host:
    """Everything that plugins share. `seed` makes entropy repeatable; engine None takes the fastest there is.

    `features` are those that filters may use, as `interp.feature_set` reads them: None is version 3.0.
    `upstreams` are the names that http_call may address, None for any. `foreign` adds foreign functions by name.
    `shared` is that of another host, for threads that share data, queues and metrics, each with a host of its own.
    `record` keeps the whole transcript until someone empties it; without it, the end of it that trap reports show.
    """

    def __init__(
        self,
        *,
        engine: str | None = None,
        profile: str | Profile = "default",
        limits: Limits | None = None,
        seed: int | bytes = 0,
        features: Features = None,
        upstreams: frozenset[str] | None = None,
        foreign: Mapping[str, ForeignFunction] | None = None,
        record: bool = False,
        shared: Shared | None = None,
    ) -> None:
        if isinstance(profile, str) and profile not in PROFILES:
            raise ValueError(f"there is no profile {profile!r}; known are {', '.join(PROFILES)}")
        self.engine = engine
        self.features = features
        self.profile = PROFILES[profile] if isinstance(profile, str) else profile
        self.limits = limits or Limits()
        self.seed = seed if isinstance(seed, bytes) else seed_bytes(seed)
        self.upstreams = upstreams
        self.foreign = {name.encode(): function for name, function in (foreign or {}).items()}
        self.shared = shared or Shared(self.limits)
        self.faults = Faults()
        """Host calls that are to fail; empty unless a test orders some."""
        self.transcript: MutableSequence[Record] = [] if record else deque(maxlen=_RECORDS_KEPT)
        """Every crossing of every VM, in order; whoever reads it may empty it."""
        self.vms: dict[str, Vm] = {}
        self.plugins: dict[str, Plugin] = {}
        self.chains: list[Chain] = []
        self._generations: Counter[str] = Counter()
        self._known: set[str] = set()
        self._names: Counter[str] = Counter()
        self._python_filters = 0
        self._made: dict[str, tuple[Source | LoadedFilter | PythonFilter, PluginConfig, AbiVersion]] = {}

    # --- making

    def plugin(
        self,
        source: Source | LoadedFilter | PythonFilter,
        config: PluginConfig | None = None,
        *,
        now: int = 0,
        abi: AbiVersion = AbiVersion.V0_2_1,
    ) -> Plugin:
        """A plugin of a filter: a path, bytes or text of a module, a loaded one, or a filter in Python.

        Plugins of the same code, vm_id and vm_configuration share a VM, unless it has failed. Its start functions run
        here, at the time `now`; the plugin itself is configured by the event Start. `abi` is the version a Python
        filter speaks. Raises LoadError, and the errors of `interp` for a module that is none.
        """
        config = config or PluginConfig()
        if callable(source):
            vm = self._start_vm(f"python-{self._python_filters}", config, source, now, abi)
            self._python_filters += 1
        else:
            loaded = source
            if not isinstance(loaded, LoadedFilter):
                loaded = load_filter(loaded, self.profile, features=self.features)
            key = vm_key(config.vm_id, config.vm_configuration, loaded.digest, config.allowed_capabilities)
            running = self.vms.get(key)
            vm = running if running and not running.failure else self._start_vm(key, config, loaded, now, loaded.abi)
        root = self._root(vm, config)
        plugin = Plugin(vm, root)
        plugin.on_gone.append(lambda: self._forget(plugin))
        self.plugins[plugin.key] = plugin
        self._known.add(plugin.key)
        self._made[plugin.key] = source, config, abi
        return plugin

    def rebuild(self, plugin: Plugin, *, now: int = 0) -> Plugin:
        """A plugin like this one in a VM of its own and fresh; those made from now on share that one.

        The old one stays until it is shut down. Raises what `plugin` does.
        """
        source, config, abi = self._made[plugin.key]
        self.vms = {key: vm for key, vm in self.vms.items() if vm is not plugin.vm}
        return self.plugin(source, config, now=now, abi=abi)

    def _forget(self, plugin: Plugin) -> None:
        """A plugin is gone: its VM goes with its last one, and a chain with all of its own; both live on where used."""
        del self.plugins[plugin.key], self._made[plugin.key]
        if all(other.vm is not plugin.vm for other in self.plugins.values()):
            self.vms = {key: vm for key, vm in self.vms.items() if vm is not plugin.vm}
        self.chains = [chain for chain in self.chains if not all(one.gone for one in chain.plugins)]

    def _root(self, vm: Vm, config: PluginConfig) -> RootContext:
        name = config.name or config.root_id or "plugin"
        higress = vm.state.abi is AbiVersion.V0_2_100
        return RootContext(
            0,
            self._key(name),
            config.name,
            config.root_id,
            config.configuration,
            config.fail_open,
            dict(config.attributes),
            literal_stop=higress or config.literal_stop_iteration or self.profile.literal_stop_iteration,
            log_level=config.log_level,
        )

    def _key(self, name: str) -> str:
        """A key that was never given before, or what is late for a plugin that is gone would reach another one."""
        key = name
        while key in self._known:
            self._names[name] += 1
            key = f"{name}#{self._names[name] + 1}"
        return key

    def _start_vm(
        self, key: str, config: PluginConfig, source: LoadedFilter | PythonFilter, now: int, abi: AbiVersion
    ) -> Vm:
        state = VmState(
            key,
            vm_id=config.vm_id.encode(),
            vm_configuration=config.vm_configuration,
            shared=self.shared,
            limits=config.limits or self.limits,
            profile=self.profile,
            entropy=Entropy(self.seed, key, self._generations[key]),
            clock=Clock(now),
            environ=config.environ,
            upstreams=self.upstreams,
            foreign=self.foreign,
            log_level=config.log_level,
            records=self.transcript,
            faults=self.faults,
            allowed=config.allowed_capabilities,
        )
        self._generations[key] += 1
        state.abi = abi
        vm = Vm(state)
        if not state.allows("proxy_on_context_create"):
            state.complain("proxy_on_context_create is not allowed: most SDKs fail on contexts that they do not know")
        guest: Guest
        if isinstance(source, LoadedFilter):
            guest = MACHINES.get(self.engine or "", WasmGuest)(source, state, self.engine)
            for warning in source.warnings:
                state.complain(warning)
        else:
            guest = PythonGuest(source, state, abi)
        vm.attach(guest)
        try:
            vm.start()
        except GuestTrap as trap:
            raise LoadError(f"the filter failed while starting: {trap.message}", *trap.frames) from trap
        self.vms[key] = vm
        return vm

    def chain(self, plugins: Sequence[Plugin], loggers: Sequence[Plugin] = ()) -> Chain:
        """A chain of plugins of this host; what happens to one of them is then handled by the chain.

        `loggers` are no filters: each keeps an access log of what goes through the chain.
        """
        for plugin in (*plugins, *loggers):
            if self.plugins.get(plugin.key) is not plugin:
                raise EmbedderError(f"the plugin {plugin.key!r} belongs to another host")
        chain = Chain(plugins, loggers)
        self.chains.append(chain)
        return chain

    # --- events

    def handle(self, event: Event) -> list[Command]:
        """Deal with an event of a plugin, wherever it is; events of streams go to their chain.

        Start goes to every plugin. What is late for a plugin that is gone is dropped; EmbedderError for one that never
        was.
        """
        if isinstance(event, Start):
            return [command for plugin in list(self.plugins.values()) for command in plugin.handle(event)]
        if not isinstance(event, PluginEvent):
            raise EmbedderError(f"{type(event).__name__} must be given to a chain or a plugin")
        for chain in self.chains:
            if any(plugin.key == event.plugin for plugin in chain.plugins):
                return self.feed(chain, event)
        plugin = self.plugins.get(event.plugin)
        if plugin is None and event.plugin in self._known:
            return []
        if plugin is None:
            raise EmbedderError(f"there is no plugin {event.plugin!r}")
        return plugin.handle(event)

    def feed(self, chain: Chain, event: Event) -> list[Command]:
        """Deal with an event of a chain, and with what it brings about on streams of others.

        That happens where chains share a plugin or a VM: an old configuration's and a new one's. Without other chains
        `chain.handle` does the same.
        """
        commands = chain.handle(event)
        waiting = [(chain, command) for command in chain.take_elsewhere()]
        while waiting:
            source, command = waiting.pop(0)
            owner = next((one for one in self.chains if one is not source and one.has(command.stream)), None)
            if owner is not None:
                commands += owner.carry([command], event.now)
                waiting += [(owner, more) for more in owner.take_elsewhere()]
        return commands

    def statistics(self) -> tuple[tuple[tuple[bytes, int, int], ...], tuple[tuple[bytes, int], ...]]:
        """Counters and gauges of the filters, by Envoy's names, for StatsUpdate; counters with what was added since."""
        cells = self.shared.metrics.values()
        counters = []
        for cell in cells:
            if cell.kind is MetricType.COUNTER:
                counters.append((b"wasmcustom." + cell.name, cell.value, cell.value - cell.reported))
                cell.reported = cell.value
        gauges = [(b"wasmcustom." + cell.name, cell.value) for cell in cells if cell.kind is MetricType.GAUGE]
        return tuple(counters), tuple(gauges)

    def drop(self, chain: Chain) -> None:
        """Forget a chain that has no streams any more; its plugins stay."""
        self.chains.remove(chain)


def vm_key(vm_id: str, vm_configuration: bytes, digest: str, allowed: frozenset[str] = frozenset()) -> str:
    """The key under which VMs are shared: SHA-256 over vm_id, vm_configuration and code, as Envoy does (12.1).

    Capabilities belong to a VM, so plugins that are allowed different things never share one.
    """
    parts = (vm_id.encode(), vm_configuration, digest.encode(), *(name.encode() for name in sorted(allowed)))
    return sha256(b"||".join(parts)).hexdigest().upper()
