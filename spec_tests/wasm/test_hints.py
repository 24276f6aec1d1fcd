"""Branch hints: annotations in texts, a custom section in bytes, which can hold garbage and is never an error."""

from __future__ import annotations

from random import Random

import pytest

import interp
from interp.syntax.hints import BRANCH_HINT, branch_hints, decode_hints, encode_hints
from interp.syntax.module import Custom
from interp.tools.disasm import Listing

HINTED = """
(module
  (import "a" "b" (func))
  (func (export "plain") (param i32) (result i32)
    (local i64 f32 f32)
    block
      local.get 0
      (@metadata.code.branch_hint "\\00") br_if 0
      nop
    end
    local.get 0
    (@metadata.code.branch_hint "\\01")
    if (result i32)
      i32.const 1
    else
      i32.const 2
    end)
  (func (nop))
  (func (export "folded") (param i32 i32) (result i32)
    (@metadata.code.branch_hint "\\01")
    (if (result i32) (i32.eqz (local.get 0))
      (then
        (@metadata.code.branch_hint "\\00") (if (local.get 1) (then (return (i32.const 3))))
        (i32.const 4))
      (else
        (block $b (@unknown.annotation) (@metadata.code.branch_hint "\\01") (br_if $b (local.get 1)))
        (i32.const 5)))))
"""


def texts(module: interp.Module) -> list[tuple[int, str, bool]]:
    """Function, instruction and hint, in order."""
    found = []
    for index, places in sorted(branch_hints(module).items()):
        body = {ins.at: ins for ins in module.funcs[index - module.imported_funcs].body}
        found += [(index, body[at].op.name, likely) for at, likely in sorted(places.items())]
    return found


WANTED = [(1, "br_if", False), (1, "if", True), (3, "if", True), (3, "if", False), (3, "br_if", True)]


def test_hints_of_a_text() -> None:
    module = interp.parse(HINTED)
    assert sorted(texts(module)) == sorted(WANTED)
    assert {index: sorted(places) for index, places in module.branch_hints.items()} == {1: [2, 6], 3: [2, 4, 12]}


def test_hints_of_bytes() -> None:
    module = interp.decode(interp.encode(interp.parse(HINTED)))
    assert texts(module) == WANTED
    assert [custom.name for custom in module.customs] == [BRANCH_HINT]
    assert [id for id, _, _ in module.sections] == [1, 2, 3, 7, 0, 10]
    # by function: offsets count from the declaration of the locals
    assert decode_hints(module.customs[0].data)[3] == {4: True, 8: False, 21: True}
    assert interp.validate(module).module is module


@pytest.mark.parametrize("folded", [False, True], ids=["plain", "folded"])
def test_print_and_parse(folded: bool) -> None:
    data = interp.encode(interp.parse(HINTED))
    for module in (interp.parse(HINTED), interp.decode(data)):
        text = interp.print_module(module, folded=folded)
        assert text.count("(@metadata.code.branch_hint") == 5
        assert "@custom" not in text
        assert interp.encode(interp.parse(text)) == data


def test_hints_run_like_none(engine: str) -> None:
    inst = interp.load(HINTED, {"a": {"b": lambda: None}}, engine=engine)
    bare = interp.load(
        "\n".join(line for line in HINTED.splitlines()).replace("@metadata.code.branch_hint", "@other"),
        {"a": {"b": lambda: None}},
        engine=engine,
    )
    for args in [(0, 0), (0, 1), (1, 0), (1, 1)]:
        assert inst.exports.folded(*args) == bare.exports.folded(*args)
        assert inst.exports.plain(args[0]) == bare.exports.plain(args[0])
    assert inst.store.ticks == bare.store.ticks


def test_the_listing_says_what_is_likely() -> None:
    lines = list(Listing(interp.decode(interp.encode(interp.parse(HINTED)))).lines())
    said = [line.split("  ", 1)[1].strip() for line in lines if "likely" in line]
    assert said == [
        "br_if 0  ; unlikely",
        "if (result i32)  ; likely",
        "if (result i32)  ; likely",
        "if  ; unlikely",
        "br_if 0  ; likely",
    ]


WRONG = {
    '(func (block (br_if 0 (i32.const 0)))) (@metadata.code.branch_hint "\\00") (func)': "not in a function",
    '(@metadata.code.branch_hint "\\00") (func)': "not in a function",
    '(global i32 (@metadata.code.branch_hint "\\00") (i32.const 0))': "not in a function",
    '(func (@metadata.code.branch_hint "\\00") (@metadata.code.branch_hint "\\01") (if (nop) (then)))': "duplicate",
    "(func (@metadata.code.branch_hint) (if (i32.const 0) (then)))": "the value must be",
    '(func (@metadata.code.branch_hint "\\02") (if (i32.const 0) (then)))': "the value must be",
    '(func (@metadata.code.branch_hint "\\00\\00") (if (i32.const 0) (then)))': "the value must be",
    '(func (@metadata.code.branch_hint "\\00" "") (if (i32.const 0) (then)))': "the value must be",
    '(func (@metadata.code.branch_hint "\\u{d800}") (if (i32.const 0) (then)))': "the value must be",
    "(func (@metadata.code.branch_hint 0) (if (i32.const 0) (then)))": "the value must be",
}


@pytest.mark.parametrize("fields", WRONG)
def test_malformed_annotations(fields: str) -> None:
    with pytest.raises(
        interp.MalformedError, match=f"@metadata.code.branch_hint annotation: {WRONG[fields]}"
    ) as caught:
        interp.parse(f"(module\n {fields})")
    assert caught.value.where is not None
    assert caught.value.where.line == 2


@pytest.mark.parametrize(
    "body",
    [
        '(@metadata.code.branch_hint "\\00") (nop)',
        '(if (@metadata.code.branch_hint "\\00") (i32.const 0) (then))',
        '(if (i32.const 0) (@metadata.code.branch_hint "\\00") (then))',
        '(@metadata.code.branch_hint "\\00") (loop)',
        '(nop (@metadata.code.branch_hint "\\00"))',
        '(@metadata.code.branch_hint "\\00")',
        '(@metadata.code.branch_hint "\\00") (local i32)',
    ],
)
def test_hints_before_what_is_no_branch(body: str) -> None:
    with pytest.raises(interp.InvalidError, match="annotation: invalid target") as caught:
        interp.parse(f"(module (func {body}))")
    assert caught.value.where is not None


def module_with(data: bytes) -> interp.Module:
    plain = interp.parse('(module (func (export "f") (param i32) (if (local.get 0) (then))))')
    found = interp.decode(interp.encode(plain))
    return interp.decode(interp.encode(interp.Module(
        rec_types=found.rec_types, funcs=found.funcs, exports=found.exports, customs=(Custom(BRANCH_HINT, data, 7),)
    )))  # fmt: skip


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff",
        b"\xff\xff\xff\xff\x0f",  # four thousand million functions
        b"\1\0\xff\xff\xff\xff\x0f",  # as many hints
        b"\1\0\1\3",
        b"\1\0\1\3\xff\xff\xff\xff\x0f\1",  # a hint of as many bytes
        b"\1\0\1\3\2\1\1",
        b"\1\0\1\3\0",
        b"\1\0\1\3\1\7",  # neither likely nor unlikely
        b"\1\5\1\3\1\1",  # no such function
        b"\1\0\1\xff\xff\xff\xff\x0f\1\1",  # far behind its end
        b"\1\0\1\2\1\1",  # within an instruction
        b"\1\0\1\3\1\1rest",
        b"\1\0\2\3\1\1\3\1\0",  # twice of one
        b"\x81\0\0\1\3\1\1",  # a number longer than it need be
    ],
    ids=repr,
)
def test_garbage_is_never_an_error(data: bytes) -> None:
    module = module_with(data)
    for places in branch_hints(module).values():
        assert all(isinstance(likely, bool) for likely in places.values())
    interp.validate(module)
    list(Listing(module).lines())
    again = interp.decode(interp.encode(interp.parse(interp.print_module(module))))
    assert [(custom.name, bytes(custom.data)) for custom in again.customs] == [(BRANCH_HINT, data)]


def test_what_is_read_is_what_is_there() -> None:
    module = module_with(b"\1\0\1\3\1\1")
    (place,) = branch_hints(module)[0]
    assert [ins.op.name for ins in module.funcs[0].body if ins.at == place] == ["if"]
    assert "(@metadata.code.branch_hint" in interp.print_module(module)


def test_random_hints_are_written_and_read() -> None:
    rng = Random(3)
    for _ in range(200):
        hints = {
            rng.randrange(1000): {rng.randrange(1 << rng.randrange(1, 32)): rng.random() < 0.5 for _ in range(1, 5)}
            for _ in range(rng.randrange(4))
        }
        data = encode_hints(hints)
        assert decode_hints(data) == hints
        for _ in range(10):
            decode_hints(rng.randbytes(rng.randrange(30)))
            decode_hints(data[: rng.randrange(len(data) + 1)])
