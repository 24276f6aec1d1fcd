"""Transcripts of streams: a scene feeds a chain of obedient filters and writes down what happens, line by line.

An obedient filter returns the actions it was given, callback by callback, and does on command (`call`) what a real one
would do on a callout's answer: continue, close, reply, trap. Lines of a transcript:

    > request headers                  what the test feeds in
      0 request_headers 4 -> 1         filter 0's callback with its size (`end` for end of stream), and its action
    < request headers end              what leaves the chain
    < reply 418 by f1                the chain says that the response is one of its own
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hostabi import (
    Body,
    Chain,
    Command,
    Event,
    ForeignCall,
    Headers,
    Host,
    Limits,
    Plugin,
    PluginConfig,
    PluginFailed,
    RequestBody,
    RequestHeaders,
    RequestTrailers,
    ResetStream,
    ResponseBody,
    ResponseHeaders,
    ResponseTrailers,
    Send,
    SendLocalReply,
    Start,
    StreamEnd,
    Trailers,
    Watermark,
)
from hostabi.abi.enums import AbiVersion
from hostabi.core.policy import PROFILES
from hostabi.core.transcript import Broke, Entered, Left
from hostabi.testing.wat import small_filter

KINDS = (
    "request_headers",
    "request_body",
    "request_trailers",
    "response_headers",
    "response_body",
    "response_trailers",
)
ORDERS = {
    "continue request": 0,
    "continue response": 1,
    "close": 2,
    "reply": 3,
    "trap": 4,
    "continue both": 5,
    "reply twice": 6,
}
_TRAP = -2
_REPLY = -3
_RESUME = -4
SPECIAL = {"trap": _TRAP, "reply": _REPLY, "resume": _RESUME}

_SEND = (
    "(drop (call $proxy_send_local_response (i32.const {status}) (i32.const 0) (i32.const 0) (i32.const 8)"
    " (i32.const 5) (i32.const 0) (i32.const 0) (i32.const -1)))"
)
_CONTINUE = "(drop (call $proxy_continue_stream (i32.const {way})))"

Action = int | str


def obedient(actions: dict[str, list[Action]], abi: AbiVersion = AbiVersion.V0_2_1, tag: int = 0) -> str:
    """The text of a filter that returns these actions in turn, then 0."""
    bodies: dict[str, str] = {"proxy_on_log": "", "proxy_on_delete": "", "proxy_on_context_create": ""}
    bodies["proxy_on_done"] = "(i32.const 1)"
    data = {8: b"local", 4000: bytes([tag])}
    for i, kind in enumerate(KINDS):
        at, counter = 1024 * (i + 1), 16 + 4 * i
        listed = [SPECIAL[a] if isinstance(a, str) else a for a in actions.get(kind, [])]
        if listed:
            data[at] = b"".join((a & 0xFFFFFFFF).to_bytes(4, "little") for a in listed)
        way = 0 if kind.startswith("request") else 1
        bodies[f"proxy_on_{kind}"] = f"""(local $a i32)
          (local.set $a (i32.load (i32.add (i32.const {at}) (i32.mul (i32.const 4) (i32.load (i32.const {counter}))))))
          (i32.store (i32.const {counter}) (i32.add (i32.load (i32.const {counter})) (i32.const 1)))
          (if (i32.eq (local.get $a) (i32.const {_TRAP})) (then unreachable))
          (if (i32.eq (local.get $a) (i32.const {_REPLY})) (then {_SEND.format(status=418)} (return (i32.const 0))))
          (if (i32.eq (local.get $a) (i32.const {_RESUME})) (then {_CONTINUE.format(way=way)} (return (i32.const 1))))
          (local.get $a)"""
    orders = (
        _CONTINUE.format(way=0),
        _CONTINUE.format(way=1),
        "(drop (call $proxy_close_stream (i32.const 0)))",
        _SEND.format(status=418),
        "unreachable",
        _CONTINUE.format(way=0) + _CONTINUE.format(way=1),
        _SEND.format(status=418) + _SEND.format(status=500),
    )
    bodies["proxy_on_foreign_function"] = " ".join(
        f"(if (i32.eq (local.get 1) (i32.const {i})) (then {order}))" for i, order in enumerate(orders)
    )
    return small_filter(bodies, data=data, abi=abi)


class Scene:
    """A chain of filters, one stream, and the lines so far."""

    def __init__(
        self,
        engine: str,
        *filters: dict[str, list[Action]],
        fail_open: bool | list[bool] = False,
        limit: int = 1 << 20,
        profile: str = "default",
        abi: AbiVersion = AbiVersion.V0_2_1,
        literal: bool = False,
        vm_ids: list[str] | None = None,
        **switches: Any,
    ) -> None:
        chosen = replace(PROFILES[profile], **switches)
        self.host = Host(engine=engine, limits=Limits(body_buffer=limit), profile=chosen, record=True)
        opens = fail_open if isinstance(fail_open, list) else [fail_open] * len(filters)
        self.plugins: list[Plugin] = [
            self.host.plugin(
                obedient(actions, abi, i if vm_ids is None else 0),
                PluginConfig(name=f"f{i}", fail_open=opens[i], literal_stop_iteration=literal),
            )
            for i, actions in enumerate(filters)
        ]
        self.chain: Chain = self.host.chain(self.plugins)
        self.chain.handle(Start())
        self.host.transcript.clear()
        self.lines: list[str] = []

    def play(self, script: str) -> str:
        """Feed the events of a script, one a line; the transcript so far. An order to filter 0: `call 0 trap`."""
        for line in filter(None, (part.strip() for part in script.splitlines())):
            self.lines.append(f"> {line}")
            self._note(self.chain.handle(self._event(line)))
        return "\n".join(self.lines)

    def _event(self, line: str) -> Event:
        words = line.split()
        end = words[-1] == "end"
        rest = " ".join(words[2:-1] if end else words[2:]).encode()
        match words[0], words[1] if len(words) > 1 else "":
            case "request", "headers":
                return RequestHeaders(1, ((b":method", b"GET"), (b":path", b"/")), end)
            case "request", "body":
                return RequestBody(1, rest, end)
            case "request", "trailers":
                return RequestTrailers(1, ((b"t", b"1"),))
            case "response", "headers":
                return ResponseHeaders(1, ((b":status", b"200"),), end)
            case "response", "body":
                return ResponseBody(1, rest, end)
            case "response", "trailers":
                return ResponseTrailers(1, ((b"t", b"1"),))
            case "call", number:
                plugin = self.plugins[int(number)]
                return ForeignCall(plugin.key, ORDERS[" ".join(words[2:])], stream=1)
            case "over", _:
                return StreamEnd(1)
        raise ValueError(line)

    def _note(self, commands: list[Command]) -> None:
        entered: Entered | None = None
        for record in self.host.transcript:
            if isinstance(record, Entered):
                entered = record
            elif isinstance(record, Left | Broke) and entered is not None:
                self._note_callback(int(record.plugin[1:]), entered, record)
        self.host.transcript.clear()
        for command in commands:
            text = render(command)
            if text:
                self.lines.append(f"< {text}")

    def _note_callback(self, i: int, entered: Entered, record: Left | Broke) -> None:
        name = entered.callback.removeprefix("proxy_on_")
        if name in ("foreign_function", "context_create") and isinstance(record, Left):
            return
        args = dict(entered.args)
        size = next((f" {args[k]}" for k in ("num_headers", "body_size", "num_trailers") if k in args), "")
        end = " end" if args.get("end_of_stream") else ""
        if isinstance(record, Broke):
            result = " trap"
        else:
            result = f" -> {record.result}" if name in KINDS else ""
        self.lines.append(f"  {i} {name}{size}{end}{result}")


def render(command: Command) -> str:
    """What leaves the chain, as text; nothing for logs."""
    match command:
        case Send(_, way, Headers(headers, end)):
            status = dict(headers).get(b":status", b"").decode()
            return f"{way.value} headers{' ' + status if status else ''}{' end' if end else ''}"
        case Send(_, way, Body(data, end)):
            return f"{way.value} body{' ' + data.decode() if data else ''}{' end' if end else ''}"
        case Send(_, way, Trailers()):
            return f"{way.value} trailers"
        case SendLocalReply(_, plugin, reply):
            return f"reply {reply.status} by {plugin}{' (failure)' if reply.failure else ''}"
        case ResetStream(_, reason):
            return f"reset: {reason}"
        case Watermark(_, way, above):
            return f"{way.value} {'over' if above else 'under'} the limit"
        case PluginFailed(plugin, message):
            return f"failed {plugin}: {message.split(': ')[-1]}"
        case _:
            return ""
