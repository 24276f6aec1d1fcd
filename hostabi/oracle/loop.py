"""One loop for everything that the harness listens to: Envoy's log, its connections to us, ours to it.

There are no threads. What waits says how long at most, and for what.
"""

from __future__ import annotations

import selectors
import time
from collections.abc import Callable
from typing import Any

from hostabi.scenario.stage import StageError


class OracleError(StageError):
    """Real Envoy cannot be asked, or did not do something in time."""


class Loop:
    """Calls back when files can be read (or written). `activity` counts what came in, of any kind."""

    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()
        self.activity = 0

    def watch(self, file: Any, on_ready: Callable[[], None]) -> None:
        """Call `on_ready` whenever the file has something to be read."""
        self._selector.register(file, selectors.EVENT_READ, on_ready)

    def forget(self, file: Any) -> None:
        """No more calls for this file."""
        try:
            self._selector.unregister(file)
        except (KeyError, ValueError):  # forgotten already, or closed
            pass

    def turn(self, seconds: float) -> None:
        """Wait so long at most, and deal with what is ready."""
        for key, _ in self._selector.select(max(0.0, seconds)):
            key.data()

    def until(self, done: Callable[[], bool], seconds: float, what: str) -> None:
        """Go on until `done`; OracleError, which names `what`, when that takes longer."""
        if not self.reached(done, seconds):
            raise OracleError(f"waited {seconds:g} s for {what}")

    def reached(self, done: Callable[[], bool], seconds: float) -> bool:
        """Go on until `done`; whether it was in time."""
        deadline = time.monotonic() + seconds
        while not done():
            left = deadline - time.monotonic()
            if left <= 0:
                return False
            self.turn(left)
        return True

    def wait(self, seconds: float) -> None:
        """Go on for so long."""
        self.reached(lambda: False, seconds)

    def close(self) -> None:
        """Give the selector back."""
        self._selector.close()
