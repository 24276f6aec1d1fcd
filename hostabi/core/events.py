"""What can happen to a plugin or a chain. Each event carries `now`, ns since 1970: the only clock there is.

Header and trailer names are lower-case bytes, pseudo-headers first; `stream` is a number the caller chooses, unique
among the streams that are open.
"""

from __future__ import annotations

from dataclasses import field
from enum import Enum

from hostabi.abi.codec import HeaderPairs
from hostabi.abi.enums import PeerType
from hostabi.abi.values import dataclass
from hostabi.core.filter_state import FilterState


class Way(Enum):
    """The two directions of an HTTP stream."""

    REQUEST = "request"
    RESPONSE = "response"


class Side(Enum):
    """The two ends of a connection: the client's, and that of the upstream it is passed on to."""

    DOWNSTREAM = "downstream"
    UPSTREAM = "upstream"

    @property
    def other(self) -> Side:
        """The opposite end."""
        return Side.UPSTREAM if self is Side.DOWNSTREAM else Side.DOWNSTREAM


# --- frames: the parts of a message, in either direction -------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Headers:
    """The first frame of a message."""

    headers: HeaderPairs
    end_of_stream: bool = False


@dataclass(frozen=True, slots=True)
class Body:
    """Some bytes of the body."""

    data: bytes
    end_of_stream: bool = False


@dataclass(frozen=True, slots=True)
class Trailers:
    """The last frame of a message that has trailers."""

    trailers: HeaderPairs


Frame = Headers | Body | Trailers


# --- facts about a stream --------------------------------------------------------------------------------------------


@dataclass(slots=True)
class TlsInfo:
    """What TLS has told of a connection: the names are those of the properties. An empty text is not known."""

    tls_version: str = ""
    subject_local_certificate: str = ""
    subject_peer_certificate: str = ""
    dns_san_local_certificate: str = ""
    dns_san_peer_certificate: str = ""
    uri_san_local_certificate: str = ""
    uri_san_peer_certificate: str = ""
    sha256_peer_certificate_digest: str = ""
    peer_certificate: str = ""
    """In PEM; a peer that has shown none has no certificate."""


@dataclass(slots=True)
class StreamInfo:
    """What the proxy knows about a stream: source of the properties. One object per stream, shared by its filters.

    `attributes` overrides or adds properties by their dotted path ("source.address"); `filter_state` is what filters
    stored. Sizes in bytes, times and durations in ns; metadata by namespace; None and empty texts are not known.
    """

    attributes: dict[str, object] = field(default_factory=dict)
    filter_state: FilterState = field(default_factory=FilterState)
    protocol: str = "HTTP/1.1"
    start_time: int = 0
    end_time: int | None = None
    connection_id: int = 0
    source_address: str = "127.0.0.1:50000"
    destination_address: str = "127.0.0.1:80"
    upstream_address: str = ""
    request_size: int = 0
    response_size: int = 0
    response_flags: int = 0
    response_code_details: str = "via_upstream"
    metadata: dict[str, object] = field(default_factory=dict)
    # the connection
    requested_server_name: str = ""
    tls: TlsInfo | None = None
    transport_failure_reason: str = ""
    termination_details: str | None = None
    # listener, route and cluster
    listener_direction: int = 0
    listener_metadata: dict[str, object] = field(default_factory=dict)
    filter_chain_name: str = ""
    route_name: str = ""
    route_metadata: dict[str, object] = field(default_factory=dict)
    virtual_host_name: str = ""
    virtual_host_metadata: dict[str, object] = field(default_factory=dict)
    cluster_name: str | None = None
    cluster_metadata: dict[str, object] = field(default_factory=dict)
    # the upstream
    upstream_local_address: str = ""
    upstream_tls: TlsInfo | None = None
    upstream_endpoints: int | None = None
    upstream_attempts: int = 0
    upstream_failure_reason: str = ""
    upstream_ready_duration: int | None = None
    upstream_locality: dict[str, object] | None = None
    upstream_host_metadata: dict[str, object] | None = None
    upstream_host_locality_metadata: dict[str, object] | None = None
    upstream_hosts: dict[bytes, bytes] = field(default_factory=dict)
    """Addresses of the upstream's hosts, and what is known of each."""
    upstream_override: str = ""
    """The host that a filter has chosen."""
    upstream_first_sent: int | None = None
    """When the first byte went to the upstream; None before."""
    upstream_last_received: int | None = None
    """When the upstream's answer was complete."""


# --- events ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Anything that happens, at a moment."""

    now: int = 0


@dataclass(frozen=True, slots=True)
class Start(Event):
    """Create the plugin's root context and configure it."""


@dataclass(frozen=True, slots=True)
class StreamEvent(Event):
    """Something about one stream."""

    stream: int


@dataclass(frozen=True, slots=True)
class RequestHeaders(StreamEvent):
    """A request begins; `info` is given once."""

    headers: HeaderPairs
    end_of_stream: bool = False
    info: StreamInfo | None = None


@dataclass(frozen=True, slots=True)
class RequestBody(StreamEvent):
    """Some bytes of a request's body."""

    data: bytes
    end_of_stream: bool = False


@dataclass(frozen=True, slots=True)
class RequestTrailers(StreamEvent):
    """The trailers of a request, which end it."""

    trailers: HeaderPairs


@dataclass(frozen=True, slots=True)
class RequestMetadata(StreamEvent):
    """HTTP/2 METADATA on the request side; its content cannot be read by a guest."""

    elements: int


@dataclass(frozen=True, slots=True)
class ResponseHeaders(StreamEvent):
    """The upstream's answer begins."""

    headers: HeaderPairs
    end_of_stream: bool = False


@dataclass(frozen=True, slots=True)
class ResponseBody(StreamEvent):
    """Some bytes of a response's body."""

    data: bytes
    end_of_stream: bool = False


@dataclass(frozen=True, slots=True)
class ResponseTrailers(StreamEvent):
    """The trailers of a response, which end it."""

    trailers: HeaderPairs


@dataclass(frozen=True, slots=True)
class ResponseMetadata(StreamEvent):
    """HTTP/2 METADATA on the response side."""

    elements: int


@dataclass(frozen=True, slots=True)
class StreamLog(StreamEvent):
    """The stream is over: write the access log. A chain does this by itself at StreamEnd."""


@dataclass(frozen=True, slots=True)
class StreamEnd(StreamEvent):
    """The stream is over: tell the filters and forget it."""


@dataclass(frozen=True, slots=True)
class ConnectionEvent(Event):
    """Something about one connection, whose number is unique among the streams that are open."""

    stream: int


@dataclass(frozen=True, slots=True)
class NewConnection(ConnectionEvent):
    """A client has connected; its bytes may be read once ConnectUpstream has been asked for."""

    info: StreamInfo | None = None


@dataclass(frozen=True, slots=True)
class DownstreamData(ConnectionEvent):
    """Bytes from the client; `end_of_stream`: it sends no more."""

    data: bytes
    end_of_stream: bool = False


@dataclass(frozen=True, slots=True)
class UpstreamData(ConnectionEvent):
    """Bytes from the upstream; `end_of_stream`: it sends no more."""

    data: bytes
    end_of_stream: bool = False


@dataclass(frozen=True, slots=True)
class UpstreamClosed(ConnectionEvent):
    """The connection to the upstream is gone, through `peer`. Filters of Envoy are told at the end of its bytes."""

    peer: PeerType = PeerType.REMOTE


@dataclass(frozen=True, slots=True)
class ConnectionEnd(ConnectionEvent):
    """The client's connection is gone, through `peer`: the filters are told, and forget it.

    After a CloseConnection it must not be sent: a chain does this by itself then.
    """

    peer: PeerType = PeerType.REMOTE


@dataclass(frozen=True, slots=True)
class PluginEvent(Event):
    """Something for one plugin, named by its key."""

    plugin: str


@dataclass(frozen=True, slots=True)
class Tick(PluginEvent):
    """The timer that SetTimer asked for has run out."""


@dataclass(frozen=True, slots=True)
class CallResponse(PluginEvent):
    """The answer to a StartCall."""

    token: int
    headers: HeaderPairs
    body: bytes = b""
    trailers: HeaderPairs = ()


@dataclass(frozen=True, slots=True)
class CallFailed(PluginEvent):
    """A StartCall came to nothing: the connection was reset before an answer."""

    token: int
    message: str = "reset"


@dataclass(frozen=True, slots=True)
class GrpcEvent(PluginEvent):
    """Something about a gRPC call or stream."""

    token: int


@dataclass(frozen=True, slots=True)
class GrpcInitialMetadata(GrpcEvent):
    """The server of a gRPC call or stream has begun to answer; names in lower case, `:status` among them."""

    metadata: HeaderPairs


@dataclass(frozen=True, slots=True)
class GrpcMessage(GrpcEvent):
    """A message from the server, without its prefix."""

    message: bytes


@dataclass(frozen=True, slots=True)
class GrpcClosed(GrpcEvent):
    """A gRPC call or stream has ended, well or badly.

    `message` is as it stands in `grpc-message`, percent-encoded; `details` says who ended it, in Envoy's words.
    `metadata` are the trailers, or the headers of a server that sent nothing else.
    """

    status: int
    message: bytes = b""
    metadata: HeaderPairs = ()
    details: str = "via_upstream"


@dataclass(frozen=True, slots=True)
class GrpcTimedOut(GrpcEvent):
    """A unary call has not been answered in its time."""


@dataclass(frozen=True, slots=True)
class GrpcSent(GrpcEvent):
    """So many bytes of messages for a stream have left: the stream may queue as many again."""

    size: int


@dataclass(frozen=True, slots=True)
class RedisResponse(PluginEvent):
    """What came of a RedisCall: the answers to its commands in RESP, or None when the service could not be asked."""

    token: int
    response: bytes | None


@dataclass(frozen=True, slots=True)
class QueueReady(PluginEvent):
    """A message waits in a queue this plugin has registered."""

    queue: int


@dataclass(frozen=True, slots=True)
class DnsResolved(PluginEvent):
    """What became of a ResolveDns: addresses with the seconds they are valid; None when the resolver failed."""

    token: int
    addresses: tuple[tuple[str, int], ...] | None = ()


@dataclass(frozen=True, slots=True)
class StatsUpdate(PluginEvent):
    """A snapshot of statistics for a sink: (name, value, added since the last one) and (name, value)."""

    counters: tuple[tuple[bytes, int, int], ...] = ()
    gauges: tuple[tuple[bytes, int], ...] = ()


@dataclass(frozen=True, slots=True)
class AccessLog(PluginEvent):
    """A request or connection is over, for a plugin that keeps an access log and is no filter of it."""

    info: StreamInfo
    request: HeaderPairs = ()
    response: HeaderPairs = ()
    response_trailers: HeaderPairs = ()


@dataclass(frozen=True, slots=True)
class ForeignCall(PluginEvent):
    """The embedder calls proxy_on_foreign_function, on a stream or on the plugin itself."""

    function_id: int
    arguments: bytes = b""
    stream: int | None = None


@dataclass(frozen=True, slots=True)
class Shutdown(PluginEvent):
    """The plugin is to go: on_done, and on_delete when it agrees, after its last stream.

    `force` waits neither for streams, which go on as if the plugin had failed, nor for proxy_done.
    """

    force: bool = False


def frame_of(event: StreamEvent) -> tuple[Way, Frame] | None:
    """Direction and frame of an event that carries one."""
    match event:
        case RequestHeaders():
            return Way.REQUEST, Headers(event.headers, event.end_of_stream)
        case RequestBody():
            return Way.REQUEST, Body(event.data, event.end_of_stream)
        case RequestTrailers():
            return Way.REQUEST, Trailers(event.trailers)
        case ResponseHeaders():
            return Way.RESPONSE, Headers(event.headers, event.end_of_stream)
        case ResponseBody():
            return Way.RESPONSE, Body(event.data, event.end_of_stream)
        case ResponseTrailers():
            return Way.RESPONSE, Trailers(event.trailers)
        case _:
            return None
