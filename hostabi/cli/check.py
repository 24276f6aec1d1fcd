"""`tamis check`: what a module is, what it needs, and whether it would load."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING

import click

from hostabi.cli.errors import FAILURE, CommandError, complain, printable
from hostabi.cli.run_options import FEATURES

if TYPE_CHECKING:
    import interp
    from hostabi.core.policy import Profile

Row = Callable[[str, str], Iterator[str]]
"""Makes lines of a label and a text."""

SECTIONS = (
    *("custom", "type", "import", "function", "table", "memory", "global", "export", "start", "element", "code"),
    *("data", "data count", "tag"),
)


@dataclass(slots=True)
class Report:
    """What was found; `reasons` says why the module would not load."""

    file: str
    bytes: int
    kind: str = "module"  # filter, program, library, module
    abi: str | None = None
    start: list[str] = field(default_factory=list)
    allocators: list[str] = field(default_factory=list)
    features: list[str] = field(default_factory=list)
    imports: list[dict[str, str]] = field(default_factory=list)
    exports: list[dict[str, str]] = field(default_factory=list)
    memories: list[str] = field(default_factory=list)
    sections: list[dict[str, str | int]] = field(default_factory=list)
    functions: int = 0
    warnings: list[str] = field(default_factory=list)
    reasons: list[str] = field(default_factory=list)


@click.command
@click.argument("module")
@click.option("--profile", default="default", show_default=True, metavar="NAME", help="The host to load it for.")
@FEATURES
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.pass_context
def check(ctx: click.Context, module: str, profile: str, features: interp.Features, as_json: bool) -> None:
    """Say what MODULE is and what it needs; exit code 1, with reasons, if it would not load.

    The features that it needs are named even where they are off, and are then a reason.
    """
    from hostabi.core.policy import PROFILES

    if profile not in PROFILES:
        raise click.UsageError(f"there is no profile {profile!r}; known are {', '.join(PROFILES)}")
    report = examine(module, PROFILES[profile], features)
    if as_json:
        click.echo(json.dumps(asdict(report), indent=2))
    else:
        width = min(max(_width(), 40), 120)
        for line in render(report, width):
            click.echo(line)
        for reason in report.reasons:
            complain(f"{module}: {reason}")
    ctx.exit(FAILURE if report.reasons else 0)


def _width() -> int:
    import shutil

    return shutil.get_terminal_size((100, 24)).columns


# --- finding out


def examine(path: str, profile: Profile, features: interp.Features = None) -> Report:
    """Read, decode and validate a module and judge what a host would do with it. Raises CommandError if unreadable."""
    import interp
    from hostabi.cli.sources import describe, load_binary
    from hostabi.core.plugin import LoadError

    data = load_binary(path)
    report = Report(path, len(data))
    try:
        module = interp.decode(data, features=interp.EVERY_FEATURE)
    except interp.WasmError as error:
        raise CommandError(describe(path, error)) from error
    _describe(report, module)
    try:
        valid = interp.validate(module, features=interp.EVERY_FEATURE)
        report.features = sorted(feature.value for feature in valid.features)
        off = [name for name in report.features if interp.Feature(name) not in interp.feature_set(features)]
        report.reasons += [f"needs the feature {name}, which is off (--features +{name})" for name in off]
        _lacking(report, valid)
    except interp.WasmError as error:
        report.reasons.append(describe("", error).removeprefix(": "))
    with suppress(LoadError):  # of an import without a type: validation has said so
        _judge(report, module, profile)
    return report


def _describe(report: Report, module: interp.Module) -> None:
    from hostabi.abi.callbacks import ALLOCATORS
    from interp.tools.disasm import signature

    report.functions = len(module.funcs)
    report.sections = [
        {"name": _section_name(module, number, offset), "bytes": size} for number, offset, size in module.sections
    ]
    for export in module.exports:
        type = ""
        if export.kind == "func":
            try:
                type = signature(module.func_type(export.index))
            except (IndexError, TypeError):  # validation will say so
                type = "?"
        report.exports.append({"name": export.name, "kind": export.kind, "type": type})
    functions = {export.name for export in module.exports if export.kind == "func"}
    report.allocators = [name for name in ALLOCATORS if name in functions]
    report.memories = [_pages(memory) for memory in module.mem_types]
    report.start = _start_shape(module, functions)


def _section_name(module: interp.Module, number: int, offset: int) -> str:
    name = SECTIONS[number] if number < len(SECTIONS) else f"section {number}"
    if number == 0:
        custom = next((c for c in module.customs if offset <= c.at <= offset + 1 << 20 and c.at >= offset), None)
        return f"custom {custom.name!r}" if custom is not None else name
    return name


def _pages(memory: interp.MemType) -> str:
    least, most, log2 = memory.limits.min, memory.limits.max, memory.page_log2
    kind = "" if log2 == 16 else f" of {_size(1 << log2)}"
    limit = "" if most is None else f", at most {most} ({_size(most << log2)})"
    shared = ", shared" if memory.limits.shared else ""
    return f"{least} page{'s' * (least != 1)}{kind} ({_size(least << log2)}){limit}{shared}"


def _start_shape(module: interp.Module, functions: set[str]) -> list[str]:
    shape = ["start section"] if module.start is not None else []
    if "_initialize" in functions:
        shape.append("_initialize")
        shape += [name for name in ("main", "__main_void") if name in functions][:1]
    elif "_start" in functions:
        shape.append("_start")
    return shape


def _lacking(report: Report, valid: interp.ValidModule) -> None:
    from hostabi.cli.sources import make_store

    engine = make_store(None).engine
    report.reasons += [
        f"the {engine.name} engine does not run the feature {feature.value}, which the module needs"
        for feature in sorted(valid.features - engine.features, key=lambda f: f.value)
    ]


def _judge(report: Report, module: interp.Module, profile: Profile) -> None:
    from hostabi.abi.enums import AbiVersion
    from hostabi.core.plugin import LoadError, find_abi, judge_imports

    functions = [export.name for export in module.exports if export.kind == "func"]
    is_filter = any(name.startswith("proxy_") for name in functions) or any(
        one.module == "env" and one.name.startswith("proxy_") for one in module.imports
    )
    version: AbiVersion | None = None
    if is_filter:
        report.kind = "filter"
        try:
            version, warnings = find_abi(module, profile)
            report.abi = version.text
            report.warnings += warnings
        except LoadError as error:
            report.reasons += [f"{reason}" for reason in error.reasons]
        if not report.allocators:
            absent = "no allocator (proxy_on_memory_allocate or malloc) is exported"
            (report.reasons if profile.allocator_required else report.warnings).append(absent)
        report.reasons += _bad_signatures(module)
        for judged in judge_imports(module, version or AbiVersion.V0_2_1, profile):
            _import(report, judged.wanted.module, judged.wanted.name, judged.wanted.type, judged.verdict, judged.note)
    else:
        report.kind = "program" if "_start" in functions else "library" if "_initialize" in functions else "module"
        _program_imports(report, module)


def _import(report: Report, module: str, name: str, type: str, verdict: str, note: str) -> None:
    entry = {"module": module, "name": name, "type": type, "verdict": verdict, "note": note}
    if entry in report.imports:
        return
    report.imports.append(entry)
    if verdict == "refused":
        report.reasons.append(f"import {module}.{name} {type} cannot be linked: {note}")


def _program_imports(report: Report, module: interp.Module) -> None:
    """What a program or library imports: WASI is there, nothing else is."""
    from hostabi.core.plugin import wanted_functions
    from hostabi.hostcalls.wasi import MODULE_NAMES, SIGNATURES

    for wanted in wanted_functions(module):
        known = SIGNATURES.get(wanted.name) if wanted.module in MODULE_NAMES else None
        fits = known == (wanted.params, wanted.results)
        note = "" if fits else "of another type than WASI's" if known else "not part of WASI"
        _import(report, wanted.module, wanted.name, wanted.type, "known" if fits else "refused", note)
    for one in module.imports:
        if one.kind != "func":
            _import(report, one.module, one.name, "", "refused", f"an imported {one.kind}")


def _bad_signatures(module: interp.Module) -> Iterator[str]:
    from hostabi.abi.callbacks import ALLOCATORS, CALLBACKS
    from hostabi.abi.enums import AbiVersion

    for export in module.exports:
        wanted = [row.signature(v) for v in AbiVersion] if (row := CALLBACKS.get(export.name)) else []
        wanted += [(("i32",), ("i32",))] if export.name in ALLOCATORS else []
        if not wanted or export.kind != "func":
            continue
        try:
            type = module.func_type(export.index)
        except (IndexError, TypeError):
            continue
        if (tuple(map(str, type.params)), tuple(map(str, type.results))) not in wanted:
            yield f"Bad function signature for: {export.name}"


# --- showing


def _size(n: int) -> str:
    for unit, factor in (("GB", 1 << 30), ("MB", 1 << 20), ("KB", 1 << 10)):
        if n >= factor:
            return f"{n / factor:.1f}".removesuffix(".0") + f" {unit}"
    return f"{n} B"


def render(report: Report, width: int) -> Iterator[str]:
    """The report as lines of text."""

    def row(label: str, text: str) -> Iterator[str]:
        lines = textwrap.wrap(printable(text), width - 12, break_on_hyphens=False) or [""]
        for i, line in enumerate(lines):
            yield f"{label if i == 0 else '':<11} {line}"

    functions = f"{report.functions} function{'s' * (report.functions != 1)}"
    yield from row("file", f"{report.file}, {_size(report.bytes)}, {functions}")
    yield from row("kind", _kind(report))
    if report.kind == "filter":
        yield from row("ABI", report.abi or "none that is known")
        yield from row("allocator", ", ".join(report.allocators) or "none")
    yield from row("start-up", ", then ".join(report.start) or "nothing is called")
    yield from row("memory", "; ".join(report.memories) or "none")
    yield from row("features", ", ".join(report.features) or "unknown")
    yield from row("imports", _imports_head(report.imports))
    for verdict in ("known", "stub", "refused"):
        yield from _imports(report.imports, verdict, row)
    yield from row("exports", f"{len(report.exports)}")
    yield from _exports(report, row)
    widest = min(max((len(str(s["name"])) for s in report.sections), default=0), 40)
    for i, section in enumerate(report.sections):
        label = "" if i else "sections"
        yield f"{label:<11} {printable(str(section['name'])):<{widest}}  {_size(int(section['bytes'])):>9}"
    for warning in report.warnings:
        yield from row("warning", warning)
    yield from row("verdict", "would not load" if report.reasons else "loads")


def _kind(report: Report) -> str:
    kinds = {
        "filter": "a Proxy-Wasm filter",
        "program": "a program (exports _start)",
        "library": "a library (exports _initialize)",
        "module": "a module: call its exports with tamis run --invoke",
    }
    return kinds[report.kind]


def _imports_head(imports: list[dict[str, str]]) -> str:
    counts = {verdict: sum(one["verdict"] == verdict for one in imports) for verdict in ("known", "stub", "refused")}
    words = {"known": "known", "stub": "unknown or of another type, answered by stubs", "refused": "refused"}
    return ", ".join(f"{n} {words[verdict]}" for verdict, n in counts.items() if n) or "none"


def _imports(imports: list[dict[str, str]], verdict: str, row: Row) -> Iterator[str]:
    chosen = [one for one in imports if one["verdict"] == verdict]
    if verdict != "known":
        for one in chosen:
            yield from row("", f"{verdict}: {one['module']}.{one['name']} {one['type']}: {one['note']}")
        return
    for module in dict.fromkeys(one["module"] for one in chosen):
        yield from row("", f"{module}: " + _listed(one["name"] for one in chosen if one["module"] == module))


def _exports(report: Report, row: Row) -> Iterator[str]:
    from hostabi.abi.callbacks import CALLBACKS

    callbacks = [one["name"] for one in report.exports if one["name"] in CALLBACKS]
    if callbacks:
        yield from row("", "callbacks: " + _listed(callbacks))
    for kind in dict.fromkeys(one["kind"] for one in report.exports):
        others = [one for one in report.exports if one["kind"] == kind and one["name"] not in CALLBACKS]
        if others:
            plural = {"func": "functions", "memory": "memories"}.get(kind, f"{kind}s")
            yield from row("", f"{plural}: " + _listed(one["name"] for one in others))


def _listed(names: Iterable[str]) -> str:
    return " ".join(names)
