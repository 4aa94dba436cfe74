"""Failures that a person can do something about, each with the exit code it leads to."""

from __future__ import annotations

PASS, FINDINGS, USAGE, NOTHING_CHECKED, INTERNAL = 0, 1, 2, 3, 4
"""Exit codes of every command of `outer`."""


class OuterError(Exception):
    """Stops a command. `what` says what is wrong and where, `todo` what to do about it."""

    exit_code = USAGE

    def __init__(self, what: str, todo: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.todo = todo

    def __str__(self) -> str:
        return f"{self.what}\n  {self.todo}" if self.todo else self.what


class UsageError(OuterError):
    """The command line, the machine or the configuration does not allow the command."""


class RunFailed(OuterError):
    """A workload or the audit failed; nothing was published."""

    exit_code = FINDINGS


class NothingChecked(OuterError):
    """There was nothing to check, which is never a pass."""

    exit_code = NOTHING_CHECKED
