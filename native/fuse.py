"""Handlers that run two or three instructions one after the other, chosen from counted runs (pairs.txt).

A fused handler is the bodies of its parts in a row, each with `here` as the place of its words. A line of pairs.txt
names the parts; the registers of pinned locals in it are examples, since which local got which register is chance:
every line stands for all ways to name them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import permutations
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from handlers import Handlers

HERE = Path(globals().get("__file__", "native/fuse.py")).resolve().parent
PAIRS = HERE / "pairs.txt"
#: The words of handlers whose following word is not where they go on; what is written by the lowering, all the same.
LENGTHS = {
    "call": 3, "call_import": 3, "call_indirect": 4, "ret0": 2, "retk": 3, "retn": 2, "unreachable": 2, "service": 5,
    "halt": 2, "tail_call": 3, "tail_call_import": 3, "tail_call_indirect": 4, "call_ref": 3,
    "tail_call_ref": 3, "enter": 2, "lower": 2, "throw": 3,
}  # fmt: skip
#: Handlers written by hand that may be parts: all they know of where they stand is by WORD, A to D and `here`.
BY_HAND = {"br", "br_loop", "call", "ret0", "retk", "moven", "zero"}
#: Stands behind the last part.
NO_PART = 0xFFFF
#: Registers of pinned locals, by class; the last register of a class is for temporaries and none of them.
PINNED = "012"


def written_by_hand(folder: Path = HERE) -> dict[str, str]:
    """The bodies of the handlers in the .inc files, by name."""
    found = {}
    for path in sorted(folder.glob("*.inc")):
        text = re.sub(r"/\*.*?\*/|^#.*$", "", path.read_text(), flags=re.S | re.M)
        for part in re.split(r"^OP\(", text, flags=re.M)[1:]:
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
                named = seen[letter]
                place = named[place] if place in named else named.setdefault(place, PINNED[len(named)])
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


class Parts:
    """What may be a part of a fused handler, and the text of one."""

    def __init__(self, handlers: Handlers) -> None:
        by_hand = written_by_hand()
        self.body = {name: text or (by_hand[name] if name in BY_HAND else "") for name, _, text in handlers.rows}
        rows = zip(handlers.rows, shapes(handlers), strict=False)
        self.size = {name: shape & 63 for (name, _, _), shape in rows}

    def _goes_on(self, name: str) -> bool:
        body = self.body.get(name, "")
        return body.rstrip().endswith(f" NEXT({self.size[name]});" if body else "?") and "ip" not in body

    def fit(self, names: tuple[str, ...]) -> bool:
        """Whether all but the last go on to the next word, and the last one is made for being a part."""
        return (
            all(map(self._goes_on, names[:-1])) and bool(self.body.get(names[-1])) and "ip[" not in self.body[names[-1]]
        )

    def text(self, names: tuple[str, ...]) -> str:
        """The bodies in a row."""
        text, at = "", 0
        for name in names[:-1]:
            body = self.body[name].rstrip().removesuffix(f"NEXT({self.size[name]});")
            text += f"{{ enum {{ here = {at} }}; {body}}} "
            at += self.size[name]
        return f"{text}{{ enum {{ here = {at} }}; {self.body[names[-1]]} }}"


def add(handlers: Handlers, pairs: Path = PAIRS) -> None:
    """Adds the fused handlers; `handlers.fused` has the number of what runs all but the last part, and of each part."""
    parts = Parts(handlers)
    number = {name: n for n, (name, _, _) in enumerate(handlers.rows)}
    for line in pairs.read_text().splitlines():
        for names in variants(tuple(line.partition("#")[0].split()), handlers):
            if not all(name in number for name in names):
                continue
            for length in range(2, len(names) + 1):
                some = names[:length]
                name = "__".join(some)
                if name in number or not parts.fit(some):
                    continue
                number[name] = len(handlers.rows)
                handlers.fused[name] = (number["__".join(some[:-1])], *(number[part] for part in some))
                handlers.add(name, 0, parts.text(some))


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
    padded = ((numbers[1:] + (NO_PART,) * most)[:most] for numbers in handlers.fused.values())
    rows = ", ".join(f"{{{', '.join(map(str, numbers))}}}" for numbers in padded)
    return (
        "\n".join(
            (
                "/* Written by native/fuse.py. */",
                f"enum {{ FUSED_ROOM = {room}, FUSED_FROM = {plain}, FUSED_MOST = {most}, NO_PART = {NO_PART} }};",
                "#define FUSED_HASH(key) ((uint32_t)(key) * 0x9E3779B1u >> 12)",
                f"static const uint8_t lengths[] = {{{', '.join(map(str, shapes(handlers)[:plain]))}}};",
                f"static const uint32_t fused_keys[] = {{{', '.join(map(str, keys))}}};",
                f"static const uint16_t fused_handlers[] = {{{', '.join(map(str, values))}}};",
                f"static const uint16_t fused_parts[][FUSED_MOST] = {{{rows or '{0}'}}};",
            )
        )
        + "\n"
    )
