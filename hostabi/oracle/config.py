"""What Envoy is told, as data: the bootstrap, a listener for a scenario, its clusters."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Json = dict[str, Any]

STREAM_HEADER = "x-tamis-from"
"""Says on a request to the upstream from which port it came; the router adds it, behind all filters."""
UPSTREAM = "tamis.upstream"

_HCM = "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
_ROUTER = "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"
_WASM = "type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm"
_MUTATION = "type.googleapis.com/envoy.extensions.filters.http.header_mutation.v3.HeaderMutation"
_LISTENER = "type.googleapis.com/envoy.config.listener.v3.Listener"
_CLUSTER = "type.googleapis.com/envoy.config.cluster.v3.Cluster"
_BYTES = "type.googleapis.com/google.protobuf.BytesValue"
_HTTP = "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions"


@dataclass(frozen=True)
class WasmFilter:
    """A filter as Envoy is to run it."""

    file: str
    name: str = ""
    root_id: str = ""
    vm_id: str = ""
    configuration: bytes = b""
    vm_configuration: bytes = b""
    fail_open: bool = False
    literal_stop: bool = False
    environ: Mapping[str, str] = field(default_factory=dict)
    capabilities: Sequence[str] = ()


def _address(port: int) -> Json:
    return {"socket_address": {"address": "127.0.0.1", "port_value": port}}


def _bytes(value: bytes) -> Json:
    return {"@type": _BYTES, "value": base64.b64encode(value).decode()}


def _file(folder: str, name: str) -> Json:
    return {
        "resource_api_version": "V3",
        "path_config_source": {
            "path": f"{folder}/{name}/{name}.json",
            "watched_directory": {"path": f"{folder}/{name}"},
        },
    }


def bootstrap(folder: str) -> Json:
    """One node, listeners and clusters from files in `folder`, and a listener that only answers."""
    answer = {
        "name": "probe",
        "address": _address(0),
        "filter_chains": [
            {
                "filters": [
                    {
                        "name": "http",
                        "typed_config": {
                            "@type": _HCM,
                            "stat_prefix": "probe",
                            "route_config": {
                                "virtual_hosts": [
                                    {
                                        "name": "all",
                                        "domains": ["*"],
                                        "routes": [{"match": {"prefix": "/"}, "direct_response": {"status": 204}}],
                                    }
                                ]
                            },
                            "http_filters": [{"name": "router", "typed_config": {"@type": _ROUTER}}],
                        },
                    }
                ]
            }
        ],
    }
    return {
        "node": {"id": "tamis", "cluster": "tamis"},
        "admin": {"address": {"pipe": {"path": f"{folder}/admin.sock"}}},
        "dynamic_resources": {"cds_config": _file(folder, "cds"), "lds_config": _file(folder, "lds")},
        "static_resources": {"listeners": [answer]},
    }


def cluster(name: str, port: int, http2: bool) -> Json:
    """An upstream of ours under this name."""
    kind: Json = {"http2_protocol_options": {}} if http2 else {"http_protocol_options": {"enable_trailers": True}}
    endpoint = {"endpoint": {"address": _address(port)}}
    return {
        "@type": _CLUSTER,
        "name": name,
        "type": "STATIC",
        "connect_timeout": "2s",
        "typed_extension_protocol_options": {
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
                "@type": _HTTP,
                "explicit_http_config": kind,
            }
        },
        "load_assignment": {"cluster_name": name, "endpoints": [{"lb_endpoints": [endpoint]}]},
    }


def listener(name: str, filters: Sequence[WasmFilter], upstream: str, http2: bool) -> Json:
    """A listener on a free port with these filters, and nothing that adds headers where filters can see them."""
    # Envoy says x-forwarded-proto of every request. A filter before ours takes it away, and one behind them gives it
    # back, since no route is found without it.
    proto = "x-forwarded-proto"
    bare = {"@type": _MUTATION, "mutations": {"request_mutations": [{"remove": proto}]}}
    given = {"append": {"header": {"key": proto, "value": "http"}, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}}
    full = {"@type": _MUTATION, "mutations": {"request_mutations": [given]}, "clear_route_cache": True}
    manager: Json = {
        "@type": _HCM,
        "stat_prefix": name,
        "codec_type": "HTTP2" if http2 else "HTTP1",
        "generate_request_id": False,
        "server_header_transformation": "PASS_THROUGH",
        "skip_xff_append": True,
        "route_config": {
            "virtual_hosts": [
                {
                    "name": "all",
                    "domains": ["*"],
                    "request_headers_to_add": [{"header": {"key": STREAM_HEADER, "value": "%DOWNSTREAM_REMOTE_PORT%"}}],
                    "routes": [{"match": {"prefix": "/"}, "route": {"cluster": upstream, "timeout": "0s"}}],
                }
            ]
        },
        "http_filters": [
            {"name": "bare", "typed_config": bare},
            *({"name": f"wasm{i}", "typed_config": _wasm(one)} for i, one in enumerate(filters)),
            {"name": "full", "typed_config": full},
            {"name": "router", "typed_config": {"@type": _ROUTER, "suppress_envoy_headers": True}},
        ],
    }
    if not http2:
        manager["http_protocol_options"] = {"enable_trailers": True}
    return {
        "@type": _LISTENER,
        "name": name,
        "address": _address(0),
        "filter_chains": [{"filters": [{"name": "http", "typed_config": manager}]}],
    }


def _wasm(one: WasmFilter) -> Json:
    vm: Json = {
        "vm_id": one.vm_id,
        "runtime": "envoy.wasm.runtime.v8",
        "code": {"local": {"filename": one.file}},
        "configuration": _bytes(one.vm_configuration),
    }
    if one.environ:
        vm["environment_variables"] = {"key_values": dict(one.environ)}
    config: Json = {
        "name": one.name,
        "root_id": one.root_id,
        "vm_config": vm,
        "configuration": _bytes(one.configuration),
        "fail_open": one.fail_open,
    }
    if one.capabilities:
        allowed: Json = {name: {} for name in one.capabilities}
        config["capability_restriction_config"] = {"allowed_capabilities": allowed}
    if one.literal_stop:
        config["allow_on_headers_stop_iteration"] = True
    return {"@type": _WASM, "config": config}
