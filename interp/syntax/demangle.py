"""Names of compilers as people write them, for backtraces: Rust (both schemes) and C++ of the Itanium ABI.

It stands on the lowest floor since backtraces do not import the tools, and it needs nothing.
"""

from __future__ import annotations

import re

from .demangle_cpp import demangle_cpp
from .demangle_rust import demangle_rust
from .demangling import DemangleError

#: What a linker or an optimiser hangs behind a name.
_SUFFIX = re.compile(r"((?:\.(?:llvm|isra|constprop|part|cold|lto_priv|resume|destroy|cleanup|clone)(?:\.?\w+)*)+)\Z")
_LEGACY = re.compile(r"_?_ZN(.*)17h[0-9a-f]{16}E\Z", re.DOTALL)
_ESCAPES = {
    "SP": "@", "BP": "*", "RF": "&", "LT": "<", "GT": ">", "LP": "(", "RP": ")", "C": ",",
}  # fmt: skip
_LONGEST = 10_000


def demangle(name: str) -> str:
    """The name in readable form, without hashes; a name of no known scheme, or a broken one, as it is. Never raises."""
    if len(name) > _LONGEST:
        return name
    suffix = _SUFFIX.search(name)
    core = name[: suffix.start()] if suffix else name
    try:
        legacy = _LEGACY.match(core)
        if legacy:
            return _legacy(legacy[1])
        if re.match(r"_?_R[A-Z0-9]", core):
            return demangle_rust(core[core.index("R") + 1 :])
        if re.match(r"_?_Z", core):
            return demangle_cpp(core[core.index("Z") + 1 :])
    except DemangleError:
        pass
    return name


def _legacy(path: str) -> str:
    """Rust's older scheme: pieces with their lengths, signs escaped as `$LT$`."""
    pieces = []
    while path:
        digits = re.match(r"\d+", path)
        if digits is None:
            raise DemangleError
        start = digits.end()
        end = start + int(digits[0])
        if end > len(path):
            raise DemangleError
        pieces.append(_unescape(path[start:end]))
        path = path[end:]
    return "::".join(pieces)


def _unescape(piece: str) -> str:
    if piece.startswith("_$"):
        piece = piece[1:]

    def sign(match: re.Match[str]) -> str:
        escape = match[1]
        if escape in _ESCAPES:
            return _ESCAPES[escape]
        if re.fullmatch(r"u[0-9a-f]{1,6}", escape) and int(escape[1:], 16) < 0x110000:
            return chr(int(escape[1:], 16))
        return match[0]

    return re.sub(r"\$([A-Za-z0-9]+)\$", sign, piece).replace("..", "::")
