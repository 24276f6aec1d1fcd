"""How much memory a loaded plugin takes: the growth of a fresh process, the module's bytes included.

    python -m benchmarks.resident PLUGIN.wasm

prints the bytes by which the process grew and those of its linear memory.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any


def resident() -> int:
    """Bytes of this process that are in memory, on Linux."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def load(data: bytes) -> Any:
    """Decode, validate and instantiate, as `load.ours` does."""
    import interp

    valid = interp.validate(interp.decode(data))
    store = interp.Store()
    imports = []
    for wanted in valid.module.imports:
        type = valid.module.comp(wanted.desc)
        zeros = [0] * len(type.results)
        imports.append(store.host_func(type, lambda *_, zeros=zeros: zeros))
    return interp.instantiate(store, valid, imports)


def main(path: str) -> None:
    """Load a small module first, so that the package itself is not counted."""
    import interp

    kept = [load(interp.encode(interp.parse("(module (memory 1) (func))")))]
    before = resident()
    inst = load(Path(path).read_bytes())
    grown = resident() - before
    kept.append(inst)
    sys.stdout.write(f"{grown} {sum(memory.length for memory in inst.store.mems)}\n")


if __name__ == "__main__":
    main(sys.argv[1])
