"""How far a command over many products is: one moving line on a terminal, a few plain ones elsewhere."""

from __future__ import annotations

import sys
import time
from typing import TextIO

_WIDTH = 24


class Progress:
    """Tells on stderr how many products are done. Says nothing when `quiet`."""

    def __init__(self, *, quiet: bool, stream: TextIO | None = None) -> None:
        self._quiet = quiet
        self._stream = stream or sys.stderr
        self._terminal = bool(getattr(self._stream, "isatty", lambda: False)())
        self._what, self._total, self._done = "", 0, 0
        self._since = self._shown = 0.0
        self._tenth = 0

    def begin(self, what: str, total: int, done: int = 0) -> None:
        """Begin with `total` things, `done` of which were done before."""
        self._what, self._total, self._done = what, total, done
        self._since, self._shown, self._tenth = time.monotonic(), 0.0, done * 10 // max(total, 1)
        if done:
            self.say(f"{what}: {done} of {total} are done already")

    def advance(self, name: str) -> None:
        """One more is done; `name` is shown on a terminal."""
        self._done += 1
        now = time.monotonic()
        if self._quiet:
            return
        if self._terminal:
            if now - self._shown > 0.05 or self._done == self._total:
                self._shown = now
                filled = _WIDTH * self._done // max(self._total, 1)
                bar = "#" * filled + "." * (_WIDTH - filled)
                words = "".join(c if c.isprintable() else " " for c in name)[:40]
                self._stream.write(f"\r\x1b[K{self._what} [{bar}] {self._done}/{self._total} {words}")
                self._stream.flush()
        elif self._done * 10 // max(self._total, 1) > self._tenth and self._total >= 10:
            self._tenth = self._done * 10 // self._total
            self.say(f"{self._what}: {self._done} of {self._total}")

    def end(self) -> None:
        """Be done with it."""
        if self._terminal and not self._quiet:
            self._stream.write("\r\x1b[K")
        if self._total:
            self.say(f"{self._what}: {self._done} of {self._total} in {time.monotonic() - self._since:.1f} s")

    def say(self, words: str) -> None:
        """Say something on a line of its own."""
        if not self._quiet:
            self._stream.write(f"outer: {words}\n")
            self._stream.flush()
