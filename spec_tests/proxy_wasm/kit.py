"""Short ways for these tests: one host call from one small filter, and transcripts as lines."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from hostabi import Event, Status
from hostabi.abi.callbacks import CALLBACKS, Answers
from hostabi.abi.codec import encode_pairs
from hostabi.abi.enums import AbiVersion
from hostabi.abi.hostcall import REGISTRY
from hostabi.core.transcript import Broke, Called, Entered, Left, Noted, Record
from hostabi.core.vm import describe_call
from hostabi.testing import Exchange, FilterHost, FilterSession
from hostabi.testing.wat import small_filter

INPUTS = 1024
OUTPUTS = 256
END_OF_MEMORY = 65536


@dataclass
class Outcome:
    """A host call that was made, and the exchange it was made in."""

    called: Called
    exchange: Exchange
    host: FilterHost

    @property
    def status(self) -> Status:
        assert self.called.result is not None
        return Status(self.called.result)

    @property
    def output(self) -> object:
        assert len(self.called.outputs) == 1, self.called
        return self.called.outputs[0]


def layout(*values: int | bytes | tuple[Any, ...]) -> tuple[list[int], dict[int, bytes]]:
    """Raw numbers for values: bytes and pairs become address and length, and go into memory one after the other."""
    raw: list[int] = []
    data: dict[int, bytes] = {}
    at = INPUTS
    for value in values:
        if isinstance(value, tuple):
            value = encode_pairs(value)
        if isinstance(value, bytes):
            raw += [at, len(value)]
            data[at] = value
            at += len(value) + 1
        else:
            raw.append(value)
    return raw, data


def expression(name: str, raw: list[int]) -> str:
    """The text of a call; output pointers that are not given come after one another from OUTPUTS on."""
    params = REGISTRY.calls[name].wasm_params()
    raw = raw + [OUTPUTS + 8 * i for i in range(len(params) - len(raw))]
    args = " ".join(f"({type}.const {value})" for type, value in zip(params, raw, strict=True))
    return f"(call ${name} {args})"


def callback(name: str, *statements: str, result: int | str | None = None) -> str:
    """The body of a callback that does these things and returns a result (0 or true without one)."""
    row = CALLBACKS[name]
    body = " ".join(f"(drop {s})" if s.startswith("(call $") else s for s in statements)
    if row.answers is Answers.NOTHING:
        return body
    default = 1 if row.answers is Answers.TRUTH else 0
    value = default if result is None else result
    return f"{body} {value if isinstance(value, str) else f'(i32.const {value})'}"


def call(
    engine: str,
    name: str,
    *values: int | bytes | tuple[Any, ...],
    during: str = "proxy_on_request_headers",
    before: tuple[str, ...] = (),
    after: tuple[str, ...] = (),
    also: dict[str, str] | None = None,
    data: dict[int, bytes] | None = None,
    abi: AbiVersion = AbiVersion.V0_2_1,
    host: dict[str, Any] | None = None,
    result: int | None = None,
    **exchange: Any,
) -> Outcome:
    """Make one host call in one callback of one small filter, send one exchange, and say what came of the call."""
    raw, placed = layout(*values)
    body = callback(during, *before, expression(name, raw), *after, result=result)
    text = small_filter({during: body, **(also or {})}, data={**placed, **(data or {})}, abi=abi)
    filter_host = FilterHost(text, engine=engine, **(host or {}))
    done = filter_host.exchange(**exchange)
    made = [r for r in done.transcript if isinstance(r, Called) and r.function == name]
    assert made, f"{name} was not called: {lines(done.transcript)}"
    return Outcome(made[-1], done, filter_host)


def lines(records: list[Record]) -> list[str]:
    """A transcript as text that a person can read: one line a record, callbacks without their plugin."""
    return [line(record) for record in records]


def line(record: Record) -> str:
    match record:
        case Entered():
            return f"> {record.callback.removeprefix('proxy_')}({', '.join(str(v) for _, v in record.args)})"
        case Left():
            return f"< {record.result}"
        case Called():
            return f"  {describe_call(record)}"
        case Broke():
            return f"! {record.message}"
        case Noted():
            return f"# {record.message}"
        case _:
            return repr(record)


def callbacks(records: list[Record]) -> list[str]:
    """The callbacks of a transcript with their arguments, in order."""
    return [line(r)[2:] for r in records if isinstance(r, Entered)]


def feed(session: FilterSession, event: Event) -> None:
    """Give an event to a session's chain, and let everything come of it."""
    session._feed(session.chain, event)
    session._settle()
