"""One module before both validators: the same verdict, to the byte and the word (engine contract 4).

Bodies are checked by Python or by C; everything before is common. "C accepts, Python rejects" is the dangerous
difference, since native code is not checked again when it runs. `dispute` asks wasm-tools as well, which was written by
others and reads the same standard.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any, Literal

from interp.binary.decode import decode
from interp.binary.encode import encode
from interp.syntax.errors import InvalidError, LimitError, MalformedError, UnsupportedError, WasmError
from interp.syntax.features import EVERY_FEATURE, Feature, Features
from interp.syntax.limits import DEFAULT_LIMITS, VmLimits
from interp.text import commands
from interp.text.script import parse_script
from interp.valid.module import validate

from .wasm_tools import THEIR_LIMITS, WasmTools

Verdict = tuple[Any, ...]
_KINDS = (MalformedError, InvalidError, LimitError, UnsupportedError)


def verdict(
    data: bytes,
    bodies: Literal["python", "native"],
    *,
    features: Features = None,
    limits: VmLimits | None = None,
) -> Verdict:
    """What decoding and validating say: "valid", frame_cells and features, or the error with its place and words."""
    try:
        valid = validate(
            decode(data, features=features, limits=limits), features=features, limits=limits, bodies=bodies
        )
    except WasmError as error:
        kind = next((kind.__name__ for kind in _KINDS if isinstance(error, kind)), type(error).__name__)
        return (kind, error.id, error.message, error.where)
    return ("valid", tuple(valid.frame_cells), tuple(sorted(feature.value for feature in valid.features)))


def disagreement(data: bytes, *, features: Features = None, limits: VmLimits | None = None) -> str:
    """In words, what the two validators say differently of a module; empty if nothing."""
    python = verdict(data, "python", features=features, limits=limits)
    native = verdict(data, "native", features=features, limits=limits)
    return "" if python == native else f"Python: {python}\nC:      {native}"


#: How much limits are raised: tests make nothing larger but what a count claims that stands for no bytes.
_MORE = 16


def refusal(data: bytes, features: Features, bodies: Literal["auto", "python", "native"] = "auto") -> str:
    """What is wrong with a module whatever the limits: each limit that it passes is raised, and it is asked again."""
    limits = DEFAULT_LIMITS
    while True:
        try:
            validate(decode(data, features=features, limits=limits), features=features, limits=limits, bodies=bodies)
        except LimitError as error:
            if getattr(limits, error.limit) != getattr(DEFAULT_LIMITS, error.limit):
                return f"{error.limit}: {error}"
            limits = replace(limits, **{error.limit: _MORE * getattr(limits, error.limit)})
        except (MalformedError, InvalidError, UnsupportedError) as error:
            return f"{type(error).__name__}: {error}"
        else:
            return ""


def dispute(tools: WasmTools, data: bytes, features: frozenset[Feature]) -> str:
    """In words, where wasm-tools and we differ about a module with these features on; empty if nowhere.

    Limits of an implementation are told apart by their names: ours are raised one by one, theirs are in THEIR_LIMITS.
    """
    ours, theirs = refusal(data, features), tools.complaint(data, features)
    if bool(ours) == bool(theirs) or any(words in theirs for words in THEIR_LIMITS.values()):
        return ""
    off = ", ".join(feature.value for feature in Feature if feature not in features)
    return f"tamis:      {ours or 'valid'}\nwasm-tools: {theirs or 'valid'}\nwithout:    {off}"


# -- modules to try -------------------------------------------------------------------------------------------------


def script_modules(path: Path) -> Iterator[tuple[str, bytes]]:
    """Every module of a script that has bytes or can be given them, the invalid and malformed ones too, by line."""
    for command in parse_script(path.read_bytes()):
        source = getattr(command, "source", None)
        if isinstance(source, commands.BinarySource):
            yield f"{path.name}:{command.line}", source.data
        elif isinstance(source, commands.TextSource):
            try:
                data = encode(source.parse())
            except (MalformedError, LimitError, UnsupportedError):
                continue
            yield f"{path.name}:{command.line}", data


def code_range(data: bytes) -> tuple[int, int]:
    """Where the code section's contents begin and end; the whole module if there is none."""
    try:
        sections = decode(data, features=EVERY_FEATURE).sections
    except WasmError:
        sections = ()
    return next(((start, start + size) for id, start, size in sections if id == 10 and size), (0, len(data)))


def mutate(rng: Random, data: bytes) -> bytes:
    """The bytes with a few changes, mostly inside of bodies and mostly of the same length."""
    out = bytearray(data)
    low, high = code_range(data) if rng.random() < 0.9 else (0, len(data))
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        if high <= low:
            break
        rng.choices(_CHANGES, _CHANGE_WEIGHTS)[0](rng, out, rng.randrange(low, high))
        high = min(high, len(out))
    return bytes(out)


def _flip(rng: Random, out: bytearray, at: int) -> None:
    out[at] ^= 1 << rng.randrange(8)


def _small(rng: Random, out: bytearray, at: int) -> None:
    out[at] = rng.choice((0, 1, 2, 3, 4, 0x0B, 0x05, 0x0D, 0x0E, 0x10, 0x1A, 0x1B, 0x1C, 0x20, 0x21, 0x40, 0x41, 0x6F,
                          0x70, 0x7B, 0x7C, 0x7D, 0x7E, 0x7F, 0x80, 0xFC, 0xFD, 0xFE, 0xFF))  # fmt: skip


def _nudge(rng: Random, out: bytearray, at: int) -> None:
    out[at] = (out[at] + rng.choice((-1, 1))) & 0xFF


def _any(rng: Random, out: bytearray, at: int) -> None:
    out[at] = rng.randrange(256)


def _swap(rng: Random, out: bytearray, at: int) -> None:
    other = min(at + rng.randrange(1, 4), len(out) - 1)
    out[at], out[other] = out[other], out[at]


def _repeat(rng: Random, out: bytearray, at: int) -> None:
    """Bytes of elsewhere in the same place: whole instructions move."""
    n = rng.randrange(1, 9)
    source = rng.randrange(len(out))
    piece = out[source : source + n]
    out[at : at + len(piece)] = piece


def _cut(rng: Random, out: bytearray, at: int) -> None:
    del out[at : at + rng.randrange(1, 4)]
    if not out:
        out.append(0)


def _insert(rng: Random, out: bytearray, at: int) -> None:
    out[at:at] = rng.randbytes(rng.randrange(1, 4))


_WEIGHTED: list[tuple[Callable[[Random, bytearray, int], None], int]] = [
    (_flip, 5),
    (_small, 8),
    (_nudge, 8),
    (_any, 3),
    (_swap, 4),
    (_repeat, 6),
    (_cut, 1),
    (_insert, 1),
]
_CHANGES = [change for change, _ in _WEIGHTED]
_CHANGE_WEIGHTS = [weight for _, weight in _WEIGHTED]
