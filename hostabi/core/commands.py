"""What the core asks of the world. The caller of `handle` carries these out, in order."""

from __future__ import annotations

from hostabi.abi.codec import HeaderPairs
from hostabi.abi.enums import LogLevel, MetricType, PeerType
from hostabi.abi.values import dataclass
from hostabi.core.events import Frame, Side, Way


@dataclass(frozen=True, slots=True)
class Command:
    """Anything the core wants done."""


@dataclass(frozen=True, slots=True)
class Send(Command):
    """Pass a frame on: a plugin's to its neighbour in the chain, a chain's to the upstream or the client."""

    stream: int
    way: Way
    frame: Frame
    plugin: str = ""


@dataclass(frozen=True, slots=True)
class LocalReply:
    """A response made here. `grpc_status` is None for a plain one."""

    status: int
    headers: HeaderPairs = ()
    body: bytes = b""
    details: str = ""
    grpc_status: int | None = None
    failure: bool = False


@dataclass(frozen=True, slots=True)
class SendLocalReply(Command):
    """Answer the client without the upstream.

    From a plugin it asks the chain to send the reply back through the response phases. From a chain it says that the
    response that follows is of its own making, so that the upstream must be cancelled.
    """

    stream: int
    plugin: str
    reply: LocalReply


@dataclass(frozen=True, slots=True)
class ResetStream(Command):
    """End the stream at once, in both directions."""

    stream: int
    reason: str


@dataclass(frozen=True, slots=True)
class Watermark(Command):
    """Stop (or go on) reading a direction of a stream: its buffer is over (or under) the limit."""

    stream: int
    way: Way | Side
    above: bool


@dataclass(frozen=True, slots=True)
class ConnectUpstream(Command):
    """The filters let a connection through: connect to the upstream, and read what the client sends."""

    stream: int
    plugin: str = ""


@dataclass(frozen=True, slots=True)
class SendData(Command):
    """Bytes of a connection for this side: from a plugin for its neighbour, from a chain for the peer.

    `end_of_stream`: after them this direction is closed.
    """

    stream: int
    to: Side
    data: bytes
    end_of_stream: bool = False
    plugin: str = ""


@dataclass(frozen=True, slots=True)
class CloseConnection(Command):
    """Close a connection on both sides, once what was sent is on its way. The filters have been told, and of `peer`."""

    stream: int
    reason: str
    peer: PeerType = PeerType.LOCAL


@dataclass(frozen=True, slots=True)
class StartCall(Command):
    """Make an HTTP request and answer with CallResponse or CallFailed; timeout 0 means none."""

    plugin: str
    token: int
    upstream: str
    headers: HeaderPairs
    body: bytes
    trailers: HeaderPairs
    timeout_ms: int


@dataclass(frozen=True, slots=True)
class RedisInit(Command):
    """How calls of this plugin reach a Redis service from now on; timeout 0 means none.

    Queries may wait so long, until so many bytes are there, to be sent together; 0 sends them at once.
    """

    plugin: str
    upstream: str
    user: bytes
    password: bytes
    timeout_ms: int
    database: int = 0
    flush_ms: int = 0
    flush_bytes: int = 0


@dataclass(frozen=True, slots=True)
class RedisCall(Command):
    """Send a query of so many commands in RESP, and answer with RedisResponse."""

    plugin: str
    token: int
    upstream: str
    query: bytes
    commands: int = 1


@dataclass(frozen=True, slots=True)
class RebuildVm(Command):
    """This plugin wants a fresh VM for the streams to come, as soon as none is under way (Higress)."""

    plugin: str


@dataclass(frozen=True, slots=True)
class OverrideHost(Command):
    """Send the request of this stream to this host of its upstream: an address and port."""

    stream: int
    address: str


@dataclass(frozen=True, slots=True)
class CancelCall(Command):
    """Nobody waits for this call any more: an HTTP call, a gRPC call or a gRPC stream."""

    plugin: str
    token: int


@dataclass(frozen=True, slots=True)
class StartGrpc(Command):
    """Begin a call of a gRPC method; answer with GrpcInitialMetadata, GrpcMessage and GrpcClosed, or GrpcTimedOut.

    `upstream` is a cluster, or an address if `is_address`; `authority` is "" for the name of the cluster.
    """

    plugin: str
    token: int
    upstream: str
    service: str
    method: str
    metadata: HeaderPairs
    authority: str
    is_address: bool

    @property
    def path(self) -> str:
        """The path that the server sees."""
        return f"/{self.service}/{self.method}"


@dataclass(frozen=True, slots=True)
class StartGrpcCall(StartGrpc):
    """A unary call: one message, which is the last; timeout 0 means none."""

    message: bytes
    timeout_ms: int


@dataclass(frozen=True, slots=True)
class StartGrpcStream(StartGrpc):
    """A stream, whose messages follow as SendGrpc."""


@dataclass(frozen=True, slots=True)
class SendGrpc(Command):
    """A message for a stream (None: there is none), and whether nothing follows it; answer with GrpcSent."""

    plugin: str
    token: int
    message: bytes | None
    end: bool


@dataclass(frozen=True, slots=True)
class ResolveDns(Command):
    """Look a host name up, and answer with DnsResolved."""

    plugin: str
    token: int
    name: str


@dataclass(frozen=True, slots=True)
class SetTimer(Command):
    """Send Tick to the plugin at this time (ns since 1970), in place of an earlier timer; None: never."""

    plugin: str
    deadline: int | None


@dataclass(frozen=True, slots=True)
class Wake(Command):
    """Send QueueReady to a plugin, which may live in another VM or worker."""

    plugin: str
    queue: int


@dataclass(frozen=True, slots=True)
class Log(Command):
    """A line for the log; text as the guest wrote it."""

    plugin: str
    level: LogLevel
    message: bytes
    stream: int | None = None


@dataclass(frozen=True, slots=True)
class Metric(Command):
    """A metric of this name changed: added, set or sampled `value`."""

    name: bytes
    kind: MetricType
    value: int


@dataclass(frozen=True, slots=True)
class PluginFailed(Command):
    """The VM of this plugin is dead; `report` says why, for people."""

    plugin: str
    message: str
    report: str
    backtrace: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PluginGone(Command):
    """The plugin has been deleted, after a Shutdown."""

    plugin: str


@dataclass(frozen=True, slots=True)
class ClearRouteCache(Command):
    """The route of this stream has to be chosen anew."""

    stream: int
