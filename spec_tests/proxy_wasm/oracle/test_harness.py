"""The harness itself: what it says of differences, of an Envoy that ends, and what it leaves behind."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from hostabi.oracle import run as running
from hostabi.oracle.envoy import Envoy, missing
from hostabi.oracle.loop import Loop, OracleError
from hostabi.oracle.neutral import differences
from hostabi.oracle.run import EnvoyRun, reason_against
from hostabi.scenario.load import Trial, load

FILTERS = Path(__file__).resolve().parent.parent / "scenarios" / "filters"
REASON = missing()
pytestmark = pytest.mark.skipif(
    REASON is not None and not os.environ.get("TAMIS_CI"), reason=f"real Envoy is not asked: {REASON}"
)

FILE = f"""version: 1
envoy: yes
filters: [{{module: {FILTERS / "orders.wasm"}}}]
cases:
  - name: the same
    config: "request_headers: pairs 2"
    request: {{}}
    expect: {{response: {{status: 200}}, paused: false, logs: [pairs 0]}}
  - name: wrong
    request: {{}}
    expect: {{response: {{status: 201}}}}
  - name: fatal
    config: "request_headers: continue 1"
    request: {{}}
  - name: never
    request: {{}}
    callouts: [{{match: auth, answer: 200}}]
  - name: impossible
    steps: [{{enqueue: {{queue: q}}}}]
  - name: left out
    envoy: no, because we say so
    request: {{}}
"""


@pytest.fixture
def tests(tmp_path: Path) -> dict[str, Trial]:
    path = tmp_path / "a.tamis.yaml"
    path.write_text(FILE)
    return {test.case.name: test for test in load(path)}


@pytest.fixture
def envoy() -> Iterator[EnvoyRun]:
    run = EnvoyRun()
    yield run
    run.close()


def said(envoy: EnvoyRun, test: Trial) -> str:
    return "\n".join(f"{one.message} {one.difference}" for one in envoy.run(test).failures)


def test_what_is_expected_is_held_against_what_envoy_did(envoy: EnvoyRun, tests: dict[str, Trial]) -> None:
    assert said(envoy, tests["the same"]) == ""
    assert "observed=200" in said(envoy, tests["wrong"])
    assert "1 callout of this case never came" in said(envoy, tests["never"])
    assert "enqueue is nothing that can be done to real Envoy" in said(envoy, tests["impossible"])


def test_a_host_that_does_something_else_is_found_out(
    envoy: EnvoyRun, tests: dict[str, Trial], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running, "PROFILE", "spec")
    text = said(envoy, tests["the same"])
    assert "what crossed is not the same here (-) and on Envoy (+)" in text
    assert "-0   proxy_get_header_map_pairs(map=HTTP_RESPONSE_HEADERS) NOT_FOUND" in text
    assert "+0   proxy_get_header_map_pairs(map=HTTP_RESPONSE_HEADERS) OK" in text


def test_an_envoy_that_ends_is_told_of_and_replaced(envoy: EnvoyRun, tests: dict[str, Trial]) -> None:
    assert "Envoy ended with signal 11; its last words" in said(envoy, tests["fatal"])
    assert said(envoy, tests["the same"]) == ""


def test_nothing_is_left_behind() -> None:
    with Envoy() as envoy:
        folder, process = envoy.folder, envoy._process
        assert Path(folder).exists() and process is not None and process.poll() is None
    assert not Path(folder).exists()
    assert process.poll() is not None


def test_envoy_dies_with_us() -> None:
    code = (
        "import os; from hostabi.oracle.envoy import Envoy; e = Envoy(); print(e._process.pid, flush=True); os._exit(1)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    pid = int(done.stdout)
    for _ in range(100):
        state = Path(f"/proc/{pid}/stat")
        if not state.exists() or state.read_text().rpartition(")")[2].split()[0] == "Z":
            return
        subprocess.run(["sleep", "0.05"], check=True)
    assert False, f"Envoy {pid} lives on"


def test_waits_have_an_end() -> None:
    loop = Loop()
    with pytest.raises(OracleError, match=r"waited 0\.05 s for a miracle"):
        loop.until(lambda: False, 0.05, "a miracle")
    loop.close()


def test_differences_are_shown_with_their_surroundings() -> None:
    assert differences(["a", "b"], ["a", "b"]) == []
    assert differences(["a", "b"], ["a", "c"]) == ["@@ -1,2 +1,2 @@", " a", "-b", "+c"]
    many = differences([str(i) for i in range(100)], [], most=10)
    assert many[-1] == "... and 91 lines more"


def test_the_command(tests: dict[str, Trial], tmp_path: Path) -> None:
    def run(*args: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "hostabi", "test", "--envoy", *args]
        return subprocess.run(command, capture_output=True, text=True, timeout=120, cwd=tmp_path)

    fine = run("a.tamis.yaml", "-k", "the same")
    assert fine.returncode == 0, fine.stderr
    assert fine.stdout.startswith("PASS a.tamis.yaml:5 the same  (cannot be seen there: paused)")
    assert run("a.tamis.yaml", "-k", "wrong").returncode == 1
    left_out = run("a.tamis.yaml", "-k", "left out")
    assert left_out.returncode == 0
    assert left_out.stdout.splitlines()[0] == "SKIP a.tamis.yaml:20 left out  (we say so)"
    assert left_out.stdout.splitlines()[1].startswith("0 passed, 1 skipped")
    assert run("a.tamis.yaml", "-j", "2").returncode == 2
    assert run("a.tamis.yaml", "--update").returncode == 2
    assert reason_against(tests["left out"]) == "we say so"
