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

from rich.table import Table

NOTHING = 0xFFFF
PAIRS = Path(__file__).parents[1] / "native" / "pairs.txt"
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
    return f"| {title} | % of the steps |\n| --- | --: |\n{rows}"


def run_all(programs: dict[str, Callable[[], object]], names: list[str]) -> dict[str, Counter[Run]]:
    """Run each program and take what it counted."""
    found = {}
    counted(names)
    for name, run in programs.items():
        run()
        found[name] = counted(names)
    return found
