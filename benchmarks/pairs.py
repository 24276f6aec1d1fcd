"""Which handlers follow each other, in runs of kernels and real programs and in the code of real filters.

Needs a build that counts: `TAMIS_COUNT=1 python native/build.py`. From the runs it chooses what native/fuse.py makes
handlers for. A candidate's worth is its share of a program's steps, summed over the programs, for each handler that it
costs. No program weighs more than another, and the registers of pinned locals are interchangeable.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import click
from rich.table import Table

from benchmarks import corpus
from benchmarks.workloads import WORKLOADS

NOTHING = 0xFFFF
PAIRS = Path(__file__).parents[1] / "native" / "pairs.txt"
PAGE = Path(__file__).parent / "PAIRS.md"
HEAD = """`TAMIS_COUNT=1 python native/build.py && python -m benchmarks pairs --write && python native/build.py`

# What follows what

Handlers in a row without the places of their operands: the mean share of the steps of each program, in per cent; in the
code of filters, of what stands there. Branches that were not taken go on to the next. From the same counts, places and
all, comes [native/pairs.txt](../native/pairs.txt).

Counted in runs of {programs}. Code of {filters}."""
Run = tuple[str, str, str]


def handlers() -> Any:
    """The plain handlers by number, from the generator beside the checkout."""
    sys.path.insert(0, str(PAIRS.parent))
    import generate  # type: ignore[import-not-found, unused-ignore]

    return generate.all_handlers()


def counted(names: list[str], standing: bool = False) -> Counter[Run]:
    """What was counted since the last call: three handlers in a row, "" for none."""
    from interp._native import ffi, lib

    room = 1 << 20
    parts, counts = ffi.new("uint16_t[]", 3 * room), ffi.new("uint64_t[]", room)
    n = lib.tm_counted(standing, parts, counts, room)
    found: Counter[Run] = Counter()
    for k in range(n):
        a, b, c = ("" if p == NOTHING else names[p] for p in parts[3 * k : 3 * k + 3])
        found[a, b, c] += counts[k]
    return found


def shares(runs: Counter[Run]) -> tuple[Counter[tuple[str, ...]], Counter[tuple[str, ...]]]:
    """Pairs and triples of a program, as shares of its steps."""
    total = sum(runs.values()) or 1
    pairs: Counter[tuple[str, ...]] = Counter()
    triples: Counter[tuple[str, ...]] = Counter()
    for (a, b, c), count in runs.items():
        if b:
            pairs[b, c] += count / total
        if a:
            triples[a, b, c] += count / total
    return pairs, triples


def choose(
    programs: Iterable[tuple[float, Counter[Run]]], known: Any, fuse: Any, room: int
) -> list[tuple[float, tuple[str, ...]]]:
    """The worthiest runs of two and three handlers that together cost no more than `room` handlers."""
    worth: Counter[tuple[str, ...]] = Counter()
    canonical: dict[tuple[str, ...], tuple[str, ...]] = {}
    for weight, runs in programs:
        for found, saved in zip(shares(runs), (1.0, 0.5), strict=True):  # of a triple, the pair may be fused already
            for parts, share in found.items():
                if parts not in canonical:
                    canonical[parts] = fuse.canonical(parts, known)
                worth[canonical[parts]] += share * saved * weight
    costs = {parts: len(list(fuse.variants(parts, known))) for parts, _ in worth.most_common(20000)}
    fits = fuse.Parts(known).fit
    ranked = sorted(((worth[parts] / cost, parts) for parts, cost in costs.items() if fits(parts)), reverse=True)
    chosen: dict[tuple[str, ...], float] = {}
    for value, parts in ranked:
        cost = costs[parts]
        head = parts[:2]
        if len(parts) > 2 and head not in chosen:
            cost += costs.get(head, 6)
        if cost > room:
            continue
        room -= cost
        if len(parts) > 2 and head not in chosen:
            chosen[head] = worth[head] / costs.get(head, 6)
        chosen[parts] = value
        if room <= 0:
            break
    return sorted(((worth[parts], parts) for parts in chosen), key=lambda row: (len(row[1]), -row[0], row[1]))


def plain(name: str, known: Any) -> str:
    """A handler's name without its places."""
    classes = known.classes.get(name, "")
    return name[: -len(classes)].rstrip("_") if classes else name


def by_row(programs: Iterable[Counter[Run]], known: Any) -> tuple[Counter[str], Counter[str]]:
    """Pairs and triples without their places, as mean shares of the steps."""
    programs = list(programs)
    found: tuple[Counter[str], Counter[str]] = (Counter(), Counter())
    for runs in programs:
        for into, shared in zip(found, shares(runs), strict=True):
            for parts, share in shared.items():
                into[", ".join(plain(part, known) for part in parts)] += share / len(programs)
    return found


def table(title: str, found: Counter[str], n: int) -> Table:
    """The most frequent ones."""
    shown = Table(title=title)
    shown.add_column("%", justify="right")
    shown.add_column("handlers in a row")
    for text, share in found.most_common(n):
        shown.add_row(f"{share * 100:.2f}", text)
    return shown


def markdown(title: str, found: Counter[str], n: int) -> str:
    """The same for a page."""
    rows = "\n".join(f"| {text} | {share * 100:.2f} |" for text, share in found.most_common(n))
    return f"| {title} | % |\n| --- | --: |\n{rows}"


def run_all(names: list[str], doing: Callable[[str], None]) -> dict[str, Counter[Run]]:
    """Run each program of the corpus and take what it counted."""
    found = {}
    counted(names)
    for name, run in corpus.corpus().items():
        doing(name)
        run()
        found[name] = counted(names)
    return {name: runs for name, runs in found.items() if runs}


def standing(names: list[str], doing: Callable[[str], None]) -> dict[str, Counter[Run]]:
    """What stands in the code of real filters, all of their functions lowered."""
    import interp
    from interp._native import lib

    found = {}
    counted(names, standing=True)
    for path in corpus.filters():
        doing(f"code of {path.stem}")
        valid = interp.validate(interp.decode(path.read_bytes()))
        for own in range(len(valid.module.funcs)):
            lib.tm_code_lower(valid.native.code, own)
        name = path.stem if path.stem != "plugin" else path.parent.parent.name
        found[name] = counted(names, standing=True)
    return found


def weights(programs: dict[str, Counter[Run]]) -> list[tuple[float, Counter[Run]]]:
    """Kernels and programs count whole, filters a quarter each: there are many, and most share a runtime."""
    whole = {workload.name for workload in WORKLOADS}
    return [(1.0 if name in whole else 0.25, runs) for name, runs in programs.items()]


def study(room: int, write: bool, doing: Callable[[str], None]) -> list[Table]:
    """Count, choose and show. Raises click.UsageError on a build that does not count."""
    known = handlers()
    import fuse  # type: ignore[import-not-found, unused-ignore]

    names = [name for name, _, _ in known.rows]
    ran = run_all(names, doing)
    if not ran:
        raise click.UsageError("this build counts nothing: TAMIS_COUNT=1 python native/build.py")
    stood = standing(names, doing)
    pairs, triples = by_row(ran.values(), known)
    still, _ = by_row(stood.values(), known)
    shown = [("pairs that ran", pairs), ("triples that ran", triples), ("pairs in the code of filters", still)]
    if write:
        chosen = choose(weights(ran), known, fuse, room)
        PAIRS.write_text("".join(f"{' '.join(parts)} # {worth:.3f}\n" for worth, parts in chosen))
        text = "\n\n".join(markdown(title, found, 40) for title, found in shown)
        PAGE.write_text(f"{HEAD.format(programs=', '.join(ran), filters=', '.join(stood))}\n\n{text}\n")
    return [table(title, found, 25) for title, found in shown]
