"""A picture of the speeds: one row a workload, one mark a peer, on a logarithmic scale."""

from __future__ import annotations

from pathlib import Path

from benchmarks.compute import Measured

MARKS = "osD^v"


def draw(measured: list[Measured], names: list[str], base: str, means: dict[str, float], stem: Path) -> list[Path]:
    """Write stem.svg and stem.png, and tell which files those are. Raises ModuleNotFoundError without matplotlib."""
    from matplotlib.figure import Figure
    from matplotlib.ticker import LogLocator, NullFormatter

    rows = [m.workload.name for m in measured] + ["geometric mean"]
    figure = Figure(figsize=(8, 0.32 * len(rows) + 1.4), layout="constrained")
    axes = figure.subplots()
    for at in range(len(rows)):
        axes.axhline(at, color="0.9", linewidth=0.8, zorder=0)
    for name, mark in zip(names, MARKS, strict=False):
        ratios = [m.ratio(name, base) for m in measured] + [means[name]]
        axes.plot(ratios, range(len(rows)), mark, label=name, markersize=6)
    axes.set_yticks(range(len(rows)), rows)
    axes.invert_yaxis()
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter("{x:g}")
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_xlabel(f"time relative to {base} (less is faster)")
    figure.legend(loc="outside upper center", ncols=len(names), frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
    files = [stem.with_suffix(suffix) for suffix in (".svg", ".png")]
    for file in files:
        figure.savefig(file, dpi=150)
    return files
