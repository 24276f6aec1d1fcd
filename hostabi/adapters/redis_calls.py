"""Queries of filters to Redis as a driver knows them: which wait, what is to come of the next ones, when they are late.

Answers come from rules, from `answers` (by cluster, or a function of the call), or from a `RedisServers` that asks a
real server (`adapters/redis.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from hostabi.abi.resp import encode_reply
from hostabi.adapters.streams import Outcome
from hostabi.core.commands import CancelCall, RedisCall, RedisInit
from hostabi.core.events import RedisResponse


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer of Redis: what `encode_reply` takes, or bytes in RESP under `raw`."""

    value: object = None
    raw: bytes | None = None

    def encode(self) -> bytes:
        """The answer in RESP."""
        return encode_reply(self.value) if self.raw is None else self.raw


RedisOutcome = Reply | Outcome
RedisTest = Callable[[RedisCall], bool]


@runtime_checkable
class RedisSource(Protocol):
    """Something that answers queries: a connection to a real server."""

    def set_up(self, command: RedisInit) -> None:
        """A filter says how it is reached."""

    def ask(self, command: RedisCall) -> RedisOutcome | None:
        """What came of a query; None when this is not a service it knows."""


RedisAnswers = Mapping[str, RedisOutcome] | Callable[[RedisCall], RedisOutcome | None] | RedisSource


@dataclass(slots=True)
class _Waiting:
    command: RedisCall
    deadline: int | None


@dataclass(slots=True)
class RedisCalls:
    """The queries of one driver."""

    answers: RedisAnswers
    waiting: list[_Waiting] = field(default_factory=list)
    rules: list[tuple[RedisTest, RedisOutcome]] = field(default_factory=list)
    settings: dict[tuple[str, str], RedisInit] = field(default_factory=dict)

    def set_up(self, command: RedisInit) -> None:
        """A filter says how a service is reached."""
        self.settings[command.plugin, command.upstream] = command
        if isinstance(self.answers, RedisSource):
            self.answers.set_up(command)

    def asked(self, command: RedisCall, now: int) -> RedisResponse | None:
        """A filter sends a query: what comes of it at once, if anything does."""
        rule = next((one for one in self.rules if one[0](command)), None)
        if rule is not None:
            self.rules.remove(rule)
            outcome: RedisOutcome | None = rule[1]
        elif isinstance(self.answers, RedisSource):
            outcome = self.answers.ask(command)
        elif callable(self.answers):
            outcome = self.answers(command)
        else:
            outcome = self.answers.get(command.upstream)
        if outcome is not None:
            return _response(command, outcome)
        settings = self.settings.get((command.plugin, command.upstream))
        timeout = settings.timeout_ms if settings is not None else 0
        self.waiting.append(_Waiting(command, now + timeout * 1_000_000 if timeout else None))
        return None

    def decide(self, test: RedisTest, outcome: RedisOutcome) -> RedisResponse | None:
        """What comes of the oldest query that waits and fits, or else of the next one that does."""
        found = next((one for one in self.waiting if test(one.command)), None)
        if found is None:
            self.rules.append((test, outcome))
            return None
        self.waiting.remove(found)
        return _response(found.command, outcome)

    def due(self) -> list[tuple[int, RedisCall]]:
        """When queries that wait will be late."""
        return [(one.deadline, one.command) for one in self.waiting if one.deadline is not None]

    def late(self, command: RedisCall) -> RedisResponse:
        """No answer came in time."""
        self.waiting = [one for one in self.waiting if one.command is not command]
        return _response(command, Outcome.TIMEOUT)

    def cancelled(self, command: CancelCall) -> None:
        """Nobody waits for an answer any more."""
        self.waiting = [
            one for one in self.waiting if (one.command.plugin, one.command.token) != (command.plugin, command.token)
        ]


def _response(command: RedisCall, outcome: RedisOutcome) -> RedisResponse:
    return RedisResponse(command.plugin, command.token, outcome.encode() if isinstance(outcome, Reply) else None)
