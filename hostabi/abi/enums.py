"""The numbers of the Proxy-Wasm ABI (abi_reference 2): every enumeration a guest and a host exchange."""

from __future__ import annotations

from enum import IntEnum


class AbiVersion(IntEnum):
    """ABI versions in the order of their age; `marker` is the export that announces one (abi_reference 1.1)."""

    V0_1_0 = 1
    V0_2_0 = 2
    V0_2_1 = 3
    V0_2_100 = 4

    @property
    def text(self) -> str:
        """The version as people write it, for example "0.2.1"."""
        return _VERSION_TEXT[self]

    @property
    def marker(self) -> str:
        """The name of the exported function that announces this version."""
        return "proxy_abi_version_" + _VERSION_TEXT[self].replace(".", "_")


_VERSION_TEXT = {
    AbiVersion.V0_1_0: "0.1.0",
    AbiVersion.V0_2_0: "0.2.0",
    AbiVersion.V0_2_1: "0.2.1",
    AbiVersion.V0_2_100: "0.2.100",
}


class Status(IntEnum):
    """What a host call answers (abi_reference 2.1)."""

    OK = 0
    NOT_FOUND = 1
    BAD_ARGUMENT = 2
    SERIALIZATION_FAILURE = 3
    PARSE_FAILURE = 4
    BAD_EXPRESSION = 5
    INVALID_MEMORY_ACCESS = 6
    EMPTY = 7
    CAS_MISMATCH = 8
    RESULT_MISMATCH = 9
    INTERNAL_FAILURE = 10
    BROKEN_CONNECTION = 11
    UNIMPLEMENTED = 12


class LogLevel(IntEnum):
    """Severity of a log line (abi_reference 2.2)."""

    TRACE = 0
    DEBUG = 1
    INFO = 2
    WARN = 3
    ERROR = 4
    CRITICAL = 5


class MapType(IntEnum):
    """Header maps a guest can name (abi_reference 2.3)."""

    HTTP_REQUEST_HEADERS = 0
    HTTP_REQUEST_TRAILERS = 1
    HTTP_RESPONSE_HEADERS = 2
    HTTP_RESPONSE_TRAILERS = 3
    GRPC_CALL_INITIAL_METADATA = 4
    GRPC_CALL_TRAILING_METADATA = 5
    HTTP_CALL_RESPONSE_HEADERS = 6
    HTTP_CALL_RESPONSE_TRAILERS = 7


class BufferType(IntEnum):
    """Byte buffers a guest can name (abi_reference 2.4); 9 exists in 0.2.100 only."""

    HTTP_REQUEST_BODY = 0
    HTTP_RESPONSE_BODY = 1
    DOWNSTREAM_DATA = 2
    UPSTREAM_DATA = 3
    HTTP_CALL_RESPONSE_BODY = 4
    GRPC_CALL_MESSAGE = 5
    VM_CONFIGURATION = 6
    PLUGIN_CONFIGURATION = 7
    FOREIGN_FUNCTION_ARGUMENTS = 8
    REDIS_CALL_RESPONSE = 9


class StreamType(IntEnum):
    """Directions that can be continued or closed (abi_reference 2.6)."""

    HTTP_REQUEST = 0
    HTTP_RESPONSE = 1
    DOWNSTREAM = 2
    UPSTREAM = 3


class MetricType(IntEnum):
    """Kinds of metric (abi_reference 2.7); also the two low bits of a metric id."""

    COUNTER = 0
    GAUGE = 1
    HISTOGRAM = 2


class PeerType(IntEnum):
    """Who closed a connection (abi_reference 2.8)."""

    UNKNOWN = 0
    LOCAL = 1
    REMOTE = 2


class HeadersAction(IntEnum):
    """Results of the header callbacks (abi_reference 2.10)."""

    CONTINUE = 0
    STOP_ITERATION = 1
    CONTINUE_AND_END_STREAM = 2
    STOP_ALL_ITERATION_AND_BUFFER = 3
    STOP_ALL_ITERATION_AND_WATERMARK = 4


class BodyAction(IntEnum):
    """Results of the body callbacks (abi_reference 2.10)."""

    CONTINUE = 0
    STOP_ITERATION_AND_BUFFER = 1
    STOP_ITERATION_AND_WATERMARK = 2
    STOP_ITERATION_NO_BUFFER = 3


class TrailersAction(IntEnum):
    """Results of the trailer callbacks (abi_reference 2.10)."""

    CONTINUE = 0
    STOP_ITERATION = 1


class CallKind(IntEnum):
    """What a callout token stands for: its two low bits (abi_reference 8.8)."""

    HTTP = 0
    GRPC_UNARY = 1
    GRPC_STREAM = 2
    REDIS = 3


class RedisStatus(IntEnum):
    """What came of a query to Redis (abi_reference 11.4)."""

    OK = 0
    NETWORK_ERROR = 1


NO_GRPC_STATUS = 0xFFFFFFFF
"""What SDKs pass as gRPC status of a plain HTTP local response: -1 as an unsigned number."""

WASI_ENOSYS = 52
"""errno of a WASI function that this host does not offer."""

WASI_ENOTCAPABLE = 76
"""errno of a WASI function that the capability list forbids."""
