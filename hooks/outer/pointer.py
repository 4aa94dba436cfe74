"""The link `current`, by which readers find the published version: how it is made, read and switched on each system.

On POSIX one atomic rename replaces it. Windows cannot rename over a link to a folder: there the old link steps aside
for an instant, in which a reader finds nothing, never a mixture; a run that is killed just then is mended by the next
one. Where Windows allows no symbolic links, a junction does the same.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from pathlib import Path

ATOMIC = os.name != "nt"
"""Whether a rename may replace a link to a folder."""


def lead(link: Path, version: Path, run_id: str) -> None:
    """Let `link` lead to the folder `version` beside it. Raises `OSError` when it cannot; then it leads where it did.

    `run_id` names what is left behind if this process is killed meanwhile; `mend` knows it.
    """
    part = link.with_name(f".{link.name}-{run_id}")
    try:
        _make(part, version)
        if ATOMIC:
            os.replace(part, link)
        else:
            _step_aside(link, part)
    except OSError:
        part.unlink(missing_ok=True)
        raise


def mend(link: Path) -> None:
    """Undo what a process that was killed in the middle of `lead` has left."""
    old = _old(link)
    with suppress(FileNotFoundError):
        if os.path.lexists(link):
            old.unlink()
        else:
            os.rename(old, link)
    for leftover in link.parent.glob(f".{link.name}-*"):
        leftover.unlink()


def _make(part: Path, version: Path) -> None:
    try:
        # Relative, so that the whole area can be moved or mounted elsewhere.
        os.symlink(os.path.relpath(version, part.parent), part, target_is_directory=True)
    except OSError:
        if sys.platform != "win32":
            raise
        import _winapi

        _winapi.CreateJunction(str(version.resolve()), str(part))


def _step_aside(link: Path, part: Path) -> None:
    old = _old(link)
    had = os.path.lexists(link)
    if had:
        os.rename(link, old)
    try:
        os.rename(part, link)
    except OSError:
        if had:
            os.rename(old, link)
        raise
    if had:
        old.unlink()


def _old(link: Path) -> Path:
    return link.with_name(f".{link.name}.old")
