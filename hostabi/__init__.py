"""A Proxy-Wasm host: filters for HTTP traffic and connections, run on the virtual machine `interp`, without own I/O.

A `Host` owns plugins and chains; a chain's `handle(event)` gives the commands to carry out. For a filter in a test,
`hostabi.testing.FilterHost` does all of it.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hostabi.abi.enums import (
        AbiVersion,
        BodyAction,
        BufferType,
        HeadersAction,
        LogLevel,
        MapType,
        MetricType,
        PeerType,
        Status,
        StreamType,
        TrailersAction,
    )
    from hostabi.abi.hostcall import EmbedderError, GuestError, HostError
    from hostabi.core.chain import Chain
    from hostabi.core.commands import (
        CancelCall,
        ClearRouteCache,
        CloseConnection,
        Command,
        ConnectUpstream,
        LocalReply,
        Log,
        Metric,
        PluginFailed,
        PluginGone,
        ResetStream,
        ResolveDns,
        Send,
        SendGrpc,
        SendLocalReply,
        SetTimer,
        StartCall,
        StartGrpcCall,
        StartGrpcStream,
        Wake,
        Watermark,
    )
    from hostabi.core.events import (
        AccessLog,
        Body,
        CallFailed,
        CallResponse,
        ConnectionEnd,
        DnsResolved,
        DownstreamData,
        Event,
        ForeignCall,
        GrpcClosed,
        GrpcInitialMetadata,
        GrpcMessage,
        GrpcSent,
        GrpcTimedOut,
        Headers,
        NewConnection,
        QueueReady,
        RequestBody,
        RequestHeaders,
        RequestMetadata,
        RequestTrailers,
        ResponseBody,
        ResponseHeaders,
        ResponseMetadata,
        ResponseTrailers,
        Shutdown,
        Side,
        Start,
        StatsUpdate,
        StreamEnd,
        StreamInfo,
        StreamLog,
        Tick,
        Trailers,
        UpstreamClosed,
        UpstreamData,
        Way,
    )
    from hostabi.core.host import Host, PluginConfig
    from hostabi.core.plugin import LoadError, Plugin
    from hostabi.core.policy import PROFILES, Limits, Profile, Restriction
    from hostabi.core.python_filter import HostCalls

__all__ = [
    # the host
    "Host",
    "Plugin",
    "PluginConfig",
    "Chain",
    "Limits",
    "Profile",
    "PROFILES",
    "Restriction",
    "HostCalls",
    # events
    "Event",
    "Start",
    "RequestHeaders",
    "RequestBody",
    "RequestTrailers",
    "RequestMetadata",
    "ResponseHeaders",
    "ResponseBody",
    "ResponseTrailers",
    "ResponseMetadata",
    "StreamLog",
    "StreamEnd",
    "NewConnection",
    "DownstreamData",
    "UpstreamData",
    "UpstreamClosed",
    "ConnectionEnd",
    "StreamInfo",
    "Tick",
    "CallResponse",
    "CallFailed",
    "GrpcInitialMetadata",
    "GrpcMessage",
    "GrpcClosed",
    "GrpcTimedOut",
    "GrpcSent",
    "QueueReady",
    "DnsResolved",
    "StatsUpdate",
    "AccessLog",
    "ForeignCall",
    "Shutdown",
    # commands
    "Command",
    "Send",
    "SendLocalReply",
    "LocalReply",
    "ResetStream",
    "Watermark",
    "ConnectUpstream",
    "SendData",
    "CloseConnection",
    "StartCall",
    "CancelCall",
    "StartGrpcCall",
    "StartGrpcStream",
    "SendGrpc",
    "ResolveDns",
    "SetTimer",
    "Wake",
    "Log",
    "Metric",
    "PluginFailed",
    "PluginGone",
    "ClearRouteCache",
    # frames
    "Way",
    "Side",
    "Headers",
    "Body",
    "Trailers",
    # numbers of the ABI
    "AbiVersion",
    "Status",
    "LogLevel",
    "MapType",
    "BufferType",
    "StreamType",
    "MetricType",
    "PeerType",
    "HeadersAction",
    "BodyAction",
    "TrailersAction",
    # errors
    "LoadError",
    "HostError",
    "GuestError",
    "EmbedderError",
]

#: Where the names live. They are imported when first asked for: `tamis --help` needs none of them, nor numpy.
_HOMES = (
    "hostabi.core.host",
    "hostabi.core.plugin",
    "hostabi.core.chain",
    "hostabi.core.policy",
    "hostabi.core.python_filter",
    "hostabi.core.events",
    "hostabi.core.commands",
    "hostabi.abi.enums",
    "hostabi.abi.hostcall",
)


def __getattr__(name: str) -> object:
    if name in __all__:
        for home in map(import_module, _HOMES):
            if hasattr(home, name):
                return globals().setdefault(name, getattr(home, name))
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
