"""What a command says: results on stdout, and on stderr, while it works, how far it is."""

from __future__ import annotations

import os
import sys
import time
from contextlib import suppress
from typing import TextIO

from outer.errors import UsageError

_FANCY = {"step": "▸", "done": "✓", "fail": "✗", "note": "·", "dots": "…"}
_PLAIN = {"step": ">", "done": "ok", "fail": "!!", "note": "-", "dots": "..."}
_COLOURS = {"done": "32", "fail": "31", "note": "33", "dim": "2"}


class Talk:
    """Tells people what happens, as it happens: one line for each step, with the time that it took.

    `quiet` leaves only failures; `verbose` also lets through what workloads print. Colours appear on a terminal alone,
    and not where NO_COLOR is set (https://no-color.org).
    """

    def __init__(self, *, quiet: bool = False, verbose: bool = False, stream: TextIO | None = None) -> None:
        self.quiet = quiet
        self.verbose = verbose
        self._stream = stream or sys.stderr
        terminal = bool(getattr(self._stream, "isatty", lambda: False)())
        self._colour = terminal and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
        self._marks = _FANCY if _can_print(self._stream, _FANCY) else _PLAIN
        self._open: str | None = None
        self._since = 0.0

    def step(self, text: str) -> None:
        """Begin something that may take a while. Its line stays open until `done` or `fail`."""
        self.close()
        self._since = time.monotonic()
        if not self.quiet:
            self._write(f"{self._marks['step']} {text} {self._marks['dots']}")
        self._open = text

    def done(self, text: str, detail: str = "") -> None:
        """End the step with what came out of it; `text` is left out where the line says it already."""
        took = time.monotonic() - self._since
        if not self.quiet:
            said = [] if self._open == text else [text]
            if self._open is None:
                said.insert(0, self._marks["done"])
            line = " ".join([*said, *filter(None, [detail]), self._paint("dim", seconds(took))])
            self._write(f"{'' if self._open is None else ' '}{line}\n")
        self._open = None

    def fail(self, text: str) -> None:
        """Say what is wrong; shown even when quiet."""
        self._line("fail", text)

    def note(self, text: str) -> None:
        """Say something that a person should know and need not act on."""
        if not self.quiet:
            self._line("note", text)

    def close(self) -> None:
        """End the open line of a step that came to nothing, so that what others print begins on a line of its own."""
        if self._open is not None and not self.quiet:
            self._write("\n")
        self._open = None

    def output(self, text: str) -> None:
        """Pass on what an inner command printed: indented, and only when verbose."""
        if self.verbose and text:
            self.close()
            lines = text.splitlines()
            self._write("".join(f"    {line}\n" for line in lines))

    def _line(self, kind: str, text: str) -> None:
        self.close()
        first, *rest = text.splitlines() or [""]
        self._write(f"{self._paint(kind, self._marks[kind])} {first}\n")
        for line in rest:
            self._write(f"    {line}\n")

    def _paint(self, kind: str, text: str) -> str:
        return f"\x1b[{_COLOURS[kind]}m{text}\x1b[0m" if self._colour else text

    def _write(self, text: str) -> None:
        encoding = getattr(self._stream, "encoding", None) or "utf-8"
        try:
            self._stream.write(text.encode(encoding, "replace").decode(encoding))
            self._stream.flush()
        except (OSError, ValueError):
            # Whoever listened has gone. A run must not fail, or publish half, because nobody listens.
            self._stream = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115 (lives as long as the process)


def put(*lines: object) -> None:
    """Print a result on stdout, even where that cannot show all of its letters; without `lines` only flush it.

    Where its reader has gone, as `| head` does, the rest goes nowhere, and the outcome of the command stays what it is.
    Raises `UsageError` where stdout cannot be written, as on a full disk.
    """
    try:
        encoding = sys.stdout.encoding or "utf-8"
        for line in lines:
            print(str(line).encode(encoding, "replace").decode(encoding))
        sys.stdout.flush()
    except BrokenPipeError:
        mute()
    except OSError as error:
        mute()
        raise UsageError(
            f"the output could not be written: {error.strerror or error}", "Make room, or send stdout elsewhere."
        ) from None


def mute() -> None:
    """Send what stdout still holds nowhere: Python would try to write it once more at the end, and fail."""
    with suppress(OSError, ValueError, AttributeError):
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, sys.stdout.fileno())
        os.close(null)


def counted(number: int, noun: str) -> str:
    """1 row, 2,000 rows."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def seconds(value: float) -> str:
    """A duration in seconds, for people."""
    if value < 60:
        return f"{value:.1f} s"
    minutes, rest = divmod(round(value), 60)
    return f"{minutes} min {rest} s"


def _can_print(stream: TextIO, marks: dict[str, str]) -> bool:
    try:
        "".join(marks.values()).encode(getattr(stream, "encoding", None) or "utf-8")
    except (UnicodeEncodeError, LookupError):
        return False
    return True
