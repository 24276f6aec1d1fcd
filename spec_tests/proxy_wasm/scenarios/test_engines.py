"""Every scenario does the same on every engine: the same results, and the same transcripts byte for byte.

The native engine runs all of them; the others those whose filters are small and whose calls are few.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from hostabi.scenario.load import Trial, load
from hostabi.scenario.run import Result, run_test
from hostabi.scenario.stage import PACKAGE, LocalStage, Modules
from interp.exec.engines import available

HERE = Path(__file__).parent
FILES = sorted(HERE.glob("*.tamis.yaml"))
MOST_BYTES = 200_000
MOST_FUEL = 150_000

_modules = Modules()


def play(test: Trial, engine: str) -> tuple[Result, list[object]]:
    stages: list[LocalStage] = []

    def opened(one: Trial) -> LocalStage:
        stages.append(LocalStage(one, _modules, engine=engine))
        return stages[0]

    result = run_test(test, opened)
    return result, [stages[0].transcript, [(f.loc, f.message) for f in result.failures]]


def is_small(test: Trial) -> bool:
    names = [one.module or "" for one in test.scenario.filters]
    paths = [test.folder / name for name in names if ".py:" not in name]
    if any(name.startswith(PACKAGE) for name in names):
        return False
    return all(path.stat().st_size < MOST_BYTES for path in paths)


@pytest.mark.skipif("native" not in available(), reason="this installation has no native engine")
@pytest.mark.parametrize("other", ["reference", "python"])
@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name.removesuffix(".tamis.yaml"))
def test_engines_agree(file: Path, other: str) -> None:
    for test in load(file):
        if not is_small(test):
            continue
        result, native = play(test, "native")
        if result.observation.fuel < MOST_FUEL:
            assert play(test, other)[1] == native, test.id


def test_most_scenarios_are_run_on_every_engine() -> None:
    tests = [test for file in FILES for test in load(file)]
    assert sum(map(is_small, tests)) > len(tests) * 0.9
