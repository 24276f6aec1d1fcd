"""What a Markdown page shows: its code, its `tamis` commands, its links and its extras."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

FENCE = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
INDENTED = re.compile(r"(?:^ {4}.*\n?(?:^\n(?= {4}))?)+", re.MULTILINE)
LINK = re.compile(r"\]\(([^)\s#]+)[^)\s]*\)")


def code(text: str) -> Iterator[tuple[str, str]]:
    """(language, contents) of each code block, fenced or indented; an indented one has no language."""
    for match in FENCE.finditer(text):
        yield match[1], match[2]
    for match in INDENTED.finditer(FENCE.sub("", text)):
        yield "", re.sub(r"^ {4}", "", match[0], flags=re.MULTILINE)


def commands(text: str, program: str) -> Iterator[list[str]]:
    """The words after `program` in each line of code that calls it, up to a pipe, a redirection or a comment."""
    for language, block in code(text):
        if language in ("python", "py", "toml", "json", "c"):
            continue
        for line in block.replace("\\\n", " ").splitlines():
            for part in re.split(r"&&|\|\||;", line.strip().removeprefix("$ ")):
                words = shlex.split(part, comments=True)
                if words and words[0] == program:
                    ends = [at for at, word in enumerate(words) if re.fullmatch(r"[|<>].*|2>.*", word)]
                    yield words[1 : min(ends, default=len(words))]


def links(text: str) -> Iterator[str]:
    """The relative places that a page links to."""
    return (target for target in LINK.findall(FENCE.sub("", text)) if "://" not in target)


def extras(text: str) -> set[str]:
    """The extras that a page tells pip to install from the checkout."""
    return {name for found in re.findall(r"'\.\[([\w,-]+)\]'", text) for name in found.split(",")}


def pages(root: Path) -> list[Path]:
    """Every Markdown page of the project."""
    hidden = {".venv", "node_modules", "build", "dist", ".pytest_cache", ".git"}
    return sorted(page for page in root.rglob("*.md") if not hidden & set(page.relative_to(root).parts))
