"""How commands fail: one line on standard error and an exit code that a shell user expects.

| code | meaning |
|---|---|
| 0 | done |
| 1 | a failure: a bad file, an invalid module, a test that failed |
| 2 | a usage error |
| 70 | an error of our own |
| 130 | Ctrl-C |
| 134 | the guest trapped or ran out of fuel (a program that aborts gets this from a shell, too) |
| 141 | nobody reads our output any more |

A WASI program's own exit code is passed on as it is.
"""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Callable, Sequence
from typing import TextIO

import click

FAILURE, USAGE, INTERNAL, INTERRUPTED, TRAPPED, PIPE = 1, 2, 70, 130, 134, 141


class CommandError(click.ClickException):
    """A failure that is one line for the user; `lines` follow it."""

    def __init__(self, message: str, lines: tuple[str, ...] = (), code: int = FAILURE) -> None:
        super().__init__(message)
        self.lines = lines
        self.code = code


class TrapError(CommandError):
    """The guest trapped: its message, then backtrace and last host calls as lines."""

    def __init__(self, message: str, lines: tuple[str, ...] = ()) -> None:
        super().__init__(message, lines, TRAPPED)


def cut_frames(frames: Sequence[str], first: int = 20, last: int = 5) -> list[str]:
    """The ends of a backtrace, with a count for what is left out: endless recursion has thousands of frames."""
    if len(frames) <= first + last + 1:
        return list(frames)
    return [*frames[:first], f"... {len(frames) - first - last} more frames ...", *frames[-last:]]


def standard_output() -> TextIO:
    """Standard output, or nowhere if the process was started without one."""
    return sys.stdout if sys.stdout is not None else io.TextIOWrapper(io.BytesIO())


def printable(text: str) -> str:
    """Text from outside on one line, without controls that could move a terminal's cursor."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def complain(message: str, *lines: str) -> None:
    """Write `tamis: message` and further lines to standard error."""
    for text in (f"tamis: {printable(message)}", *map(printable, lines)):
        click.echo(text.encode("utf-8", "replace").decode(), err=True)


def guarded(run: Callable[[], object]) -> int:
    """Run a command and turn whatever comes out of it into an exit code, with a message where one is due."""
    code = 0
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # file names and guests say what a terminal cannot
    try:
        result = run()
        code = result if isinstance(result, int) else 0  # click gives back the code of its Exit
        if sys.stdout is not None:  # a process can be started without one
            sys.stdout.flush()
    except click.exceptions.Exit as done:
        return done.exit_code
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message(), err=True)
        return USAGE
    except click.UsageError as error:
        path = error.ctx.command_path if error.ctx is not None else "tamis"
        complain(error.format_message(), f"Try '{path} --help'.")
        return USAGE
    except CommandError as error:
        complain(error.message, *error.lines)
        return error.code
    except click.ClickException as error:
        complain(error.format_message())
        return error.exit_code
    except (KeyboardInterrupt, click.Abort):
        return INTERRUPTED
    except BrokenPipeError:
        _forget_output()
        return PIPE
    except OSError as error:
        name = f"{os.fsdecode(error.filename)}: " if error.filename is not None else ""
        complain(f"{name}{error.strerror or error}")
        return FAILURE
    except MemoryError:
        complain("out of memory")
        return FAILURE
    except Exception as error:  # noqa: BLE001  # the last line of defence: a bug of ours must not look like a crash
        return _unexpected(error)
    return code


def _unexpected(error: Exception) -> int:
    from interp import WasmError

    if isinstance(error, WasmError):
        complain(str(error))
        return FAILURE
    if os.environ.get("TAMIS_DEBUG"):
        raise error
    complain(
        f"internal error: {type(error).__name__}: {error}", "Set TAMIS_DEBUG=1 to see where, and please report it."
    )
    return INTERNAL


def _forget_output() -> None:
    """Send what is still buffered nowhere, or Python would complain about the pipe once more at exit."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.stdout, sys.stderr):
        try:
            os.dup2(nowhere, stream.fileno())
        except (OSError, ValueError, AttributeError):
            continue
    os.close(nowhere)
