"""What counting ticks costs: the kernels on this build, and on one of the same sources made with TAMIS_NO_TICKS=1.

Two builds of one extension module cannot live in a process, so each run is a process of its own, by turns. Such a run
times three calls on fresh instances and tells the shortest.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from rich.table import Table

from benchmarks.compute import geometric_mean
from benchmarks.workloads import Workload

ROOT = Path(__file__).parents[1]
CHILD = """
import sys
sys.path.insert(0, sys.argv[1])
import interp
sys.path.insert(1, sys.argv[2])
from benchmarks.ticks import child
child(sys.argv[3])
"""


@dataclass(slots=True)
class Cost:
    """A workload's seconds with ticks and without, by round."""

    name: str
    counted: list[float] = field(default_factory=list)
    without: list[float] = field(default_factory=list)

    @property
    def ratio(self) -> float:
        """With over without: the median over the rounds."""
        return median(a / b for a, b in zip(self.counted, self.without, strict=True))


def child(name: str) -> None:
    """What a run does: prints the seconds."""
    from benchmarks.peers import Tamis
    from benchmarks.workloads import BY_NAME

    workload, times = BY_NAME[name], []
    data, peer = workload.data(), Tamis("native")
    for _ in range(3):
        run = workload.start(peer, data)
        begin = time.perf_counter()
        run(workload.size)
        times.append(time.perf_counter() - begin)
    sys.stdout.write(f"{min(times)}\n")


def build(folder: Path) -> None:
    """Make a copy of the sources without ticks. Raises CalledProcessError."""
    for part in ("interp", "native"):
        left_out = shutil.ignore_patterns("_tamis*", "build", "generated", "__pycache__")
        shutil.copytree(ROOT / part, folder / part, ignore=left_out, dirs_exist_ok=True)
    command = [sys.executable, str(folder / "native" / "build.py")]
    subprocess.run(command, check=True, env={**os.environ, "TAMIS_NO_TICKS": "1"}, capture_output=True)


def run(where: Path, name: str) -> float:
    """Seconds of a workload with the package in a folder."""
    command = [sys.executable, "-c", CHILD, str(where), str(ROOT), name]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def measure(folder: Path, workloads: list[Workload], rounds: int, doing: Callable[[str], None]) -> list[Cost]:
    """By turns, on this build and on the one in the folder."""
    import interp

    ours = Path(interp.__file__).parents[1]
    found = []
    for workload in workloads:
        cost = Cost(workload.name)
        for _ in range(rounds):
            doing(workload.name)
            cost.counted.append(run(ours, workload.name))
            cost.without.append(run(folder, workload.name))
        found.append(cost)
    return found


def table(found: list[Cost]) -> Table:
    """The ratios."""
    shown = Table(title="time with ticks over time without")
    shown.add_column("workload")
    shown.add_column("ratio", justify="right")
    for cost in found:
        shown.add_row(cost.name, f"{cost.ratio:.3f}")
    shown.add_section()
    shown.add_row("geometric mean", f"{geometric_mean(cost.ratio for cost in found):.3f}", style="bold")
    return shown


def as_json(found: list[Cost]) -> dict[str, object]:
    """All times."""
    return {cost.name: {"counted": cost.counted, "without": cost.without, "ratio": cost.ratio} for cost in found}
