"""The lock of a folder that publishes: held by a run and all that it started, and free again after any crash."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from outer.errors import UsageError
from outer.talk import Talk


@contextmanager
def locked(root: Path, run_id: str, wait: float, talk: Talk) -> Iterator[int]:
    """Hold the lock of the folder `root`, which is made; give its file descriptor, for children to inherit.

    The lock belongs to the open file, so workloads that outlive a killed run keep it until they end. Waits up to
    `wait` seconds for another run; raises `UsageError` after that.
    """
    root.mkdir(parents=True, exist_ok=True)
    file = root / "lock"
    descriptor = os.open(file, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        _acquire(descriptor, file, wait, talk)
        note_holder(descriptor, run_id=run_id, pid=os.getpid())
        try:
            yield descriptor
        finally:
            # Said aloud: closing alone would leave the lock with every daemon that a workload left running.
            _release(descriptor)
    finally:
        os.close(descriptor)


def note_holder(descriptor: int, **who: Any) -> None:
    """Write into the lock file who holds it, for the people who wait."""
    data = json.dumps(who).encode()
    with suppress(OSError):  # a courtesy, not worth a failure
        os.ftruncate(descriptor, 0)
        os.lseek(descriptor, 0, os.SEEK_SET)
        os.write(descriptor, data)


def _acquire(descriptor: int, file: Path, wait: float, talk: Talk) -> None:
    deadline, told = time.monotonic() + wait, False
    while not _try(descriptor):
        if time.monotonic() >= deadline:
            raise UsageError(
                f"another run has {file.parent}: {_holder(file)}",
                f"Wait for it, or for longer than {wait:g} s (--wait).",
            )
        if not told:
            talk.note(f"waiting up to {wait:g} s for another run: {_holder(file)}")
            told = True
        time.sleep(0.1)


def _holder(file: Path) -> str:
    try:
        who = json.loads(file.read_bytes())
        pid, run_id, group = int(who["pid"]), str(who["run_id"]), who.get("group")
    except (OSError, ValueError, TypeError, KeyError):
        return "it has not said who it is"
    if _alive(pid):
        return f"run {run_id}, process {pid}"
    stop = f"; to stop it: kill -- -{group}" if isinstance(group, int) else ""
    return f"run {run_id} was killed (process {pid}), but a workload that it started still runs{stop}"


if sys.platform == "win32":
    import msvcrt

    # Far behind the text: on Windows a locked byte cannot even be read.
    _BYTE = 1 << 30

    def _try(descriptor: int) -> bool:
        os.lseek(descriptor, _BYTE, os.SEEK_SET)
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        os.lseek(descriptor, 0, os.SEEK_SET)
        return True

    def _release(descriptor: int) -> None:
        os.lseek(descriptor, _BYTE, os.SEEK_SET)
        msvcrt.locking(descriptor, msvcrt.LK_UNLCK, 1)

    def _alive(_pid: int) -> bool:
        # A lock belongs to its process there, and signal 0, which only asks elsewhere, is Ctrl-C.
        return True

else:
    import fcntl

    def _try(descriptor: int) -> bool:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def _release(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_UN)

    def _alive(pid: int) -> bool:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return False
        except OSError:
            return True
        return True
