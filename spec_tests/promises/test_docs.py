"""The pages tell the truth: their commands and options exist, their links lead somewhere, README's Python runs."""

from __future__ import annotations

import tomllib
from pathlib import Path

import click
import pytest

from hostabi.cli import cli
from spec_tests.promises.docs import code, commands, extras, links, pages
from spec_tests.promises.floors import ROOT

PAGES = pages(ROOT)
each_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))


def options(command: click.Command) -> set[str]:
    """Every spelling of every option of a command."""
    context = click.Context(command)
    return {name for parameter in command.get_params(context) for name in (*parameter.opts, *parameter.secondary_opts)}


@each_page
def test_commands_exist(page: Path) -> None:
    for words in commands(page.read_text(), "tamis"):
        command: click.Command | None = cli
        if words and not words[0].startswith("-"):
            command = cli.get_command(click.Context(cli), words[0])
            assert command is not None, words
        known = options(command)
        for word in words[: words.index("--") if "--" in words else None]:
            if word.startswith("--"):
                assert word.partition("=")[0] in known, words
            elif word.startswith("-") and word != "-":
                assert word in known or word[:2] in known, words


@each_page
def test_links_lead_somewhere(page: Path) -> None:
    assert [target for target in links(page.read_text()) if not (page.parent / target).exists()] == []


@each_page
def test_extras_exist(page: Path) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert extras(page.read_text()) <= set(project["optional-dependencies"])


def test_readme_shows_the_two_commands() -> None:
    lines = [line.strip() for _, block in code((ROOT / "README.md").read_text()) for line in block.splitlines()]
    assert "pip install . && tamis demo" in lines
    assert "pip install '.[test]' && pytest" in lines


def test_python_in_the_readme_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    for language, block in code((ROOT / "README.md").read_text()):
        if language in ("python", "py"):
            exec(compile(block, "README.md", "exec"), {"__name__": "readme"})
