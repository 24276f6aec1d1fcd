"""Status and context functions (abi_reference 8.2, 8.14, 5.3, 5.4)."""

from __future__ import annotations

from hostabi.abi.enums import Status
from hostabi.abi.hostcall import U32, HostError, OutBytes, OutU32, hostcall
from hostabi.core.context import VmState


@hostcall("proxy_get_status")
def get_status(vm: VmState) -> tuple[OutU32, OutBytes]:
    """Code and message of the last callout's failure, during its callback; else 0 and nothing."""
    root = vm.root
    return root.status_code, root.status_message


@hostcall("proxy_set_effective_context")
def set_effective_context(vm: VmState, context_id: U32) -> None:
    """Let the rest of this callback act on another context of the plugin; BAD_ARGUMENT for any other number."""
    context = vm.contexts.get(context_id)
    if context_id == 0 and not vm.profile.related_contexts_only:
        context = vm.root  # Envoy takes the context of the VM itself; here the plugin is the nearest to it
    if context is None:
        raise HostError(Status.BAD_ARGUMENT, f"there is no context {context_id}")
    if vm.profile.related_contexts_only and context.root is not (vm.current.root if vm.current else None):
        raise HostError(Status.BAD_ARGUMENT, f"the context {context_id} belongs to another plugin")
    vm.effective = context


@hostcall("proxy_done")
def done(vm: VmState) -> None:
    """What answered false to on_done, the plugin or a stream, is done now: it is deleted after this guest call."""
    stream = vm.stream or vm.connection
    if stream is not None and stream.done_pending:
        stream.done_pending = False
        vm.defer(stream.finish)
        return
    root = vm.root
    if not root.done_pending:
        raise HostError(Status.NOT_FOUND, "nobody waits for proxy_done")
    root.done_pending = False
    vm.defer(root.delete)
