"""Where operands stand, and the list of handlers that this makes (README.md, "Slot code").

S is a frame slot, a digit a register of the type's class, K a constant in the code, A a constant address.
"""

from __future__ import annotations

from dataclasses import dataclass

CTYPE = {"i32": "uint32_t", "i64": "uint64_t", "f32": "float", "f64": "double"}

#: Type to class of registers: integer, float, or none (f32, which would need conversions between the formats).
CLASS = {"i32": "i", "i64": "i", "addr": "i", "f64": "f", "f32": "s"}
#: How many registers a class has; the last one is for temporaries. Each makes more handlers for every other: with four
#: and four they are 9,000, which gcc builds in 20 s as functions and not at all as cases of one: `write` lowers them.
REGISTERS = {"i": 4, "f": 4, "s": 0}


def places(type: str) -> tuple[str, ...]:
    """Where an operand of a type may stand: a slot, or a register of its class."""
    return ("S", *map(str, range(REGISTERS[CLASS[type]])))


@dataclass(slots=True)
class Kinds:
    """The operand kinds of a row: handler number = base + (d * na + a) * nb + b, and the same for its branches.

    nd: 1 the result goes to a slot, 2 to a slot or the temporaries' register, else to a slot or any register.
    """

    base: int = 0
    branch: int = 0
    nd: int = 1
    na: int = 1
    nb: int = 1


class Handlers:
    """The list of handlers: (name, size in words, body); `classes` has a letter for each place that a name ends in."""

    def __init__(self) -> None:
        self.rows: list[tuple[str, int, str]] = []
        self.kinds: dict[str, Kinds] = {}
        self.bases: dict[str, int] = {}
        self.classes: dict[str, str] = {}
        self.fused: dict[str, tuple[int, ...]] = {}

    def add(self, name: str, size: int, body: str, classes: str = "") -> None:
        """Adds a handler."""
        self.rows.append((name, size, body))
        self.classes[name] = classes


def read(type: str, place: str, slot: str, constant: str = "", bits: bool = False) -> str:
    """A C expression for an operand; `bits`: the pattern of a float as an integer."""
    integer = {"f32": "i32", "f64": "i64"}.get(type, type) if bits else type
    integer = "i32" if integer == "addr" else integer
    if place == "S":
        return f"R_{integer}({slot})"
    if place == "K":
        return f"K_{integer}({constant})"
    if type == "f64":
        return f"tm_bits_f64(f{place})" if bits else f"f{place}"
    return f"({CTYPE[integer]})r{place}"


def write_to(type: str, place: str, value: str, bits: bool = False) -> str:
    """A C statement that puts a result away."""
    if place == "S":
        return f"W_{ {'f32': 'i32', 'f64': 'i64'}.get(type, type) if bits else type }(A, {value});"
    if type == "f64":
        return f"f{place} = tm_double({value});" if bits else f"f{place} = {value};"
    return f"r{place} = ({CTYPE[type]})({value});"
