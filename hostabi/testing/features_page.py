"""The page of features: what of Proxy-Wasm this host does, beside others; read from their sources and documents."""

from __future__ import annotations

from dataclasses import dataclass

PEERS = (
    "Envoy",
    "ngx_wasm_module",
    "MOSN",
    "Higress",
    "go-sdk proxytest",
    "rust test-framework",
)

YES = "yes"
NO = "no"


@dataclass(frozen=True, slots=True)
class Feature:
    """A row: whether this host does it, and the others, in the order of PEERS; a cell is yes, no, or what of it."""

    name: str
    ours: str
    peers: tuple[str, ...]


def _row(name: str, ours: str, *peers: str) -> Feature:
    if len(peers) != len(PEERS):
        raise ValueError(f"{name} has {len(peers)} cells")
    return Feature(name, ours, peers)


FEATURES: tuple[Feature, ...] = (
    _row("ABI 0.1.0", YES, YES, YES, YES, YES, NO, YES),
    _row("ABI 0.2.0", YES, YES, YES, "other numbers under this marker", YES, YES, YES),
    _row("ABI 0.2.1", YES, YES, YES, "marker unknown", YES, "as 0.2.0", YES),
    _row("ABI 0.2.100 (Higress)", YES, NO, NO, NO, YES, "own fork", NO),
    _row("old vNEXT names", "recognised, refused by name", NO, "registered, most trap", "some", NO, NO, NO),
    _row("tolerant linking", YES, NO, YES, YES, NO, YES, "by name"),
    _row("start section", YES, YES, YES, YES, YES, YES, YES),
    _row("`_initialize`, `main`, `__main_void`", YES, YES, "no `main`", NO, YES, "no `__main_void`", "the first only"),
    _row("`_start`", YES, YES, YES, YES, YES, YES, YES),
    _row("`malloc`, `proxy_on_memory_allocate`", YES, YES, YES, "`malloc`", YES, "the second", "`malloc`"),
    _row("proxy_log", YES, YES, YES, YES, YES, YES, YES),
    _row("proxy_get_log_level", YES, YES, "traps", NO, YES, NO, "stub"),
    _row("clocks", YES, YES, YES, "32 bits of a second", YES, YES, YES),
    _row("ticks", YES, YES, "on the root", "embedder's", YES, "by hand", "by hand"),
    _row("properties, reading", YES, YES, "some, as text", "embedder's", YES, "a table", "defaults"),
    _row("properties, writing", YES, YES, "`ngx.*`, `wasmx.*`", "embedder's", YES, YES, "stub"),
    _row("header callbacks", YES, YES, YES, YES, YES, YES, YES),
    _row("body callbacks", YES, YES, YES, YES, YES, YES, YES),
    _row("trailers", YES, YES, NO, YES, YES, YES, YES),
    _row("HTTP/2 metadata callbacks", YES, YES, NO, "some", YES, NO, "callable"),
    _row("header maps: pairs, value, add, replace, remove, set", YES, YES, YES, "merged", YES, "add joins", YES),
    _row("header map size", YES, YES, NO, NO, YES, NO, YES),
    _row("body, reading and writing ranges", YES, YES, "own meaning", "some", YES, YES, "recorded"),
    _row("StopIteration, literally", YES, "by option", NO, NO, YES, "recorded", "returned"),
    _row("StopAllIteration, buffer and watermark", YES, YES, NO, NO, YES, "recorded", "returned"),
    _row("continue and close of streams", YES, YES, "continue", "resume only", YES, "no effect", "expected"),
    _row("local response", YES, YES, YES, "vNEXT's", YES, YES, YES),
    _row("HTTP callout", YES, YES, YES, "embedder's", YES, YES, YES),
    _row("HTTP callout trailers", YES, YES, NO, NO, YES, YES, "some"),
    _row("gRPC unary", YES, YES, "traps", "embedder's", YES, NO, "stub"),
    _row("gRPC stream", YES, YES, "traps", "embedder's", YES, NO, "stub"),
    _row("get_status", YES, YES, "traps", NO, YES, "some", "stub"),
    _row("shared data with CAS", YES, YES, YES, YES, YES, "0 compares", "stub"),
    _row(
        "shared queues: register, resolve, send, take, wake",
        YES,
        YES,
        "no resolve, no wake",
        "some",
        YES,
        "no resolve",
        "stub",
    ),
    _row("metrics: counter, gauge, histogram", YES, YES, YES, "embedder's", YES, YES, "stub"),
    _row("foreign functions", YES, YES, "one", "embedder's", YES, "registrable", "stub"),
    _row("set_effective_context, done", YES, YES, "no effect, traps", "embedder's", YES, "no effect", "some"),
    _row("TCP filters", YES, YES, NO, "some", YES, YES, YES),
    _row("DNS, stats sink", YES, YES, NO, NO, YES, NO, NO),
    _row("Redis callout", YES, NO, NO, NO, YES, NO, NO),
    _row("injected response bytes, choice of the upstream host", YES, NO, NO, NO, YES, NO, NO),
    _row("WASI preview1", YES, "45 functions", "18 functions", "the runtime's", YES, "the runtime's", NO),
    _row("`wasi_unstable`", YES, YES, NO, YES, YES, NO, NO),
    _row("emscripten's imports", YES, YES, NO, NO, YES, NO, NO),
    _row("AssemblyScript's `abort`, `seed`, `trace`", YES, NO, NO, NO, NO, NO, NO),
)

_INTRO = """\
What this host does of Proxy-Wasm, beside others. Theirs is read from their sources and documents, of 2023 to 2026;
*embedder's* means that a library leaves it to whoever uses it. Ours: each row has tests
(`spec_tests/proxy_wasm/features/`), and in the profile of another host we do what that one does
([profiles](PROFILES.md))."""


def features_page() -> str:
    """The table."""
    lines = ["# Features", "", _INTRO, "", f"| | tamis | {' | '.join(PEERS)} |", "|---" * (len(PEERS) + 2) + "|"]
    lines += [f"| {row.name} | {row.ours} | {' | '.join(row.peers)} |" for row in FEATURES]
    return "\n".join(lines) + "\n"
