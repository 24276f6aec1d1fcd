"""Wasm values as Python expressions: what the `python` engine writes for each plain instruction.

An expression on the operand stack is pure: it reads Wasm locals and temporaries, never memory, and cannot trap, so it
may be evaluated late, twice or never. What can trap, or reads what others write, becomes a statement (pylower.py).

An integer is any Python integer congruent to the value; `lo` and `hi` bound it, so a mask is written only where the
unsigned number is needed and the bounds do not show that it is there already. An f32 is its bit pattern. An f64 is a
Python float, exact to its bits, unless `loose`: then any NaN is one of arithmetic and stands for the canonical one.
"""

from __future__ import annotations

from collections.abc import Callable

from interp.runtime.numerics import NUMERICS
from interp.runtime.vectors import VECTORS
from interp.syntax.instructions import BY_NAME, Op

M = {32: (1 << 32) - 1, 64: (1 << 64) - 1}
NOTHING: frozenset[str] = frozenset()
#: Expressions nested deeper than this are given a name.
DEEPEST = 14


class Value:
    """An expression: text in parentheses where it needs them, type, bounds, the variables it reads.

    `cond` is a shorter text of the same truth, `depth` how deep parentheses nest.
    """

    __slots__ = ("cond", "depth", "hi", "lo", "loose", "reads", "text", "type")

    def __init__(
        self,
        text: str,
        type: str,
        lo: int = 0,
        hi: int = 0,
        reads: frozenset[str] = NOTHING,
        depth: int = 0,
        cond: str = "",
        loose: bool = False,
    ) -> None:
        self.text = text
        self.type = type
        self.lo = lo
        self.hi = hi
        self.reads = reads
        self.depth = depth
        self.cond = cond
        self.loose = loose

    @property
    def simple(self) -> bool:
        """Whether it is a name or a number, free to be written twice."""
        return self.depth == 0

    @property
    def constant(self) -> bool:
        """Whether it is an integer known now."""
        return self.depth == 0 and not self.reads and self.type in ("i32", "i64") and self.lo == self.hi

    @property
    def truth(self) -> str:
        """The text where only zero or not matters; the number must be canonical."""
        return self.cond or self.text


def bits_of(type: str) -> int:
    """Width of an integer type."""
    return 32 if type == "i32" else 64


def number(type: str, k: int) -> Value:
    """An integer constant."""
    k &= M[bits_of(type)]
    return Value(str(k), type, k, k)


def whole(name: str, type: str, reads: frozenset[str] | None = None) -> Value:
    """A variable that holds a canonical value of a type."""
    hi = {"i32": M[32], "i64": M[64]}.get(type, 0)
    return Value(name, type, 0, hi, frozenset((name,)) if reads is None else reads)


def canonical(v: Value) -> Value:
    """The same value in the form that variables hold: an unsigned number, a float exact to its bits."""
    if v.type in ("i32", "i64"):
        m = M[bits_of(v.type)]
        if v.lo >= 0 and v.hi <= m:
            return v
        if v.constant:
            return number(v.type, int(v.text.strip("()")))
        return Value(f"({v.text} & {m})", v.type, 0, m, v.reads, v.depth + 1)
    if v.loose:
        if v.simple:
            return Value(f"({v.text} if {v.text} == {v.text} else NAN)", "f64", 0, 0, v.reads, 1)
        return Value(f"(x if (x := {v.text}) == x else NAN)", "f64", 0, 0, v.reads, v.depth + 1)
    return v


def _is_signed(v: Value) -> bool:
    s = 1 << (bits_of(v.type) - 1)
    return v.lo >= -s and v.hi < s


def signed(v: Value) -> Value:
    """The value as a signed number."""
    if _is_signed(v):
        return v
    s = 1 << (bits_of(v.type) - 1)
    if v.constant:
        k = int(canonical(v).text)
        k = k - 2 * s if k >= s else k
        return Value(str(k) if k >= 0 else f"({k})", v.type, k, k)
    v = canonical(v)
    return Value(f"(({v.text} ^ {s}) - {s})", v.type, -s, s - 1, v.reads, v.depth + 2)


def _fit(v: Value) -> Value:
    """Bounds that do not run away: past twice the width a mask is cheaper than large integers."""
    limit = 1 << (2 * bits_of(v.type) + 2)
    return v if -limit <= v.lo and v.hi <= limit else canonical(v)


def _made(text: str, type: str, lo: int, hi: int, *of: Value) -> Value:
    reads = of[0].reads if len(of) == 1 else frozenset().union(*(v.reads for v in of))
    if lo == hi and not reads:
        return number(type, lo) if 0 <= lo <= M[bits_of(type)] else Value(f"({lo})", type, lo, lo)
    return _fit(Value(text, type, lo, hi, reads, 1 + max(v.depth for v in of)))


def _truth(cond: str, *of: Value) -> Value:
    reads = frozenset().union(*(v.reads for v in of))
    return Value(f"(1 if {cond} else 0)", "i32", 0, 1, reads, 2 + max(v.depth for v in of), f"({cond})")


Writer = Callable[..., Value]
#: Instruction name to what makes its expression from those of the operands. None of them can trap.
PURE: dict[str, Writer] = {}


def _integers(n: int) -> None:
    t, m, s = f"i{n}", M[n], 1 << (n - 1)

    def add(a: Value, b: Value) -> Value:
        if a.constant and not b.constant:
            a, b = b, a
        if b.constant:
            b = signed(b)
            k = int(b.text.strip("()"))
            if k == 0:
                return a
            return _made(f"({a.text} {'+' if k > 0 else '-'} {abs(k)})", t, a.lo + k, a.hi + k, a)
        return _made(f"({a.text} + {b.text})", t, a.lo + b.lo, a.hi + b.hi, a, b)

    def sub(a: Value, b: Value) -> Value:
        if b.constant:
            return add(a, number(t, -int(canonical(b).text)))
        return _made(f"({a.text} - {b.text})", t, a.lo - b.hi, a.hi - b.lo, a, b)

    def mul(a: Value, b: Value) -> Value:
        if a.constant:
            a = signed(a)
        if b.constant:
            b = signed(b)
        ends = [a.lo * b.lo, a.lo * b.hi, a.hi * b.lo, a.hi * b.hi]
        return _made(f"({a.text} * {b.text})", t, min(ends), max(ends), a, b)

    def and_(a: Value, b: Value) -> Value:
        if a.lo < 0 and b.lo < 0:
            a = canonical(a)
        hi = min(v.hi for v in (a, b) if v.lo >= 0)
        for v, mask in ((a, b), (b, a)):  # a mask that keeps everything
            if mask.constant and mask.lo == (1 << mask.lo.bit_length()) - 1 and v.lo >= 0 and v.hi <= mask.lo:
                return v
        return _made(f"({a.text} & {b.text})", t, 0, hi, a, b)

    def spread(a: Value, b: Value) -> tuple[int, int]:
        bits = max(abs(k).bit_length() for v in (a, b) for k in (v.lo, v.hi))
        return (0 if a.lo >= 0 and b.lo >= 0 else -(1 << bits)), (1 << bits) - 1

    def or_(a: Value, b: Value) -> Value:
        return _made(f"({a.text} | {b.text})", t, *spread(a, b), a, b)

    def xor(a: Value, b: Value) -> Value:
        if b.constant and b.lo == m and a.lo >= 0 and a.hi <= m and not a.constant:
            return _made(f"({m} - {a.text})", t, m - a.hi, m - a.lo, a)
        return _made(f"({a.text} ^ {b.text})", t, *spread(a, b), a, b)

    def shl(a: Value, b: Value) -> Value:
        if b.constant:
            k = int(canonical(b).text) % n
            if a.lo < 0 or a.hi.bit_length() + k > 2 * n:
                a = canonical(a)
            return _made(f"({a.text} << {k})", t, a.lo << k, a.hi << k, a) if k else a
        a = canonical(a)
        return _made(f"({a.text} << ({b.text} & {n - 1}))", t, 0, a.hi << (n - 1), a, b)

    def shr_u(a: Value, b: Value) -> Value:
        a = canonical(a)
        if b.constant:
            k = int(canonical(b).text) % n
            return _made(f"({a.text} >> {k})", t, a.lo >> k, a.hi >> k, a) if k else a
        return _made(f"({a.text} >> ({b.text} & {n - 1}))", t, 0, a.hi, a, b)

    def shr_s(a: Value, b: Value) -> Value:
        a = signed(a)
        if b.constant:
            k = int(canonical(b).text) % n
            return _made(f"({a.text} >> {k})", t, a.lo >> k, a.hi >> k, a) if k else a
        return _made(f"({a.text} >> ({b.text} & {n - 1}))", t, min(a.lo, 0), max(a.hi, 0), a, b)

    def rotl(a: Value, b: Value) -> Value:
        a = canonical(a)
        if b.constant and a.simple:
            k = int(canonical(b).text) % n
            return Value(f"(({a.text} << {k} | {a.text} >> {n - k}) & {m})", t, 0, m, a.reads, 2) if k else a
        return _called(f"{t}.rotl", t, a, canonical(b))

    def rotr(a: Value, b: Value) -> Value:
        a = canonical(a)
        if b.constant and a.simple:
            return rotl(a, number(t, n - int(canonical(b).text) % n))
        return _called(f"{t}.rotr", t, a, canonical(b))

    def clz(a: Value) -> Value:
        a = canonical(a)
        return _made(f"({n} - ({a.text}).bit_length())", t, 0, n, a) if not a.constant else _called(f"{t}.clz", t, a)

    def popcnt(a: Value) -> Value:
        a = canonical(a)
        return _made(f"({a.text}).bit_count()", t, 0, n, a) if not a.constant else _called(f"{t}.popcnt", t, a)

    def eqz(a: Value) -> Value:
        return _truth(f"not {canonical(a).truth}", a)

    def compared(sign: str, unsigned: bool) -> Writer:
        def compare(a: Value, b: Value) -> Value:
            if unsigned:
                a, b = canonical(a), canonical(b)
            elif a.constant or b.constant or _is_signed(a) or _is_signed(b):
                a, b = _biased(a, b)
            else:
                a, b = canonical(a), canonical(b)
                return _truth(f"({a.text} ^ {s}) {sign} ({b.text} ^ {s})", a, b)
            return _truth(f"{a.text} {sign} {b.text}", a, b)

        return compare

    def _biased(a: Value, b: Value) -> tuple[Value, Value]:
        """Both as signed numbers, or both with the sign bit flipped, which keeps the order."""
        if _is_signed(a) and _is_signed(b):
            return a, b
        x, y = signed(a) if a.constant else a, signed(b) if b.constant else b
        if _is_signed(x) and _is_signed(y):
            return x, y
        return bias(a), bias(b)

    def bias(v: Value) -> Value:
        if v.constant or _is_signed(v):
            v = signed(v)
            return _made(f"({v.text} + {s})", t, v.lo + s, v.hi + s, v)
        v = canonical(v)
        return Value(f"({v.text} ^ {s})", t, 0, m, v.reads, v.depth + 1)

    def extend(width: int) -> Writer:
        low, top = (1 << width) - 1, 1 << (width - 1)

        def extend_s(a: Value) -> Value:
            if -top <= a.lo and a.hi < top:
                return a
            return _made(f"((({a.text}) & {low} ^ {top}) - {top})", t, -top, top - 1, a)

        return extend_s

    made: dict[str, Writer] = {
        "add": add,
        "sub": sub,
        "mul": mul,
        "and": and_,
        "or": or_,
        "xor": xor,
        "shl": shl,
        "shr_u": shr_u,
        "shr_s": shr_s,
        "rotl": rotl,
        "rotr": rotr,
        "clz": clz,
        "popcnt": popcnt,
        "eqz": eqz,
        "extend8_s": extend(8),
        "extend16_s": extend(16),
        "extend32_s": extend(32),
    }
    for name, sign in (("lt", "<"), ("gt", ">"), ("le", "<="), ("ge", ">=")):
        made[f"{name}_s"] = compared(sign, False)
        made[f"{name}_u"] = compared(sign, True)
    made["eq"] = compared("==", True)
    made["ne"] = compared("!=", True)
    for name, writer in made.items():
        PURE[f"{t}.{name}"] = writer


_integers(32)
_integers(64)
del PURE["i32.extend32_s"]


def _conversions() -> None:
    def wrap(a: Value) -> Value:
        return (
            Value(a.text, "i32", a.lo, a.hi, a.reads, a.depth)
            if not a.constant
            else number("i32", int(a.text.strip("()")))
        )

    def extend_u(a: Value) -> Value:
        a = canonical(a)
        return Value(a.text, "i64", a.lo, a.hi, a.reads, a.depth, a.cond)

    def extend_s(a: Value) -> Value:
        a = signed(a)
        return Value(a.text, "i64", a.lo, a.hi, a.reads, a.depth)

    PURE["i32.wrap_i64"] = wrap
    PURE["i64.extend_i32_u"] = extend_u
    PURE["i64.extend_i32_s"] = extend_s
    for n in (32, 64):
        # An integer plus 0.0 is that integer rounded once.
        PURE[f"f64.convert_i{n}_s"] = lambda a: _float(f"({signed(a).text} + 0.0)", a, loose=False)
        PURE[f"f64.convert_i{n}_u"] = lambda a: _float(f"({canonical(a).text} + 0.0)", a, loose=False)
    PURE["i32.reinterpret_f32"] = lambda a: Value(a.text, "i32", 0, M[32], a.reads, a.depth)
    PURE["f32.reinterpret_i32"] = lambda a: Value(canonical(a).text, "f32", 0, 0, a.reads, canonical(a).depth)
    PURE["i64.reinterpret_f64"] = lambda a: Value(f"BITS({canonical(a).text})", "i64", 0, M[64], a.reads, a.depth + 1)
    PURE["f64.reinterpret_i64"] = lambda a: _float(f"FLOAT({canonical(a).text})", a, loose=False)
    PURE["f32.demote_f64"] = lambda a: Value(f"F32BITS({a.text})", "f32", 0, 0, a.reads, a.depth + 1)
    PURE["f64.promote_f32"] = lambda a: _float(f"F32VALUE({a.text})", a)


def _float(text: str, *of: Value, loose: bool = True) -> Value:
    reads = frozenset().union(*(v.reads for v in of))
    return Value(text, "f64", 0, 0, reads, 1 + max(v.depth for v in of), loose=loose)


def _floats() -> None:
    for name, sign in (("add", "+"), ("sub", "-"), ("mul", "*")):
        PURE[f"f64.{name}"] = lambda a, b, sign=sign: _float(f"({a.text} {sign} {b.text})", a, b)
    PURE["f64.sqrt"] = lambda a: _float(f"SQRT({a.text})", a, loose=False)

    def div(a: Value, b: Value) -> Value:
        if b.simple and not b.reads and float(b.text.strip("()") if b.text[0] in "0123456789-(" else "nan") != 0:
            return _float(f"({a.text} / {b.text})", a, b)
        if b.simple:
            return _float(f"({a.text} / {b.text} if {b.text} else DIVIDE({a.text}, {b.text}))", a, b)
        return _float(f"DIVIDE({a.text}, {b.text})", a, b)

    PURE["f64.div"] = div
    for name in ("min", "max"):
        PURE[f"f64.{name}"] = lambda a, b, name=name: _float(f"F{name.upper()}({a.text}, {b.text})", a, b, loose=False)
    for name in ("ceil", "floor", "trunc", "nearest"):
        PURE[f"f64.{name}"] = lambda a, name=name: _float(f"{name.upper()}({a.text})", a)
    PURE["f64.abs"] = lambda a: _float(f"abs({a.text})", a, loose=a.loose)
    PURE["f64.neg"] = lambda a: _float(f"(-{canonical(a).text})", canonical(a), loose=False)
    PURE["f64.copysign"] = lambda a, b: _float(
        f"COPYSIGN({canonical(a).text}, {canonical(b).text})", canonical(a), canonical(b), loose=False
    )
    for name, sign in (("eq", "=="), ("ne", "!="), ("lt", "<"), ("gt", ">"), ("le", "<="), ("ge", ">=")):
        PURE[f"f64.{name}"] = lambda a, b, sign=sign: _truth(f"{a.text} {sign} {b.text}", a, b)


_conversions()
_floats()


def helper(op: Op) -> str:
    """The name of the function that has the meaning of a plain instruction."""
    return f"H_{op.name.replace('.', '_')}"


def type_name(type: str) -> str:
    """The types of the table as those of values."""
    return type if type in ("i32", "i64", "f32", "f64", "v128") else "ref"


def _called(name: str, result: str, *of: Value, immediate: str = "") -> Value:
    reads = frozenset().union(*(v.reads for v in of))
    texts = [canonical(v).text for v in of] + ([immediate] if immediate else [])
    depth = 2 + max(v.depth for v in of)
    top = {"i32": M[32], "i64": M[64]}.get(result, 0)
    return Value(f"{helper(BY_NAME[name])}({', '.join(texts)})", result, 0, top, reads, depth)


def plain(op: Op, of: list[Value], immediates: tuple[object, ...]) -> Value:
    """The expression of a plain instruction, by its own writer or as a call of its meaning."""
    if op.name in PURE:
        return PURE[op.name](*of)
    return _called(
        op.name, type_name((op.results or ("i32",))[0]), *of, immediate=repr(immediates[0]) if immediates else ""
    )


#: Plain instructions that can trap.
TRAPPING = frozenset(
    name for name in NUMERICS if name.split(".")[1].startswith(("div_", "rem_", "trunc_f")) and name[0] == "i"
)
#: Plain instructions, all of them.
PLAIN = frozenset(NUMERICS) | frozenset(VECTORS)
