"""`tamis profile`: exact counts, the same on every run, and its pictures."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET

from spec_tests.cli.conftest import EXAMPLES, Tamis

TEXT = """
(module
  (func $leaf (param i32) (result i32) (i32.add (local.get 0) (i32.const 1)))
  (func $twice (param i32) (result i32) (call $leaf (call $leaf (local.get 0))))
  (func (export "go") (param i32) (result i32) (local i32)
    (loop $l
      (local.set 1 (call $twice (local.get 1)))
      (br_if $l (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))
    (local.get 1))
  (func $deep (export "deep") (param i32) (result i32)
    (if (result i32) (local.get 0) (then (call $deep (i32.sub (local.get 0) (i32.const 1)))) (else (i32.const 7))))
  (func $tail (param i32) (result i32)
    (if (result i32) (local.get 0)
      (then (return_call $tail (i32.sub (local.get 0) (i32.const 1)))) (else (i32.const 7))))
  (func (export "tails") (param i32) (result i32) (call $tail (local.get 0)))
  (func (export "trap") (drop (call $leaf (i32.const 1))) (unreachable)))
"""
#: Instructions: leaf 4 with its end, twice 4; a turn of the loop 3 + 5.
LEAF, TWICE, TURN = 4, 4, 8


def rows(tamis: Tamis, *args: str, code: int = 0) -> tuple[int, dict[str, tuple[int, int, int]]]:
    ran = tamis("profile", "--json", *args)
    assert ran.code == code, ran.err
    found = json.loads(ran.out)
    return found["instructions"], {f["name"]: (f["calls"], f["own"], f["total"]) for f in found["functions"]}


def test_instructions_are_counted_by_function(tamis: Tamis, tmp_path) -> None:
    path = tmp_path / "m.wat"
    path.write_text(TEXT)
    whole, found = rows(tamis, str(path), "--invoke", "go", "10")
    assert found["leaf"] == (20, 20 * LEAF, 20 * LEAF)
    assert found["twice"] == (10, 10 * TWICE, 10 * (TWICE + 2 * LEAF))
    # the loop's own instruction runs once, its end, the last local.get and the function's end once
    assert found["go"] == (1, 10 * TURN + 4, whole)
    assert whole == 10 * (TURN + TWICE + 2 * LEAF) + 4
    assert rows(tamis, str(path), "--invoke", "go", "10") == (whole, found)


def test_recursion_counts_once_in_the_total(tamis: Tamis, tmp_path) -> None:
    path = tmp_path / "m.wat"
    path.write_text(TEXT)
    whole, found = rows(tamis, str(path), "--invoke", "deep", "3000")
    assert found["deep"][2] == whole
    assert found["deep"][0] + found["(deeper)"][0] == 3001
    whole, found = rows(tamis, str(path), "--invoke", "tails", "3000")
    assert found["tail"] == (3001, whole - found["tails"][1], whole - found["tails"][1])


def test_a_trap_has_a_profile_too(tamis: Tamis, tmp_path) -> None:
    path = tmp_path / "m.wat"
    path.write_text(TEXT)
    whole, found = rows(tamis, str(path), "--invoke", "trap", code=134)
    assert (whole, found["leaf"][1]) == (LEAF + 4, LEAF)


def test_pictures_say_the_same(tamis: Tamis, tmp_path) -> None:
    path, svg, scope, stacks = (tmp_path / name for name in ("m.wat", "m.svg", "m.json", "m.txt"))
    path.write_text(TEXT)
    command = ("profile", str(path), "--invoke", "go", "--svg", str(svg), "--speedscope", str(scope), "--stacks")
    ran = tamis(*command, str(stacks), "10")
    assert ran.code == 0
    assert "leaf" in ran.out
    tips = [title.text for title in ET.fromstring(svg.read_text()).iter("{http://www.w3.org/2000/svg}title")]
    assert any(tip and tip.startswith("leaf: 80 instructions") for tip in tips)
    made = json.loads(scope.read_text())
    names = [frame["name"] for frame in made["shared"]["frames"]]
    (one,) = made["profiles"]
    assert one["endValue"] == sum(one["weights"]) == 204
    counts = [(";".join(names[n] for n in s), w) for s, w in zip(one["samples"], one["weights"], strict=True)]
    assert counts == [("go", 84), ("go;twice", 40), ("go;twice;leaf", 80)]
    assert sorted(stacks.read_text().splitlines()) == ["go 84", "go;twice 40", "go;twice;leaf 80"]


def test_a_filter_is_counted_by_callback_with_its_host_calls(tamis: Tamis) -> None:
    filter = str(EXAMPLES / "header_rewrite" / "header_rewrite.wasm")
    config = f"@{EXAMPLES / 'header_rewrite' / 'rules.txt'}"
    whole, found = rows(tamis, filter, "--config", config)
    assert found["proxy_on_request_headers"][0] == 1
    assert any(name.startswith("env.proxy_") for name in found)
    assert rows(tamis, filter, "--config", config) == (whole, found)


def test_a_file_that_cannot_be_written_is_an_error(tamis: Tamis, tmp_path) -> None:
    path = tmp_path / "m.wat"
    path.write_text(TEXT)
    ran = tamis("profile", str(path), "--invoke", "go", "--svg", str(tmp_path / "no" / "x.svg"), "1")
    assert ran.code == 1
    assert "x.svg" in ran.err
