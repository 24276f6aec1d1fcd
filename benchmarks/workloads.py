"""The workloads: kernels that take one number and give one, whose sources are in kernels/, and programs of others."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from benchmarks.peers import Peer, Run
from benchmarks.programs import PROGRAMS

FOLDER = Path(__file__).parent / "kernels"


@dataclass(frozen=True, slots=True)
class Workload:
    """A kernel or program: `size` gives a run of 0.3 s or more on wasm3, `quick` one for a smoke test, 0 for none.

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

    def data(self) -> bytes:
        """The .wasm. Raises Missing for a program that is not on this machine."""
        program = PROGRAMS.get(self.name)
        return program.data() if program else (FOLDER / f"{self.name}.wasm").read_bytes()

    def start(self, peer: Peer, data: bytes) -> Run:
        """A fresh instance on a peer, ready to run."""
        program = PROGRAMS.get(self.name)
        if program is None:
            return peer.load(data)
        guest, work = peer.open(data, program.stubs), program.work
        return lambda size: work(guest, size)


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
    Workload("quickjs", "real: a script on QuickJS (C)", 16, 0x52207B55, 1, 0x949557B6),
    Workload("masking", "real: start of a filter (Rust)", 1, 0x00010101, 0, 0x00000000),
    Workload("brotli", "real: compressor (Rust)", 22, 0x2C7F1977, 1, 0x865B8AD3),
    Workload("flate", "real: compressor (Rust)", 260, 0xB252320C, 1, 0x4DDCFA56),
    Workload("bulk", "memory.copy, memory.fill", 300000, 0x8E819220, 3, 0x00001704, apart=True),
)
BY_NAME = {workload.name: workload for workload in WORKLOADS}
