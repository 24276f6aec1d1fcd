"""Every host call of the ABI, one file per theme. Importing this package fills `abi.hostcall.REGISTRY`."""

from hostabi.hostcalls import (
    body,
    context,
    envoy,
    foreign,
    grpc,
    headers,
    higress,
    http,
    leftovers,
    log,
    metrics,
    properties,
    retired,
    shared,
    stream,
    timers,
)

__all__ = [
    "body",
    "context",
    "envoy",
    "foreign",
    "grpc",
    "headers",
    "higress",
    "http",
    "leftovers",
    "log",
    "metrics",
    "properties",
    "retired",
    "shared",
    "stream",
    "timers",
]
