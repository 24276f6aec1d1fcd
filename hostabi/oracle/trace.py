"""From Envoy's log to a transcript: what crossed between host and filter, as the same records that our host makes.

Two things are read. Envoy's trace has every crossing as numbers, one a line; the tap's lines (see tap.py) have what the
numbers point to, and tell by their mark which of a scenario's VMs speaks, which the trace never says. A line of a log
call is read by the length that the call before it names, so a text may hold anything.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

import hostabi.hostcalls  # noqa: F401  (fills the registry)
from hostabi.abi.callbacks import CALLBACKS
from hostabi.abi.codec import CodecError, decode_pairs
from hostabi.abi.enums import LogLevel, Status
from hostabi.abi.hostcall import REGISTRY, HostCall, Param, Wire
from hostabi.adapters.streams import MadeCall
from hostabi.core.commands import Log, StartCall
from hostabi.core.transcript import Broke, Called, Entered, Left, Record
from hostabi.oracle import grpc_calls
from hostabi.oracle.envoy import Line
from hostabi.oracle.loop import OracleError
from hostabi.oracle.tap import LOG, MARK

_LOGS = re.compile(rb"\[vm->host\] env\.proxy_log\((\d+), (\d+), (\d+)\)")
_LOGGED = re.compile(rb"\[vm<-host\] env\.proxy_log return: (\d+)")
_FAILED = re.compile(rb"Function: (\S+) failed: (?:Uncaught )?(?:\w+Error: )?([^\n]*)")
_ANSWERED = re.compile(rb"\[vm<-host\] env\.(\w+) return: (\d+)")
_LEVELS = {"T": 0, "D": 1, "I": 2, "W": 3, "E": 4, "C": 5}

_IN_OURS = {
    "memory access out of bounds": "out of bounds memory access",
    "divide by zero": "integer divide by zero",
    "remainder by zero": "integer divide by zero",
    "divide result unrepresentable": "integer overflow",
    "float unrepresentable in integer range": "integer overflow",
    "table index is out of bounds": "undefined element",
    "null function or function signature mismatch": "indirect call type mismatch",
    "Maximum call stack size exceeded": "call stack exhausted",
}
"""V8's words for traps, in those of the specification."""


def mark(group: int) -> str:
    """What the lines of the VM of this number begin with."""
    return f"{MARK}{group}"


@dataclass(slots=True)
class _Said:
    """A call of proxy_log, with what it printed; None when it printed nothing."""

    level: int
    address: int
    text: bytes | None
    status: int


@dataclass(slots=True)
class _Call:
    """A host call that is being read."""

    plugin: str
    call: HostCall
    raw: list[int]
    inputs: list[bytes | None] = field(default_factory=list)
    outputs: list[bytes | None] = field(default_factory=list)
    status: int | None = None
    told: int = 0
    """The status in Envoy's own line."""

    def places(self) -> tuple[list[tuple[Param, int]], list[tuple[Wire, int]]]:
        """Parameters and outputs with where they begin; of the shorter variant if it was imported so."""
        short = len(self.raw) != len(self.call.wasm_params())
        ins: list[tuple[Param, int]] = []
        at = 0
        for param in self.call.params:
            if short and param.name in self.call.optional:
                ins.append((param, -1))
                continue
            ins.append((param, at))
            at += len(param.wire.wasm)
        outs = []
        for wire in self.call.outs:
            outs.append((wire, at))
            at += len(wire.wasm)
        return ins, outs

    @property
    def wanted_inputs(self) -> int:
        """How many lines of input there are."""
        return sum(at >= 0 and _is_bytes(param.wire) for param, at in self.places()[0])

    @property
    def wanted_outputs(self) -> int:
        """How many lines of output there are, if the status is OK."""
        return sum(
            wire is not Wire.OUT_OPTIONAL or bool(self.raw[at] and self.raw[at + 1]) for wire, at in self.places()[1]
        )

    def record(self) -> Called:
        """The call as our own transcript has it."""
        status = self.told if self.status is None else self.status
        args: list[tuple[str, object]] = []
        given = iter(self.inputs)
        for param, at in self.places()[0]:
            if param.enum is not None and not _known(param, self.raw[at]):
                args = []
                break
            args.append((param.name, self._value(param, at, given)))
        answer = Status(status) if status in list(Status) else status
        return Called(self.plugin, self.call.name, tuple(args), answer, self._outputs())

    def _value(self, param: Param, at: int, given: object) -> object:
        if at < 0:
            return () if param.wire is Wire.PAIRS else b""
        raw = self.raw[at]
        match param.wire:
            case Wire.BYTES | Wire.LATE_BYTES:
                return next(given, None)  # type: ignore[call-overload]
            case Wire.PAIRS:
                return _pairs(next(given, None))  # type: ignore[call-overload]
            case Wire.ENUM:
                return raw if param.enum is None else param.enum(raw)
            case Wire.I32:
                return raw - (1 << 32) if raw >> 31 else raw
            case Wire.I64:
                return raw - (1 << 64) if raw >> 63 else raw
            case _:
                return raw

    def _outputs(self) -> tuple[object, ...]:
        if self.status != 0:
            return ()
        found: list[object] = []
        given = iter(self.outputs)
        for wire, at in self.places()[1]:
            if wire is Wire.OUT_OPTIONAL and not (self.raw[at] and self.raw[at + 1]):
                found.append(b"")
                continue
            data = next(given, None)
            if wire is Wire.OUT_PAIRS:
                found.append(_pairs(data))
            elif wire in (Wire.OUT_BYTES, Wire.OUT_OPTIONAL):
                found.append(data)
            else:
                found.append(None if data is None else int.from_bytes(data, "little"))
        return tuple(found)


def _is_bytes(wire: Wire) -> bool:
    return wire in (Wire.BYTES, Wire.LATE_BYTES, Wire.PAIRS)


def _known(param: Param, number: int) -> bool:
    return param.enum is not None and number in {int(one) for one in param.enum}


def _pairs(data: bytes | None) -> object:
    if data is None:
        return None
    try:
        return decode_pairs(data)
    except CodecError:
        return ()  # what Envoy takes it for


class Reader:
    """Reads the lines of one thread. `token` is in the vm_id of every VM of this scenario; others' lines are skipped.

    `groups` has, for each VM, the positions of the filters in it. Records' `plugin` is the position as text.
    """

    def __init__(self, token: bytes, groups: Sequence[Sequence[int]]) -> None:
        self.token = token
        self.groups = groups
        self.records: list[Record] = []
        self.logs: list[Log] = []
        self.calls: list[MadeCall] = []
        self.failures: list[tuple[str, str]] = []
        """What broke: the callback with its message, the whole report."""
        self._logging: tuple[int, int, int] | None = None
        self._text: bytes | None = None
        self._mine = False
        self._call: _Call | None = None
        self._entered: list[tuple[str, str]] = []
        self._contexts: dict[tuple[int, int], int] = {}
        self._roots = [0] * len(groups)

    def feed(self, line: Line) -> None:
        """Take a line of the log."""
        if line.component != "wasm":
            return
        text = line.text
        if found := _LOGS.fullmatch(text):
            self._logging = (int(found[1]), int(found[2]), int(found[3]))
            self._text, self._mine = None, False
        elif text.startswith(b"wasm log"):
            self._logged(line)
        elif found := _LOGGED.fullmatch(text):
            logging, self._logging = self._logging, None
            if logging is not None and (self._mine or (self._text is None and self._entered)):
                self._said(_Said(logging[0], logging[1], self._text, int(found[1])))
        elif found := _ANSWERED.fullmatch(text):
            self._answered(found[1].decode(), int(found[2]))
        elif found := _FAILED.match(text):
            self._failed(found[1].decode(), found[2].decode(errors="replace").strip(), text)

    def _logged(self, line: Line) -> None:
        if self._logging is None:
            _, _, text = line.text.partition(self.token)
            if text and self._entered:  # a runtime writes to its standard output or error
                message = text.partition(b": ")[2]
                self.logs.append(Log(self._plugin, LogLevel(_LEVELS[line.level]), message))
            return
        size = self._logging[2]
        if size > len(line.text):
            raise OracleError(f"a line of {size} bytes was announced, and this came: {line.text!r}")
        at = len(line.text) - size
        self._mine = self.token in line.text[:at]
        self._text = line.text[at:].replace(self.token, b"")

    @property
    def _plugin(self) -> str:
        return self._entered[-1][0] if self._entered else ""

    # --- what was said

    def _said(self, said: _Said) -> None:
        call = self._call
        if call is not None and len(call.inputs) < call.wanted_inputs:
            call.inputs.append(said.text)
            return
        if call is not None and call.status == 0:
            call.outputs.append(said.text)
            if len(call.outputs) == call.wanted_outputs:
                self._finish()
            return
        text = said.text
        if said.address == 0 and text is not None and text.startswith(MARK.encode()):
            group, _, rest = text.removeprefix(MARK.encode()).partition(b" ")
            if group.isdigit() and int(group) < len(self.groups):
                self._mark(int(group), rest.decode())
                return
        self._own_line(said)

    def _own_line(self, said: _Said) -> None:
        level = LogLevel(said.level) if said.level in list(LogLevel) else None
        args = () if level is None else (("level", level), ("message", said.text))
        self.records.append(Called(self._plugin, LOG, args, Status(said.status)))
        if level is not None and said.text is not None:
            self.logs.append(Log(self._plugin, level, said.text))

    def _mark(self, group: int, rest: str) -> None:
        words = rest.split(" ")
        if words[0] != "=":
            self._finish()
        match words[0]:
            case ">":
                self._enter(group, words[1], [int(one, 16) for one in words[2:]])
            case "<":
                self._leave(int(words[1], 16) if len(words) > 1 else None)
            case "=":
                self._answer(int(words[1], 16))
            case name:
                raw = [int(one, 16) for one in words[1:]]
                self._call = _Call(self._plugin, REGISTRY.calls[name], raw)

    def _enter(self, group: int, callback: str, args: list[int]) -> None:
        plugin = str(self._position(group, callback, args))
        names = CALLBACKS[callback].params
        self._entered.append((plugin, callback))
        self.records.append(Entered(plugin, callback, tuple(zip(names, args, strict=False))))

    def _position(self, group: int, callback: str, args: list[int]) -> int:
        """Which filter of the chain this is: a VM's plugins are created in their order."""
        members = self.groups[group]
        if callback == "proxy_on_context_create":
            context, parent = args
            if parent == 0:
                self._contexts[group, context] = members[min(self._roots[group], len(members) - 1)]
                self._roots[group] += 1
            else:
                self._contexts[group, context] = self._contexts.get((group, parent), members[0])
        return self._contexts.get((group, args[0]), members[0])

    def _leave(self, result: int | None) -> None:
        if self._entered:
            plugin, callback = self._entered.pop()
            self.records.append(Left(plugin, callback, result, 0))

    def _answer(self, status: int) -> None:
        call = self._call
        if call is None:
            return
        call.status = status
        if status != 0 or not call.wanted_outputs:
            self._finish()

    def _answered(self, name: str, status: int) -> None:
        """Envoy's own line about an answer: what a tap says of a call that is imported without a result."""
        call = self._call
        if call is not None and call.call.name == name:
            call.told = status

    def _finish(self) -> None:
        call, self._call = self._call, None
        if call is None:
            return
        record = call.record()
        self.records.append(record)
        if call.call.name == "proxy_http_call" and call.status == 0:
            self.calls.append(_start_call(record))
        elif call.call.name in grpc_calls.STARTS and call.status == 0:
            self.calls.append(grpc_calls.started(record))
        elif call.call.name in ("proxy_grpc_send", "proxy_grpc_close", "proxy_grpc_cancel") and call.status == 0:
            grpc_calls.follow(self.calls, record)

    def _failed(self, callback: str, message: str, report: bytes) -> None:
        if not self._entered:
            return
        self._call = None
        plugin, entered = self._entered.pop()
        words = _IN_OURS.get(message, message)
        self.records.append(Broke(plugin, entered, words, (), 0))
        self.failures.append((f"{entered}: {words}", report.decode(errors="replace")))
        self._entered.clear()


def _start_call(record: Called) -> StartCall:
    args = dict(record.args)
    headers, trailers = args["headers"], args["trailers"]
    return StartCall(
        record.plugin,
        int(record.outputs[0] or 0) if record.outputs else 0,  # type: ignore[call-overload]
        bytes(args["upstream"] or b"").decode("utf-8", "surrogateescape"),  # type: ignore[call-overload]
        tuple((name.lower(), value) for name, value in headers or ()),  # type: ignore[attr-defined]
        bytes(args["body"] or b""),  # type: ignore[call-overload]
        trailers or (),  # type: ignore[arg-type]
        int(args["timeout_ms"] or 0),  # type: ignore[call-overload]
    )
