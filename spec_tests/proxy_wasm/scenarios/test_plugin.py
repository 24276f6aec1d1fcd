"""The pytest plugin in a project of somebody else: files are found by their name, and told apart."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ORDERS = HERE / "filters" / "orders.wasm"

FILE = f"""version: 1
filters: [{{module: {ORDERS}}}]
cases:
- name: passes
  request: {{path: /a}}
  expect: {{request: {{path: /a}}}}
- name: fails
  request: {{path: /a}}
  expect: {{request: {{path: /b}}}}
"""


def run(folder: Path, *arguments: str) -> tuple[int, str]:
    """pytest in a folder of its own; its exit code and output."""
    from importlib.metadata import entry_points

    plugin = [] if entry_points(group="pytest11", name="tamis") else ["-p", "hostabi.pytest_plugin"]
    program = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *plugin, *arguments]
    env = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST", "COV"))}
    ran = subprocess.run(program, cwd=folder, env=env, capture_output=True, text=True, timeout=120)
    return ran.returncode, ran.stdout + ran.stderr


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    (tmp_path / "a.tamis.yaml").write_text(FILE)
    (tmp_path / "other.yaml").write_text("not: ours\n")
    return tmp_path


def test_a_file_is_collected_and_a_failure_shows_the_difference(folder: Path) -> None:
    code, out = run(folder, "-v")
    assert code == 1 and "1 failed, 1 passed" in out
    assert "a.tamis.yaml::passes PASSED" in out and "a.tamis.yaml::fails FAILED" in out
    assert "FAILED a.tamis.yaml::fails - request.path (" in out
    assert "x request.path" in out and "a.tamis.yaml:9:28" in out
    assert '- "/b"' in out and '+ "/a"' in out


def test_tests_are_chosen_by_name_and_engine(folder: Path) -> None:
    assert run(folder, "-k", "passes", "--tamis-engine", "reference")[0] == 0
    code, out = run(folder, "-k", "passes", "--tamis-engine", "nowhere")
    assert code == 1 and "nowhere" in out
    (folder / "pytest.ini").write_text("[pytest]\ntamis_engine = nowhere\n")
    assert run(folder, "-k", "passes")[0] == 1


def test_a_wrong_file_is_an_error_with_its_place(folder: Path) -> None:
    (folder / "a.tamis.yaml").write_text(FILE.replace("expect", "expekt", 1))
    code, out = run(folder)
    assert code == 2 and "a.tamis.yaml:6:3: cases[0].expekt: there is no key 'expekt' here" in out
    assert "Traceback" not in out


def test_the_fixture(folder: Path) -> None:
    (folder / "test_it.py").write_text(
        f"def test_it(filter_host):\n"
        f"    host = filter_host({str(ORDERS)!r}, config='request_headers: reply 418 tea')\n"
        f"    assert host.exchange().status == 418\n"
    )
    code, out = run(folder, "test_it.py", "-q")
    assert code == 0 and "1 passed" in out
