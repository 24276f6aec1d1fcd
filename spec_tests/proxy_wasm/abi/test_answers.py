"""What the long reference page derives from the code of a host call leaves nothing out."""

from __future__ import annotations

import ast
import re
from dataclasses import fields
from pathlib import Path

import pytest

import hostabi
from hostabi.abi.enums import AbiVersion, Status
from hostabi.abi.hostcall import REGISTRY, U32, Bytes, HostCall, HostError, Param, Phase, Wire
from hostabi.abi.rust_sdk import ACCEPTED
from hostabi.core.context import VmState
from hostabi.core.policy import Limits, Profile
from hostabi.testing.abi_page import abi_page, input_names, output_names, rust_panics
from hostabi.testing.answers import answers

FOLDER = Path(hostabi.__file__).parent
CALLS = list(REGISTRY.calls.values())
ANSWERS = {call.name: answers(call) for call in CALLS}
BODIES = {path.stem: path for path in (FOLDER / "hostcalls").glob("*.py")}


def raised(path: Path) -> set[int]:
    """Lines of a file where a HostError with a status is raised."""
    return {
        part.lineno
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Raise)
        for part in ast.walk(node)
        if isinstance(part, ast.Attribute) and ast.unparse(part.value) == "Status"
    }


def test_every_function_has_its_section() -> None:
    titles = re.findall(r"^### (\w+)$", abi_page(), re.MULTILINE)
    assert sorted(titles) == sorted([*REGISTRY.calls, *REGISTRY.raw])


@pytest.mark.parametrize("call", CALLS, ids=lambda call: call.name)
def test_every_wasm_parameter_has_one_name(call: HostCall) -> None:
    names = [name for _, cells in input_names(call) for name in cells]
    names += [name for cells in output_names(call) for name in cells]
    assert len(set(names)) == len(names) == len(call.wasm_params())


def test_no_status_is_overlooked() -> None:
    """Each line that raises a status, in a host call or in the state behind it, belongs to a call."""
    found = {place for got in ANSWERS.values() for place in got.lines}
    for folder in ("hostcalls", "core"):
        for path in (FOLDER / folder).glob("*.py"):
            module = f"hostabi.{folder}.{path.stem}"
            if path.stem == "python_filter":
                continue  # what it refuses, marshalling and linking refuse of any call
            assert {line for line in raised(path) if (module, line) not in found} == set(), module


SERVES = {"filter_objects": "foreign", "signatures": "foreign", "expressions": "foreign", "cel": "foreign"}
"""Files that hold no host call, only what one calls by name."""


@pytest.mark.parametrize(
    ("kind", "attribute", "found"),
    [(Profile, "switches", r"profile\.(\w+)"), (Limits, "limits", r"limits\.(\w+)")],
)
def test_no_switch_and_no_limit_is_overlooked(kind: type, attribute: str, found: str) -> None:
    """Each that a file of host calls reads belongs to a call of that file."""
    known = {field.name for field in fields(kind)}
    for theme, path in BODIES.items():
        if theme in ("wasi", "leftovers"):
            continue
        read = set(re.findall(found, path.read_text())) & known
        serves = SERVES.get(theme, theme)
        mine = {name for call in CALLS if call.theme == serves for name in getattr(ANSWERS[call.name], attribute)}
        assert read <= mine, theme


def low(vm: VmState, n: int) -> int:
    """Helper of the call below."""
    if n > vm.limits.queues or vm.abi is AbiVersion.V0_1_0:
        raise HostError(Status.EMPTY)
    return n


def high(vm: VmState, n: U32, name: Bytes) -> None:
    """A call that is not registered: what it can answer is found without being asked for."""
    if vm.profile.cas_needs_key:
        low(vm, n)
    if vm.shared.get(name, name):
        vm.foreign_arguments = b""


def test_code_is_followed() -> None:
    params = (Param("n", Wire.U32), Param("name", Wire.BYTES))
    got = answers(HostCall("high", high, params, (), frozenset(AbiVersion), Phase.RUN))
    assert got.statuses == {Status.EMPTY, Status.NOT_FOUND, Status.INVALID_MEMORY_ACCESS}
    assert (got.switches, got.limits, got.versions) == ({"cas_needs_key"}, {"queues"}, {AbiVersion.V0_1_0})


# --- the table of the Rust SDK (abi_reference 14.2) ------------------------------------------------------------------

NOT_IN_THE_SDK = {
    *("proxy_get_buffer_status", "proxy_get_header_map_size", "envoy_resolve_dns"),
    *("proxy_get_configuration", "proxy_continue_request", "proxy_continue_response", "proxy_clear_route_cache"),
}
NEVER_ANSWERED = {
    "proxy_get_property": {Status.INTERNAL_FAILURE},
}
"""What the SDK expects and this host has no reason to answer; of foreign functions, those that it brings itself."""


def test_every_call_of_the_sdk_has_a_row() -> None:
    private = {call.name for call in CALLS if call.versions == {AbiVersion.V0_2_100}}
    assert set(REGISTRY.calls) == set(ACCEPTED) | NOT_IN_THE_SDK | private
    assert not set(ACCEPTED) & (NOT_IN_THE_SDK | private)


def test_what_the_sdk_expects_can_be_answered() -> None:
    never = {name: accepted - ANSWERS[name].statuses - {Status.OK} for name, accepted in ACCEPTED.items()}
    assert {name: statuses for name, statuses in never.items() if statuses} == NEVER_ANSWERED


def test_no_status_that_makes_the_sdk_panic_is_silent() -> None:
    """Only a HostError with a message is told to the host's log; one without must be a status that the SDK expects."""
    silent = {
        (f"hostabi.{folder}.{path.stem}", node.lineno): Status[node.args[0].attr]
        for folder in ("hostcalls", "core")
        for path in (FOLDER / folder).glob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call)
        and ast.unparse(node.func) == "HostError"
        and len(node.args) == 1
        and isinstance(node.args[0], ast.Attribute)
    }
    assert silent
    for call in CALLS:
        answered = {status for place, status in silent.items() if place in ANSWERS[call.name].lines}
        assert not answered & rust_panics(call), call.name
