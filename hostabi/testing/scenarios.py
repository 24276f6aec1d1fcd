"""Scenario files from Python: what `tamis test` does with one, as values."""

from __future__ import annotations

from pathlib import Path

from hostabi.scenario.load import Trial, load
from hostabi.scenario.run import Result, run_test
from hostabi.scenario.stage import LocalStage, Modules

_modules = Modules()


def run_trial(trial: Trial, *, engine: str | None = None, profile: str | None = None) -> Result:
    """Run one test of a scenario file."""
    return run_test(trial, lambda one: LocalStage(one, _modules, engine=engine, profile=profile))


def run_scenario(path: Path | str, *, engine: str | None = None, profile: str | None = None) -> list[Result]:
    """Run every test of a scenario file. Raises FileError for a wrong one, and OSError."""
    return [run_trial(trial, engine=engine, profile=profile) for trial in load(path)]
