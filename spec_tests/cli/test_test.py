"""`tamis test` as a shell user meets it: what is found, what is printed, exit codes, files that are written."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest

from .conftest import EXAMPLES, Tamis

AUTH = EXAMPLES / "auth" / "auth.wasm"

FILE = f"""version: 1
filters: [{{module: {AUTH}, config: s3cret alice}}]
cases:
- name: denied
  request: {{}}
  expect: {{response: {{status: 401}}}}
- name: let in
  request: {{headers: {{authorization: Bearer s3cret}}}}
  expect: {{request: {{headers: {{x-user: alice}}}}, response: {{status: 200}}}}
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to be in, with a file of two tests."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "a.tamis.yaml").write_text(FILE)
    (tmp_path / "other.yaml").write_text("- nothing of ours\n")
    return tmp_path


def test_files_in_folders_are_found(tamis: Tamis, folder: Path) -> None:
    ran = tamis("test")
    assert ran.code == 0 and not ran.err
    assert ran.lines[:2] == ["PASS sub/a.tamis.yaml:4 denied", "PASS sub/a.tamis.yaml:7 let in"]
    assert ran.lines[2].startswith("2 passed in ")
    assert tamis("test", "sub", "sub/a.tamis.yaml").out.count("PASS") == 2


def test_one_test_by_name(tamis: Tamis, folder: Path) -> None:
    assert tamis("test", "-k", "LET IN").out.count("PASS") == 1
    ran = tamis("test", "-k", "nobody")
    assert ran.code == 2 and "there are no tests with 'nobody'" in ran.err


def test_a_failure_shows_the_transcript_with_the_difference(tamis: Tamis, folder: Path) -> None:
    path = folder / "sub" / "a.tamis.yaml"
    path.write_text(FILE.replace("status: 401", "status: 403"))
    ran = tamis("test")
    assert ran.code == 1 and ran.lines[-1].startswith("1 failed, 1 passed in ")
    at = ran.out.index("x response.status")
    assert "proxy_send_local_response(status_code=401" in ran.out[:at]
    assert ran.out[at:].splitlines()[:3] == ["x response.status  sub/a.tamis.yaml:6:31", "      - 403", "      + 401"]


def test_a_wrong_file_is_2_whatever_the_others_are(tamis: Tamis, folder: Path) -> None:
    (folder / "b.tamis.yaml").write_text("version: 1\nfilters: []\ncases: [{}]\n")
    ran = tamis("test")
    assert ran.code == 2 and ran.out.count("PASS") == 2
    assert "tamis: b.tamis.yaml cannot be used" in ran.err and "b.tamis.yaml:2:10: filters: " in ran.err
    assert tamis("test", "nowhere.tamis.yaml").code == 2
    assert tamis("test", "--profile", "nginz").code == 2
    assert tamis("test", "--engine", "steam").code == 1


@pytest.mark.parametrize("engine", ["reference", "python"])
def test_the_engine_and_the_profile(tamis: Tamis, folder: Path, engine: str) -> None:
    assert tamis("test", "--engine", engine, "--profile", "spec").code == 0


def test_several_processes_say_the_same_in_the_same_order(tamis: Tamis, folder: Path) -> None:
    (folder / "b.tamis.yaml").write_text(FILE.replace("status: 401", "status: 402"))
    one, two = tamis("test", "-v"), tamis("test", "-v", "-j", "2")
    assert two.code == one.code == 1
    assert two.lines[:-1] == one.lines[:-1]


def test_junit(tamis: Tamis, folder: Path) -> None:
    (folder / "sub" / "a.tamis.yaml").write_text(FILE.replace("status: 401", "status: 403"))
    assert tamis("test", "--junit", "out.xml").code == 1
    root = ElementTree.parse(folder / "out.xml").getroot()
    assert (root.tag, root.get("tests"), root.get("failures")) == ("testsuites", "2", "1")
    cases = root.findall("testsuite/testcase")
    assert [case.get("name") for case in cases] == ["denied", "let in"]
    failure = cases[0].find("failure")
    assert failure is not None and failure.get("message") == "response.status (sub/a.tamis.yaml:6:31)"
    assert failure.text is not None and "+ 401" in failure.text


def test_update(tamis: Tamis, folder: Path) -> None:
    path = folder / "sub" / "a.tamis.yaml"
    path.write_text(FILE.replace("status: 401", "status: 403   "))
    ran = tamis("test", "--update")
    assert ran.code == 0 and ran.lines[0] == "updated sub/a.tamis.yaml: cases[0].expect.response.status"
    assert path.read_text() == FILE.replace("status: 401", "status: 401   ")
    path.write_text(FILE.replace("status: 401", "status: {above: 500}"))
    ran = tamis("test", "--update")
    assert ran.code == 1 and "a matcher, which is yours to change" in ran.lines[0]


def test_a_first_file(tamis: Tamis, folder: Path) -> None:
    ran = tamis("test", "--init", AUTH, "--config", "s3cret alice")
    assert ran.code == 0 and ran.lines == ["wrote auth.tamis.yaml; run it with:  tamis test auth.tamis.yaml"]
    text = (folder / "auth.tamis.yaml").read_text()
    assert "config: s3cret alice" in text and "status: 401" in text
    assert tamis("test", "auth.tamis.yaml").code == 0
    again = tamis("test", "--init", AUTH)
    assert again.code == 2 and "is there already" in again.err
    assert tamis("test", "--init", "nowhere.wasm").code == 2
    assert tamis("test", "--init", AUTH, "x.tamis.yaml", "y.tamis.yaml").code == 2
    assert tamis("test", "--init", folder / "other.yaml", "x.tamis.yaml").code == 1
    assert tamis("test", "--config", "x").code == 2


def test_the_schema(tamis: Tamis) -> None:
    ran = tamis("test", "--schema")
    assert ran.code == 0 and json.loads(ran.out)["properties"]["filters"]["type"] == "array"
