"""What is tested is what a user gets: in CI the installed packages, with the C engine and the data they need."""

from __future__ import annotations

import importlib.resources
import os
import sysconfig
from pathlib import Path

import pytest

import hostabi
import interp
from interp import _native

in_ci = pytest.mark.skipif("TAMIS_CI" not in os.environ, reason="only .ci/run tests an installed package for sure")


@in_ci
def test_the_installed_packages_are_tested() -> None:
    site = Path(sysconfig.get_path("platlib"))
    for package in (interp, hostabi):
        assert package.__file__ is not None
        assert site in Path(package.__file__).parents


@in_ci
def test_the_c_engine_is_there() -> None:
    assert _native.lib is not None
    assert not importlib.resources.files("interp").joinpath("_unbuilt.txt").is_file()


@in_ci
def test_the_official_suite_is_there() -> None:
    assert Path(os.environ["TAMIS_TESTSUITE"], "core").is_dir()


@pytest.mark.parametrize("package", ["interp", "hostabi"])
def test_type_information_is_shipped(package: str) -> None:
    assert importlib.resources.files(package).joinpath("py.typed").is_file()


def test_the_demo_filter_is_shipped() -> None:
    names = {file.name for file in importlib.resources.files("hostabi").joinpath("demo").iterdir()}
    assert any(name.endswith((".wasm", ".wat")) for name in names)
