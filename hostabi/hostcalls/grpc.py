"""gRPC callouts (abi_reference 8.9).

This host makes none: a call fails to be sent, which every SDK knows. So there is no token to send on, cancel or close;
those answer what an unknown token does, since the Rust SDK panics on INTERNAL_FAILURE there.
"""

from __future__ import annotations

from hostabi.abi.enums import CallKind, Status
from hostabi.abi.hostcall import U32, Bytes, HostError, OutToken, Pairs, hostcall
from hostabi.core.context import VmState

_NONE = "this host makes no gRPC calls"


@hostcall("proxy_grpc_call", optional=("initial_metadata",))
def grpc_call(
    vm: VmState,
    service: Bytes,
    service_name: Bytes,
    method: Bytes,
    initial_metadata: Pairs,
    message: Bytes,
    timeout_ms: U32,
) -> OutToken:
    """A unary call; INTERNAL_FAILURE."""
    raise HostError(Status.INTERNAL_FAILURE, _NONE)


@hostcall("proxy_grpc_stream", optional=("initial_metadata",))
def grpc_stream(vm: VmState, service: Bytes, service_name: Bytes, method: Bytes, initial_metadata: Pairs) -> OutToken:
    """A stream; INTERNAL_FAILURE."""
    raise HostError(Status.INTERNAL_FAILURE, _NONE)


@hostcall("proxy_grpc_send")
def grpc_send(vm: VmState, token: U32, message: Bytes, end_stream: U32) -> None:
    """A message on a stream: BAD_ARGUMENT for another kind of token, NOT_FOUND for an unknown one."""
    if token & 3 != CallKind.GRPC_STREAM:
        raise HostError(Status.BAD_ARGUMENT, f"{token} is no token of a stream")
    raise HostError(Status.NOT_FOUND, f"there is no stream {token}")


@hostcall("proxy_grpc_cancel")
def grpc_cancel(vm: VmState, token: U32) -> None:
    """Give up a call; NOT_FOUND, as there are none."""
    raise HostError(Status.NOT_FOUND, f"there is no call {token}")


@hostcall("proxy_grpc_close")
def grpc_close(vm: VmState, token: U32) -> None:
    """End a call; NOT_FOUND, as there are none."""
    raise HostError(Status.NOT_FOUND, f"there is no call {token}")
