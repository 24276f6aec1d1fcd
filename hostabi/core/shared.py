"""What VMs share: data with CAS numbers, queues and metrics; they outlive any one VM (abi_reference 8.11 to 8.13)."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from functools import wraps
from typing import Concatenate, ParamSpec, TypeVar

from hostabi.abi.enums import MetricType, Status
from hostabi.abi.hostcall import HostError
from hostabi.core.policy import Limits


@dataclass(slots=True)
class Queue:
    """A shared queue, its messages, and the plugin that is woken for each."""

    id: int
    vm_id: bytes
    name: bytes
    registrant: str
    messages: deque[bytes] = field(default_factory=deque)
    bytes_held: int = 0


@dataclass(slots=True)
class MetricCell:
    """A metric by name and kind; samples are those of a histogram."""

    name: bytes
    kind: MetricType
    value: int = 0
    samples: list[int] = field(default_factory=list)
    reported: int = 0
    """Of a counter: its value when statistics were last taken."""


_P = ParamSpec("_P")
_R = TypeVar("_R")


def _one_step(method: Callable[Concatenate[Shared, _P], _R]) -> Callable[Concatenate[Shared, _P], _R]:
    """Let no other thread in while this runs."""

    @wraps(method)
    def locked(self: Shared, /, *args: _P.args, **kwargs: _P.kwargs) -> _R:
        with self.lock:
            return method(self, *args, **kwargs)

    return locked


class Shared:
    """Shared data, queues and metrics of one host, or of several in threads of one process.

    For threads `lock` is one that its holder may take again; each call is one step under it.
    """

    def __init__(self, limits: Limits, lock: AbstractContextManager[object] | None = None) -> None:
        self.limits = limits
        self.lock = lock or nullcontext()
        self.data: dict[tuple[bytes, bytes], tuple[bytes, int]] = {}
        self.queues: dict[int, Queue] = {}
        self.metrics: dict[tuple[MetricType, bytes], MetricCell] = {}
        self._queue_ids: dict[tuple[bytes, bytes], int] = {}
        self._next_cas = 1
        self._data_bytes = 0

    # --- data

    def get(self, vm_id: bytes, key: bytes) -> tuple[bytes, int]:
        """Value and CAS number of a key; NOT_FOUND."""
        entry = self.data.get((vm_id, key))
        if entry is None:
            raise HostError(Status.NOT_FOUND)
        return entry

    @_one_step
    def set(
        self, vm_id: bytes, key: bytes, value: bytes, cas: int, compares_0: bool = False, needs_key: bool = False
    ) -> None:
        """Store a value; CAS_MISMATCH when `cas` is not 0 and another number is stored, INTERNAL_FAILURE at the limit.

        With `compares_0` a cas of 0 is compared too; with `needs_key` one that is not 0 needs a stored value.
        """
        entry = self.data.get((vm_id, key))
        mismatch = (cas or compares_0) and cas != entry[1] if entry else cas and needs_key
        if mismatch:
            raise HostError(Status.CAS_MISMATCH)
        grown = self._data_bytes + len(value) + (0 if entry else len(key)) - (len(entry[0]) if entry else 0)
        if grown > self.limits.shared_data_bytes or (not entry and len(self.data) >= self.limits.shared_data_keys):
            raise HostError(Status.INTERNAL_FAILURE, "shared data is full")
        self._data_bytes = grown
        self.data[vm_id, key] = (value, self._next_cas)
        self._next_cas = (self._next_cas + 1) & 0xFFFFFFFF or 1

    # --- queues

    @_one_step
    def register_queue(self, vm_id: bytes, name: bytes, plugin: str) -> int:
        """The id of a queue, made if need be; its messages are announced to this plugin from now on."""
        queue_id = self._queue_ids.get((vm_id, name))
        if queue_id is None:
            if len(self.queues) >= self.limits.queues:
                raise HostError(Status.INTERNAL_FAILURE, "there are too many queues")
            queue_id = len(self.queues) + 1
            self._queue_ids[vm_id, name] = queue_id
            self.queues[queue_id] = Queue(queue_id, vm_id, name, plugin)
        self.queues[queue_id].registrant = plugin
        return queue_id

    def resolve_queue(self, vm_id: bytes, name: bytes) -> int:
        """The id of a queue that someone registered; NOT_FOUND."""
        queue_id = self._queue_ids.get((vm_id, name))
        if queue_id is None:
            raise HostError(Status.NOT_FOUND)
        return queue_id

    def queue(self, queue_id: int) -> Queue:
        """A queue by id; NOT_FOUND."""
        queue = self.queues.get(queue_id)
        if queue is None:
            raise HostError(Status.NOT_FOUND)
        return queue

    @_one_step
    def enqueue(self, queue_id: int, message: bytes) -> str:
        """Append a message; the plugin to be woken. INTERNAL_FAILURE at the limit."""
        queue = self.queue(queue_id)
        full = len(queue.messages) >= self.limits.queue_messages
        if full or queue.bytes_held + len(message) > self.limits.queue_bytes:
            raise HostError(Status.INTERNAL_FAILURE, "the queue is full")
        queue.messages.append(message)
        queue.bytes_held += len(message)
        return queue.registrant

    @_one_step
    def dequeue(self, queue_id: int) -> bytes:
        """The oldest message; EMPTY when there is none."""
        queue = self.queue(queue_id)
        if not queue.messages:
            raise HostError(Status.EMPTY)
        message = queue.messages.popleft()
        queue.bytes_held -= len(message)
        return message

    # --- metrics

    @_one_step
    def metric(self, kind: MetricType, name: bytes) -> MetricCell:
        """The metric of this kind and name, made if need be; INTERNAL_FAILURE at the limit."""
        cell = self.metrics.get((kind, name))
        if cell is None:
            if len(self.metrics) >= self.limits.metrics or len(name) > self.limits.metric_name_bytes:
                raise HostError(Status.INTERNAL_FAILURE, "there are too many metrics")
            cell = self.metrics[kind, name] = MetricCell(name, kind)
        return cell
