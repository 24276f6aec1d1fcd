"""The long reference page of the ABI: each host call with its drawing of memory, statuses and what profiles change."""

from __future__ import annotations

from collections.abc import Iterator

import hostabi.hostcalls  # noqa: F401  (fills the registry)
from hostabi.abi.codec import encode_pairs
from hostabi.abi.enums import AbiVersion, Status
from hostabi.abi.hostcall import REGISTRY, HostCall, Phase, RawFunction, Wire
from hostabi.abi.rust_sdk import ACCEPTED
from hostabi.core.policy import PROFILES, Profile
from hostabi.testing.answers import answers
from hostabi.testing.profiles_page import value_text

_INTRO = """\
What a guest may import from module `env`. Each call is a Python function with a decorator (`abi/hostcall.py`); its Wasm
type and its drawing come from the annotations, its statuses, switches and limits from the code that it can reach
(`testing/answers.py`). The same in short is [in tables](hostcalls/README.md); what a guest exports is in
[Callbacks](abi/CALLBACKS.md).

- Every call returns an i32, the status. It is one of those listed, but for refusals (below) and ordered faults.
- Checks go in this order: enumerations, input memory, the operation, output memory. INVALID_MEMORY_ACCESS is about a
  range that is not within the guest's memory, or an allocator that gives none.
- `->` is an address in the guest's memory, `[ ]` are bytes there; numbers are little-endian and need no alignment.
  *Fresh bytes* come from the guest's allocator, exactly as many as the length says, and are the guest's to free; for no
  bytes the allocator is not called, and address and length are 0.
- A call that is *refused* in a phase is not made. `start_restriction` and `allocator_restriction` say what happens
  instead: INTERNAL_FAILURE in the profile `default`. ABI 0.2.100 allows every call within the allocator.
- `strict_versions` refuses, at linking, calls that the announced version does not have; without `import_variants`
  shorter variants of imports are refused. [Profiles](PROFILES.md) has these and every other switch.
- After a switch stands its value in the profile `default`, then in those that differ.
- The Rust SDK panics on a status that it does not expect; INVALID_MEMORY_ACCESS, which it never causes, is left out."""

_MAP_INTRO = """\
A *map* is one range of bytes: the number of entries, the lengths of all names and values, then names and values, each
closed by a NUL that its length does not count. With two entries:"""

_EXAMPLE = ((b":path", b"/"), (b"x-user", b"eve"))

_RANGES = {Wire.BYTES: "bytes", Wire.LATE_BYTES: "bytes, read after the other checks", Wire.PAIRS: "map"}
_FRESH = {Wire.OUT_BYTES: "bytes", Wire.OUT_PAIRS: "map", Wire.OUT_OPTIONAL: "bytes"}
_CELLS = {Wire.OUT_U32: "u32", Wire.OUT_U64: "u64", Wire.OUT_TOKEN: "u32, token; 0 before the operation"}
_NUMBERS = {Wire.U32: "unsigned", Wire.I32: "signed", Wire.U64: "unsigned", Wire.I64: "signed"}


def abi_page() -> str:
    """Every host call of the registry at length."""
    lines = ["# The ABI, call by call", "", _INTRO, "", "## Maps in memory", "", _MAP_INTRO, ""]
    lines += ["```text", *_map_drawing(), "```", "", "## Statuses", ""]
    lines += ["| number | name |", "|---|---|", *(f"| {status.value} | {status.name} |" for status in Status), ""]
    lines += ["## Enumerations", "", "Any other number is BAD_ARGUMENT.", ""]
    kinds = {p.enum: None for call in REGISTRY.calls.values() for p in call.params if p.enum is not None}
    for kind in sorted(kinds, key=lambda kind: kind.__name__):
        lines.append(f"- {kind.__name__}: {', '.join(f'{member.value} {member.name}' for member in kind)}")
    lines.append("")
    for theme in dict.fromkeys(call.theme for call in REGISTRY.calls.values()):
        lines += [f"## {theme.capitalize()}", ""]
        for call in REGISTRY.calls.values():
            if call.theme == theme:
                lines += [*_call(call), ""]
    lines += ["## Functions without a status", ""]
    for raw in REGISTRY.raw.values():
        lines += [*_raw(raw), ""]
    return "\n".join(lines[:-1]) + "\n"


# --- one call --------------------------------------------------------------------------------------------------------


def _call(call: HostCall) -> Iterator[str]:
    found = answers(call)
    yield from (f"### {call.name}", "", call.doc, "", "```text", *_signatures(call), *_drawing(call), "```", "")
    yield f"- versions: {versions_text(call.versions)}{_differing(found.versions & call.versions)}"
    yield f"- statuses: {_statuses(frozenset({Status.OK}) | found.statuses)}"
    refused = [name for phase, name in _PHASES.items() if phase not in call.phases]
    if refused:
        yield f"- refused {' and '.join(refused)}"
    if found.switches:
        yield f"- profiles: {'; '.join(_switch(name) for name in sorted(found.switches))}"
    if found.limits:
        yield f"- limits: {', '.join(f'`{name}`' for name in sorted(found.limits))}"
    panics = rust_panics(call)
    if panics:
        yield f"- the Rust SDK would panic on {_statuses(panics)}"


def rust_panics(call: HostCall) -> frozenset[Status]:
    """Statuses of a call that the Rust SDK makes on which it panics, other than that of wrong pointers."""
    if call.name not in ACCEPTED:
        return frozenset()
    return answers(call).statuses - ACCEPTED[call.name] - {Status.INVALID_MEMORY_ACCESS}


_PHASES = {Phase.START: "while the guest starts", Phase.ALLOCATE: "within its allocator"}


def _signatures(call: HostCall) -> Iterator[str]:
    for leave_out in (False, True) if call.optional else (False,):
        names = [n for p, cells in input_names(call) if not (leave_out and p in call.optional) for n in cells]
        names += [n for cells in output_names(call) for n in cells]
        typed = zip(names, call.wasm_params(leave_out), strict=True)
        yield f"{'or ' if leave_out else ''}({', '.join(f'{name}: {kind}' for name, kind in typed)}) -> i32"


def input_names(call: HostCall) -> list[tuple[str, tuple[str, ...]]]:
    """Names of the Wasm parameters of each input, with that input's name."""
    return [(p.name, tuple(p.name + suffix for suffix in _suffixes(p.wire))) for p in call.params]


def output_names(call: HostCall) -> list[tuple[str, ...]]:
    """Names of the Wasm parameters of each output; numbered where two would be the same."""
    plain = [_suffixes(wire) for wire in call.outs]
    return [
        tuple(f"{name}_{i}" if plain.count(cells) > 1 else name for name in cells) for i, cells in enumerate(plain, 1)
    ]


def _suffixes(wire: Wire) -> tuple[str, ...]:
    suffixes: tuple[str, ...] = wire.value[1] if wire is not Wire.ENUM else ("",)
    return suffixes


def _drawing(call: HostCall) -> Iterator[str]:
    rows: list[tuple[str, str, str]] = []
    for param, (_, cells) in zip(call.params, input_names(call), strict=True):
        if param.enum is not None:
            rows.append(("in", cells[0], f" = {param.enum.__name__}"))
        elif param.wire in _RANGES:
            rows.append(("in", cells[0], f"-> [ {param.name}: {cells[1]} bytes ]  {_RANGES[param.wire]}"))
        else:
            rows.append(("in", cells[0], f" = a number, {_NUMBERS[param.wire]}"))
    for wire, cells in zip(call.outs, output_names(call), strict=True):
        if wire in _FRESH:
            wanted = "; 0 refuses it" if wire is Wire.OUT_OPTIONAL else ""
            rows.append(("out", cells[0], f"-> [ u32 address ]-> [ fresh bytes ]  {_FRESH[wire]}{wanted}"))
            rows.append(("out", cells[1], f"-> [ u32 length  ]  of the fresh bytes{wanted}"))
        else:
            rows.append(("out", cells[0], f"-> [ {_CELLS[wire]} ]"))
    width = max((len(name) for _, name, _ in rows), default=0)
    if rows:
        yield ""
    for way, name, rest in rows:
        yield f"{way:<3}  {name} {rest[0] * (width - len(name))}{rest}"


def _statuses(statuses: frozenset[Status]) -> str:
    return ", ".join(f"{status.value} {status.name}" for status in sorted(statuses))


def _differing(versions: frozenset[AbiVersion]) -> str:
    return f"; {versions_text(versions)} differs" if versions else ""


def versions_text(versions: frozenset[AbiVersion]) -> str:
    """Versions in words: all, one, or since one."""
    ordered = sorted(versions)
    if versions == frozenset(AbiVersion):
        return "all"
    if len(ordered) > 1 and ordered == [version for version in AbiVersion if version >= ordered[0]]:
        return f"since {ordered[0].text}"
    return ", ".join(version.text for version in ordered)


# --- the rest --------------------------------------------------------------------------------------------------------


def _raw(raw: RawFunction) -> Iterator[str]:
    yield from (f"### {raw.name}", "", raw.doc, "", "```text")
    yield from (f"({', '.join(raw.params)}) -> ({', '.join(raw.results)})", "```")


def _map_drawing() -> Iterator[str]:
    data = encode_pairs(_EXAMPLE)
    parts = [part for pair in _EXAMPLE for part in pair]
    labels = [f"number of entries, {len(_EXAMPLE)}"]
    labels += [f"length of {kind} {i}, {len(part)}" for i, pair in enumerate(_EXAMPLE) for kind, part in _named(pair)]
    sizes = [4] * len(labels) + [len(part) + 1 for part in parts]
    labels += [f"{kind} {i}, {part.decode()!r}" for i, pair in enumerate(_EXAMPLE) for kind, part in _named(pair)]
    at = 0
    width = 3 * max(sizes)
    for size, label in zip(sizes, labels, strict=True):
        yield f"{at:>4}  [ {data[at : at + size].hex(' '):<{width}}]  {label}"
        at += size
    yield f"{at:>4}  end"


def _named(pair: tuple[bytes, bytes]) -> tuple[tuple[str, bytes], tuple[str, bytes]]:
    return ("name", pair[0]), ("value", pair[1])


def _value(profile: Profile, name: str) -> str:
    return value_text(getattr(profile, name))


def _switch(name: str) -> str:
    usual = _value(PROFILES["default"], name)
    others = {p: _value(profile, name) for p, profile in PROFILES.items()}
    different = [f"{value} in {p}" for p, value in others.items() if value != usual]
    return f"`{name}` ({', '.join([usual, *different])})"
