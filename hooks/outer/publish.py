"""The publish layout: one lock, one staging area, complete versions, and one link that switches between them.

    <root>/lock                   held by a run and by everything that it started
    <root>/staging/<run_id>/      what the workloads write
    <root>/versions/<run_id>/     one complete version: every output port, receipt.json, lineage.jsonl; never changed
    <root>/current                -> versions/<run_id>; its replacement is the publication
    <root>/receipts/<run_id>.json, lineage/<run_id>.jsonl, logs/<run_id>/   evidence of every run, failed ones included

At any instant `current` leads to a complete version, the old one or the new one. A run that was killed leaves things
behind that nobody can see through `current`; the next run removes them.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from secrets import token_hex
from typing import Any

from outer.errors import UsageError
from outer.talk import Talk
from outer.yamlfile import show

KEEP = 3
"""Good versions that stay readable, the current one included: readers that opened an older one can finish."""

KEEP_LOGS = 20
"""Runs whose logs stay."""

_RUN = re.compile(r"[0-9]{8}T[0-9]{6}Z-[0-9a-f]{6}\Z")


def new_run_id(now: datetime) -> str:
    """An id for a run that starts `now`: time in UTC and three random bytes, so that ids sort by time."""
    return f"{now.astimezone(UTC):%Y%m%dT%H%M%SZ}-{token_hex(3)}"


@dataclass(frozen=True)
class Area:
    """Where the data of one product in one environment are kept. Creates nothing by itself."""

    root: Path

    @property
    def current(self) -> Path:
        return self.root / "current"

    @property
    def versions(self) -> Path:
        return self.root / "versions"

    def staging(self, run_id: str) -> Path:
        return self.root / "staging" / run_id

    def logs(self, run_id: str) -> Path:
        return self.root / "logs" / run_id

    def receipt(self, run_id: str) -> Path:
        return self.root / "receipts" / f"{run_id}.json"

    def lineage(self, run_id: str) -> Path:
        return self.root / "lineage" / f"{run_id}.jsonl"

    def published(self) -> Path | None:
        """Folder of the version that is published, without the link; None where none is.

        Raises `UsageError` when `current` is anything but a link to a version, which only a person can have made.
        """
        try:
            target = os.readlink(self.current)
        except FileNotFoundError:
            return None
        except OSError:
            raise UsageError(
                f"{self.current} is not a link, so it cannot be switched",
                "Move it away; `outer run` makes a link to the version that it publishes.",
            ) from None
        folder, _, run_id = target.replace(os.sep, "/").rpartition("/")
        if folder != "versions" or not _RUN.match(run_id):
            raise UsageError(
                f"{self.current} is a link to {show(target)}, not to a version that `outer run` has published",
                "Remove the link, or link it to versions/<run_id> again.",
            )
        version = self.versions / run_id
        return version if version.is_dir() else None


# --- The lock -------------------------------------------------------------------------------------


@contextmanager
def locked(area: Area, run_id: str, wait: float, talk: Talk) -> Iterator[int]:
    """Hold the lock of `area` and give its file descriptor, for children to inherit.

    The lock belongs to the open file, so workloads that outlive a killed run keep it until they end. Waits up to
    `wait` seconds for another run; raises `UsageError` after that.
    """
    area.root.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(area.root / "lock", os.O_RDWR | os.O_CREAT, 0o666)
    try:
        _acquire(descriptor, area, wait, talk)
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


def _acquire(descriptor: int, area: Area, wait: float, talk: Talk) -> None:
    deadline, told = time.monotonic() + wait, False
    while not _try(descriptor):
        if time.monotonic() >= deadline:
            raise UsageError(
                f"another run has {area.root}: {_holder(area)}", f"Wait for it, or for longer than {wait:g} s (--wait)."
            )
        if not told:
            talk.note(f"waiting up to {wait:g} s for another run: {_holder(area)}")
            told = True
        time.sleep(0.1)


def _holder(area: Area) -> str:
    try:
        who = json.loads((area.root / "lock").read_bytes())
        pid, run_id, group = int(who["pid"]), str(who["run_id"]), who.get("group")
    except (OSError, ValueError, TypeError, KeyError):
        return "it has not said who it is"
    if _alive(pid):
        return f"run {run_id}, process {pid}"
    stop = f"; to stop it: kill -- -{group}" if isinstance(group, int) else ""
    return f"run {run_id} was killed (process {pid}), but a workload that it started still runs{stop}"


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


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


# --- Versions -------------------------------------------------------------------------------------


def recover(area: Area) -> Path | None:
    """Remove what killed runs left behind; give the published version. Needs the lock.

    Raises `UsageError`, and touches nothing, when `current` is not what `outer run` makes.
    """
    current = area.published()
    for leftover in (*_children(area.root / "staging"), *area.root.glob(".current-*"), *area.root.glob("*/.*.part")):
        _remove(leftover)
    if current is not None:
        # A run that was killed right after the switch had no time to file its evidence.
        for name, archive in (("receipt.json", area.receipt), ("lineage.jsonl", area.lineage)):
            _file_copy(current / name, archive(current.name))
    prune(area)
    return current


def prune(area: Area) -> None:
    """Keep the published version and its last predecessors, as the receipts tell them; remove the others."""
    kept = _history(area)
    if kept is not None:
        for version in _children(area.versions):
            if version.name not in kept:
                _remove(version)
    logs = sorted(p for p in _children(area.root / "logs") if _RUN.match(p.name))
    for old in logs[:-KEEP_LOGS]:
        _remove(old)


def switch(area: Area, run_id: str) -> Path:
    """Publish the staged version `run_id`: all of its ports at once, or none. Needs the lock.

    Raises `OSError` when it cannot; then the old version is still published.
    """
    staged, version = area.staging(run_id), area.versions / run_id
    area.versions.mkdir(exist_ok=True)
    for file in _children(staged):
        _sync(file)
        if os.name != "nt":  # there, a file that nobody may write cannot be removed either
            file.chmod(file.stat().st_mode & ~0o222)
    _sync(staged)
    link = area.root / f".current-{run_id}"
    try:
        os.rename(staged, version)
        _sync(area.versions)
        os.symlink(os.path.join("versions", run_id), link, target_is_directory=True)
        os.replace(link, area.current)
    except OSError:
        link.unlink(missing_ok=True)
        _remove(version)
        raise
    with suppress(OSError):  # the switch has happened; only its survival of a power cut is at stake
        _sync(area.root)
    return version


def discard(area: Area, run_id: str) -> None:
    """Remove what the run `run_id` has staged, as far as that is possible."""
    shutil.rmtree(area.staging(run_id), ignore_errors=True)


def write(path: Path, data: bytes) -> None:
    """Write the file at `path`, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.part")
    part.write_bytes(data)
    os.replace(part, path)


def _history(area: Area) -> set[str] | None:
    """Names of the versions to keep; None when a receipt is unreadable, so that nothing good is thrown away."""
    current = area.published()
    if current is None:
        # Somebody removed the link or what it led to. Receipts are filed after the switch, so they tell what was good.
        return {p.name for p in _children(area.versions) if area.receipt(p.name).exists()}
    kept = [current.name]
    while len(kept) < KEEP and (area.versions / kept[-1]).is_dir():
        try:
            previous = json.loads((area.versions / kept[-1] / "receipt.json").read_bytes()).get("previous")
        except (OSError, ValueError, AttributeError):
            return None
        if not isinstance(previous, str) or not _RUN.match(previous) or previous in kept:
            break
        kept.append(previous)
    return set(kept)


def _file_copy(source: Path, target: Path) -> None:
    with suppress(OSError):
        data = source.read_bytes()
        if not target.exists() or target.read_bytes() != data:
            write(target, data)


def _children(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except FileNotFoundError:
        return []


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _sync(path: Path) -> None:
    """Make the file or folder at `path` survive a power cut."""
    if path.is_dir() and os.name == "nt":
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
