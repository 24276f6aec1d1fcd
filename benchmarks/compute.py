"""How fast is code: every workload on every peer, interleaved in one process, compared with the base peer's time."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from math import exp, log
from statistics import median

from benchmarks.peers import Peer
from benchmarks.workloads import Workload


class WrongResult(Exception):
    """A peer computed something else than the workload's known result."""


@dataclass(slots=True)
class Measured:
    """One workload: the seconds of each round, by peer."""

    workload: Workload
    times: dict[str, list[float]] = field(default_factory=dict)

    def seconds(self, peer: str) -> float:
        """The median round of a peer."""
        return median(self.times[peer])

    def ratio(self, peer: str, base: str) -> float:
        """A peer's time over the base's: the median over the rounds, since a round's two runs share the weather."""
        pairs = zip(self.times[peer], self.times[base], strict=True)
        return median(mine / theirs for mine, theirs in pairs)


def measure(
    workloads: Iterable[Workload], peers: list[Peer], rounds: int, quick: bool, done: Callable[[str], None]
) -> list[Measured]:
    """Time each workload on each peer. The order of the peers turns from round to round; `done` hears of each run.

    A run is one call on a fresh instance; loading is not in it, compiling on first call is. Raises WrongResult.
    """
    found = []
    for workload in workloads:
        data = workload.data()
        size, result = (workload.quick, workload.quick_result) if quick else (workload.size, workload.result)
        measured = Measured(workload, {peer.name: [] for peer in peers})
        for turn in range(rounds):
            for peer in peers[turn % len(peers) :] + peers[: turn % len(peers)]:
                run = workload.start(peer, data)
                begin = time.perf_counter()
                got = run(size)
                measured.times[peer.name].append(time.perf_counter() - begin)
                if got != result:
                    raise WrongResult(f"{peer.name} computes {got:#x} for {workload.name}({size}), not {result:#x}")
                done(f"{workload.name}: {peer.name}")
        found.append(measured)
    return found


def geometric_mean(values: Iterable[float]) -> float:
    """The geometric mean; of nothing it is nan."""
    logs = [log(value) for value in values]
    return exp(sum(logs) / len(logs)) if logs else float("nan")
