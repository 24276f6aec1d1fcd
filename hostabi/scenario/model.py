"""The file itself: filters, the world around them, and cases of steps. What checks a file derives from here."""

from __future__ import annotations

import dataclasses
import re
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, Field, WithJsonSchema, create_model, model_validator

from hostabi.core.policy import PROFILES, Limits, Profile
from hostabi.scenario.expect import Expect, FaultName, GrpcStatusName, Level, StatusName
from hostabi.scenario.fields import BY_SHAPE, Data, Duration, Headers, Model, Moment, Text
from hostabi.scenario.matchers import Match, Matches

VERSION = 1

if TYPE_CHECKING:
    ProfileName = str
else:
    ProfileName = Literal[tuple(PROFILES)]


def _of_dataclass(name: str, kind: type[Any], doc: str) -> Any:
    """A model with the plain fields of a dataclass, all optional, so that no name is written down twice."""
    fields: dict[str, Any] = {}
    for field in dataclasses.fields(kind):
        if field.name != "name" and isinstance(field.default, int | bool):
            kinds: Any = bool if isinstance(field.default, bool) else Annotated[int, Field(ge=0)]
            fields[field.name] = (kinds | None, None)
    return create_model(name, __base__=Model, __doc__=doc, **fields)


if TYPE_CHECKING:

    class LimitsModel(Model):
        """What the filter can make large."""

    class SwitchesModel(Model):
        """Points where hosts differ, set otherwise than the profile does."""

else:
    LimitsModel = _of_dataclass("Limits", Limits, "What the filter can make large.")
    SwitchesModel = _of_dataclass("Switches", Profile, "Points where hosts differ, where the profile is not to be.")


# --- filters ---------------------------------------------------------------------------------------------------------


class Policy(Model):
    """What the host does for and against this filter."""

    fail_open: bool = Field(False, description="When the filter fails, streams go on without it.")
    allow_on_headers_stop_iteration: bool = Field(False, description="A header callback's result 1 is literal.")
    allowed_capabilities: list[Text] = Field(
        default_factory=list, description="Host calls, WASI functions and callbacks it may have; none named allows all."
    )
    log_level: Level = Field("info", description="The lowest level that is logged.")


class Build(Model):
    """How the module is made, when it is to be made anew for each run of the tests."""

    run: Text | list[Text] = Field(description="The command, in the folder of this file.")
    module: Text = Field(description="The module it makes.")


class Filter(Model):
    """A filter, and its configuration."""

    module: Text | None = Field(
        None,
        description="The module, from this file's folder: .wasm, .wat, FILE.py:CLASS for a filter in Python, "
        "or package://NAME/PATH for one in an installed Python package.",
    )
    build: Build | None = None
    role: Literal["filter", "access_log"] = Field(
        "filter", description="access_log: no filter of the chain; it is told of all that went through."
    )
    name: Text = Field("", description="Its name, for logs and expectations.")
    config: Any = Field("", description="The plugin configuration: text, or what is made JSON of.")
    config_file: Text | None = Field(None, description="A file with the plugin configuration.")
    vm_config: Any = Field("", description="The VM configuration: text, or what is made JSON of.")
    root_id: Text = ""
    vm_id: Text = ""
    env: dict[Text, Text] = Field(default_factory=dict, description="Environment variables.")
    policy: Policy = Field(default_factory=Policy)
    limits: LimitsModel = Field(default_factory=LimitsModel)

    @model_validator(mode="after")
    def _one_module(self) -> Filter:
        if (self.module is None) == (self.build is None):
            raise ValueError("a filter has a module, or a build that makes one")
        if self.config_file is not None and self.given("config"):
            raise ValueError("config and config_file exclude each other")
        return self


# --- steps -----------------------------------------------------------------------------------------------------------


class _MessageStep(Model):
    headers: Headers = Field((), description="A mapping (a list of values repeats the name) or a list of pairs.")
    body: Data | None = Field(None, description="The body in one piece.")
    chunks: list[Data] | None = Field(None, description="The body in several pieces.")
    trailers: Headers = ()
    end: bool | None = Field(None, description="false: more of it follows in a later step.")

    @model_validator(mode="after")
    def _one_body(self) -> Any:
        if self.body is not None and self.chunks is not None:
            raise ValueError("body and chunks exclude each other")
        if self.trailers and self.end is False:
            raise ValueError("trailers are the end of a message")
        return self

    def pieces(self) -> list[bytes]:
        """The body as the chunks it comes in."""
        if self.chunks is not None:
            return list(self.chunks)
        return [self.body] if self.body else []


class RequestStep(_MessageStep):
    """The client sends a request, or more of one that it has begun."""

    method: Text = "GET"
    path: Text = "/"
    authority: Text = "example.com"
    scheme: Text = "http"


class UpstreamStep(_MessageStep):
    """The upstream answers, or sends more of an answer that it has begun."""

    status: int = Field(200, ge=100, le=999)
    reset: bool | None = Field(None, description="true: the connection breaks.")

    @model_validator(mode="after")
    def _reset_alone(self) -> UpstreamStep:
        if self.reset and len(self.model_fields_set) > 1:
            raise ValueError("reset goes with nothing else")
        return self


class CallAnswer(Model):
    """The answer to a filter's HTTP call."""

    status: int = Field(200, ge=100, le=999)
    headers: Headers = ()
    body: Data = b""
    trailers: Headers = ()


class GrpcCallAnswer(Model):
    """What a gRPC server sends: the answer to a call, or the next part of what comes on a stream."""

    messages: list[Data] = Field(default_factory=list, description="Messages, in order.")
    status: GrpcStatusName = Field(0, description="The status: a name such as NOT_FOUND, or its number.")
    message: Text = Field("", description="The message of the status.")
    metadata: Headers = Field((), description="Initial metadata.")
    trailers: Headers = Field((), description="Trailing metadata, beside the status.")
    end: bool | None = Field(None, description="false: more of it follows in a later step.")

    @model_validator(mode="after")
    def _status_at_end(self) -> GrpcCallAnswer:
        if self.end is False and {"status", "message", "trailers"} & self.model_fields_set:
            raise ValueError("status, message and trailers are the end of it")
        return self


class CallMatch(Model):
    """Which call is meant; of a gRPC call `method` is its name, `headers` its metadata, `body` its first message."""

    upstream: Match | None = Field(None, description="The cluster.")
    service: Match | None = Field(None, description="The service of a gRPC call.")
    method: Match | None = None
    path: Match | None = None
    authority: Match | None = None
    headers: dict[Text, Matches] | None = None
    body: Match | None = None
    filter: Text | None = None


class CalloutStep(Model):
    """What comes of a filter's call: of the oldest one that waits and matches, else of the next that is made."""

    match: Annotated[Text | CallMatch, BY_SHAPE] = Field(
        default_factory=CallMatch, description="Which call; text is the cluster."
    )
    answer: Annotated[int | CallAnswer, BY_SHAPE] | None = Field(
        None, description="The answer to an HTTP call; a number is its status."
    )
    grpc: Annotated[GrpcStatusName | GrpcCallAnswer, BY_SHAPE] | None = Field(
        None, description="What comes on a gRPC call or stream; a name or number is its status."
    )
    timeout: bool | None = Field(None, description="true: no answer in time.")
    reset: bool | None = Field(None, description="true: the connection breaks.")
    hold: Text | None = Field(None, description="Not yet: a later `release` of this name brings it.")

    @model_validator(mode="after")
    def _one_outcome(self) -> CalloutStep:
        given = [self.answer is not None, self.grpc is not None, bool(self.timeout), bool(self.reset)]
        if given.count(True) != 1:
            raise ValueError("a callout has one outcome: answer, grpc, timeout: true, or reset: true")
        return self


class TcpStep(Model):
    """A client connects, or its bytes or the upstream's come in; an empty one just connects."""

    downstream: Data | None = Field(None, description="Bytes from the client.")
    upstream: Data | None = Field(None, description="Bytes from the upstream.")
    end: Literal["downstream", "upstream"] | None = Field(None, description="This side sends no more after that.")


class CounterValue(Model):
    """A counter, and what was added to it since statistics were last taken."""

    value: Annotated[int, Field(ge=0)]
    added: Annotated[int, Field(ge=0)] = 0


class StatsStep(Model):
    """Statistics are taken: the filters' own, and these of the host."""

    counters: dict[Text, Annotated[int | CounterValue, BY_SHAPE]] = Field(
        default_factory=dict, description="Counters by name; a number was all added since."
    )
    gauges: dict[Text, Annotated[int, Field(ge=0)]] = Field(default_factory=dict, description="Gauges by name.")


class Address(Model):
    """An address of a name."""

    address: Text
    ttl: Annotated[int, Field(ge=0)] = Field(60, description="For how many seconds it is valid.")


class RedisMatch(Model):
    """Which query to Redis is meant."""

    upstream: Match | None = Field(None, description="The cluster.")
    command: Match | None = Field(None, description="Its first command: the words with a blank between them.")
    filter: Text | None = None


class RedisStep(Model):
    """What comes of a filter's query to Redis: of the oldest one that waits and matches, else of the next."""

    null_means: ClassVar[frozenset[str]] = frozenset({"answer"})

    match: Annotated[Text | RedisMatch, BY_SHAPE] = Field(
        default_factory=RedisMatch, description="Which query; text is the cluster."
    )
    answer: Any = Field(None, description="Text, a number, null, or a list or mapping of these.")
    status: Text | None = Field(None, description="A status such as OK in place of a text.")
    error: Text | None = Field(None, description="An error, such as `ERR no such thing`.")
    raw: Data | None = Field(None, description="The answer as Redis would write it, in RESP.")
    timeout: bool | None = Field(None, description="true: no answer in time.")
    reset: bool | None = Field(None, description="true: the service cannot be reached.")

    @model_validator(mode="after")
    def _one_outcome(self) -> RedisStep:
        texts = [self.status is not None, self.error is not None, self.raw is not None]
        if [self.given("answer"), *texts, bool(self.timeout), bool(self.reset)].count(True) != 1:
            raise ValueError("a query has one outcome: answer, status, error, raw, timeout: true, or reset: true")
        return self


class MetadataStep(Model):
    """HTTP/2 METADATA comes, with the request or with the response; filters can count its entries and no more."""

    request: Headers | None = Field(None, description="Entries that the client sends.")
    response: Headers | None = Field(None, description="Entries that the upstream sends.")

    @model_validator(mode="after")
    def _one_side(self) -> MetadataStep:
        if (self.request is None) == (self.response is None):
            raise ValueError("metadata is one of request and response")
        return self


class EnqueueStep(Model):
    """A message appears in a shared queue, whose registrant is woken."""

    queue: Text
    message: Data = b""
    vm_id: Text = ""


class ReconfigureStep(Model):
    """A filter gets a new configuration; streams that are open keep the old one."""

    filter: int | str = Field(0, description="Its position or name.")
    config: Any = ""


class FaultStep(Model):
    """The next calls of the host of this name answer a status, and do nothing."""

    null_means: ClassVar[frozenset[str]] = frozenset({"times"})

    call: FaultName = Field(description="A host call, or malloc: the allocator gives nothing.")
    status: StatusName = Field(10, description="What it answers.")
    times: Annotated[int, Field(ge=1)] | None = Field(1, description="How often; null: from now on.")


ACTIONS = (
    "request",
    "upstream",
    "metadata",
    "tcp",
    "callout",
    "redis",
    "release",
    "advance",
    "enqueue",
    "stats",
    "reconfigure",
    "abort",
    "fault",
)


def _optional(value: object) -> object:
    return {} if value is None else value


class Step(Model):
    """One thing that happens, and what is expected of it."""

    null_means: ClassVar[frozenset[str]] = frozenset({"request", "upstream", "tcp", "stats"})

    stream: Text = Field("main", description="The stream it happens to.")
    request: Annotated[RequestStep | None, BeforeValidator(_optional)] = None
    upstream: Annotated[UpstreamStep | None, BeforeValidator(_optional)] = None
    metadata: MetadataStep | None = None
    tcp: Annotated[TcpStep | None, BeforeValidator(_optional)] = None
    callout: CalloutStep | None = None
    redis: RedisStep | None = None
    release: Text | None = Field(None, description="A callout that was held comes to its end.")
    advance: Duration | None = Field(None, description="Time passes; timers and timeouts run out in order.")
    enqueue: EnqueueStep | None = None
    stats: Annotated[StatsStep | None, BeforeValidator(_optional)] = None
    reconfigure: ReconfigureStep | None = None
    abort: Literal["client", "upstream"] | None = Field(None, description="Who goes away.")
    fault: FaultStep | None = None
    expect: Expect | None = None

    @model_validator(mode="after")
    def _one_action(self) -> Step:
        given = [name for name in ACTIONS if getattr(self, name) is not None]
        if len(given) > 1:
            raise ValueError(f"a step is one action, and here are {', '.join(given)}")
        if not given and not self.given("expect"):
            raise ValueError(f"a step is one of {', '.join(ACTIONS)}, or an expect")
        return self

    @property
    def action(self) -> str:
        """Which of the actions it is; "expect" when it is none."""
        return next((name for name in ACTIONS if getattr(self, name) is not None), "expect")


# --- the file --------------------------------------------------------------------------------------------------------


class SharedEntry(Model):
    """A value of shared data."""

    key: Text
    value: Data
    vm_id: Text = ""


class ProfileChoice(Model):
    """A profile with some of its switches set otherwise."""

    name: ProfileName = "default"
    switches: SwitchesModel = Field(default_factory=SwitchesModel)


def _named_shared(value: object) -> object:
    if isinstance(value, dict):
        return [{"key": key, "value": given} for key, given in value.items()]
    return value


def _envoy(value: object) -> object:
    if value != "yes" and not (isinstance(value, str) and re.fullmatch(r"no, because .+", value, re.DOTALL)):
        raise ValueError("yes, or `no, because ...` is wanted here")
    return value


EnvoyAnswer = Annotated[
    str, BeforeValidator(_envoy), WithJsonSchema({"type": "string", "pattern": "^(yes|no, because .+)$"})
]

SharedData = Annotated[list[SharedEntry], BeforeValidator(_named_shared)]


class _World(Model):
    profile: Annotated[ProfileName | ProfileChoice, BY_SHAPE] | None = Field(
        None, description="Which host to behave like."
    )
    clock: Moment | None = Field(None, description="The time it is: seconds since 1970, or ISO 8601.")
    seed: int | None = Field(None, description="Where random numbers come from.")
    protocol: Literal["HTTP/1.1", "HTTP/2"] | None = Field(
        None, description="What client and upstream speak. Real Envoy is asked on HTTP/2 without it."
    )
    properties: dict[Text, Any] | None = Field(None, description="Properties that filters can read, by path.")
    shared_data: SharedData | None = Field(None, description="What is in shared data when it begins.")
    clusters: list[Text] | None = Field(None, description="The clusters that can be called; without this, any.")
    dns: dict[Text, list[Annotated[Text | Address, BY_SHAPE]]] | None = Field(
        None, description="Addresses of names that filters look up; others have none."
    )
    strict: bool | None = Field(None, description="true: no log line, HTTP call or host call but those expected.")


class Case(_World):
    """A test: a fresh host, and steps. `request` and `upstream` of its own are short for a list of those two."""

    null_means: ClassVar[frozenset[str]] = frozenset({"request", "upstream", "config"})

    name: Text = ""
    table: list[dict[str, Any]] | None = Field(None, description="Rows of variables: the case runs once for each.")
    config: Any = Field(None, description="The first filter's configuration in this case.")
    envoy: EnvoyAnswer | None = Field(None, description="Whether real Envoy is expected to do the same.")
    start: Expect | None = Field(None, description="What comes of starting the filters.")
    request: Annotated[RequestStep | None, BeforeValidator(_optional)] = None
    upstream: Annotated[UpstreamStep | None, BeforeValidator(_optional)] = None
    callouts: list[CalloutStep] = Field(default_factory=list, description="What comes of calls, in the short form.")
    steps: list[Step] = Field(default_factory=list)
    expect: Expect | None = Field(None, description="What must have come of it all.")

    @model_validator(mode="after")
    def _short_or_long(self) -> Case:
        short = [name for name in ("request", "upstream", "callouts") if self.given(name)]
        if self.steps and short:
            raise ValueError(f"a case has steps, or {' and '.join(short)} in short, not both")
        return self


class Scenario(_World):
    """A file of tests."""

    version: Literal[1] = Field(description="The version of this format.")
    name: Text = ""
    filters: list[Filter] = Field(min_length=1, description="The chain: requests go through it first to last.")
    vars: dict[str, Any] = Field(default_factory=dict, description="Variables: ${name} in any text below.")
    envoy: EnvoyAnswer | None = None
    cases: list[Case] = Field(min_length=1)
