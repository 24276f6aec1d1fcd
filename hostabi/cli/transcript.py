"""The transcript of a run as people read it: each callback with the host calls made in it, their arguments and results.

`steps` turns records into a tree without any layout; `Page` lays text out. Colours and wrapping are for terminals only.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from enum import IntEnum
from typing import TextIO

from hostabi.abi.callbacks import CALLBACKS, Answers
from hostabi.abi.codec import HeaderPairs
from hostabi.abi.enums import BodyAction, HeadersAction, Status, TrailersAction
from hostabi.cli.errors import cut_frames
from hostabi.core.transcript import Broke, Called, Entered, Left, Noted, Record
from hostabi.core.vm import short
from hostabi.hostcalls.wasi import Errno

_MOST = 100
"""Longest value shown; the rest is counted."""


@dataclass(slots=True)
class Step:
    """A callback with what happened in it, or a line between callbacks (`callback` is then empty)."""

    callback: str = ""
    args: str = ""
    result: str = ""
    fuel: int = 0
    trap: str = ""
    frames: tuple[str, ...] = ()
    inner: list[Step] = field(default_factory=list)
    call: str = ""
    status: str = ""
    style: str = "green"
    times: int = 1
    note: str = ""


def ticks(n: int) -> str:
    """A number of ticks in words."""
    return f"{n} tick" if n == 1 else f"{n} ticks"


def steps(records: Iterable[Record]) -> list[Step]:
    """The records as a tree: callbacks at the top, host calls in them."""
    top: list[Step] = []
    stack: list[Step] = []
    for record in records:
        into = stack[-1].inner if stack else top
        match record:
            case Entered():
                into.append(Step(callback=record.callback, args=_args(record.args)))
                stack.append(into[-1])
            case Left():
                step = stack.pop() if stack else Step(callback=record.callback)
                step.result, step.fuel = _result(record.callback, record.result), record.fuel
            case Broke():
                step = stack.pop() if stack else Step(callback=record.callback)
                step.trap, step.frames, step.fuel = record.message, record.frames, record.fuel
            case Called():
                _add_call(into, _called(record))
            case Noted():
                into.append(Step(note=record.message))
    return top


def _args(args: Iterable[tuple[str, object]]) -> str:
    return ", ".join(f"{name}={_value(value, name)}" for name, value in args)


def _value(value: object, name: str = "") -> str:
    """One value: bytes as text in quotes, enumerations by name, header pairs as a list."""
    if isinstance(value, int) and not isinstance(value, IntEnum) and value == 0xFFFFFFFF:
        return "none" if name == "grpc_status" else "max"
    if isinstance(value, tuple):
        pairs = ", ".join(f"{_text(name)}: {_text(text)}" for name, text in value)
        return _cut(f"[{pairs}]", 3 * _MOST)
    if isinstance(value, bytes):
        return f"'{_cut(_text(value), _MOST)}'"
    return short(value, _MOST)


def _text(data: bytes) -> str:
    return data.decode("utf-8", "backslashreplace")


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 3]}..."


def _result(callback: str, result: int | None) -> str:
    row = CALLBACKS.get(callback)
    if result is None or row is None or row.answers is Answers.NOTHING:
        return "" if result is None else str(result)
    if row.answers is Answers.TRUTH:
        return "true" if result else "false"
    kinds: dict[str, type[IntEnum]] = {"body": BodyAction, "trailers": TrailersAction}
    names = kinds.get(callback.rpartition("_")[2], HeadersAction)
    return names(result).name if result in list(names) else str(result)


def _add_call(into: list[Step], step: Step) -> None:
    """Add a call, or count it as one more of the same: runtimes ask for the time ten times in a row."""
    last = into[-1] if into else None
    if last is not None and last.call and replace(last, times=1) == step:
        last.times += 1
    else:
        into.append(step)


def _called(record: Called) -> Step:
    status, style = "", "green"
    if record.result is not None:
        kind: type[IntEnum] = Status if record.is_status else Errno
        known = record.result in list(kind)
        status = kind(record.result).name if known else str(record.result)
        if record.result != Status.OK:
            style = "yellow" if status in ("NOT_FOUND", "EMPTY", "BADF") else "red"
    outputs = ", ".join(_value(output) for output in record.outputs)
    return Step(call=record.function, args=_args(record.args), status=status, result=outputs, style=style)


# --- layout ----------------------------------------------------------------------------------------------------------


class Page:
    """Lays lines out on standard output (or `file`): on a terminal wrapped under their indentation and coloured."""

    def __init__(self, width: int | None = None, colour: bool | None = None, file: TextIO | None = None) -> None:
        from rich.console import Console

        self.console = Console(width=width, highlight=False, soft_wrap=False, force_terminal=colour, file=file)
        self.terminal = self.console.is_terminal or width is not None

    def line(self, indent: int, *parts: tuple[str, str]) -> None:
        """A line of (text, style) parts; what does not fit goes on two columns further in."""
        from rich.text import Text

        text = Text()
        for content, style in parts:
            text.append("".join(c if c.isprintable() else repr(c)[1:-1] for c in content), style)
        if not self.terminal:
            self.console.print(Text(" " * indent) + text, soft_wrap=True)
            return
        for i, line in enumerate(text.wrap(self.console, max(20, self.console.width - indent - 2), overflow="fold")):
            self.console.print(Text(" " * (indent + (2 if i else 0))) + line, soft_wrap=True)

    def blank(self) -> None:
        """An empty line."""
        self.console.print()

    def heading(self, text: str) -> None:
        """A heading with an empty line above it."""
        self.blank()
        self.line(0, (text, "bold"))

    def steps(self, found: Iterable[Step], indent: int = 2) -> None:
        """A transcript."""
        for step in found:
            self._step(step, indent)

    def _step(self, step: Step, indent: int) -> None:
        if step.note:
            self.line(indent, ("note: " + step.note, "yellow"))
        elif step.call:
            arrow = [(" -> ", "dim"), (step.status, step.style)] if step.status else []
            result = [(" " + step.result, "")] if step.result else []
            times = [(f"  x {step.times}", "dim")] if step.times > 1 else []
            self.line(indent, (step.call, "cyan"), (f"({step.args})", ""), *arrow, *result, *times)
        else:
            self._callback(step, indent)

    def _callback(self, step: Step, indent: int) -> None:
        head = [(step.callback, "bold blue"), (f"({step.args})", "")]
        spent = (f"  {ticks(step.fuel)}", "dim")
        if step.trap:
            self.line(indent, *head, (" trapped", "bold red"), spent)
        else:
            arrow = [(" -> ", "dim"), (step.result, "bold green")] if step.result else []
            self.line(indent, *head, *arrow, spent)
        self.steps(step.inner, indent + 4)
        if step.trap:
            self.line(indent + 4, ("trap: ", "bold red"), (step.trap, "red"))
            for frame in cut_frames(step.frames):
                self.line(indent + 6, (frame, "red"))

    def message(self, pairs: HeaderPairs, body: bytes, trailers: HeaderPairs, before: HeaderPairs) -> None:
        """A message, with marks where its headers differ from what they were: + for new, - for gone."""
        kept = list(before)
        for pair in pairs:
            new = pair not in kept
            if not new:
                kept.remove(pair)
            self._header(pair, "+ " if new else "  ", "green" if new else "")
        for pair in kept:
            self._header(pair, "- ", "red")
        if body:
            self.blank()
            for line in body_text(body).splitlines():
                self.line(4, (line, ""))
        if trailers:
            self.blank()
            for pair in trailers:
                self._header(pair, "  ", "")

    def _header(self, pair: tuple[bytes, bytes], mark: str, style: str) -> None:
        name, value = (part.decode("utf-8", "backslashreplace") for part in pair)
        self.line(2, (mark, style), (f"{name}: ", style or "cyan"), (value, style))


def body_text(body: bytes, most: int = 2000) -> str:
    """A body for people: its text, cut, or a word about bytes that are no text."""
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError:
        return f"({len(body)} bytes that are no text)"
    return text if len(text) <= most else f"{text[:most]}\n({len(text) - most} more characters)"
