"""`tap`: a filter made talkative. Each host call says with proxy_log what went in before it, and what came out after.

The host's log then has everything that crossed, on any host, with no change to the filter's source:

    tap proxy_get_header_map_value 00000000 00010047 00000005 00003fa0 00003fa4      the call, its arguments in hex
    :path                                                                           each input, as it is in memory
    tap = 00000000                                                                  the status
    /index.html                                                                     each output, if the status is OK

and `tap > proxy_on_request_headers ...`, `tap < 00000000` around each callback.

Theory of operation. Inputs and outputs are logged straight from where they lie. The lines around them need bytes in
memory that are nobody's, and there are none: a grown memory or a further segment would move what the filter's allocator
gives out. So the first bytes of memory are borrowed: saved in locals, written, logged, put back before anything of the
filter runs again. Numbers become digits without memory (`tap.hex`: eight digits in one i64). Added functions stand
behind the filter's own, so that its addresses and, unless it has no proxy_log, its indices are what they were.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence

import hostabi.hostcalls  # noqa: F401  (fills the registry)
import interp
from hostabi.abi.callbacks import CALLBACKS
from hostabi.abi.hostcall import REGISTRY, HostCall, Wire
from interp.tools.wrap import Line, Rewriter

MARK = "tap"
LOG = "proxy_log"

_INPUTS = {Wire.BYTES, Wire.LATE_BYTES, Wire.PAIRS}
_OUTPUTS = {Wire.OUT_BYTES, Wire.OUT_PAIRS, Wire.OUT_OPTIONAL}
_NUMBERS = {Wire.OUT_U32: 4, Wire.OUT_TOKEN: 4, Wire.OUT_U64: 8}
_MOST_MARK = 64


class TapError(Exception):
    """A module that cannot be tapped, and why."""


def tap(data: bytes, *, mark: str = MARK, level: int = 0) -> bytes:
    """The module in `data`, binary or text, with taps on its host calls and callbacks; the lines begin with `mark`.

    Raises TapError, and MalformedError or InvalidError for what is no valid module.
    """
    if not mark or len(mark.encode()) > _MOST_MARK or not mark.isprintable():
        raise TapError(f"the mark has to be a word of at most {_MOST_MARK} bytes")
    module = interp.validate(interp.read_module(data, features=interp.EVERY_FEATURE)).module
    if not module.mem_types:
        raise TapError("the module has no memory, and so nothing crosses that could be shown")
    memory = module.mem_types[0]
    if memory.limits.min < 1 or memory.limits.index != "i32":
        raise TapError("the module's memory has to begin with a page or more, and be one of 32 bits")
    return interp.encode(_Tap(module, mark, level).module())


class _Tap:
    def __init__(self, module: interp.Module, mark: str, level: int) -> None:
        self.mark = mark
        self.level = level
        self.old = module
        self.new = Rewriter(module, ("env", LOG, ("i32", "i32", "i32"), ("i32",)))
        self.hex = self.new.add(self.new.type_index(("i32",), ("i64",)), ("i64",), _HEX, f"{MARK}.hex")

    def module(self) -> interp.Module:
        """The tapped module."""
        for index, one in enumerate(self.old.imported("func")):
            call = REGISTRY.calls.get(one.name) if one.module == "env" else None
            if call is not None and one.name != LOG:
                self._tap_import(index, call)
        for export in self.old.exports:
            if export.kind == "func" and export.name in CALLBACKS:
                self._tap_export(export.name, export.index)
        return self.new.module()

    # --- host calls

    def _tap_import(self, index: int, call: HostCall) -> None:
        type = self.old.func_type(index)
        params, results = [str(one) for one in type.params], [str(one) for one in type.results]
        variant = next((n for n, wasm in enumerate(call.signatures) if list(wasm) == params), None)
        if variant is None or results not in ([], ["i32"]):
            return  # a type of its own: nothing is known of what it means
        ins, outs = _places(call, leave_out=variant == 1)
        body = _Body(self, params, results)
        body.say([self.mark, f" {call.name}", *(hexed for i in range(len(params)) for hexed in (" ", i))])
        for at in ins:
            body.log(at)
        body.forward(index)
        if results:
            body.say([f"{self.mark} = ", body.result])
            if outs:
                body.when_ok([line for wire, at in outs for line in body.output(wire, at)])
        body.finish()
        to = self.new.add(self._type_of(index), body.locals, body.lines, f"{MARK}.{call.name}")
        self.new.redirect(index, to)

    def _type_of(self, index: int) -> int:
        return self.old.func_type_index(index)

    # --- callbacks

    def _tap_export(self, name: str, index: int) -> None:
        type = self.old.func_type(index)
        params, results = [str(one) for one in type.params], [str(one) for one in type.results]
        if set(params) - {"i32"} or results not in ([], ["i32"]):
            return  # no callback of the ABI has such a type; hosts refuse it
        body = _Body(self, params, results)
        body.say([f"{self.mark} > {name}", *(hexed for i in range(len(params)) for hexed in (" ", i))])
        body.forward(self.new.moved(index))
        body.say([f"{self.mark} < ", body.result] if results else [f"{self.mark} <"])
        body.finish()
        self.new.export(name, self.new.add(self._type_of(index), body.locals, body.lines, f"{MARK}.{name}"))


def _places(call: HostCall, leave_out: bool) -> tuple[list[int], list[tuple[Wire, int]]]:
    """Where among the parameters inputs and outputs begin."""
    ins: list[int] = []
    at = 0
    for param in call.params:
        if leave_out and param.name in call.optional:
            continue
        if param.wire in _INPUTS:
            ins.append(at)
        at += len(param.wire.wasm)
    outs: list[tuple[Wire, int]] = []
    for wire in call.outs:
        outs.append((wire, at))
        at += len(wire.wasm)
    return ins, outs


class _Body:
    """The body of an added function, which grows line by line."""

    def __init__(self, tap: _Tap, params: Sequence[str], results: Sequence[str]) -> None:
        self.tap = tap
        self.params = params
        self.results = results
        self.lines: list[Line] = []
        self.locals: list[str] = ["i32"]
        self.result = len(params)
        self.window = 0

    def say(self, parts: Sequence[str | int]) -> None:
        """Log a line of texts and of parameters in hex, written over the first bytes of memory and put back."""
        text = b""
        slots: list[tuple[int, int, str]] = []
        for part in parts:
            if isinstance(part, str):
                text += part.encode()
                continue
            for half in ("i32",) if self._kind(part) == "i32" else ("high", "low"):
                slots.append((len(text), part, half))
                text += b"0" * 8
        size = len(text)
        text += b"\0" * (-size % 8)
        words = len(text) // 8
        self._need(words)
        first = len(self.params) + 1
        out = self.lines
        for word in range(words):
            out += [("i32.const", 0), ("i64.load", 0, 8 * word), ("local.set", first + word)]
        for word, (value,) in enumerate(struct.iter_unpack("<Q", text)):
            out += [("i32.const", 0), ("i64.const", value), ("i64.store", 0, 8 * word)]
        for at, local, half in slots:
            out.append(("i32.const", 0))
            out += self._number(local, half)
            out += [("call", self.tap.hex), ("i64.store", 0, at)]
        out += [("i32.const", self.tap.level), ("i32.const", 0), ("i32.const", size), *self._log()]
        for word in range(words):
            out += [("i32.const", 0), ("local.get", first + word), ("i64.store", 0, 8 * word)]

    def _kind(self, local: int) -> str:
        return self.params[local] if local < len(self.params) else "i32"

    def _number(self, local: int, half: str) -> list[Line]:
        if half == "i32":
            return [("local.get", local)]
        shift: list[Line] = [("i64.const", 32), ("i64.shr_u",)] if half == "high" else []
        return [("local.get", local), *shift, ("i32.wrap_i64",)]

    def _need(self, words: int) -> None:
        self.locals += ["i64"] * (words - (len(self.locals) - 1))

    def _log(self) -> list[Line]:
        return [("call", self.tap.new.wanted), ("drop",)]

    def log(self, at: int) -> None:
        """Log an input whose address is the parameter `at` and whose length is the next one."""
        self.lines += [("i32.const", self.tap.level), ("local.get", at), ("local.get", at + 1), *self._log()]

    def forward(self, index: int) -> None:
        """Call what this function stands for, and keep its result."""
        self.lines += [("local.get", n) for n in range(len(self.params))]
        self.lines.append(("call", index))
        if self.results:
            self.lines.append(("local.set", self.result))

    def when_ok(self, lines: Sequence[Line]) -> None:
        """Do this if the status is OK."""
        self.lines += [("local.get", self.result), ("i32.eqz",), ("if",), *lines, ("end",)]

    def output(self, wire: Wire, at: int) -> list[Line]:
        """Log an output: what two cells in bounds say of address and size, or a cell itself."""
        level: Line = ("i32.const", self.tap.level)
        if wire in _NUMBERS:
            return [level, ("local.get", at), ("i32.const", _NUMBERS[wire]), *self._log()]
        load: list[Line] = [level, ("local.get", at), ("i32.load", 0, 0), ("local.get", at + 1), ("i32.load", 0, 0)]
        lines: list[Line] = [*_fits(at), *_fits(at + 1), ("i32.and",)]
        if wire is Wire.OUT_OPTIONAL:  # either may be 0 for "not wanted"
            lines += [("local.get", at), ("i32.const", 0), ("i32.ne",), ("i32.and",)]
            lines += [("local.get", at + 1), ("i32.const", 0), ("i32.ne",), ("i32.and",)]
        return [*lines, ("if",), *load, *self._log(), ("end",)]

    def finish(self) -> None:
        """Give the result."""
        if self.results:
            self.lines.append(("local.get", self.result))


def _fits(local: int) -> list[Line]:
    """Whether four bytes at this address lie in memory."""
    end: list[Line] = [("local.get", local), ("i64.extend_i32_u",), ("i64.const", 4), ("i64.add",)]
    length: list[Line] = [("memory.size", 0), ("i64.extend_i32_u",), ("i64.const", 16), ("i64.shl",)]
    return [*end, *length, ("i64.le_u",)]


def _spread(shift: int, mask: int, up: int) -> list[Line]:
    """Halve every lane: its upper half stays below, so that digits come out in the order of reading."""
    upper: list[Line] = [("local.get", 1), ("i64.const", shift), ("i64.shr_u",), ("i64.const", mask), ("i64.and",)]
    lower: list[Line] = [("local.get", 1), ("i64.const", mask), ("i64.and",), ("i64.const", up), ("i64.shl",)]
    return [*upper, *lower, ("i64.or",), ("local.set", 1)]


_BYTES = 0x0101010101010101

_HEX: list[Line] = [
    ("local.get", 0),
    ("i64.extend_i32_u",),
    ("local.set", 1),
    *_spread(16, 0xFFFF, 32),
    *_spread(8, 0x000000FF000000FF, 16),
    *_spread(4, 0x000F000F000F000F, 8),
    # Each byte is a digit now: add "0", and for a to f the way from ":" to "a".
    ("local.get", 1),
    ("i64.const", 0x30 * _BYTES),
    ("i64.add",),
    ("local.get", 1),
    ("i64.const", 6 * _BYTES),
    ("i64.add",),
    ("i64.const", 4),
    ("i64.shr_u",),
    ("i64.const", _BYTES),
    ("i64.and",),
    ("i64.const", ord("a") - ord(":")),
    ("i64.mul",),
    ("i64.add",),
]
"""Eight hexadecimal digits of a number, the first one in the lowest byte."""
