"""The state of one VM that host calls act on: contexts, the call in progress, what is deferred, what goes out.

Nothing here runs a guest; `core/vm.py` does.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, MutableSequence
from dataclasses import dataclass, field

from hostabi.abi.codec import HeaderPairs, PairsLimits
from hostabi.abi.enums import AbiVersion, CallKind, LogLevel, MapType, MetricType, Status
from hostabi.abi.hostcall import GuestError, HostError, Phase
from hostabi.abi.marshal import GuestMemory, GuestMemoryError, NoMemory
from hostabi.core.buffers import HeaderMap
from hostabi.core.clock import Clock, Entropy
from hostabi.core.commands import Command, Log
from hostabi.core.events import Side, StreamInfo, Way
from hostabi.core.faults import ALLOCATOR, Faults
from hostabi.core.filter_state import Prototype
from hostabi.core.pipe import Pipe
from hostabi.core.policy import MISUSE, Limits, Profile
from hostabi.core.shared import MetricCell, Shared
from hostabi.core.state import Direction
from hostabi.core.transcript import Called, Noted, Record

ForeignFunction = Callable[["VmState", bytes], bytes]


@dataclass(slots=True)
class Callout:
    """What came back from a callout, readable during its callback."""

    headers: HeaderMap = field(default_factory=HeaderMap)
    trailers: HeaderMap = field(default_factory=HeaderMap)
    body: bytes = b""
    failed: bool = False
    """There is no answer; what the headers say is the host's word for why."""


@dataclass(slots=True)
class GrpcCall:
    """A gRPC call or stream that the guest can still name."""

    root: RootContext
    unary: bool
    begun: bool = False
    """Its initial metadata has come."""
    response: bytes | None = None
    """The message of a unary call, until its status comes."""
    queued: int = 0
    """Bytes of messages that have not left yet."""
    ended: bool = False
    """The guest sends no more."""
    released: bool = False
    """The guest has called proxy_grpc_close: the token goes when the server closes."""
    closed: bool = False
    """The server has closed it."""


@dataclass(slots=True)
class GrpcReceived:
    """What has just come on a gRPC call or stream, readable during its callback."""

    initial: HeaderMap | None = None
    message: bytes | None = None
    trailing: HeaderMap | None = None


@dataclass(slots=True)
class RootContext:
    """One configured plugin in a VM."""

    id: int
    plugin: str
    name: str
    root_id: str
    configuration: bytes
    fail_open: bool = False
    attributes: dict[str, object] = field(default_factory=dict)
    declared: dict[bytes, Prototype] = field(default_factory=dict)
    """Properties declared with declare_property."""
    expressions: dict[int, object] = field(default_factory=dict)
    """Expressions of expr_create by token."""
    next_expression: int = 0
    redis: set[str] = field(default_factory=set)
    """Redis services that the plugin has set up."""
    redis_response: bytes | None = None
    configuring: bool = False
    tick_period_ms: int = 0
    callout: Callout | None = None
    grpc: GrpcReceived = field(default_factory=GrpcReceived)
    status_code: int = 0
    status_message: bytes = b""
    done_pending: bool = False
    literal_stop: bool = False
    log_level: LogLevel = LogLevel.INFO
    delete: Callable[[], None] = lambda: None
    """Ends the plugin; set by whoever runs it."""
    tell_closed: Callable[[int, int, bytes], None] = lambda token, status, message: None
    """Runs proxy_on_grpc_close for a token; set by whoever runs the plugin."""

    @property
    def root(self) -> RootContext:
        """Itself; so that any context has its root."""
        return self


@dataclass(slots=True, eq=False)
class StreamContext:
    """One HTTP stream as one plugin sees it."""

    id: int
    stream: int
    root: RootContext
    info: StreamInfo
    request: Direction
    response: Direction
    created: bool = False
    logging: bool = False
    """The stream is over, and its access log is or was written."""
    shows_log: bool = False
    """The maps are those of the access log."""
    logged: bool = False
    declared: dict[bytes, Prototype] = field(default_factory=dict)
    """What was declared on the stream itself, which has no effect, as on Envoy."""
    done_pending: bool = False
    """The guest answered false to on_done where that means to wait for proxy_done."""
    finish: Callable[[], None] = lambda: None
    """Ends the stream after that; set by whoever runs it."""
    replied: bool = False
    """A local reply (or a reset) was asked for: the running callback's result is forced to a stop."""
    cut: Callable[[bool], None] = lambda response: None
    """Stops the request, and the response too (if True, or if it has begun); set by whoever runs the stream."""

    def direction(self, way: Way) -> Direction:
        """The direction of that name."""
        return self.request if way is Way.REQUEST else self.response


class NoMessage:
    """What a connection has in place of a request and a response."""

    headers: HeaderMap | None = None
    visible_headers: HeaderMap | None = None
    trailers: HeaderMap | None = None


_NO_MESSAGE = NoMessage()


@dataclass(slots=True, eq=False)
class ConnectionContext:
    """One connection as one plugin sees it."""

    id: int
    stream: int
    root: RootContext
    info: StreamInfo
    downstream: Pipe
    upstream: Pipe
    created: bool = False
    logging: bool = False
    declared: dict[bytes, Prototype] = field(default_factory=dict)
    """What was declared on the connection itself, which has no effect, as on Envoy."""
    done_pending: bool = False
    """The guest answered false to on_done where that means to wait for proxy_done."""
    finish: Callable[[], None] = lambda: None
    """Ends it after that; set, as the others are, by whoever runs the connection."""
    resume: Callable[[Side], None] = lambda side: None
    """Lets go what is held of a side, and the connection itself."""
    close: Callable[[str], None] = lambda reason: None
    """Closes both sides, for a reason."""

    def pipe(self, side: Side) -> Pipe:
        """The pipe of that side."""
        return self.downstream if side is Side.DOWNSTREAM else self.upstream

    @property
    def request(self) -> NoMessage:
        """None of it."""
        return _NO_MESSAGE

    @property
    def response(self) -> NoMessage:
        """None of it."""
        return _NO_MESSAGE


Traffic = StreamContext | ConnectionContext
"""What passes through a plugin, and has properties."""

Context = RootContext | StreamContext | ConnectionContext


class VmState:
    """Everything a host call can see or change, except guest memory, which `link` gives while a call runs."""

    def __init__(
        self,
        key: str,
        *,
        vm_id: bytes,
        vm_configuration: bytes,
        shared: Shared,
        limits: Limits,
        profile: Profile,
        entropy: Entropy,
        clock: Clock | None = None,
        environ: tuple[tuple[bytes, bytes], ...] = (),
        upstreams: frozenset[str] | None = None,
        foreign: dict[bytes, ForeignFunction] | None = None,
        log_level: LogLevel = LogLevel.INFO,
        records: MutableSequence[Record] | None = None,
        faults: Faults | None = None,
        allowed: frozenset[str] = frozenset(),
    ) -> None:
        self.key = key
        self.vm_id = vm_id
        self.vm_configuration = vm_configuration
        self.shared = shared
        self.limits = limits
        self.profile = profile
        self.entropy = entropy
        self.clock = clock or Clock()
        self.environ = environ
        self.upstreams = upstreams
        self.foreign = foreign or {}
        self.start_log_level = log_level
        self.faults = faults or Faults()
        self.fault, self.ordered = self.faults.take, self.faults.ordered
        self.allowed = allowed
        self.abi = AbiVersion.V0_2_1
        self.contexts: dict[int, Context] = {}
        self.current: Context | None = None
        self.effective: Context | None = None
        self.phase = Phase.LINK
        self.commands: list[Command] = []
        self.deferred: deque[Callable[[], None]] = deque()
        self.deferred_in_event = 0
        self.records: MutableSequence[Record] = records if records is not None else []
        self.record = self.records.append
        """Adds to the transcript."""
        self.calls: dict[int, RootContext] = {}
        self.grpc: dict[int, GrpcCall] = {}
        self.metrics: dict[int, MetricCell] = {}
        self.foreign_arguments: bytes | None = None
        self.allocator_failure = ""
        """How the guest's allocator trapped in the call that is under way, where the call goes on."""
        self.extras_missed: set[str] = set()
        """Extras of this package that the guest wanted, and that are not installed."""
        self._next_context = 1
        self.lookups: dict[int, RootContext] = {}
        self._next_lookup = 2
        self._next_call = dict.fromkeys(CallKind, 1)
        self._next_metric = dict.fromkeys(MetricType, 1)
        self._log_second = -1
        self._log_lines = 0
        # Set by the VM that runs the guest:
        self.memory: GuestMemory = NoMemory()
        self.run_allocator: Callable[[int], int] | None = None

    # --- what marshalling needs (abi.hostcall.Caller)

    @property
    def pairs_limits(self) -> PairsLimits:
        """How large a map from the guest may be."""
        return self.limits.pairs

    def allocate(self, size: int) -> int:
        """Fresh bytes in the guest, in range; GuestMemoryError when there are none."""
        if self.run_allocator is None:
            raise GuestMemoryError("the guest exports no allocator")
        address = 0 if ALLOCATOR in self.ordered and self.fault(ALLOCATOR) is not None else self.run_allocator(size)
        if not address:
            raise GuestMemoryError(f"the guest's allocator has no {size} bytes")
        if address + size > self.memory.length:
            raise GuestMemoryError(f"the guest's allocator gave {size} bytes at {address:#x}, outside of its memory")
        return address

    def malformed_map(self, call: str, reason: str) -> bool:
        """Note a map that cannot be read; whether it counts as empty."""
        self.complain(f"{call}: {reason}" + (", taken as empty" if self.profile.malformed_map_is_empty else ""))
        return self.profile.malformed_map_is_empty

    def called(self, call: str, args: tuple[tuple[str, object], ...], status: int, outputs: tuple[object, ...]) -> None:
        """Record a host call."""
        context = self.current if self.effective is None else self.context
        self.record(Called("" if context is None else context.root.plugin, call, args, status, outputs))

    def misused(self, call: str, status: Status, message: str) -> None:
        """End the guest for an answer that counts as misuse, where the profile has it so; raises GuestError."""
        if not self.profile.misuse_traps:
            return
        if status is Status.INVALID_MEMORY_ACCESS or status in MISUSE.get(call, ()):
            raise GuestError(f"{call}: {message}")

    def allows(self, capability: str) -> bool:
        """Whether the guest may make this call, or have this callback; an empty list allows everything."""
        return not self.allowed or capability in self.allowed

    def complain(self, message: str) -> None:
        """Note something that the filter's author should know."""
        self.record(Noted(self.plugin_key, message))

    # --- contexts

    @property
    def plugin_key(self) -> str:
        """The key of the plugin at work, or ""."""
        context = self.current if self.effective is None else self.context
        return "" if context is None else context.root.plugin

    @property
    def context(self) -> Context | None:
        """The context host calls act on: the effective one, else the current one."""
        effective = self.effective
        if effective is not None and self.contexts.get(effective.id) is effective:
            return effective
        return self.current

    @property
    def root(self) -> RootContext:
        """The plugin of that context; INTERNAL_FAILURE when there is none."""
        context = self.context
        if context is None:
            raise HostError(Status.INTERNAL_FAILURE, "no plugin is at work")
        return context.root

    @property
    def stream(self) -> StreamContext | None:
        """The stream of that context, if it is one."""
        context = self.current if self.effective is None else self.context
        return context if isinstance(context, StreamContext) else None

    @property
    def connection(self) -> ConnectionContext | None:
        """The connection of that context, if it is one."""
        context = self.context
        return context if isinstance(context, ConnectionContext) else None

    @property
    def traffic(self) -> Traffic | None:
        """The stream or connection of that context, if it is one."""
        context = self.context
        return None if context is None or isinstance(context, RootContext) else context

    def new_context_id(self) -> int:
        """The next context id; plugins and streams count together."""
        self._next_context += 1
        return self._next_context - 1

    def new_token(self, kind: CallKind) -> int:
        """The next callout token: a counter of its kind, with the kind in the two low bits."""
        number = self._next_call[kind]
        self._next_call[kind] += 1
        return number << 2 | kind

    @property
    def calls_under_way(self) -> int:
        """Callouts of every kind that something is still expected of."""
        return len(self.calls) + sum(not call.closed for call in self.grpc.values())

    def new_lookup(self, root: RootContext) -> int:
        """The token of a plugin's next look-up of a name: a counter of its own, from 2 as on Envoy (seen)."""
        self._next_lookup += 1
        self.lookups[self._next_lookup - 1] = root
        return self._next_lookup - 1

    def new_metric(self, cell: MetricCell) -> int:
        """A fresh id of a metric: a counter of its kind, with the kind in the two low bits."""
        number = self._next_metric[cell.kind]
        self._next_metric[cell.kind] += 1
        metric_id = number << 2 | cell.kind
        self.metrics[metric_id] = cell
        return metric_id

    # --- what host calls bring about

    def emit(self, command: Command) -> None:
        """Ask something of the world."""
        self.commands.append(command)

    def defer(self, action: Callable[[], None]) -> None:
        """Do this when the outermost guest call has returned; GuestError past the limit."""
        self.deferred_in_event += 1
        if self.deferred_in_event > self.limits.deferred_actions:
            raise GuestError(f"more than {self.limits.deferred_actions} deferred actions in one event")
        self.deferred.append(action)

    def log(self, level: LogLevel, message: bytes) -> None:
        """A line of the guest for the log; dropped below the threshold, or over the rate with one notice a second."""
        if level < self.log_threshold:
            return
        second = self.clock.peek() // 1_000_000_000
        if second != self._log_second:
            self._log_second, self._log_lines = second, 0
        self._log_lines += 1
        over = self._log_lines - self.limits.log_lines_per_second
        if over > 1:
            return
        if over == 1:
            level, message = LogLevel.WARN, b"log lines of this plugin are dropped until the next second"
        traffic = self.traffic
        stream = traffic.stream if traffic is not None else None
        self.emit(Log(self.plugin_key, level, message[: self.limits.log_line_bytes], stream))

    @property
    def log_threshold(self) -> LogLevel:
        """The lowest level that is logged."""
        context = self.context
        return context.root.log_level if context else self.start_log_level

    # --- maps

    def header_map(self, kind: MapType, *, change: bool = False) -> HeaderMap | None:
        """The map a guest means, or None when it cannot be had (or not changed) now (abi_reference 8.6)."""
        if kind in (MapType.HTTP_CALL_RESPONSE_HEADERS, MapType.HTTP_CALL_RESPONSE_TRAILERS):
            return None if change else self._callout_map(kind)
        if kind in (MapType.GRPC_CALL_INITIAL_METADATA, MapType.GRPC_CALL_TRAILING_METADATA):
            return None if change else self._grpc_map(kind)
        stream = self.stream
        if stream is None:
            return None
        trailers = kind in (MapType.HTTP_REQUEST_TRAILERS, MapType.HTTP_RESPONSE_TRAILERS)
        if trailers and not self.profile.shows_trailers:
            return None
        way = Way.REQUEST if kind <= MapType.HTTP_REQUEST_TRAILERS else Way.RESPONSE
        direction = stream.direction(way)
        if stream.shows_log:
            hidden = change or kind is MapType.HTTP_REQUEST_TRAILERS
            return None if hidden else direction.trailers if trailers else direction.headers
        if direction.maps_dropped:
            return None
        if not trailers:
            return direction.visible_headers
        if direction.trailers_gone:
            return None
        if change and direction.can_make_trailers:
            direction.trailers = direction.new_trailers()
        return direction.trailers

    def _callout_map(self, kind: MapType) -> HeaderMap | None:
        context = self.context
        callout = context.root.callout if context else None
        if callout is None:
            return None
        return callout.headers if kind is MapType.HTTP_CALL_RESPONSE_HEADERS else callout.trailers

    def _grpc_map(self, kind: MapType) -> HeaderMap | None:
        context = self.context
        if context is None:
            return None
        received = context.root.grpc
        return received.initial if kind is MapType.GRPC_CALL_INITIAL_METADATA else received.trailing


def as_pairs(headers: HeaderMap | None) -> HeaderPairs:
    """All entries of a map, none of an absent one."""
    return headers.pairs if headers is not None else ()
