"""How does the cost of a request grow? It is to be flat in what a filter is and holds, and linear in what is sent.

The filter reads all request headers and writes them back, and does the same to the body. Beside the time stand ticks,
host calls and bytes copied, which are counted and the same in every run. The exponent is that of a power of the size,
fitted by least squares on logarithms: to the time itself where it is to be flat (0), and to what the time is above that
of the smallest size where it is to be linear (1).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from math import log
from pathlib import Path
from typing import Any

from rich.table import Table

import interp
from hostabi.core.chain import Chain
from hostabi.core.events import RequestBody, RequestHeaders, ResponseHeaders, StreamEnd
from hostabi.core.host import Host, PluginConfig
from hostabi.core.plugin import WasmGuest
from hostabi.core.policy import Limits
from hostabi.core.transcript import Called
from hostabi.testing.wat import small_filter

#: Where the filter has its results, and where the allocator begins anew for each stream.
PTR, SIZE, FREE = 256, 260, 65536
PAGES = 64
#: Seconds of a round.
ROUND = 0.002
READ_AND_WRITE = {
    "proxy_on_request_headers": f"""
    (global.set $free (i32.const {FREE}))
    (drop (call $proxy_get_header_map_pairs (i32.const 0) (i32.const {PTR}) (i32.const {SIZE})))
    (drop (call $proxy_set_header_map_pairs (i32.const 0) (i32.load (i32.const {PTR})) (i32.load (i32.const {SIZE}))))
    (i32.const 0)""",
    "proxy_on_request_body": f"""
    (drop (call $proxy_get_buffer_bytes
      (i32.const 0) (i32.const 0) (local.get 1) (i32.const {PTR}) (i32.const {SIZE})))
    (drop (call $proxy_set_buffer_bytes (i32.const 0) (i32.const 0) (local.get 1)
      (i32.load (i32.const {PTR})) (i32.load (i32.const {SIZE}))))
    (i32.const 0)""",
    "proxy_on_response_headers": "(i32.const 0)",
    "proxy_on_log": "",
}
LIMITS = Limits(header_pairs=100_000, header_bytes=64 << 20, body_buffer=64 << 20)
FEW = ((b":authority", b"a"), (b":path", b"/"), (b":method", b"GET"), (b":scheme", b"http"))


def module(functions: int = 0, pages: int = PAGES) -> bytes:
    """The filter, with so many functions that it never calls, and so much memory."""
    text = small_filter(READ_AND_WRITE, pages=str(pages))
    idle = "(func (param i32) (result i32) (i32.add (i32.mul (local.get 0) (i32.const 77)) (i32.const 12345)))"
    made = interp.decode(interp.encode(interp.parse(f"{text.rstrip()[:-1]}{idle})")))
    funcs = tuple(replace(func, offset=-1, length=0, _contents=func.contents) for func in made.funcs)
    return interp.encode(replace(made, funcs=funcs + (funcs[-1],) * functions, binary=b""))


class Stand:
    """A host with one filter, and requests to it by plain events, as a proxy would send them."""

    def __init__(self, data: bytes, *, record: bool = False) -> None:
        self.host = Host(limits=LIMITS, record=record)
        plugin = self.host.plugin(data, PluginConfig())
        self.chain: Chain = self.host.chain([plugin])
        guest = plugin.vm.guest
        if not isinstance(guest, WasmGuest):
            raise TypeError(f"a module is run by {type(guest).__name__}")
        self.guest = guest
        self._number = 0

    def begin(self) -> None:
        """A stream that stays."""
        self._number += 1
        self.host.feed(self.chain, RequestHeaders(self._number, FEW, False))

    def request(self, headers: Sequence[tuple[bytes, bytes]] = FEW, body: bytes = b"") -> None:
        """A whole exchange."""
        self._number += 1
        number, host, chain = self._number, self.host, self.chain
        host.feed(chain, RequestHeaders(number, tuple(headers), not body))
        if body:
            host.feed(chain, RequestBody(number, body, True))
        host.feed(chain, ResponseHeaders(number, ((b":status", b"200"),), True))
        host.feed(chain, StreamEnd(number))


def plain(stand: Stand) -> Callable[[], None]:
    """A small request."""
    return stand.request


def among(data: bytes, contexts: int) -> Stand:
    """A host with so many streams that are open already."""
    stand = Stand(data)
    for _ in range(contexts):
        stand.begin()
    return stand


def with_headers(count: int) -> Callable[[Stand], Callable[[], None]]:
    """A request with so many headers."""
    headers = (*FEW, *((b"x-header-%d" % i, b"some value of a header") for i in range(count - len(FEW))))
    return lambda stand: lambda: stand.request(headers)


def with_body(size: int) -> Callable[[Stand], Callable[[], None]]:
    """A request with a body of so many bytes."""
    body = b"x" * size
    return lambda stand: lambda: stand.request(body=body)


@dataclass(frozen=True)
class Curve:
    """A size that is varied: what its unit is, whether the cost is to be flat, how a host and a request are made."""

    name: str
    unit: str
    is_flat: bool
    sizes: tuple[int, ...]
    stand: Callable[[int], Stand]
    request: Callable[[int], Callable[[Stand], Callable[[], None]]]

    @property
    def promise(self) -> int:
        """The exponent that is promised."""
        return 0 if self.is_flat else 1


CURVES = (
    Curve(
        *("module size", "functions", True, (0, 1_000, 10_000, 100_000, 400_000)),
        lambda n: Stand(module(functions=n)),
        lambda n: plain,
    ),
    Curve(
        *("memory size", "pages", True, (PAGES, 256, 1_024, 4_096, 16_384)),
        lambda n: Stand(module(pages=n)),
        lambda n: plain,
    ),
    Curve(
        *("live contexts", "streams", True, (1, 10, 100, 1_000, 10_000)),
        lambda n: among(module(), n),
        lambda n: plain,
    ),
    Curve("headers", "headers", False, (4, 50, 100, 200, 400, 800), lambda n: Stand(module()), with_headers),
    Curve(
        *("body", "bytes", False, (1 << 10, 1 << 18, 1 << 19, 1 << 20, 3 << 19, 1 << 21)),
        lambda n: Stand(module()),
        with_body,
    ),
)


@dataclass
class Point:
    """What a request costs at one size: seconds of each round, and what was counted of one."""

    size: int
    seconds: list[float] = field(default_factory=list)
    ticks: int = 0
    host_calls: int = 0
    bytes_copied: int = 0


@dataclass
class Measured:
    """A curve with its points."""

    curve: Curve
    points: list[Point] = field(default_factory=list)

    @property
    def times(self) -> list[float]:
        """Seconds by size: of the round that was least disturbed."""
        return [min(point.seconds) for point in self.points]

    @property
    def exponent(self) -> float:
        """The power of the size that the time grows with, see above."""
        sizes, times = [point.size for point in self.points], self.times
        if self.curve.is_flat:
            return slope([log(max(size, 1)) for size in sizes], [log(one) for one in times])
        rest = list(zip(sizes, times, strict=True))[1:]
        more = [max(one - times[0], 1e-9) for _, one in rest]
        return slope([log(size - sizes[0]) for size, _ in rest], [log(one) for one in more])

    @property
    def per_unit(self) -> float:
        """Seconds that one more unit costs: a straight line by least squares."""
        return slope([point.size for point in self.points], self.times)


def slope(xs: Sequence[float], ys: Sequence[float]) -> float:
    """The slope of the line through points, by least squares."""
    x, y = sum(xs) / len(xs), sum(ys) / len(ys)
    return sum((a - x) * (b - y) for a, b in zip(xs, ys, strict=True)) / sum((a - x) ** 2 for a in xs)


def measure(curve: Curve, rounds: int, sizes: int, done: Callable[[str], None]) -> Measured:
    """Time requests at each size, the sizes by turns; `sizes` of them, the smallest first.

    A round is as many requests as fit into a few milliseconds, less than a busy machine gives a process at a time.
    """
    found = Measured(curve, [Point(size) for size in curve.sizes[:sizes]])
    runs = []
    for point in found.points:
        done(f"{curve.name} {point.size:,}")
        stand = curve.stand(point.size)
        run = curve.request(point.size)(stand)
        run()
        count(stand, run, point)
        runs.append(run)
    for _ in range(rounds):
        for point, run in zip(found.points, runs, strict=True):
            begin, requests = time.perf_counter(), 0
            while not requests or time.perf_counter() - begin < ROUND:
                run()
                requests += 1
            point.seconds.append((time.perf_counter() - begin) / requests)
    return found


def count(stand: Stand, run: Callable[[], None], point: Point) -> None:
    """Count what one request does."""
    ticks, copied = stand.guest.ticks, stand.guest.bytes_copied
    stand.host.transcript.clear()
    run()
    point.ticks, point.bytes_copied = stand.guest.ticks - ticks, stand.guest.bytes_copied - copied
    point.host_calls = sum(isinstance(record, Called) for record in stand.host.transcript)


def table(found: list[Measured]) -> Table:
    """Every point, and what was fitted."""
    shown = Table(title="a request, by what grows")
    shown.add_column("grows")
    for column in ("size", "µs", "ticks", "host calls", "bytes copied"):
        shown.add_column(column, justify="right")
    shown.add_column("fitted", style="bold")
    for one in found:
        for i, (point, seconds) in enumerate(zip(one.points, one.times, strict=True)):
            counts = (f"{number:,}" for number in (point.ticks, point.host_calls, point.bytes_copied))
            last = i + 1 == len(one.points)
            shown.add_row(
                one.curve.name if i == 0 else "",
                f"{point.size:,} {one.curve.unit}",
                f"{seconds * 1e6:,.1f}",
                *counts,
                fitted(one) if last and len(one.points) > 3 else "",
            )
        shown.add_section()
    return shown


def fitted(one: Measured) -> str:
    """The exponent beside the promised one; what one more unit costs, where it costs anything."""
    text = f"exponent {one.exponent:.2f}, promised {one.curve.promise}"
    return text if one.curve.is_flat else f"{text}; {one.per_unit * 1e9:,.1f} ns for one of the {one.curve.unit}"


def draw(found: list[Measured], stem: Path) -> list[Path]:
    """Write stem.svg and stem.png, and tell which files those are. Raises ModuleNotFoundError without matplotlib."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(3.2 * len(found), 3.2), layout="constrained")
    for axes, one in zip(figure.subplots(1, len(found), squeeze=False)[0], found, strict=True):
        axes.plot([max(point.size, 1) for point in one.points], [s * 1e6 for s in one.times], "o-", markersize=4)
        if one.curve.is_flat:
            axes.set_xscale("log")
        axes.set_ylim(0, max(one.times) * 1e6 * (2 if one.curve.is_flat else 1.1))
        axes.set_title(f"{one.curve.name}: exponent {one.exponent:.2f} ({one.curve.promise})", fontsize=9)
        axes.set_xlabel(one.curve.unit)
        axes.spines[["top", "right"]].set_visible(False)
    figure.supylabel("µs a request", fontsize=9)
    files = [stem.with_suffix(suffix) for suffix in (".svg", ".png")]
    for file in files:
        figure.savefig(file, dpi=150)
    return files


def as_json(one: Measured) -> dict[str, Any]:
    """All points of a curve."""
    return {
        "name": one.curve.name,
        "unit": one.curve.unit,
        "promised": one.curve.promise,
        "exponent": one.exponent if len(one.points) > 2 else None,
        "seconds_per_unit": one.per_unit,
        "points": [
            {
                "size": point.size,
                "seconds": point.seconds,
                "ticks": point.ticks,
                "host_calls": point.host_calls,
                "bytes_copied": point.bytes_copied,
            }
            for point in one.points
        ],
    }
