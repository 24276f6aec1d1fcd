"""A pytest plugin: the tests of filters run on the shim instead of on our engines.

    python -m benchmarks shim [PYTEST ARGUMENTS]

Tests that take `engine` get "wasmtime", and scenario files are played on it; tests that do neither are no tests of a
machine and are not run. What cannot hold there is left out by `ABSENT`, each with its reason; a pattern that leaves
nothing out although its file was collected fails the run, so that the list cannot outlive its reasons.
"""

from __future__ import annotations

from fnmatch import fnmatch

import pytest

from benchmarks.peers import shim

#: Patterns of test ids, and why these tests can hold on our engines only.
ABSENT = {
    "*core/test_host.py::test_fuel_*": "no fuel is counted, so an endless loop does not end",
    "*core/test_host.py::test_a_deadline_ends_*": "it sets the deadline of our store",
    "*core/test_host.py::test_the_same_seed_and_clock_*": "it compares ticks with those of the reference engine",
    "*scenarios/limits.tamis.yaml::a busy loop runs out of fuel": "no fuel is counted",
    "*start/test_hostile.py::*": "what was damaged may loop without end, and no fuel is counted",
    "*start/test_linking.py::test_filters_may_use_the_standard_*": "wasmtime shares memories only where configured to",
    "*start/test_startup.py::test_proc_exit_0_while_starting_is_success*start $s*": (
        "wasmtime-py gives no instance whose start section was unwound"
    ),
}


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Make wasmtime the machine that scenarios name."""
    shim.register()
    config.option.tamis_engine = shim.NAME


@pytest.hookimpl(tryfirst=True)
def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Give tests that take an engine this one, and in place of those that they choose themselves."""
    if "engine" in metafunc.fixturenames:
        marks = metafunc.definition.own_markers
        marks[:] = [mark for mark in marks if mark.name != "parametrize" or mark.args[0] != "engine"]
        metafunc.definition.add_marker(pytest.mark.parametrize("engine", [shim.NAME], scope="session"))


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what is in the list, and what is no test of a machine."""
    left = {pattern: {item for item in items if fnmatch(item.nodeid, pattern)} for pattern in ABSENT}
    idle = [pattern for pattern, found in left.items() if not found and whole(pattern, items)]
    if idle:
        raise pytest.UsageError(f"nothing is left out by {', '.join(idle)}")
    gone = {item for item in items if not runs_filters(item)}.union(*left.values())
    items[:] = [item for item in items if item not in gone]
    config.hook.pytest_deselected(items=list(gone))


def whole(pattern: str, items: list[pytest.Item]) -> bool:
    """Whether the file of a pattern is among those that were collected."""
    file = pattern.partition("::")[0]
    return any(fnmatch(item.nodeid.partition("::")[0], file) for item in items)


def runs_filters(item: pytest.Item) -> bool:
    """Whether a test runs filters on the machine that was chosen."""
    return type(item).__name__ == "ScenarioItem" or "engine" in getattr(item, "fixturenames", ())
