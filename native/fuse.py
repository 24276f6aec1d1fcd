"""Handlers that run two or three instructions one after the other, chosen from counted runs (pairs.txt).

A fused handler is the bodies of its parts in a row, each with `here` as the place of its words. A line of pairs.txt names
the parts; the registers of pinned locals in it are examples, since which local got which register is chance: every line
stands for all the ways to name them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import permutations
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .generate import Handlers

HERE = Path(globals().get("__file__", "native/fuse.py")).resolve().parent
PAIRS = HERE / "pairs.txt"
#: The words of handlers whose following word is not where they go on; what is written by the lowering, all the same.
LENGTHS = {
    "call": 3, "call_import": 3, "call_indirect": 4, "ret0": 2, "retk": 3, "retn": 2, "unreachable": 2, "service": 5,
    "halt": 2, "tail_call": 3, "tail_call_import": 3, "tail_call_indirect": 4, "enter": 2, "lower": 2,
}  # fmt: skip
#: Handlers written by hand that may be parts: all they know of where they stand is by WORD, A to D and `here`.
BY_HAND = {"br", "br_loop", "call", "ret0", "retk", "moven", "zero"}
#: Registers of pinned locals, by class; the last register of a class is for temporaries and none of them.
PINNED = "012"


def written_by_hand(folder: Path = HERE) -> dict[str, str]:
    """The bodies of the handlers in the .inc files, by name."""
    found = {}
    for path in sorted(folder.glob("*.inc")):
        for part in re.split(r"^OP\(", path.read_text(), flags=re.M)[1:]:
            name, _, body = part.partition(",")
            found[name] = body[: body.rindex(")")]
    return found


def shapes(handlers: Handlers) -> list[int]:
    """Per handler: how many words it takes, 0 for a table of branches; 64 more if the third is a branch's target."""
    by_hand = written_by_hand()
    found = []
    for name, size, body in handlers.rows:
        if name in handlers.fused:
            break
        text = body or by_hand.get(name, "")
        length = size
        if not size and not name.startswith("br_table"):
            length = 2 if name.startswith("ret1") else LENGTHS[name]  # a new one without a length is an error
        found.append(length | (64 if re.search(r"\bJUMP\b", text) else 0))
    return found


def canonical(names: Iterable[str], handlers: Handlers) -> tuple[str, ...]:
    """The handlers with the registers of pinned locals named in the order in which they turn up."""
    seen: dict[str, dict[str, str]] = {"i": {}, "f": {}, "s": {}}
    found = []
    for name in names:
        classes = handlers.classes.get(name, "")
        stem, places = (name[: -len(classes)], name[-len(classes) :]) if classes else (name, "")
        for letter, place in zip(classes, places, strict=True):
            if place in PINNED:
                place = seen[letter].setdefault(place, PINNED[len(seen[letter])])
            stem += place
        found.append(stem)
    return tuple(found)


def variants(names: tuple[str, ...], handlers: Handlers) -> Iterator[tuple[str, ...]]:
    """The same handlers for every way in which pinned locals may have got their registers."""
    done = set()
    for i in permutations(PINNED):
        for f in permutations(PINNED):
            renamed = []
            for name in names:
                classes = handlers.classes.get(name, "")
                stem, places = (name[: -len(classes)], name[-len(classes) :]) if classes else (name, "")
                for letter, place in zip(classes, places, strict=True):
                    named = {"i": i, "f": f}.get(letter)
                    stem += named[int(place)] if named and place in PINNED else place
                renamed.append(stem)
            key = tuple(renamed)
            if key not in done:
                done.add(key)
                yield key


def add(handlers: Handlers, pairs: Path = PAIRS) -> None:
    """Adds the fused handlers, and to `handlers.fused` which numbers each stands for."""
    by_hand = written_by_hand()
    number = {name: n for n, (name, _, _) in enumerate(handlers.rows)}
    body = {name: text or (by_hand[name] if name in BY_HAND else "") for name, _, text in handlers.rows}
    size = {name: shape & 63 for (name, _, _), shape in zip(handlers.rows, shapes(handlers), strict=True)}

    def goes_on(name: str) -> bool:
        return body[name].rstrip().endswith(f" NEXT({size[name]});") and "ip" not in body[name]

    def fuse(parts: tuple[str, ...]) -> None:
        name = "__".join(parts)
        if name in number or not all(map(goes_on, parts[:-1])) or not body[parts[-1]]:
            return
        text, at = "", 0
        for part in parts[:-1]:
            text += f"{{ enum {{ here = {at} }}; {body[part].rstrip().removesuffix(f'NEXT({size[part]});')}}} "
            at += size[part]
        text += f"{{ enum {{ here = {at} }}; {body[parts[-1]]} }}"
        number[name] = len(handlers.rows)
        handlers.fused[name] = (number["__".join(parts[:-1])], *(number[part] for part in parts))
        handlers.add(name, 0, text)

    for line in pairs.read_text().splitlines():
        names = tuple(line.partition("#")[0].split())
        for parts in variants(names, handlers):
            if all(part in number for part in parts):
                for length in range(2, len(parts) + 1):
                    fuse(parts[:length])


def fuse_inc(handlers: Handlers) -> str:
    """Shapes of the handlers, and the table that finds fused ones: open addressing, the key is the two numbers."""
    plain = len(handlers.rows) - len(handlers.fused)
    room = 16
    while room < 2 * len(handlers.fused):
        room *= 2
    keys, values = [0] * room, [0] * room
    for k, (name, (first, *parts)) in enumerate(handlers.fused.items(), plain):
        assert handlers.rows[k][0] == name
        key = first << 16 | parts[-1]
        at = (key * 0x9E3779B1 & 0xFFFFFFFF) >> 12 & room - 1
        while keys[at]:
            at = (at + 1) % room
        keys[at], values[at] = key, k
    most = max((len(parts) - 1 for parts in handlers.fused.values()), default=2)
    parts = (", ".join(map(str, (numbers[1:] + (0,) * most)[:most])) for numbers in handlers.fused.values())
    return "\n".join(
        (
            "/* Written by native/fuse.py. */",
            f"enum {{ FUSED_ROOM = {room}, FUSED_FROM = {plain}, FUSED_MOST = {most} }};",
            "#define FUSED_HASH(key) ((uint32_t)(key) * 0x9E3779B1u >> 12)",
            f"static const uint8_t lengths[] = {{{', '.join(map(str, shapes(handlers)[:plain]))}}};",
            f"static const uint32_t fused_keys[] = {{{', '.join(map(str, keys))}}};",
            f"static const uint16_t fused_handlers[] = {{{', '.join(map(str, values))}}};",
            f"static const uint16_t fused_parts[][FUSED_MOST] = {{{', '.join(f'{{{p}}}' for p in parts) or '{0}'}}};",
        )
    ) + "\n"
