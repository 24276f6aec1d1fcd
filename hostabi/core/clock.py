"""Time and entropy as inputs, so that a run can be repeated byte for byte (host_contract 3)."""

from __future__ import annotations

from hashlib import sha256


class Clock:
    """The time a guest sees: that of the event, plus a microsecond for every reading; it never goes back."""

    def __init__(self, now: int = 0) -> None:
        self._now = now
        self._readings = 0
        self._start = now

    def begin(self, now: int) -> None:
        """An event happens at `now` (ns since 1970). If the guest has already seen a later time, that stays."""
        last = self._now + 1000 * self._readings
        if not self._start:
            self._start = now
        self._now, self._readings = now if now > last else last, 0

    def peek(self) -> int:
        """The time of the last reading, without making one."""
        return self._now + 1000 * self._readings

    def read(self) -> int:
        """The wall clock, ns since 1970."""
        self._readings += 1
        return self.peek()

    def read_monotonic(self) -> int:
        """ns since this VM saw its first event."""
        return self.read() - self._start

    def sleep(self, duration: int) -> None:
        """Let so many ns pass."""
        self._now += max(0, duration)


class Entropy:
    """An endless stream of bytes from a seed: SHA-256 in counter mode, one stream for each VM and generation."""

    def __init__(self, seed: bytes, name: str, generation: int = 0) -> None:
        # Each part is closed by its length, so that no two triples share a key.
        self._key = sha256(
            b"".join(len(part).to_bytes(8, "little") + part for part in (seed, name.encode(), b"%d" % generation))
        ).digest()
        self._block = 0
        self._rest = b""

    def take(self, n: int) -> bytes:
        """The next n bytes."""
        parts = [self._rest[:n]]
        self._rest = self._rest[n:]
        have = len(parts[0])
        while have < n:
            block = sha256(self._key + self._block.to_bytes(8, "little")).digest()
            self._block += 1
            parts.append(block[: n - have])
            self._rest = block[n - have :]
            have += len(parts[-1])
        return b"".join(parts)


def seed_bytes(seed: int) -> bytes:
    """A seed given as a number, in the form that Entropy takes."""
    return str(seed).encode()
