"""The page for filter authors, followed to the letter: files written, commands run, what they print compared."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import entry_points
from pathlib import Path

from spec_tests.promises.floors import ROOT

PAGE = ROOT / "hostabi" / "testing" / "README.md"
FENCE = re.compile(r"(?P<before>[^\n]*\n)?\n```(?P<language>\w+)\n(?P<text>.*?)^```", re.MULTILINE | re.DOTALL)
#: What makes an environment, which there is one of already.
SKIPPED = ("python3 -m venv", "pip install", "mkdir ../mine")

#: What stands for the programs, since these may not be on the path, and the plugin only known where it is installed.
PLUGIN = "" if entry_points(group="pytest11", name="tamis") else " -p hostabi.pytest_plugin"
PROGRAMS = {
    "tamis": f"{sys.executable} -c 'from hostabi.cli import main; main()'",
    "pytest": f"{sys.executable} -m pytest{PLUGIN} -p no:cacheprovider",
}


def blocks(page: str) -> Iterator[tuple[str, str, str]]:
    """(language, name of the file it is to be saved as, text) of each block."""
    for found in FENCE.finditer(page):
        name = re.search(r"`([^`]+)`:\s*\Z", found["before"] or "")
        yield found["language"], name[1] if name else "", found["text"]


def commands(text: str) -> Iterator[tuple[str, list[str]]]:
    """Each command of a console block, with the lines that it prints."""
    for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
        command, *lines = part.rstrip("\n").split("\n")
        yield command, lines


def shown(expected: list[str], printed: str) -> bool:
    """Whether the output is as the page has it, `...` standing for anything."""
    parts = [re.escape(line).replace(r"\.\.\.", ".*") for line in expected]
    return re.fullmatch("\n".join(parts) + "\n*", printed.rstrip("\n"), re.DOTALL) is not None


def test_the_page_is_true(tmp_path: Path) -> None:
    for name in ("auth", "http_gate"):
        shutil.copy(ROOT / "examples" / "filters" / name / f"{name}.wasm", tmp_path)
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith(("PYTEST", "COV", "TAMIS"))},
        "COLUMNS": "200",
    }
    ran = 0
    for language, name, text in blocks(PAGE.read_text()):
        if language in ("yaml", "python") and name:
            (tmp_path / name).write_text(text)
        elif language == "python":
            subprocess.run([sys.executable, "-c", text], cwd=tmp_path, env=environment, check=True, timeout=60)
            ran += 1
        for command, lines in commands(text) if language == "console" else ():
            if command.startswith(SKIPPED):
                continue
            program = re.sub(r"^(tamis|pytest)\b", lambda found: PROGRAMS[found[1]], command)
            done = subprocess.run(
                program, shell=True, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120
            )
            assert shown(lines, done.stdout), f"$ {command}\n{done.stdout}{done.stderr}"
            ran += 1
    assert ran == 10
