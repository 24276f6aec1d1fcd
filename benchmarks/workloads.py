"""The workloads: small programs that take one number and give one, each of another kind. Sources are in kernels/."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).parent / "kernels"


@dataclass(frozen=True, slots=True)
class Workload:
    """A kernel: `size` is the argument that gives a run of 0.3 s or more on wasm3, `quick` the one of a smoke test.

    The results of both are known, so a peer that computes something else is found out. An `apart` workload measures the
    machine's memory more than the engine and stays out of the mean.
    """

    name: str
    kind: str
    size: int
    result: int
    quick: int
    quick_result: int
    apart: bool = False

    @property
    def path(self) -> Path:
        """The .wasm."""
        return FOLDER / f"{self.name}.wasm"


WORKLOADS = (
    Workload("fib", "calls", 35, 0x008CCCC9, 10, 0x00000037),
    Workload("sieve", "memory, bytes", 220, 0xB7367920, 1, 0x00002578),
    Workload("sha256", "hash, 32 bit", 6000, 0xF18D1101, 2, 0x552ADA53),
    Workload("hash64", "hash, 64 bit", 6500, 0xE3D8B8E0, 1, 0x3CA46E22),
    Workload("crc32", "table look-ups", 700, 0x1E33535E, 1, 0x59016A9E),
    Workload("collatz", "i64, unpredictable branches", 550000, 0x1D57CFBF, 100, 0x07600061),
    Workload("matmul", "f64, memory", 64, 0x00873130, 1, 0x00021C6F),
    Workload("nbody", "f64, sqrt and division", 520000, 0xD3675E90, 100, 0x695CF48D),
    Workload("mandelbrot", "f64, branches", 820, 0xDE4CF6B8, 8, 0x0F06187D),
    Workload("sort", "call_indirect", 180, 0x8302E5D4, 1, 0x85DFD120),
    Workload("bytecode", "br_table", 65000, 0x0000195D, 100, 0x00000019),
    Workload("json", "strings, recursion", 560, 0x57A07660, 1, 0xFCFB51BA),
    Workload("regex", "strings, backtracking", 12, 0x04C0CE80, 1, 0x3D47E05A),
    Workload("compress", "byte copying", 330, 0x309FE560, 1, 0x0000430F),
    Workload("mix", "lists, matrices, states", 2700, 0x0000F212, 1, 0x00007B42),
    Workload("bulk", "memory.copy, memory.fill", 300000, 0x8E819220, 3, 0x00001704, apart=True),
)
BY_NAME = {workload.name: workload for workload in WORKLOADS}
