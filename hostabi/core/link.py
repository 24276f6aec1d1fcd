"""Linking: which code answers each import of a guest, chosen by name and by the imported type (host_contract 2).

Types are written as names ("i32", "i64", "f32", "f64"), so that this module knows nothing of the VM.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from hostabi.abi.binding import bind
from hostabi.abi.enums import WASI_ENOSYS, WASI_ENOTCAPABLE, AbiVersion, LogLevel, Status
from hostabi.abi.hostcall import REGISTRY, GuestError, HostCall, Import, Phase, RawFunction
from hostabi.core.context import VmState
from hostabi.core.policy import Profile, Restriction
from hostabi.core.transcript import Called

Code = Callable[..., int | None]

WASI_MODULES = ("wasi_snapshot_preview1", "wasi_unstable")


NO_THREADS = (
    "a filter has no threads on any Proxy-Wasm host; build it without -pthread, and for wasm32-wasip1 rather than "
    "wasm32-wasip1-threads"
)


class LinkRefused(Exception):
    """The guest imports what this host does not give; `reasons` has one line for each import."""

    def __init__(self, reasons: Sequence[str]) -> None:
        super().__init__("; ".join(reasons))
        self.reasons = tuple(reasons)


@dataclass(frozen=True, slots=True)
class Wanted:
    """A function import of a module."""

    module: str
    name: str
    params: tuple[str, ...]
    results: tuple[str, ...]

    @property
    def type(self) -> str:
        """The type as text."""
        return f"({', '.join(self.params)}) -> ({', '.join(self.results)})"


@dataclass(frozen=True, slots=True)
class Judged:
    """What linking makes of an import: `verdict` is "known", "stub" or "refused"; `note` says why if not known."""

    wanted: Wanted
    verdict: str
    note: str = ""


def judge(wanted: Wanted, version: AbiVersion, profile: Profile, wasi: Mapping[tuple[str, str], Import]) -> Judged:
    """Say how an import would be linked."""
    if profile.absent_imports & {wanted.name, wanted.module}:
        return Judged(wanted, "refused", f"hosts of the profile {profile.name!r} do not offer it")
    known = wasi.get((wanted.module, wanted.name))
    if wanted.module.startswith("wasi_"):
        if known is not None and (known.params, known.results) == (wanted.params, wanted.results):
            return Judged(wanted, "known")
        note = f"type mismatch, the host has {_text(known)}" if known else "unknown WASI function"
        return Judged(wanted, "stub" if profile.stubs else "refused", note)
    if wanted.module == "wasi" and wanted.name == "thread-spawn":
        return Judged(wanted, "refused", NO_THREADS)
    if wanted.module != "env":
        return Judged(wanted, "refused", "unknown module")
    if wanted.name in REGISTRY.retired:
        return Judged(wanted, "refused", "a call of the abandoned vNEXT draft of the ABI, which no SDK uses any more")
    raw = REGISTRY.raw.get(wanted.name)
    if raw is not None:
        if (raw.params, raw.results) == (wanted.params, wanted.results):
            return Judged(wanted, "known")
        return Judged(wanted, "stub" if profile.stubs else "refused", "type mismatch")
    call = REGISTRY.calls.get(wanted.name)
    if call is None:
        return Judged(wanted, "stub" if profile.stubs else "refused", "unknown function")
    if profile.strict_versions and version not in call.versions:
        return Judged(wanted, "refused", f"not a call of ABI {version.text}")
    signatures = call.signatures if profile.import_variants else call.signatures[:1]
    silent_too = profile.import_variants and not wanted.results
    fits = wanted.params in signatures and (wanted.results == ("i32",) or silent_too)
    if not fits:
        return Judged(wanted, "refused", f"type mismatch, the host has ({', '.join(call.wasm_params())}) -> (i32)")
    return Judged(wanted, "known")


def _text(known: Import) -> str:
    return f"({', '.join(known.params)}) -> ({', '.join(known.results)})"


def link(wanted: Sequence[Wanted], vm: VmState, wasi: Mapping[tuple[str, str], Import]) -> list[Code]:
    """The code for each import, in order; LinkRefused names every import that cannot be had."""
    judged = [judge(want, vm.abi, vm.profile, wasi) for want in wanted]
    refused = [j for j in judged if j.verdict == "refused"]
    if refused:
        raise LinkRefused(
            [
                f"import {j.wanted.module}.{j.wanted.name} {j.wanted.type} cannot be linked: {j.note}"
                for j in dict.fromkeys(refused)
            ]
        )
    return [_stub(j.wanted, vm, j.note) if j.verdict == "stub" else _bind(j.wanted, vm, wasi) for j in judged]


def _bind(wanted: Wanted, vm: VmState, wasi: Mapping[tuple[str, str], Import]) -> Code:
    known = wasi.get((wanted.module, wanted.name))
    if known is not None and wanted.module != "env":
        return _bind_wasi(known, vm)
    if wanted.name in REGISTRY.raw:
        return _bind_raw(REGISTRY.raw[wanted.name], vm)
    return _bind_call(REGISTRY.calls[wanted.name], wanted, vm)


# --- host calls with a status


def _bind_call(call: HostCall, wanted: Wanted, vm: VmState) -> Code:
    leave_out = wanted.params != call.wasm_params()
    silent = not wanted.results
    made = bind(call, vm, leave_out)
    always = call.name in vm.profile.trapping_calls or not vm.allows(call.name)
    running = Phase.RUN

    def code(*raw: int) -> int | None:
        if (always or vm.phase is not running) and turned_away(call, vm):
            status = int(Status.INTERNAL_FAILURE)
        else:
            status = made(*raw)
        return None if silent else status

    return code


def turned_away(call: HostCall, vm: VmState) -> bool:
    """Whether a call is not made and answers INTERNAL_FAILURE: the guest may not make it, or not in its phase.

    GuestError where making it ends the guest.
    """
    if call.name in vm.profile.trapping_calls:
        raise GuestError(f"{call.name}: function not yet implemented")
    if not vm.allows(call.name):
        vm.called(call.name, (), Status.INTERNAL_FAILURE, ())
        vm.log(LogLevel.ERROR, f"Attempted call to restricted proxy-wasm capability: {call.name}".encode())
        return True
    return (vm.phase not in call.phases or _is_strict(vm, call.name)) and _restricted(vm, call.name)


def _is_strict(vm: VmState, name: str) -> bool:
    """Whether Envoy's short lists hold here: while starting and allocating, of all calls only the log is on them."""
    rules = {Phase.START: vm.profile.start_restriction, Phase.ALLOCATE: vm.profile.allocator_restriction}
    return name != "proxy_log" and rules.get(vm.phase) is Restriction.TRAP


def _restricted(vm: VmState, name: str) -> bool:
    """Whether a call that its phase does not allow is answered with a failure; raises GuestError where it is a trap."""
    allocating = vm.phase is Phase.ALLOCATE
    if allocating and vm.abi is AbiVersion.V0_2_100:
        return False
    rule = vm.profile.allocator_restriction if allocating else vm.profile.start_restriction
    if rule is Restriction.NONE:
        return False
    during = "allocation" if allocating else "start-up"
    if rule is Restriction.TRAP:
        raise GuestError(f"restricted_callback: {name} during {during}")
    vm.called(name, (), Status.INTERNAL_FAILURE, ())
    vm.complain(f"{name} is not allowed during {during}: INTERNAL_FAILURE")
    return True


# --- raw functions

_START_WASI = frozenset(
    {
        *("fd_write", "args_get", "args_sizes_get", "environ_get", "environ_sizes_get", "clock_time_get"),
        *("clock_res_get", "random_get", "poll_oneoff", "fd_fdstat_get", "fd_fdstat_set_flags", "fd_advise"),
        *("fd_allocate", "fd_datasync", "fd_fdstat_set_rights", "fd_filestat_get", "fd_filestat_set_size"),
        *("fd_filestat_set_times", "fd_pread", "fd_prestat_dir_name", "fd_prestat_get", "fd_pwrite", "fd_readdir"),
        *("fd_renumber", "fd_sync", "fd_tell", "path_create_directory", "path_filestat_get"),
        *("path_filestat_set_times", "path_link", "path_readlink", "path_remove_directory", "path_rename"),
        *("path_symlink", "path_unlink_file", "sock_accept", "sock_recv", "sock_send", "sock_shutdown"),
    }
)
_ALLOCATE_WASI = frozenset({"fd_write", "clock_time_get", "poll_oneoff"})


def _bind_wasi(known: Import, vm: VmState) -> Code:
    in_start, in_allocator = known.name in _START_WASI, known.name in _ALLOCATE_WASI
    fixed = vm.profile.wasi_errnos.get(known.name)
    if not vm.allows(known.name):
        return _forbidden(known, vm)

    def code(*raw: int) -> int | None:
        profile = vm.profile
        if vm.phase is Phase.START and not in_start and profile.start_restriction is Restriction.TRAP:
            raise GuestError(f"restricted_callback: {known.name} during start-up")
        if vm.phase is Phase.ALLOCATE and not in_allocator and profile.allocator_restriction is Restriction.TRAP:
            raise GuestError(f"restricted_callback: {known.name} during allocation")
        fault = vm.fault(known.name) if known.name in vm.ordered else None
        answer = fixed if fault is None else fault
        result = known.code(*raw) if answer is None else answer
        vm.record(Called(vm.plugin_key, known.name, known.shown(raw), result, (), is_status=False))
        return result

    return code


def _forbidden(known: Import, vm: VmState) -> Code:
    """What stands in for a function that the capability list leaves out (abi_reference 12.5)."""
    answer = WASI_ENOTCAPABLE if known.results else None

    def code(*raw: int) -> int | None:
        vm.record(Called(vm.plugin_key, known.name, (), answer, (), is_status=False))
        vm.log(LogLevel.ERROR, f"Attempted call to restricted WASI capability: {known.name}".encode())
        return answer

    return code


def _bind_raw(raw: RawFunction, vm: VmState) -> Code:
    grown = raw.name == "emscripten_notify_memory_growth"  # on the list for starting, and not on that for allocating

    def code(*bits: int) -> int | None:
        if _is_strict(vm, raw.name) and not (grown and vm.phase is Phase.START):
            _restricted(vm, raw.name)
        result = raw.function(vm, *bits)
        vm.record(Called(vm.plugin_key, raw.name, (), result, (), is_status=False))
        return result

    return code


# --- stubs


def _stub(wanted: Wanted, vm: VmState, note: str) -> Code:
    """What stands in for a function that is not there: 52 in WASI, 12 as a status, else zero; it complains once."""
    complained = False
    wasi = wanted.module.startswith("wasi_")
    answer: int | None = None
    if wanted.results:
        is_number = wanted.results == ("i32",)
        answer = WASI_ENOSYS if wasi and is_number else int(Status.UNIMPLEMENTED) if is_number else 0

    def code(*raw: int) -> int | None:
        nonlocal complained
        vm.record(Called(vm.plugin_key, wanted.name, (), answer, (), is_status=not wasi))
        if not complained:
            complained = True
            vm.complain(f"{wanted.module}.{wanted.name} is a stub ({note}) and answers {answer}")
        return answer

    return code
