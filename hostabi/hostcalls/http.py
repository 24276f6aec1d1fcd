"""HTTP callouts (abi_reference 8.8): a StartCall command, answered later by an event."""

from __future__ import annotations

from hostabi.abi.codec import HeaderPairs
from hostabi.abi.enums import CallKind, Status
from hostabi.abi.hostcall import I32, Bytes, HostError, OutToken, Pairs, hostcall
from hostabi.core.commands import StartCall
from hostabi.core.context import VmState


@hostcall("proxy_http_call")
def http_call(vm: VmState, upstream: Bytes, headers: Pairs, body: Bytes, trailers: Pairs, timeout_ms: I32) -> OutToken:
    """Send a request to an upstream; the answer comes to the plugin as proxy_on_http_call_response with this token.

    BAD_ARGUMENT for an unknown upstream, a negative timeout, or without :method, :path and :authority.
    INTERNAL_FAILURE when too many calls are under way.
    """
    name = upstream.decode("utf-8", "surrogateescape")
    if vm.upstreams is not None and name not in vm.upstreams:
        raise HostError(Status.BAD_ARGUMENT, f"there is no upstream {name!r}")
    names = {key.lower() for key, _ in headers}
    missing = [want.decode() for want in (b":method", b":path", b":authority") if want not in names]
    if missing:
        raise HostError(Status.BAD_ARGUMENT, f"the call has no {', '.join(missing)}")
    if timeout_ms < 0:
        raise HostError(Status.BAD_ARGUMENT, f"a timeout of {timeout_ms} ms")
    root = vm.root
    if vm.calls_under_way >= vm.limits.outstanding_calls or len(body) > vm.limits.call_body_bytes:
        raise HostError(Status.INTERNAL_FAILURE, "too many calls are under way, or the body is too large")
    token = vm.new_token(CallKind.HTTP)
    vm.calls[token] = root
    sent = () if vm.profile.call_trailers_are_lost else trailers
    vm.emit(StartCall(root.plugin, token, name, _complete(headers, body), body, sent, timeout_ms))
    return token


def _complete(headers: HeaderPairs, body: bytes) -> HeaderPairs:
    lower = tuple((key.lower(), value) for key, value in headers)
    if not body:
        return lower
    rest = tuple(pair for pair in lower if pair[0] != b"content-length")
    return (*rest, (b"content-length", b"%d" % len(body)))
