"""Tests on real Envoy: each is played there and here, its expectations are held against what Envoy did, and the two
transcripts against each other.
"""

from __future__ import annotations

from dataclasses import dataclass
from time import perf_counter

from hostabi.adapters.message import HTTP2
from hostabi.adapters.streams import MadeCall
from hostabi.oracle.loop import OracleError
from hostabi.oracle.neutral import differences, neutral
from hostabi.oracle.stage import UNSEEN, EnvoyStage, Oracle
from hostabi.scenario.load import Trial
from hostabi.scenario.run import Failure, Result, run_test
from hostabi.scenario.stage import LocalStage, Modules, Stage, StageError

PROFILE = "envoy"


def reason_against(test: Trial) -> str | None:
    """Why a test is not for real Envoy; None when it is."""
    said = test.case.envoy or test.scenario.envoy
    if said is None:
        return "it does not say `envoy: yes`"
    return None if said == "yes" else said.removeprefix("no, because ")


def not_seen(test: Trial) -> list[str]:
    """What the test expects something of that cannot be seen on Envoy."""
    case = test.case
    expects = [case.start, case.expect, *(step.expect for step in case.steps)]
    return sorted({key for one in expects if one is not None for key in one.model_fields_set} & UNSEEN)


class EnvoyRun:
    """Runs tests on one real Envoy, one after the other; OracleError when there is none.

    An Envoy that did not go along is replaced by a new one for the next test.
    """

    def __init__(self, modules: Modules | None = None, *, engine: str | None = None) -> None:
        self.modules = modules or Modules()
        self.engine = engine
        self._oracle: Oracle | None = None

    def run(self, test: Trial) -> Result:
        """The result of one test."""
        if self._oracle is None:
            self._oracle = Oracle(self.modules)
        result, healthy = _run(test, self._oracle, self.engine)
        if not healthy:
            self.close()
        return result

    def close(self) -> None:
        """End Envoy."""
        if self._oracle is not None:
            self._oracle.close()
            self._oracle = None


def _run(test: Trial, oracle: Oracle, engine: str | None) -> tuple[Result, bool]:
    began = perf_counter()
    here = _play_here(test, oracle.modules, engine)
    clusters = test.case.clusters if test.case.clusters is not None else test.scenario.clusters
    names = clusters if clusters is not None else sorted({call.upstream for call in here.calls})
    opened: list[EnvoyStage] = []

    def open_stage(trial: Trial) -> Stage:
        opened.append(oracle.stage(trial, names))
        return opened[0]

    healthy = True
    result = run_test(test, open_stage)
    if opened:
        try:
            there = opened[0].records
            opened[0].close()
        except OracleError as error:
            healthy = False
            result.moments[-1].failures.append(Failure(test.loc, str(error)))
            there = []
        lines = differences(here.lines, neutral(there, {}))
        if lines:
            text = "what crossed is not the same here (-) and on Envoy (+)\n" + "\n".join(lines)
            result.moments[-1].failures.append(Failure(test.loc, text))
    healthy = healthy and not oracle.envoy.dead and not any("waited" in one.message for one in result.failures)
    return Result(test, result.moments, perf_counter() - began), healthy


@dataclass
class _Here:
    """What our own host did with a test."""

    lines: list[str]
    calls: list[MadeCall]


def _play_here(test: Trial, modules: Modules, engine: str | None) -> _Here:
    """Play a test on our own host as Envoy would be, without regard to what is expected."""
    stages: list[LocalStage] = []

    def open_stage(trial: Trial) -> Stage:
        stage = LocalStage(trial, modules, engine=engine, profile=PROFILE, log_level="trace", protocol=HTTP2)
        stage.added_to_answers = ((b"x-envoy-upstream-service-time", b"0"),)
        stages.append(stage)
        return stage

    result = run_test(test, open_stage)
    if not stages:
        raise StageError("our own host does not load this test")
    positions = {plugin.key: str(i) for i, plugin in enumerate(stages[0].plugins)}
    return _Here(neutral(stages[0].transcript, positions), result.observation.calls)
