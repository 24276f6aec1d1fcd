"""What pairs.py counts: the kernels and programs at small sizes, exchanges with filters of others and our own."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from benchmarks.load import plugins
from benchmarks.peers import Tamis
from benchmarks.programs import PROGRAMS, Missing
from benchmarks.workloads import WORKLOADS

FILTERS = Path(__file__).parents[1] / "examples" / "filters"
SIZES = {"quickjs": 3, "masking": 1, "brotli": 3, "flate": 60}
CONFIG = {
    "reqRules": [{"operate": "add", "headers": [{"key": "X-add", "value": "$1", "host_pattern": r"^(.*)\.com$"}]}],
    "type": "key-auth",
    "enable_path_suffixes": ["/v1/chat/completions"],
}


def kernel(data: bytes, size: int) -> Callable[[], object]:
    """One run of a kernel."""
    return lambda: Tamis("native").load(data)(size)


def program(name: str) -> Callable[[], object]:
    """One run of a real program."""
    chosen = PROGRAMS[name]
    data = chosen.data()
    return lambda: chosen.work(Tamis("native").open(data, chosen.stubs), SIZES.get(name, 1))


def exchange(path: Path) -> Callable[[], object]:
    """The start of a filter, and some exchanges."""

    def run() -> None:
        from hostabi.testing import FilterHost

        filter = FilterHost(path, engine="native", config=json.dumps(CONFIG))
        body = json.dumps({"model": "m", "messages": [{"role": "user", "content": "some words " * 40}]})
        for _ in range(20):
            filter.exchange(
                "POST",
                path="/v1/chat/completions?a=b",
                authority="www.example.com",
                headers={"content-type": "application/json", "authorization": "Bearer x"},
                chunks=[body],
                response_headers={"content-type": "application/json"},
                response_body=body,
            )

    return run


def filters() -> list[Path]:
    """The modules of all filters."""
    return [plugin.path for plugin in plugins()] + sorted(FILTERS.glob("*/*.wasm"))


def corpus() -> dict[str, Callable[[], object]]:
    """Every program that is here, by name."""
    found: dict[str, Callable[[], object]] = {}
    for workload in WORKLOADS:
        if workload.name not in PROGRAMS and not workload.apart:
            found[workload.name] = kernel(workload.data(), max(workload.quick, workload.size // 10))
    for name in PROGRAMS:
        try:
            found[name] = program(name)
        except Missing:
            continue
    for plugin in plugins():
        if plugin.name != "ai-data-masking":  # it is one of the programs
            found[plugin.name] = exchange(plugin.path)
    for path in sorted(FILTERS.glob("*/*.wasm")):
        found[path.stem] = exchange(path)
    return found
