"""Metrics as Envoy has them (abi_reference 8.13)."""

from __future__ import annotations

from hostabi.abi.enums import MetricType, Status
from hostabi.abi.hostcall import I64, U32, U64, Bytes, HostError, OutU32, OutU64, hostcall
from hostabi.core.commands import Metric
from hostabi.core.context import VmState
from hostabi.core.shared import MetricCell

_MASK = 0xFFFFFFFFFFFFFFFF
_SAMPLES_KEPT = 1000


@hostcall("proxy_define_metric")
def define_metric(vm: VmState, kind: MetricType, name: Bytes) -> OutU32:
    """A new id for the metric of this kind and name; the same metric may have several."""
    if len(vm.metrics) >= vm.limits.metrics:
        raise HostError(Status.INTERNAL_FAILURE, "too many metrics are defined")
    return vm.new_metric(vm.shared.metric(kind, name))


@hostcall("proxy_increment_metric")
def increment_metric(vm: VmState, metric: U32, delta: I64) -> None:
    """Add to a counter (more than 0) or a gauge (any number; it stays at 0 rather than going below)."""
    cell = _cell(vm, metric)
    if vm.profile.strict_metrics and cell.kind is not MetricType.COUNTER:
        raise HostError(Status.BAD_ARGUMENT, "only a counter can be incremented")
    if cell.kind is MetricType.HISTOGRAM or (cell.kind is MetricType.COUNTER and delta <= 0):
        raise HostError(Status.BAD_ARGUMENT, f"a {cell.kind.name.lower()} cannot be incremented by {delta}")
    with vm.shared.lock:
        cell.value = max(0, cell.value + delta) & _MASK
    vm.emit(Metric(cell.name, cell.kind, delta))


@hostcall("proxy_record_metric")
def record_metric(vm: VmState, metric: U32, value: U64) -> None:
    """Set a gauge, sample a histogram, add to a counter."""
    cell = _cell(vm, metric)
    if vm.profile.strict_metrics and cell.kind is MetricType.COUNTER:
        raise HostError(Status.BAD_ARGUMENT, "a counter can only be incremented")
    with vm.shared.lock:
        match cell.kind:
            case MetricType.COUNTER:
                cell.value = (cell.value + value) & _MASK
            case MetricType.GAUGE:
                cell.value = value
            case MetricType.HISTOGRAM:
                cell.value += 1
                if len(cell.samples) < _SAMPLES_KEPT:
                    cell.samples.append(value)
    vm.emit(Metric(cell.name, cell.kind, value))


@hostcall("proxy_get_metric")
def get_metric(vm: VmState, metric: U32) -> OutU64:
    """The value of a counter or a gauge."""
    cell = _cell(vm, metric)
    if cell.kind is MetricType.HISTOGRAM:
        raise HostError(Status.BAD_ARGUMENT, "a histogram has no value")
    return cell.value


def _cell(vm: VmState, metric: int) -> MetricCell:
    cell = vm.metrics.get(metric)
    if cell is None:
        raise HostError(Status.NOT_FOUND, f"there is no metric {metric}")
    return cell
