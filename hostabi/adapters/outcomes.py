"""What comes of a filter's calls, as events."""

from __future__ import annotations

from collections.abc import Iterator

from hostabi.adapters.grpc_message import GrpcAnswer, GrpcRecord, answer_events, broken
from hostabi.adapters.message import Answer, pieces, to_pairs
from hostabi.adapters.streams import Call, Outcome, SessionError
from hostabi.core.commands import StartCall
from hostabi.core.events import CallFailed, CallResponse, Event, GrpcTimedOut
from hostabi.core.policy import Profile

_LATE = b"upstream request timeout"
"""What Envoy gives a filter when an upstream does not answer in time (seen on 1.40)."""


def outcome_events(call: Call, profile: Profile) -> Iterator[Event]:
    """What comes of a call by its outcome; SessionError for an outcome that it cannot have."""
    made, outcome = call.made, call.outcome
    if isinstance(made, GrpcRecord):
        yield from _grpc(made, outcome)
    else:
        yield _http(made, outcome, profile)


def suits(made: StartCall | GrpcRecord, outcome: Answer | GrpcAnswer | Outcome) -> bool:
    """Whether a call can have this outcome: answers are of its kind, and a stream has no timeout."""
    if isinstance(outcome, Outcome):
        return outcome is Outcome.RESET or isinstance(made, StartCall) or made.unary
    return isinstance(outcome, GrpcAnswer) is isinstance(made, GrpcRecord)


def _http(command: StartCall, outcome: Answer | GrpcAnswer | Outcome | None, profile: Profile) -> Event:
    match outcome:
        case Answer(failed=reason) if reason:
            return CallFailed(command.plugin, command.token, reason)
        case Outcome.RESET:
            return CallFailed(command.plugin, command.token, "reset")
        case Outcome.TIMEOUT if not profile.call_timeout_is_504:
            return CallFailed(command.plugin, command.token, "timeout")
        case Outcome.TIMEOUT:
            answer = Answer(504, {"content-length": str(len(_LATE)), "content-type": "text/plain"}, _LATE)
        case Answer():
            answer = outcome
        case _:
            raise SessionError("an HTTP call has no gRPC answer")
    body = b"".join(pieces(answer))
    return CallResponse(command.plugin, command.token, answer.header_pairs(), body, to_pairs(answer.trailers))


def _grpc(made: GrpcRecord, outcome: Answer | GrpcAnswer | Outcome | None) -> Iterator[Event]:
    match outcome:
        case GrpcAnswer():
            yield from answer_events(made, outcome)
        case Outcome.TIMEOUT if made.unary:
            yield GrpcTimedOut(made.plugin, made.token)
        case Outcome.RESET:
            yield broken(made)
        case _:
            raise SessionError("a gRPC call has a gRPC answer" if made.unary else "a gRPC stream has no timeout")
