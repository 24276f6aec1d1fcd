"""The pytest plugin: scenario files (*.tamis.yaml) are collected as tests, and `filter_host` makes hosts for others.

    def test_denied(filter_host):
        host = filter_host("auth.wasm", config="s3cret alice")
        assert host.exchange(path="/admin").status == 401

--tamis-engine and --tamis-profile (or tamis_engine, tamis_profile in the ini file) choose for all of them. Nothing of
the host is imported before a file or a fixture asks for it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from hostabi.scenario.load import Trial
    from hostabi.scenario.run import Result
    from hostabi.testing.host import FilterHost
    from hostabi.testing.session import FilterSession

_SUFFIXES = (".tamis.yaml", ".tamis.yml")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Options and ini keys."""
    group = parser.getgroup("tamis", "filter tests")
    group.addoption("--tamis-engine", metavar="NAME", help="engine for filters: native, reference or python")
    group.addoption("--tamis-profile", metavar="NAME", help="which host to behave like")
    parser.addini("tamis_engine", "engine for filters: native, reference or python", default="")
    parser.addini("tamis_profile", "which host to behave like", default="")


def _chosen(config: pytest.Config, name: str) -> str | None:
    found = config.getoption(f"--tamis-{name}") or config.getini(f"tamis_{name}")
    return str(found) if found else None


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """Scenario files, by their name."""
    if file_path.name.endswith(_SUFFIXES):
        return ScenarioFile.from_parent(parent, path=file_path)
    return None


class ScenarioFile(pytest.File):
    """A scenario file; its cases are tests."""

    def collect(self) -> Iterator[pytest.Item]:
        """The tests of the file; a wrong file is an error of collection with file:line for each fault."""
        from hostabi.scenario.load import load
        from hostabi.scenario.places import FileError

        try:
            trials = load(self.path, os.path.relpath(self.path))
        except FileError as error:
            raise self.CollectError(str(error)) from error
        for trial in trials:
            yield ScenarioItem.from_parent(self, name=trial.id, trial=trial)


class ScenarioFailed(Exception):
    """A scenario whose expectations are not met."""

    def __init__(self, result: Result) -> None:
        super().__init__(result.test.id)
        self.result = result


class ScenarioItem(pytest.Item):
    """One test of a scenario file."""

    def __init__(self, *, trial: Trial, **rest: Any) -> None:
        super().__init__(**rest)
        self.trial = trial

    def runtest(self) -> None:
        """Play it."""
        from hostabi.testing.scenarios import run_trial

        result = run_trial(self.trial, engine=_chosen(self.config, "engine"), profile=_chosen(self.config, "profile"))
        if not result.passed:
            raise ScenarioFailed(result)

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """The transcript with the differences; anything else as pytest shows it."""
        if not isinstance(excinfo.value, ScenarioFailed):
            return super().repr_failure(excinfo, style)
        from hostabi.cli.result_page import report

        writer = self.config.get_terminal_writer()
        shown = report(excinfo.value.result, width=writer.fullwidth, colour=writer.hasmarkup)
        return f"{shown.message}\n{shown.text}"

    def reportinfo(self) -> tuple[Path, int, str]:
        """Where it stands."""
        return self.path, self.trial.line - 1, self.name


@pytest.fixture
def filter_host(request: pytest.FixtureRequest) -> Callable[..., FilterHost]:
    """Makes a `hostabi.testing.FilterHost` with the engine and profile that were chosen."""
    from hostabi.testing.host import FilterHost

    return _maker(request.config, FilterHost)


@pytest.fixture
def filter_session(request: pytest.FixtureRequest) -> Callable[..., FilterSession]:
    """Makes a `hostabi.testing.FilterSession` with the engine and profile that were chosen."""
    from hostabi.testing.session import FilterSession

    return _maker(request.config, FilterSession)


def _maker(config: pytest.Config, kind: type[Any]) -> Callable[..., Any]:
    chosen = {name: value for name in ("engine", "profile") if (value := _chosen(config, name)) is not None}

    def make(*filters: object, **options: object) -> Any:
        return kind(*filters, **{**chosen, **options})

    return make
