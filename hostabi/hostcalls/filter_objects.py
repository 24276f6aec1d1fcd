"""The foreign function set_envoy_filter_state: objects that Envoy itself reads, made of text (abi_reference 11.1).

Which names there are, what text each takes and how it reads back was asked of Envoy 1.40.
"""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import ip_address

from hostabi.abi.enums import Status
from hostabi.abi.hostcall import HostError
from hostabi.abi.messages import Kind, Member, Message
from hostabi.core.context import VmState
from hostabi.hostcalls.foreign import arguments_of, foreign, span_of

_ARGUMENTS = Message(
    "envoy.source.extensions.common.wasm.SetEnvoyFilterStateArguments",
    (Member(1, "path", Kind.STRING), Member(2, "value", Kind.STRING), Member(3, "span", Kind.INT)),
)


def _address(text: str) -> object:
    host, _, port = text.rpartition(":")
    ip = ip_address(host.removeprefix("[").removesuffix("]"))
    return {"ip": str(ip), "port": _number(port, 1 << 16)}


def _ip(text: str) -> object:
    ip = ip_address(text)
    return f"{ip}:0".encode() if ip.version == 4 else f"[{ip}]:0".encode()


def _number(text: str, below: int) -> int:
    number = text.strip(" ")
    if not (number.isascii() and number.isdecimal()) or int(number[:20]) >= below:
        raise ValueError(f"{text!r} is no number below {below}")
    return int(number)


def _decimal(text: str) -> object:
    return b"%d" % _number(text, 1 << 32)


def _truth(text: str) -> object:
    if text.lower() not in ("true", "false"):
        raise ValueError(f"{text!r} is not true or false")
    return text.lower().encode()


def _text(text: str) -> object:
    return text.encode("utf-8", "surrogateescape")


FACTORIES: dict[str, Callable[[str], object]] = {
    "envoy.string": _text,
    "envoy.hashable_string": _text,
    "envoy.bool": _truth,
    "envoy.tcp_proxy.cluster": _text,
    "envoy.tcp_proxy.disable_tunneling": lambda text: b"true" if text == "true" else b"false",
    "envoy.tcp_proxy.per_connection_idle_timeout_ms": _decimal,
    "envoy.network.upstream_server_name": _text,
    "envoy.network.upstream_subject_alt_names": _text,
    "envoy.network.application_protocols": lambda text: None,
    "envoy.network.network_namespace": _text,
    "envoy.network.ip": _ip,
    "envoy.network.transport_socket.original_dst_address": _address,
    "envoy.filters.listener.original_dst.local_ip": _address,
    "envoy.filters.listener.original_dst.remote_ip": _address,
    "envoy.ratelimit.hits_addend": _decimal,
    "envoy.upstream.dynamic_host": _text,
    "envoy.upstream.dynamic_port": _decimal,
}
"""What makes an object of text, by its name: None for one that cannot be read, ValueError for a bad text."""


@foreign("set_envoy_filter_state")
def set_envoy_filter_state(vm: VmState, data: bytes) -> bytes:
    """Set an object that the proxy itself reads; NOT_FOUND for an unknown one, BAD_ARGUMENT for a bad value."""
    arguments = arguments_of(_ARGUMENTS, data)
    stream = vm.traffic
    name, value = str(arguments["path"]), str(arguments["value"])
    factory = FACTORIES.get(name)
    if stream is None or factory is None:
        raise HostError(Status.NOT_FOUND, "no stream" if stream is None else f"there is no object {name!r}")
    state = stream.info.filter_state
    if state.size_without(name) + len(name) + len(value) > vm.limits.filter_state_bytes:
        raise HostError(Status.BAD_ARGUMENT, "the filter state of this stream is over the limit")
    try:
        made = factory(value)
    except ValueError as error:
        raise HostError(Status.BAD_ARGUMENT, str(error)) from error
    state.put(name, len(value), made, span_of(arguments["span"]))
    return b""
