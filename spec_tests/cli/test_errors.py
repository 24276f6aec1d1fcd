"""What each kind of failure becomes: an exit code, and one line."""

from __future__ import annotations

import errno

import click
import pytest

import interp
from hostabi.cli.errors import CommandError, TrapError, cut_frames, guarded, printable


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (CommandError("no such thing", ("look there",)), 1, "tamis: no such thing\nlook there\n"),
        (CommandError("other", code=7), 7, "tamis: other\n"),
        (TrapError("unreachable", ("#0 f",)), 134, "tamis: unreachable\n#0 f\n"),
        (click.UsageError("what?"), 2, "tamis: what?\nTry 'tamis --help'.\n"),
        (click.ClickException("plain"), 1, "tamis: plain\n"),
        (click.exceptions.Exit(3), 3, ""),
        (KeyboardInterrupt(), 130, ""),
        (click.Abort(), 130, ""),
        (FileNotFoundError(errno.ENOENT, "No such file", "a.wasm"), 1, "tamis: a.wasm: No such file\n"),
        (OSError("odd"), 1, "tamis: odd\n"),
        (MemoryError(), 1, "tamis: out of memory\n"),
        (interp.MalformedError("unexpected end", 3), 1, "tamis: unexpected end (at 3)\n"),
        (
            RuntimeError("a\x1b[31mb"),
            70,
            "tamis: internal error: RuntimeError: a\\x1b[31mb\nSet TAMIS_DEBUG=1 to see where, and please report it.\n",
        ),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else "",
)
def test_what_comes_of_an_error(
    error: BaseException, code: int, said: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TAMIS_DEBUG", raising=False)

    def fail() -> object:
        raise error

    assert guarded(fail) == code
    assert capsys.readouterr().err == said


def test_a_bug_is_shown_whole_on_demand(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TAMIS_DEBUG", "1")
    with pytest.raises(ZeroDivisionError):
        guarded(lambda: 1 // 0)


def test_a_number_is_the_exit_code() -> None:
    assert [guarded(lambda n=n: n) for n in (0, 5, "text")] == [0, 5, 0]  # type: ignore[misc]


def test_long_backtraces_show_their_ends() -> None:
    frames = [str(n) for n in range(100)]
    assert cut_frames(frames, 2, 1) == ["0", "1", "... 97 more frames ...", "99"]
    assert cut_frames(frames[:4], 2, 1) == frames[:4]


def test_controls_are_written_out() -> None:
    assert printable("a\nb\x07é") == "a\\nb\\x07é"
