"""Shared data and shared queues (abi_reference 8.11, 8.12)."""

from __future__ import annotations

from hostabi.abi.hostcall import U32, Bytes, OutBytes, OutU32, hostcall
from hostabi.core.commands import Wake
from hostabi.core.context import VmState


@hostcall("proxy_get_shared_data")
def get_shared_data(vm: VmState, key: Bytes) -> tuple[OutBytes, OutU32]:
    """Value and CAS number of a key among the VMs of the same vm_id; NOT_FOUND."""
    return vm.shared.get(vm.vm_id, key)


@hostcall("proxy_set_shared_data")
def set_shared_data(vm: VmState, key: Bytes, value: Bytes, cas: U32) -> None:
    """Store a value; with a cas other than 0 only if that is still the stored one, else CAS_MISMATCH."""
    vm.shared.set(vm.vm_id, key, value, cas, vm.profile.cas_0_compares, vm.profile.cas_needs_key)


@hostcall("proxy_register_shared_queue")
def register_shared_queue(vm: VmState, name: Bytes) -> OutU32:
    """The id of a queue of this vm_id; its messages are announced to the calling plugin from now on."""
    return vm.shared.register_queue(vm.vm_id, name, vm.root.plugin)


@hostcall("proxy_resolve_shared_queue")
def resolve_shared_queue(vm: VmState, vm_id: Bytes, name: Bytes) -> OutU32:
    """The id of a queue that a VM of this vm_id (empty: one's own) has registered; NOT_FOUND."""
    return vm.shared.resolve_queue(vm_id or vm.vm_id, name)


@hostcall("proxy_enqueue_shared_queue")
def enqueue_shared_queue(vm: VmState, queue: U32, message: Bytes) -> None:
    """Append a message and wake the registrant, after this guest call."""
    plugin = vm.shared.enqueue(queue, message)
    if vm.profile.queue_wakes:
        vm.defer(lambda: vm.emit(Wake(plugin, queue)))


@hostcall("proxy_dequeue_shared_queue")
def dequeue_shared_queue(vm: VmState, queue: U32) -> OutBytes:
    """The oldest message; EMPTY when there is none, NOT_FOUND for an unknown queue."""
    return vm.shared.dequeue(queue)
