"""Plays a test on a stage, step by step, and holds each expectation against what was seen."""

from __future__ import annotations

from dataclasses import dataclass, field
from time import perf_counter

from hostabi.scenario.check import Accounted, Difference, check, unexpected
from hostabi.scenario.expect import Expect
from hostabi.scenario.fields import duration_text
from hostabi.scenario.load import Trial
from hostabi.scenario.model import CalloutStep, Step, UpstreamStep
from hostabi.scenario.observe import Observation, together
from hostabi.scenario.places import Loc
from hostabi.scenario.stage import OpenStage, Stage, StageError


@dataclass(slots=True)
class Failure:
    """What was wrong at one place of a test."""

    loc: Loc
    """The path in the file of what was not met."""
    message: str
    difference: Difference | None = None
    fill: bool = False
    """The expectation is empty, and waits for what was observed."""


@dataclass(slots=True)
class Moment:
    """A step that was played: its title, what was seen, what was wrong."""

    title: str
    loc: Loc
    observation: Observation | None = None
    failures: list[Failure] = field(default_factory=list)
    expect_loc: Loc | None = None
    """Where its `expect` stands, or would stand."""


@dataclass(slots=True)
class Result:
    """What came of a test."""

    test: Trial
    moments: list[Moment]
    seconds: float = 0.0

    @property
    def failures(self) -> list[Failure]:
        """Everything that was wrong, in order."""
        return [failure for moment in self.moments for failure in moment.failures]

    @property
    def passed(self) -> bool:
        """Whether nothing was."""
        return not self.failures

    @property
    def observation(self) -> Observation:
        """All steps together."""
        return together([one.observation for one in self.moments if one.observation is not None])


def run_test(test: Trial, open_stage: OpenStage) -> Result:
    """Play a test."""
    began = perf_counter()
    play = _Play(test, open_stage)
    play.run()
    return Result(test, play.moments, perf_counter() - began)


class _Play:
    def __init__(self, test: Trial, open_stage: OpenStage) -> None:
        self.test = test
        self.open_stage = open_stage
        self.moments: list[Moment] = []
        self.accounted = Accounted()
        self.trap_expected = False

    def run(self) -> None:
        case, loc = self.test.case, self.test.loc
        moment = self._moment("start", (*loc, "start"), (*loc, "start"))
        try:
            stage = self.open_stage(self.test)
            moment.observation = stage.start()
        except StageError as error:
            moment.failures.append(Failure(("filters",), str(error)))
            return
        self._check(moment, case.start)
        if not self._go_through(stage):
            return
        end = self._moment("end", (*loc, "expect"), (*loc, "expect"))
        try:
            end.observation = stage.finish()
        except StageError as error:
            end.failures.append(Failure((*loc, "callouts") if case.callouts else loc, str(error)))
            return
        self._check_case(end)

    def _go_through(self, stage: Stage) -> bool:
        for step, loc in _steps(self.test):
            if step is None:
                if not stage.takes_response("main"):
                    continue
                step = Step(upstream=self.test.case.upstream or UpstreamStep())
            moment = self._moment(title(step), loc, (*loc, "expect"))
            try:
                moment.observation = stage.perform(step)
            except StageError as error:
                moment.failures.append(Failure((*loc, step.action), str(error)))
                return False
            self._check(moment, step.expect)
        return True

    def _moment(self, text: str, loc: Loc, expect_loc: Loc) -> Moment:
        moment = Moment(text, loc, expect_loc=expect_loc)
        self.moments.append(moment)
        return moment

    def _check(self, moment: Moment, expect: Expect | None) -> None:
        seen = moment.observation
        if seen is None:
            return
        if expect is not None:
            self._hold(moment, expect, seen, moment.expect_loc or moment.loc)
        case_expects = self.test.case.expect is not None and self.test.case.expect.given("trap")
        if seen.trap is not None and not case_expects and not (expect is not None and expect.given("trap")):
            moment.failures.append(Failure(moment.loc, f"the filter failed: {seen.trap}"))

    def _hold(self, moment: Moment, expect: Expect, seen: Observation, loc: Loc) -> None:
        if not expect.model_fields_set:
            text = "nothing is expected here; --update writes down what there is"
            moment.failures.append(Failure(loc, text, fill=True))
        differences, accounted = check(expect, seen)
        self.accounted.add(accounted)
        moment.failures += [Failure((*loc, *one.loc), "", one) for one in differences]

    def _check_case(self, end: Moment) -> None:
        case = self.test.case
        parts = [one.observation for one in self.moments if one.observation is not None]
        whole = together(parts)
        self._check(end, None)
        if case.expect is not None:
            self._hold(end, case.expect, whole, end.expect_loc or end.loc)
        strict = self.test.scenario.strict if case.strict is None else case.strict
        if strict:
            loc = (*self.test.loc, "strict") if case.strict is not None else ("strict",)
            end.failures += [Failure(loc, one.note, one) for one in unexpected(whole, self.accounted)]


def _steps(test: Trial) -> list[tuple[Step | None, Loc]]:
    """The steps of a case with their places; None stands for an answer of the upstream, should a request reach it."""
    case, loc = test.case, test.loc
    if case.steps:
        return [(step, (*loc, "steps", i)) for i, step in enumerate(case.steps)]
    if case.request is None:
        return []
    found: list[tuple[Step | None, Loc]] = [
        (Step(callout=callout), (*loc, "callouts", i)) for i, callout in enumerate(case.callouts)
    ]
    return [*found, (Step(request=case.request), loc), (None, loc)]


def title(step: Step) -> str:
    """A step in a few words."""
    on = f" on {step.stream}" if step.stream != "main" else ""
    match step.action:
        case "request" if step.request is not None:
            opening = {"method", "path", "authority", "scheme", "headers"} & step.request.model_fields_set
            fresh = opening or not step.request.pieces()
            what = f"{step.request.method} {step.request.path}" if fresh else "more of it"
            return f"request {what}{on}"
        case "upstream" if step.upstream is not None:
            return f"upstream {'reset' if step.upstream.reset else step.upstream.status}{on}"
        case "tcp" if step.tcp is not None:
            sent = [side for side in ("downstream", "upstream") if getattr(step.tcp, side) is not None]
            return " ".join(["tcp", *sent, *([f"end of {step.tcp.end}"] if step.tcp.end else [])]) + on
        case "callout" if step.callout is not None:
            return f"callout {_outcome_text(step.callout)}"
        case "redis" if step.redis is not None:
            cluster = step.redis.match if isinstance(step.redis.match, str) else "any"
            return f"redis {cluster} {'timeout' if step.redis.timeout else 'reset' if step.redis.reset else 'answers'}"
        case "release":
            return f"release {step.release}"
        case "advance" if step.advance is not None:
            return f"advance {duration_text(step.advance)}"
        case "enqueue" if step.enqueue is not None:
            return f"enqueue {step.enqueue.queue}"
        case "stats":
            return "stats"
        case "reconfigure" if step.reconfigure is not None:
            return f"reconfigure {step.reconfigure.filter}"
        case "metadata" if step.metadata is not None:
            return f"metadata of the {'request' if step.metadata.request is not None else 'response'}{on}"
        case "abort":
            return f"abort {step.abort}{on}"
        case "fault" if step.fault is not None:
            return f"fault {step.fault.call}"
        case _:
            return f"look{on}"


def _outcome_text(step: CalloutStep) -> str:
    cluster = step.match if isinstance(step.match, str) else step.match.upstream
    whom = f"{cluster} " if isinstance(cluster, str) else ""
    if step.timeout or step.reset:
        return whom + ("timeout" if step.timeout else "reset")
    if step.grpc is not None:
        code = step.grpc if isinstance(step.grpc, int) else step.grpc.status
        open_end = not isinstance(step.grpc, int) and step.grpc.end is False
        return f"{whom}{'held, ' if step.hold else ''}gRPC {'messages' if open_end else code}"
    status = step.answer if isinstance(step.answer, int) else getattr(step.answer, "status", "")
    return f"{whom}{'held, ' if step.hold else ''}{status}"
