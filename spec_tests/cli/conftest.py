"""The command line as the tests call it: in this process, or as a process of its own where that matters."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from click.testing import CliRunner

from hostabi.cli import cli

PROGRAMS = Path(__file__).parent / "programs"
EXAMPLES = Path(__file__).parents[2] / "examples" / "filters"


@dataclass(frozen=True)
class Ran:
    """What a command did."""

    code: int
    out: str
    err: str

    @property
    def lines(self) -> list[str]:
        return self.out.splitlines()


Tamis = Callable[..., Ran]


@pytest.fixture
def tamis() -> Tamis:
    """Run a command in this process. An exception that comes out of it fails the test."""

    def run(*args: str | Path, input: bytes = b"", env: dict[str, str] | None = None) -> Ran:
        runner = CliRunner(env={"TAMIS_TESTSUITE": None, "TAMIS_ENGINE": None, "COLUMNS": None, **(env or {})})
        result = runner.invoke(cli, [str(arg) for arg in args], input=input, prog_name="tamis")
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        err = result.stderr
        assert "Traceback" not in err
        assert result.exit_code != 70, err
        return Ran(result.exit_code, result.stdout_bytes.decode("utf-8", "replace"), err)

    return run


def process(*args: str | Path, **options: object) -> subprocess.Popen[bytes]:
    """Start a command as a process."""
    env = {key: value for key, value in os.environ.items() if key not in ("TAMIS_ENGINE", "COLUMNS")}
    return subprocess.Popen(
        [sys.executable, "-m", "hostabi", *map(str, args)],
        **{"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "env": env} | options,  # type: ignore[call-overload]
    )


def shell(*args: str | Path, input: bytes = b"", **options: object) -> Ran:
    """Run a command as a process."""
    started = process(*args, stdin=subprocess.PIPE, **options)
    out, err = started.communicate(input, timeout=60)
    return Ran(started.returncode, out.decode("utf-8", "replace"), err.decode("utf-8", "replace"))
