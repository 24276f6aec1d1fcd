"""The scenarios on real Envoy: it does what they expect, and what crosses there is what crosses on our host.

Every case that says `envoy: yes` is played, on one Envoy for each process of pytest.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from hostabi.oracle.envoy import missing
from hostabi.oracle.run import EnvoyRun, reason_against
from hostabi.scenario.load import Trial, load

SCENARIOS = Path(__file__).resolve().parent.parent / "scenarios"
LEAST = 300
"""How many cases are played on real Envoy at least."""


def trials() -> list[Trial]:
    files = sorted(SCENARIOS.glob("*.tamis.yaml"))
    return [test for file in files for test in load(file, file.name) if reason_against(test) is None]


@pytest.fixture(scope="session")
def envoy() -> Iterator[EnvoyRun]:
    reason = missing()
    if reason is not None:
        assert not os.environ.get("TAMIS_CI"), f"in CI real Envoy is not optional: {reason}"
        pytest.skip(f"real Envoy is not asked: {reason}")
    run = EnvoyRun()
    yield run
    run.close()


@pytest.mark.parametrize("test", trials(), ids=lambda test: f"{test.document.file}: {test.id}")
def test_envoy_does_the_same(envoy: EnvoyRun, test: Trial) -> None:
    result = envoy.run(test)
    told = [f"{'.'.join(map(str, one.loc))}: {one.message or one.difference}" for one in result.failures]
    assert not told, "\n".join(told)


def test_there_are_enough_of_them() -> None:
    assert len(trials()) >= LEAST
