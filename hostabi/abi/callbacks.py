"""The callbacks a guest may export, as a table (abi_reference 6). Every parameter and result is i32."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from hostabi.abi.enums import AbiVersion


class Answers(Enum):
    """What the result of a callback means."""

    NOTHING = "nothing"
    TRUTH = "bool"
    ACTION = "action"


@dataclass(frozen=True, slots=True)
class Callback:
    """One export: its parameters, what its result means, the first version with it, and what 0.1.0 leaves out."""

    name: str
    params: tuple[str, ...]
    answers: Answers = Answers.NOTHING
    since: AbiVersion = AbiVersion.V0_1_0
    new_in_0_2: frozenset[str] = frozenset()

    def params_in(self, version: AbiVersion) -> tuple[str, ...]:
        """The parameter names in this version."""
        if version is AbiVersion.V0_1_0:
            return tuple(p for p in self.params if p not in self.new_in_0_2)
        return self.params

    def signature(self, version: AbiVersion) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Wasm parameters and results in this version."""
        results = () if self.answers is Answers.NOTHING else ("i32",)
        return ("i32",) * len(self.params_in(version)), results


def _row(
    name: str,
    params: str,
    answers: Answers = Answers.NOTHING,
    since: AbiVersion = AbiVersion.V0_1_0,
    new: str = "",
) -> Callback:
    return Callback(name, tuple(params.split()), answers, since, frozenset(new.split()))


_ROWS = (
    _row("proxy_on_context_create", "context parent"),
    _row("proxy_on_vm_start", "root vm_configuration_size", Answers.TRUTH),
    _row("proxy_validate_configuration", "root configuration_size", Answers.TRUTH),
    _row("proxy_on_configure", "root plugin_configuration_size", Answers.TRUTH),
    _row("proxy_on_tick", "root"),
    _row("proxy_on_done", "context", Answers.TRUTH),
    _row("proxy_on_log", "context"),
    _row("proxy_on_delete", "context"),
    _row("proxy_on_new_connection", "context", Answers.ACTION),
    _row("proxy_on_downstream_data", "context data_size end_of_stream", Answers.ACTION),
    _row("proxy_on_upstream_data", "context data_size end_of_stream", Answers.ACTION),
    _row("proxy_on_downstream_connection_close", "context peer_type"),
    _row("proxy_on_upstream_connection_close", "context peer_type"),
    _row("proxy_on_request_headers", "context num_headers end_of_stream", Answers.ACTION, new="end_of_stream"),
    _row("proxy_on_request_body", "context body_size end_of_stream", Answers.ACTION),
    _row("proxy_on_request_trailers", "context num_trailers", Answers.ACTION),
    _row("proxy_on_request_metadata", "context num_elements", Answers.ACTION),
    _row("proxy_on_response_headers", "context num_headers end_of_stream", Answers.ACTION, new="end_of_stream"),
    _row("proxy_on_response_body", "context body_size end_of_stream", Answers.ACTION),
    _row("proxy_on_response_trailers", "context num_trailers", Answers.ACTION),
    _row("proxy_on_response_metadata", "context num_elements", Answers.ACTION),
    _row("proxy_on_http_call_response", "root token num_headers body_size num_trailers"),
    _row("proxy_on_grpc_receive_initial_metadata", "root token num_elements"),
    _row("proxy_on_grpc_receive", "root token message_size"),
    _row("proxy_on_grpc_receive_trailing_metadata", "root token num_elements"),
    _row("proxy_on_grpc_close", "root token grpc_status"),
    _row("proxy_on_queue_ready", "root queue_id"),
    _row("proxy_on_foreign_function", "context function_id arguments_size", since=AbiVersion.V0_2_0),
    _row("envoy_on_resolve_dns", "root token result_size"),
    _row("envoy_on_stats_update", "root result_size"),
    _row("proxy_on_redis_call_response", "root token status size", since=AbiVersion.V0_2_100),
)

CALLBACKS: dict[str, Callback] = {row.name: row for row in _ROWS}

ALLOCATORS = ("proxy_on_memory_allocate", "malloc")
"""Exports `(size) -> address` that give the host memory in the guest, in the order of the specification."""

START_FUNCTIONS = ("_initialize", "main", "__main_void", "_start")


def versions_announced(exports: list[str]) -> list[AbiVersion | str]:
    """The ABI markers among the names of exported functions, in order: a version, or the text of an unknown one."""
    known = {version.marker: version for version in AbiVersion}
    prefix = "proxy_abi_version_"
    return [known.get(name, name.removeprefix(prefix).replace("_", ".")) for name in exports if name.startswith(prefix)]
