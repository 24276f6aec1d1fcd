"""What gRPC writes and means: statuses, messages of statuses, and Envoy's GrpcService, which names a server.

abi_reference 2.11, 8.9; the mappings are those of gRPC's own documents (statuscodes, http-grpc-status-mapping).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from enum import IntEnum

from hostabi.abi.codec import HeaderPairs, Pair
from hostabi.abi.protobuf import ProtobufError, read_fields


class GrpcStatus(IntEnum):
    """How a gRPC call ended."""

    OK = 0
    CANCELLED = 1
    UNKNOWN = 2
    INVALID_ARGUMENT = 3
    DEADLINE_EXCEEDED = 4
    NOT_FOUND = 5
    ALREADY_EXISTS = 6
    PERMISSION_DENIED = 7
    RESOURCE_EXHAUSTED = 8
    FAILED_PRECONDITION = 9
    ABORTED = 10
    OUT_OF_RANGE = 11
    UNIMPLEMENTED = 12
    INTERNAL = 13
    UNAVAILABLE = 14
    DATA_LOSS = 15
    UNAUTHENTICATED = 16


_OF_HTTP = {
    400: GrpcStatus.INTERNAL,
    401: GrpcStatus.UNAUTHENTICATED,
    403: GrpcStatus.PERMISSION_DENIED,
    404: GrpcStatus.UNIMPLEMENTED,
    429: GrpcStatus.UNAVAILABLE,
    502: GrpcStatus.UNAVAILABLE,
    503: GrpcStatus.UNAVAILABLE,
    504: GrpcStatus.UNAVAILABLE,
}


def status_of_http(status: int) -> GrpcStatus:
    """What an HTTP status means to a gRPC client that finds no gRPC status beside it."""
    return _OF_HTTP.get(status, GrpcStatus.UNKNOWN)


def percent_encode(text: bytes) -> bytes:
    """The message of a status as it is written in `grpc-message`: printable ASCII stays, the rest is %XX."""
    return b"".join(b"%c" % byte if 0x20 <= byte <= 0x7E and byte != 0x25 else b"%%%02X" % byte for byte in text)


def percent_decode(text: bytes) -> bytes:
    """The message of a status from `grpc-message`; what is no %XX stays as it is."""
    return re.sub(rb"%([0-9a-fA-F]{2})", lambda found: bytes([int(found[1], 16)]), text)


# --- the server that a call names ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class GrpcService:
    """A server: a cluster, or the address that a client of Google's library would take (`is_address`).

    `authority` is "" for the name of the cluster; `metadata` goes with every call.
    """

    upstream: str
    is_address: bool = False
    authority: str = ""
    metadata: HeaderPairs = ()


def read_service(data: bytes) -> GrpcService | None:
    """A serialised `envoy.config.core.v3.GrpcService`; None when it names no server. Raises ProtobufError.

    envoy_grpc (1: cluster_name 1, authority 2), google_grpc (2: target_uri 1), initial_metadata (5); the last one of
    the two servers counts, as in any oneof. What else it holds is not looked at.
    """
    found: GrpcService | None = None
    metadata: list[Pair] = []
    for field in read_fields(data):
        if field.number in (1, 2):
            address = field.number == 2
            before = found if found is not None and found.is_address is address else GrpcService("", address)
            found = _server(before, field.data())
        elif field.number == 5:
            metadata.append(_header(field.data()))
    return None if found is None else replace(found, metadata=tuple(metadata))


def _server(server: GrpcService, data: bytes) -> GrpcService:
    for field in read_fields(data):
        if field.number == 1:
            server = replace(server, upstream=field.text())
        elif field.number == 2 and not server.is_address:
            server = replace(server, authority=field.text())
    return server


def _header(data: bytes) -> Pair:
    """A HeaderValue: key 1, value 2, raw_value 3."""
    key, value = b"", b""
    for field in read_fields(data):
        if field.number == 1:
            key = field.data()
        elif field.number in (2, 3):
            value = field.data()
    return key.lower(), value


__all__ = ["GrpcService", "GrpcStatus", "ProtobufError", "percent_decode", "percent_encode", "read_service"]
