"""Writes SUITE.md: what of the official suite passes on which engine, from the pinned counts.

    python spec_tests/wasm/suite_page.py
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
PAGE = HERE / "SUITE.md"
ENGINES = ("native", "python", "reference")

TAIL = {"return_call", "return_call_indirect"}
REFERENCES = {
    "br_on_non_null", "br_on_null", "call_ref", "local_init", "ref", "ref_as_non_null", "return_call_ref",
    "type-equivalence",
}  # fmt: skip
RECURSION = {"type-canon", "type-rec"}


def _core(names: set[str]) -> Callable[[str], bool]:
    return lambda file: file.startswith("core/") and file.count("/") == 1 and Path(file).stem in names


def _folder(name: str) -> Callable[[str], bool]:
    return lambda file: file.startswith(name + "/")


#: What a group is called, and which files it has; a file belongs to the first that has it.
GROUPS: list[tuple[str, Callable[[str], bool]]] = [
    ("garbage collection, recursive types", lambda file: file.startswith("core/gc/") or _core(RECURSION)(file)),
    ("function references", _core(REFERENCES)),
    ("tail calls", _core(TAIL)),
    ("exceptions", _folder("core/exceptions")),
    ("bulk memory", _folder("core/bulk-memory")),
    ("vectors", _folder("core/simd")),
    ("relaxed vectors", _folder("core/relaxed-simd")),
    ("64-bit memories and tables", _folder("core/memory64")),
    ("several memories", _folder("core/multi-memory")),
    ("core: everything else", _folder("core")),
    ("custom sections, annotations", _folder("custom")),
    ("threads (off by default)", _folder("proposals/threads")),
    ("custom page sizes (off by default)", _folder("proposals/custom-page-sizes")),
    ("wide arithmetic (off by default)", _folder("proposals/wide-arithmetic")),
    ("legacy exceptions (off by default)", _folder("legacy")),
]

HEAD = """\
# The official suite, engine by engine

Commands that pass of the WebAssembly specification's test suite: core 3.0, custom sections, the proposals that we know.
Each file runs on each engine; nothing fails. What an engine does not run is said to wait, with its number.
The counts are pinned by file in `pinned.json`, from which `suite_page.py` writes this page; a test compares them.

    tamis spec --testsuite SUITE core --engine native -j 2        # core, custom, legacy, proposals/threads, ...
    pytest --testsuite SUITE spec_tests/wasm/test_spec_suite.py   # all engines, against the pins

"""

TAIL_TEXT = """
## Beside others

Of the 65,290 commands of core/, run through each one's own interface by the makers of this project, in 2026:

| | passes | |
|---|--:|---|
| tamis, each engine | {ours:,} | |
| wasmtime, through its C interface | 65,287 | |
| wabt's interpreter | about 62,500 | |
| pywasm | 57,712 | accepts half of all invalid modules |
| pwasm | 32,269 | of the 58,290 that execute; does not validate |
| wasm3 | 28,311 | does not validate |

The peers' figures came from runners written for each, which are not part of this project; ours are repeated as above.
"""


def group_of(file: str) -> str:
    """The group that a file belongs to."""
    return next(name for name, has in GROUPS if has(file))


def page(pinned: dict[str, dict[str, dict[str, Any]]]) -> str:
    """The text of SUITE.md."""
    order = [name for name, _ in GROUPS]
    order = [name for name in ("core: everything else", *order) if name in order]
    rows: dict[str, dict[str, list[int]]] = {}
    for engine in ENGINES:
        for file, counts in pinned[engine].items():
            row = rows.setdefault(group_of(file), {}).setdefault(engine, [0, 0, 0])
            row[0] += 1
            row[1] += counts["passed"]
            row[2] += sum(counts.get("waiting", {}).values())
    lines = ["| group | files | commands | " + " | ".join(ENGINES) + " |", "|---|--:|--:" + "|--:" * len(ENGINES) + "|"]
    whole = dict.fromkeys(ENGINES, 0)
    files = commands = 0
    for name in dict.fromkeys(order):
        if name not in rows:
            continue
        by_engine = rows[name]
        count, passed, waiting = by_engine[ENGINES[0]]
        files, commands = files + count, commands + passed + waiting
        for engine in ENGINES:
            whole[engine] += by_engine[engine][1]
        cells = [f"{p:,}" + (f" ({w:,} wait)" if w else "") for _, p, w in (by_engine[engine] for engine in ENGINES)]
        lines.append(f"| {name} | {count} | {passed + waiting:,} | " + " | ".join(cells) + " |")
    lines.append(f"| **all** | {files} | {commands:,} | " + " | ".join(f"**{whole[e]:,}**" for e in ENGINES) + " |")
    core = {sum(c["passed"] for f, c in pinned[e].items() if f.startswith("core/")) for e in ENGINES}
    return HEAD + "\n".join(lines) + "\n" + TAIL_TEXT.format(ours=min(core))


if __name__ == "__main__":
    PAGE.write_text(page(json.loads((HERE / "pinned.json").read_text())))
