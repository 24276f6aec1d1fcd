"""Vector instructions (specification 4.3.6 on): each against a definition by lanes, on edges and random bits.

The definitions here use Python's integers and the scalar numerics, lane by lane; the code under test uses numpy. The
last part runs every instruction, and what holds vectors, on the engines.
"""

from __future__ import annotations

import itertools
import random
import re
from collections.abc import Callable, Iterator, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import interp
from interp import _native
from interp.runtime.numerics import NAN32, NAN64, NUMERICS
from interp.runtime.vectors import LOADED, VECTORS
from interp.syntax.instructions import BY_NAME, OPS, Op
from spec_tests.wasm.test_numerics import EDGES_FLOAT

WIDTH = {"i8x16": 8, "i16x8": 16, "i32x4": 32, "i64x2": 64, "f32x4": 32, "f64x2": 64, "v128": 64}
SCALARS = {"i32": 32, "i64": 64, "f32": 32, "f64": 64}
SHAPE = re.compile(r"(?:i8x16|i16x8|i32x4|i64x2|f32x4|f64x2)")
ON = interp.DEFAULT_FEATURES | {interp.Feature.RELAXED_SIMD}
VECTOR_OPS = [op for op in OPS if op.feature.value in ("simd", "relaxed-simd")]


def split(a: int, n: int) -> list[int]:
    return [a >> at & (1 << n) - 1 for at in range(0, 128, n)]


def join(lanes: Sequence[int], n: int) -> int:
    """The vector of lanes that may be negative; missing ones are zero."""
    return sum((lane & (1 << n) - 1) << n * i for i, lane in enumerate(lanes))


def signed(a: int, n: int) -> int:
    return a - (1 << n) if a >> (n - 1) else a


def read(a: int, n: int, sign: str) -> int:
    return signed(a, n) if sign == "s" else a


def clamp(i: int, n: int, sign: str) -> int:
    low, high = (-(1 << (n - 1)), (1 << (n - 1)) - 1) if sign == "s" else (0, (1 << n) - 1)
    return min(max(i, low), high)


# -- the definitions ------------------------------------------------------------------------------------------------

#: Two lanes as integers, signed or not by the name's ending (unsigned without one), to an integer.
INTEGER: dict[str, Callable[[int, int, int, str], int]] = {
    "add": lambda x, y, n, sign: x + y,
    "sub": lambda x, y, n, sign: x - y,
    "mul": lambda x, y, n, sign: x * y,
    "add_sat": lambda x, y, n, sign: clamp(x + y, n, sign),
    "sub_sat": lambda x, y, n, sign: clamp(x - y, n, sign),
    "q15mulr_sat": lambda x, y, n, sign: clamp((x * y + 2**14) // 2**15, n, sign),
    "relaxed_q15mulr": lambda x, y, n, sign: clamp((x * y + 2**14) // 2**15, n, sign),
    "avgr": lambda x, y, n, sign: (x + y + 1) // 2,
    "min": lambda x, y, n, sign: min(x, y),
    "max": lambda x, y, n, sign: max(x, y),
    "eq": lambda x, y, n, sign: -(x == y),
    "ne": lambda x, y, n, sign: -(x != y),
    "lt": lambda x, y, n, sign: -(x < y),
    "gt": lambda x, y, n, sign: -(x > y),
    "le": lambda x, y, n, sign: -(x <= y),
    "ge": lambda x, y, n, sign: -(x >= y),
}
SHIFTS: dict[str, Callable[[int, int], int]] = {
    "shl": lambda x, k: x << k,
    "shr": lambda x, k: x // 2**k,
}
UNARY: dict[str, Callable[[int], int]] = {"neg": lambda x: -x, "abs": abs}
BITS: dict[str, Callable[..., int]] = {
    "not": lambda x: 1 - x,
    "and": lambda x, y: x & y,
    "andnot": lambda x, y: x & (1 - y),
    "or": lambda x, y: x | y,
    "xor": lambda x, y: x ^ y,
    "bitselect": lambda x, y, c: x if c else y,
}


def naive(name: str, args: Sequence[int]) -> int:
    """What an instruction gives, by its definition."""
    shape, _, operation = name.partition(".")
    if operation in BITS:
        return sum(BITS[operation](*bits) << i for i, bits in enumerate(zip(*(split(a, 1) for a in args), strict=True)))
    if operation.endswith("laneselect"):
        return naive("v128.bitselect", args)
    n = WIDTH[shape]
    if found := SHAPE.findall(operation):
        return from_shape(shape[0] + str(n), n, operation, found[0], args)
    whole = without_lanes(n, operation, args)
    if whole is not None:
        return whole
    sign = "s" if operation.endswith("_s") else "u"
    stem = operation.removesuffix(f"_{sign}")
    if shape[0] == "f":
        return floats(n, operation, args)
    if stem in SHIFTS:
        return join([SHIFTS[stem](read(x, n, sign), args[1] % n) for x in split(args[0], n)], n)
    if stem in UNARY:
        return join([UNARY[stem](signed(x, n)) for x in split(args[0], n)], n)
    pairs = zip(*(split(a, n) for a in args), strict=True)
    return join([INTEGER[stem](read(x, n, sign), read(y, n, sign), n, sign) for x, y in pairs], n)


def without_lanes(n: int, operation: str, args: Sequence[int]) -> int | None:
    """What moves, chooses or counts lanes and bits."""
    a, *rest = args if operation != "shuffle" else (args[0], *args[1:])
    lanes = split(a, n)
    match operation:
        case "any_true":
            return int(a != 0)
        case "all_true":
            return int(0 not in lanes)
        case "bitmask":
            return int("".join(str(lane >> (n - 1)) for lane in reversed(lanes)), 2)
        case "popcnt":
            return join([bin(lane).count("1") for lane in lanes], n)
        case "splat":
            return join([a] * (128 // n), n)
        case "extract_lane" | "extract_lane_u":
            return lanes[rest[0]]
        case "extract_lane_s":
            return signed(lanes[rest[0]], n) % 2**32
        case "replace_lane":
            lanes[rest[1]] = rest[0]
            return join(lanes, n)
        case "swizzle" | "relaxed_swizzle":
            return join([lanes[i] if i < 16 else 0 for i in split(rest[0], 8)], n)
        case "shuffle":
            return join([(lanes + split(rest[0], 8))[i] for i in rest[1]], n)  # type: ignore[attr-defined]
    return None


def floats(n: int, operation: str, args: Sequence[int]) -> int:
    def scalar(name: str, *x: int) -> int:
        return NUMERICS[f"f{n}.{name}"](*x)

    def lane(*x: int) -> int:
        match operation.removeprefix("relaxed_"):
            case "eq" | "ne" | "lt" | "gt" | "le" | "ge":
                return -scalar(operation, *x)
            case "pmin":
                return x[1] if scalar("lt", x[1], x[0]) else x[0]
            case "pmax":
                return x[1] if scalar("lt", x[0], x[1]) else x[0]
            case "madd":
                return scalar("add", scalar("mul", x[0], x[1]), x[2])
            case "nmadd":
                return scalar("add", scalar("mul", scalar("neg", x[0]), x[1]), x[2])
            case same:
                return scalar(same, *x)

    return join([lane(*x) for x in zip(*(split(a, n) for a in args), strict=True)], n)


def from_shape(to: str, n: int, operation: str, source: str, args: Sequence[int]) -> int:
    """An instruction whose name has the shape that it reads."""
    m = WIDTH[source]
    kind, _, tail = operation.partition(f"_{source}")
    sign = "u" if "_u" in tail else "s"
    lanes = [[read(x, m, sign) for x in split(a, m)] for a in args]
    half = slice(0, 64 // m) if "low" in kind else slice(64 // m, None)
    match kind.removesuffix("_low").removesuffix("_high"):
        case "extend":
            return join(lanes[0][half], n)
        case "extmul":
            return join([x * y for x, y in zip(lanes[0][half], lanes[1][half], strict=True)], n)
        case "extadd_pairwise":
            return join(_pairs(lanes[0]), n)
        case "dot":
            return join(_pairs([x * y for x, y in zip(*lanes, strict=True)]), n)
        case "relaxed_dot" if len(args) == 2:
            sums = _pairs([signed(x % 256, 8) * signed(y % 256, 8) for x, y in zip(*lanes, strict=True)])
            return join([clamp(x, 16, "s") for x in sums], n)
        case "relaxed_dot":
            dots = [signed(x, 16) for x in split(from_shape(to, 16, operation, source, args[:2]), 16)]
            return join([x + y for x, y in zip(_pairs(dots), split(args[2], 32), strict=True)], n)
        case "narrow":
            return join([clamp(signed(x, m), n, sign) for a in args for x in split(a, m)], n)
        case "trunc_sat" | "relaxed_trunc":
            return join([NUMERICS[f"i32.trunc_sat_f{m}_{sign}"](x) for x in split(args[0], m)], n)
        case "convert":
            return join([NUMERICS[f"{to}.convert_i32_{sign}"](x) for x in split(args[0], m)[: 128 // n]], n)
        case "demote":
            return join([NUMERICS["f32.demote_f64"](x) for x in split(args[0], m)], n)
        case "promote":
            return join([NUMERICS["f64.promote_f32"](x) for x in split(args[0], m)[:2]], n)
    raise AssertionError(operation)


def _pairs(lanes: Sequence[int]) -> list[int]:
    return [lanes[i] + lanes[i + 1] for i in range(0, len(lanes), 2)]


# -- operands -------------------------------------------------------------------------------------------------------


def edges(n: int, floating: bool) -> list[int]:
    if floating:
        return EDGES_FLOAT[n]
    if n == 8:
        return [0, 1, 2, 3, 15, 16, 17, 0x55, 0x7E, 0x7F, 0x80, 0x81, 0xAA, 0xF0, 0xFE, 0xFF]
    top = 1 << (n - 1)
    near = [0, 1, 2, 0x7F, 0x80, 0xFF, 0x100, 0x7FFF, 0x8000, 0xFFFF, top >> 1, top - 1, top, top + 1, 2 * top - 2]
    return sorted({x % (2 * top) for x in [*near, -0x7F, -0x80, -0x81, -0x8000, -0x8001, -1]})


def immediates(op: Op, rng: random.Random) -> tuple[object, ...]:
    match op.immediates:
        case ("lane",):
            return (rng.randrange(op.lanes),)
        case ("lanes16",):
            return (tuple(rng.randrange(32) for _ in range(16)),)
    return ()


def lane_shape(op: Op) -> str:
    """The shape of the lanes that an instruction reads."""
    shapes = SHAPE.findall(op.name)
    return shapes[-1] if shapes else "v128"


def cases(op: Op) -> Iterator[tuple[object, ...]]:
    """Operands and immediates: edge lanes, every pair of them where two vectors meet, and some random bits."""
    rng = random.Random(op.name)
    shape = lane_shape(op)
    n = WIDTH[shape]
    params = op.params or ()
    vectors = params.count("v128")
    values = list(range(256)) if n == 8 and vectors == 1 else edges(n, shape[0] == "f")
    combinations = list(itertools.product(values, repeat=min(vectors, 2)))
    rng.shuffle(combinations)
    lanes = 128 // n
    for at in range(-16 * lanes, len(combinations), lanes):
        chosen = combinations[at : at + lanes] if at >= 0 else ()
        columns = [join(column, n) for column in zip(*chosen, strict=True)]
        while len(columns) < vectors:
            columns.append(join(rng.choices(values, k=lanes), n) if at >= 0 else rng.getrandbits(128))
        args = iter(columns)
        bits = [next(args) if p == "v128" else scalar(p, n, rng) for p in params]
        yield (*bits, *immediates(op, rng))


def scalar(type: str, n: int, rng: random.Random) -> int:
    return rng.choice([rng.randrange(3 * n), rng.getrandbits(SCALARS[type])])


# -- the meanings ---------------------------------------------------------------------------------------------------


def test_every_vector_instruction_has_a_meaning():
    in_memory = {op.name for op in VECTOR_OPS if "memarg" in op.immediates}
    assert set(VECTORS) == {op.name for op in VECTOR_OPS} - in_memory - {"v128.const"}
    assert set(LOADED) == {name for name in in_memory if "load" in name and not name.endswith("lane")}
    assert len(VECTOR_OPS) == 236 + 20


@pytest.mark.parametrize("name", VECTORS)
def test_on_edges(name):
    f = VECTORS[name]
    for args in cases(BY_NAME[name]):
        assert f(*args) == naive(name, args), args  # type: ignore[arg-type]


@settings(max_examples=600)
@given(
    st.sampled_from(sorted(VECTORS)), st.tuples(*[st.integers(0, 2**128 - 1)] * 3), st.randoms(use_true_random=False)
)
def test_on_random_bits(name, vectors, rng):
    op = BY_NAME[name]
    args = [a % 2 ** SCALARS.get(p, 128) for a, p in zip(vectors, op.params or (), strict=False)]
    args += immediates(op, rng)  # type: ignore[arg-type]
    assert VECTORS[name](*args) == naive(name, args)


#: These move bits, or read no float.
MOVES = ("lane", "splat", "neg", "abs", "pmin", "pmax", "convert")


@pytest.mark.parametrize("name", [n for n in VECTORS if n[0] == "f" and not any(word in n for word in MOVES)])
def test_arithmetic_gives_no_nan_but_the_canonical_one(name):
    operation = name.partition(".")[2]
    op = BY_NAME[name]
    n, m = WIDTH[lane_shape(op)], WIDTH[name[:5]]
    signalling = join([(NAN32 if n == 32 else NAN64) ^ 3 << n - (11 if n == 32 else 14)] * (128 // n), n)
    got = split(VECTORS[name](*[signalling] * len(op.params or ())), m)
    comparison = operation in ("eq", "ne", "lt", "gt", "le", "ge")
    want = {2**m - 1 if operation == "ne" else 0} if comparison else {NAN32 if m == 32 else NAN64}
    assert set(got) - ({0} if "zero" in name else set()) == want


@pytest.mark.parametrize(
    ("name", "args", "result"),
    [
        ("f32x4.relaxed_madd", (0x3F800002, 0x3F800100, 0xBF800102), 0),  # fused it would be 2^-37
        ("i16x8.relaxed_dot_i8x16_i7x16_s", (0x8080, 0x8080), 0x7FFF),
        ("i16x8.relaxed_dot_i8x16_i7x16_s", (0x8080, 0x8181), 32512),
        ("i32x4.relaxed_dot_i8x16_i7x16_add_s", (0x80808080, 0x80808080, 1), 0xFFFF),
        ("i16x8.relaxed_q15mulr_s", (0x8000, 0x8000), 0x7FFF),
        ("i8x16.relaxed_laneselect", (0xFF, 0, 0x0F), 0x0F),
        ("i32x4.relaxed_trunc_f32x4_u", (0xBF800000,), 0),
        ("i32x4.relaxed_trunc_f32x4_s", (0x7FC00000,), 0),
        ("i8x16.relaxed_swizzle", (0xFF, (1 << 128) - 1 ^ 0xEF), 0),
        ("f32x4.relaxed_min", (0x80000000, 0), 0x80000000),
    ],
)
def test_relaxed_instructions_take_the_deterministic_choice(name, args, result):
    assert VECTORS[name](*args) == result


@pytest.mark.parametrize(
    ("name", "raw", "result"),
    [
        ("v128.load8x8_s", 0x80_7F_00_01_FF_02_03_81, 0xFF80_007F_0000_0001_FFFF_0002_0003_FF81),
        ("v128.load8x8_u", 0x80_7F_00_01_FF_02_03_81, 0x0080_007F_0000_0001_00FF_0002_0003_0081),
        ("v128.load32x2_s", 0x80000000_7FFFFFFF, 0xFFFFFFFF80000000_000000007FFFFFFF),
        ("v128.load16x4_u", 0x8000_7FFF_0000_FFFF, 0x00008000_00007FFF_00000000_0000FFFF),
        ("v128.load16_splat", 0x8001, 0x8001_8001_8001_8001_8001_8001_8001_8001),
        ("v128.load64_zero", 0x8123456789ABCDEF, 0x8123456789ABCDEF),
    ],
)
def test_what_loads_make_of_bytes(name, raw, result):
    assert LOADED[name](raw) == result


# -- the C twins ----------------------------------------------------------------------------------------------------

needs_c = pytest.mark.skipif(_native.lib is None, reason="this installation has no C extension")


def in_c(op: Op, args: Sequence[object]) -> int:
    """The result of `tm_vector`: operands as pairs of cells, then the lane or the sixteen."""
    count = len(op.params or ())
    cells = [bits >> shift & (1 << 64) - 1 for bits in args[:count] for shift in (0, 64)]  # type: ignore[operator]
    immediate = [0, 0]
    if op.immediates == ("lane",):
        immediate = [args[count], 0]  # type: ignore[list-item]
    elif op.immediates:
        immediate = split(join(args[count], 8), 64)  # type: ignore[arg-type]
    result = _native.ffi.new("uint64_t[2]")
    known = _native.lib.tm_vector(op.id, cells + [0] * (6 - len(cells)), immediate, result)
    assert known == 0, "no C meaning"
    return result[0] | result[1] << 64 if op.results == ("v128",) else result[0]


@needs_c
@pytest.mark.parametrize("name", VECTORS)
def test_c_gives_the_same_bits_on_edges(name):
    for args in cases(BY_NAME[name]):
        assert in_c(BY_NAME[name], args) == VECTORS[name](*args), args


@needs_c
@settings(max_examples=600)
@given(
    st.sampled_from(sorted(VECTORS)), st.tuples(*[st.integers(0, 2**128 - 1)] * 3), st.randoms(use_true_random=False)
)
def test_c_gives_the_same_bits_on_random_ones(name, vectors, rng):
    op = BY_NAME[name]
    args = [a % 2 ** SCALARS.get(p, 128) for a, p in zip(vectors, op.params or (), strict=False)]
    args += immediates(op, rng)  # type: ignore[arg-type]
    assert in_c(op, args) == VECTORS[name](*args)


# -- on the engines -------------------------------------------------------------------------------------------------


def load(text: str, engine: str, imports: Callable[[interp.Store], list[object]] | None = None) -> interp.Instance:
    """A module with vectors, relaxed ones too; skipped on an engine that does not run them."""
    store = interp.Store(engine)
    if interp.Feature.RELAXED_SIMD not in store.engine.features:
        pytest.skip(f"the {engine} engine runs no vectors")
    valid = interp.validate(interp.decode(interp.encode(interp.parse(text)), features=ON), features=ON)
    externs = imports(store) if imports else []
    return interp.Instance(interp.instantiate(store, valid, externs))  # type: ignore[arg-type]


def call(inst: interp.Instance, name: str, *args: object) -> int:
    (result,) = interp.invoke_bits(inst.store, inst.raw.exports[name], args)  # type: ignore[arg-type]
    return result


def test_every_instruction_on_the_engine(engine):
    rng = random.Random(7)
    plan = []
    for name in VECTORS:
        op = BY_NAME[name]
        for args in rng.sample(list(cases(op)), k=4):
            plan.append((op, args[: len(op.params or ())], args[len(op.params or ()) :]))
    functions = []
    for number, (op, _, chosen) in enumerate(plan):
        words = " ".join(map(str, chosen[0] if op.name == "i8x16.shuffle" else chosen))  # type: ignore[arg-type]
        gets = " ".join(f"(local.get {i})" for i in range(len(op.params or ())))
        head = f'(func (export "{number}") (param {" ".join(op.params or ())}) (result {" ".join(op.results or ())})'
        functions.append(f"{head} {gets} {op.name} {words})")
    inst = load(f"(module {' '.join(functions)})", engine)
    for number, (op, args, chosen) in enumerate(plan):
        assert call(inst, str(number), *args) == VECTORS[op.name](*args, *chosen), (op.name, args, chosen)


MEMORY = """(module (memory (export "m") 1)
  (func (export "load") (param i32) (result v128) (v128.load offset=4 (local.get 0)))
  (func (export "store") (param i32 v128) (v128.store offset=4 (local.get 0) (local.get 1)))
  (func (export "load_lane") (param i32 v128) (result v128) (v128.load16_lane 5 (local.get 0) (local.get 1)))
  (func (export "store_lane") (param i32 v128) (v128.store32_lane 2 (local.get 0) (local.get 1)))
  (func (export "splat") (param i32) (result v128) (v128.load8_splat (local.get 0)))
  (func (export "zero") (param i32) (result v128) (v128.load64_zero (local.get 0)))
  (func (export "extend") (param i32) (result v128) (v128.load16x4_s (local.get 0))))"""


def test_vectors_in_memory(engine):
    inst = load(MEMORY, engine)
    f, memory = inst.exports, inst.exports.m
    value = int.from_bytes(bytes(range(0x80, 0x90)), "little")
    f.store(12, value)
    assert memory[0:48] == bytes(16) + bytes(range(0x80, 0x90)) + bytes(16)
    assert f.load(12) == value
    assert f.load(13) == value >> 8
    assert f.load_lane(18, -1) == (1 << 128) - 1 ^ (0xFFFF ^ 0x8382) << 80
    f.store_lane(40, value)
    assert memory[36:48] == bytes(4) + b"\x88\x89\x8a\x8b" + bytes(4)
    assert f.splat(31) == int.from_bytes(b"\x8f" * 16, "little")
    assert f.zero(24) == int.from_bytes(bytes(range(0x88, 0x90)), "little")
    assert f.extend(16) == join([0x8180 - 0x10000, 0x8382 - 0x10000, 0x8584 - 0x10000, 0x8786 - 0x10000], 32)


@pytest.mark.parametrize(
    ("name", "at", "vector"),
    [("load", 65521 - 4, False), ("store", 65521 - 4, True), ("load_lane", 65535, True), ("store_lane", 65533, True),
     ("splat", 65536, False), ("zero", 65529, False), ("extend", 65529, False), ("load", 0xFFFFFFFF, False)],
)  # fmt: skip
def test_vectors_beyond_the_memory_trap_and_write_nothing(engine, name, at, vector):
    inst = load(MEMORY, engine)
    f = inst.exports[name]
    with pytest.raises(interp.Trap, match="out of bounds memory access"):
        f(*(at, -1) if vector else (at,))
    assert not any(inst.exports.m.view)
    if at < 65536:
        f(*(at - 1, 0) if vector else (at - 1,))


def test_vectors_in_locals_globals_blocks_and_calls(engine):
    inst = load(
        """(module
          (global (export "g") (mut v128) (v128.const i64x2 1 2))
          (global $sum (mut v128) (v128.const i64x2 0 0))
          (func (export "untouched") (result v128) (local i32 v128 i64) (local.get 1))
          (func (export "choose") (param v128 i32 v128 i32) (result v128)
            (select (local.get 0) (local.get 2) (local.get 3)))
          (func (export "choose_t") (param v128 v128 i32) (result v128)
            (select (result v128) (local.get 0) (local.get 1) (local.get 2)))
          (func $swap (param v128 i32 v128) (result v128 i32 v128) (local.get 2) (local.get 1) (local.get 0))
          (func (export "swap") (param v128 i32 v128) (result v128 i32 v128)
            (call $swap (local.get 0) (local.get 1) (local.get 2)))
          (func (export "through") (param v128 i32) (result v128)
            (i32.const 7) (block (param i32) (result v128) (drop)
              (local.get 0) (br_if 0 (local.get 1)) (drop) (v128.const i8x16 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15)))
          (func (export "set") (param v128) (global.set 0 (local.get 0)))
          (func (export "triangle") (param i32) (result v128) (local v128)
            (loop (local.set 1 (i32x4.add (local.get 1) (i32x4.splat (local.get 0))))
              (br_if 0 (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))
            (local.get 1)))""",
        engine,
    )
    f = inst.exports
    a, b = 0x0123456789ABCDEF_FEDCBA9876543210, (1 << 128) - 2
    assert f.untouched() == 0
    assert (f.choose(a, 5, b, 1), f.choose(a, 5, b, 0)) == (a, b)
    assert (f.choose_t(a, b, 1), f.choose_t(a, b, 0)) == (a, b)
    assert f.swap(a, -3, b) == (b, -3, a)
    assert (f.through(a, 1), f.through(a, 0)) == (a, int.from_bytes(bytes(range(16)), "little"))
    assert f.g.value == 2 << 64 | 1
    f.set(a)
    assert f.g.value == a
    f.g.value = b
    assert f.g.value == b
    assert f.triangle(100) == join([5050] * 4, 32)


def test_vectors_and_host_functions(engine):
    seen = []

    def host(store):
        def twist(a, i, b):
            seen.append((a, i, b))
            return b, i + 1, a

        v128, i32 = interp.V128, interp.I32
        return [store.host_func(interp.FuncType((v128, i32, v128), (v128, i32, v128)), twist)]

    inst = load(
        """(module (import "h" "f" (func $f (param v128 i32 v128) (result v128 i32 v128)))
          (func (export "f") (param v128 i32 v128) (result v128 i32 v128)
            (call $f (local.get 0) (local.get 1) (local.get 2))))""",
        engine,
        host,
    )
    a, b = 0x0123456789ABCDEF_FEDCBA9876543210, (1 << 128) - 2
    assert inst.exports.f(a, 5, b) == (b, 6, a)
    assert seen == [(a, 5, b)]


def test_a_vector_from_python_is_16_bytes_or_an_integer_of_128_bits(engine):
    f = load('(module (func (export "f") (param v128) (result v128) (local.get 0)))', engine).exports.f
    assert f(bytes(range(16))) == int.from_bytes(bytes(range(16)), "little")
    assert f(-1) == (1 << 128) - 1
    assert f(f(bytearray(15) + b"\x80")) == 1 << 127
    for wrong, error in {1 << 128: OverflowError, -(1 << 127) - 1: OverflowError, bytes(15): ValueError}.items():
        with pytest.raises(error):
            f(wrong)
    for wrong in (1.0, "x", None):
        with pytest.raises(TypeError):
            f(wrong)


def test_relaxed_vectors_came_with_version_3(engine):
    text = """(module (func (export "f") (param v128) (result v128) (i32x4.relaxed_trunc_f32x4_s (local.get 0))))"""
    with pytest.raises(interp.UnsupportedError, match="relaxed-simd"):
        interp.load(text, engine=engine, features="2.0")
    assert interp.load(text, engine=engine).exports.f(0x40400000) == 3
