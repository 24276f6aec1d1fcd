"""The reference pages of the ABI, written from its tables; committed, and compared by a test.

python -m hostabi.testing.reference        writes them anew
"""

from __future__ import annotations

from pathlib import Path

import hostabi.hostcalls  # noqa: F401  (fills the registry)
from hostabi.abi.callbacks import CALLBACKS, Callback
from hostabi.abi.enums import AbiVersion
from hostabi.abi.hostcall import REGISTRY, HostCall, Phase, Wire
from hostabi.testing.abi_page import abi_page
from hostabi.testing.features_page import features_page
from hostabi.testing.profiles_page import profiles_page
from hostabi.testing.properties_page import properties_page

FOLDER = Path(__file__).resolve().parent.parent
STAMP = "<!-- Written by hostabi/testing/reference.py from the tables of the code. Change those. -->"

_KINDS = {
    Wire.BYTES: "bytes",
    Wire.LATE_BYTES: "bytes",
    Wire.PAIRS: "map",
    Wire.OUT_BYTES: "bytes",
    Wire.OUT_OPTIONAL: "bytes, if wanted",
    Wire.OUT_PAIRS: "map",
    Wire.OUT_U32: "u32",
    Wire.OUT_U64: "u64",
    Wire.OUT_TOKEN: "token",
}


def host_call_page() -> str:
    """Every host call with its Wasm type, versions and meaning, by theme."""
    lines = [STAMP, "", "# Host calls", "", _HOST_CALLS_INTRO, ""]
    themes = dict.fromkeys(call.theme for call in REGISTRY.calls.values())
    for theme in themes:
        lines += [f"## {theme}", "", "| call | takes | gives | Wasm | versions | |", "|---|---|---|---|---|---|"]
        lines += [_row(call) for call in REGISTRY.calls.values() if call.theme == theme]
        lines.append("")
    lines += ["## Functions of `env` without a status", "", "| function | Wasm | |", "|---|---|---|"]
    for raw in REGISTRY.raw.values():
        lines.append(f"| `{raw.name}` | ({', '.join(raw.params)}) -> ({', '.join(raw.results)}) | {raw.doc} |")
    lines += ["", "## Names of an abandoned draft", "", "Recognised, so that the refusal can say what they are:", ""]
    lines.append(", ".join(f"`{name}`" for name in sorted(REGISTRY.retired)) + ".")
    return "\n".join(lines) + "\n"


_HOST_CALLS_INTRO = """\
Each is a Python function with a decorator (`abi/hostcall.py`); this page, the Wasm type, the reading and writing of
guest memory, the order of checks and the transcript come from its annotations. All are in module `env` and return a
status. *bytes* and *map* are address and length; results go to addresses the guest gives. **start** and **allocate**
mark calls that are allowed while the guest starts, or within its allocator. [Call by call](../ABI.md) there is more:
drawings of memory, statuses, and what profiles change."""


def _row(call: HostCall) -> str:
    takes = ", ".join(
        f"{p.name} ({p.enum.__name__ if p.enum else _KINDS.get(p.wire, p.wire.name.lower())})" for p in call.params
    )
    gives = ", ".join(_KINDS[wire] for wire in call.outs)
    wasm = " or ".join(f"({_short(params)})" for params in call.signatures)
    phases = "".join(
        f" **{name}**" for phase, name in ((Phase.START, "start"), (Phase.ALLOCATE, "allocate")) if phase in call.phases
    )
    return f"| `{call.name}` | {takes} | {gives} | {wasm} | {_versions(call.versions)} | {call.doc}{phases} |"


def _short(params: tuple[str, ...]) -> str:
    parts: list[str] = []
    for kind in params:
        if parts and parts[-1].endswith(kind):
            count = int(parts[-1].split(" ")[0]) if " " in parts[-1] else 1
            parts[-1] = f"{count + 1} {kind}"
        else:
            parts.append(kind)
    return ", ".join(parts)


def _versions(versions: frozenset[AbiVersion]) -> str:
    if versions == frozenset(AbiVersion):
        return "all"
    return ", ".join(version.text for version in sorted(versions))


def callback_page() -> str:
    """Every callback with its parameters and what its result means."""
    lines = [STAMP, "", "# Callbacks", "", "What a guest may export; every parameter and result is i32.", ""]
    lines += ["| export | parameters | result | since |", "|---|---|---|---|"]
    lines += [_callback_row(row) for row in CALLBACKS.values()]
    return "\n".join(lines) + "\n"


def _callback_row(row: Callback) -> str:
    params = ", ".join(f"[{p}]" if p in row.new_in_0_2 else p for p in row.params)
    note = " ([] since 0.2.0)" if row.new_in_0_2 else ""
    return f"| `{row.name}` | {params}{note} | {row.answers.value} | {row.since.text} |"


def long_page() -> str:
    """Every host call with its drawing of memory, statuses, and what profiles change."""
    return f"{STAMP}\n\n{abi_page()}"


def page_of_profiles() -> str:
    """Every switch in every profile, and where hosts differ."""
    return f"{STAMP}\n\n{profiles_page()}"


def page_of_features() -> str:
    """What this host does, beside others."""
    return f"{STAMP}\n\n{features_page()}"


def property_page() -> str:
    """Every property."""
    return f"{STAMP}\n\n{properties_page()}"


PAGES = {
    FOLDER / "PROPERTIES.md": property_page,
    FOLDER / "ABI.md": long_page,
    FOLDER / "FEATURES.md": page_of_features,
    FOLDER / "PROFILES.md": page_of_profiles,
    FOLDER / "hostcalls" / "README.md": host_call_page,
    FOLDER / "abi" / "CALLBACKS.md": callback_page,
}


if __name__ == "__main__":
    for path, page in PAGES.items():
        path.write_text(page())
