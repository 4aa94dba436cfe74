"""The publish layout: one lock, one staging area, complete versions, and one link that switches between them.

    <root>/lock                   held by a run and by everything that it started (see `lock`)
    <root>/staging/<run_id>/      what the workloads write
    <root>/versions/<run_id>/     one complete version: every output port (a file or a folder), receipt.json,
                                  lineage.jsonl, quarantine/ where rows were set aside; never changed
    <root>/current                -> versions/<run_id>; its replacement is the publication
    <root>/rollback.json          the receipt of a rollback, while it is going on
    <root>/receipts/<run_id>.json, lineage/<run_id>.jsonl, logs/<run_id>/   evidence of every run, failed ones included

At any instant `current` leads to a complete version, the old one or the new one. A run that was killed leaves things
behind that nobody can see through `current`; the next run removes them.
"""

from __future__ import annotations

import errno
import json
import os
import re
import shutil
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from secrets import randbelow

from outer import pointer
from outer.errors import NothingChecked, UsageError
from outer.yamlfile import show

KEEP = 3
"""Good versions that stay readable, the current one included, where the standard does not say how many."""

KEEP_LOGS = 20
"""Runs whose logs stay."""

_RUN = re.compile(r"[0-9]{8}T[0-9]{6}Z-[0-9a-f]{6}\Z")


def new_run_id(now: datetime) -> str:
    """An id for a run that starts `now`: time in UTC, and six digits that keep ids apart and in order.

    Three are the fraction of the second, three are random.
    """
    now = now.astimezone(UTC)
    return f"{now:%Y%m%dT%H%M%SZ}-{now.microsecond * 4096 // 1_000_000:03x}{randbelow(4096):03x}"


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

    @property
    def rollback(self) -> Path:
        return self.root / "rollback.json"

    @property
    def receipts(self) -> Path:
        return self.root / "receipts"

    def receipt(self, run_id: str) -> Path:
        return self.receipts / f"{run_id}.json"

    def lineage(self, run_id: str) -> Path:
        return self.root / "lineage" / f"{run_id}.jsonl"

    def published(self) -> Path | None:
        """Folder of the version that is published, without the link; None where none is.

        Raises `UsageError` when `current` cannot be read, or is anything but a link to a version, which only a person
        can have made.
        """
        try:
            target = os.readlink(self.current)
        except FileNotFoundError:
            return None
        except OSError as error:
            if error.errno != errno.EINVAL:
                raise UsageError(
                    f"{self.current} cannot be read: {error.strerror}", "Look at this place, and at the rights there."
                ) from None
            raise UsageError(
                f"{self.current} is not a link, so it cannot be switched",
                "Move it away; `outer run` makes a link to the version that it publishes.",
            ) from None
        folder, _, run_id = target.replace(os.sep, "/").rpartition("/")
        ours = folder == "versions" or (os.path.isabs(target) and _same(Path(target).parent, self.versions))
        if not ours or not _RUN.match(run_id):
            raise UsageError(
                f"{self.current} is a link to {show(target)}, not to a version that `outer run` has published",
                "Remove the link, or link it to versions/<run_id> again.",
            )
        version = self.versions / run_id
        return version if version.is_dir() else None

    def require(self, environment: str) -> Path:
        """What `published` gives. Raises `NothingChecked` where nothing is published in `environment`."""
        version = self.published()
        if version is None:
            raise NothingChecked(
                f"nothing is published in the environment {show(environment)} ({self.current} does not exist)",
                "Publish first: outer run" + ("" if environment == "local" else f" --env {environment}"),
            )
        return version


# --- Versions -------------------------------------------------------------------------------------


def recover(area: Area, keep: int = KEEP) -> Path | None:
    """Remove what killed runs left behind; give the published version. Needs the lock.

    Raises `UsageError`, and touches nothing, when `current` is not what `outer run` makes.
    """
    area.published()  # refuses what is not ours before anything is removed
    pointer.mend(area.current)
    current = area.published()
    for leftover in (*_children(area.root / "staging"), *area.root.glob("*/.*.part"), *area.root.glob(".*.part")):
        _remove(leftover)
    _settle_rollback(area, current)
    if current is not None:
        # A run that was killed right after the switch had no time to file its evidence.
        for name, archive in (("receipt.json", area.receipt), ("lineage.jsonl", area.lineage)):
            _file_copy(current / name, archive(current.name))
    prune(area, keep)
    return current


def prune(area: Area, keep: int = KEEP) -> None:
    """Keep the published version and its last predecessors, `keep` in all, as the receipts tell them.

    Where somebody has removed the link, the next version names no predecessor: those that are older count. A version
    that a rollback took back stays as well until the next publication, so that one can go forward again.
    """
    kept = _history(area, keep)
    if kept is not None:
        for version in _children(area.versions):
            if version.name not in kept:
                _remove(version)
    logs = sorted(p for p in _children(area.root / "logs") if _RUN.match(p.name))
    for old in logs[:-KEEP_LOGS]:
        _remove(old)


def switch(area: Area, run_id: str) -> Path:
    """Publish the staged version `run_id`, which is settled: all of its ports at once, or none. Needs the lock.

    Raises `OSError` when it cannot; then the old version is still published.
    """
    staged, version = area.staging(run_id), area.versions / run_id
    area.versions.mkdir(exist_ok=True)
    try:
        os.rename(staged, version)
        _sync(area.versions)
        pointer.lead(area.current, version, run_id)
    except OSError:
        _remove(version)
        raise
    with suppress(OSError):  # the switch has happened; only its survival of a power cut is at stake
        _sync(area.root)
    return version


def withdraw(area: Area, run_id: str, previous: Path | None) -> None:
    """Undo what `switch` or `switch_back` has just done for `run_id`: publish `previous` again, or nothing."""
    if previous is not None:
        pointer.lead(area.current, previous, run_id)
    else:
        area.current.unlink()
    _remove(area.versions / run_id)
    _remove(area.receipt(run_id))


def switch_back(area: Area, run_id: str, to: str, receipt: bytes) -> None:
    """Publish the kept version `to` again; `receipt` is that of the rollback `run_id`. Needs the lock.

    The receipt is there before the switch and filed after it, so that a rollback that is killed in between is known.
    Raises `OSError` when it cannot; then what was published still is.
    """
    write(area.rollback, receipt)
    _sync(area.rollback)
    try:
        pointer.lead(area.current, area.versions / to, run_id)
    except OSError:
        area.rollback.unlink(missing_ok=True)
        raise
    with suppress(OSError):
        _sync(area.root)
    area.receipt(run_id).parent.mkdir(parents=True, exist_ok=True)
    os.replace(area.rollback, area.receipt(run_id))


def _settle_rollback(area: Area, current: Path | None) -> None:
    """File the receipt of a rollback that was killed after its switch; drop that of one that was killed before."""
    try:
        receipt = json.loads(area.rollback.read_bytes())
        done = current is not None and receipt["restored"] == current.name
        run_id = str(receipt["run_id"])
    except FileNotFoundError:
        return
    except (OSError, ValueError, TypeError, KeyError):
        done, run_id = False, ""
    if done and _RUN.match(run_id):
        area.receipt(run_id).parent.mkdir(parents=True, exist_ok=True)
        os.replace(area.rollback, area.receipt(run_id))
    else:
        area.rollback.unlink()


def settle(folder: Path) -> None:
    """Make everything below `folder` survive a power cut, and its files unwritable. Waits for the disk."""
    for path in _children(folder):
        if path.is_dir() and not path.is_symlink():
            settle(path)
        else:
            _sync(path)
            if os.name != "nt":  # there, a file that nobody may write cannot be removed either
                path.chmod(path.stat().st_mode & ~0o222)
    _sync(folder)


def discard(area: Area, run_id: str) -> None:
    """Remove what the run `run_id` has staged, as far as that is possible."""
    shutil.rmtree(area.staging(run_id), ignore_errors=True)


def write(path: Path, data: bytes) -> None:
    """Write the file at `path`, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.part")
    try:
        part.write_bytes(data)
        os.replace(part, path)
    except OSError:
        with suppress(OSError):
            part.unlink(missing_ok=True)
        raise


def _history(area: Area, keep: int) -> set[str] | None:
    """Names of the versions to keep; None when a receipt is unreadable, so that nothing good is thrown away."""
    current = area.published()
    # Receipts are filed after the switch, so they tell what was good.
    good = {p.name for p in _children(area.versions) if area.receipt(p.name).exists()}
    if current is None:
        return good  # somebody removed the link or what it led to
    kept = [current.name]
    while len(kept) < keep and (area.versions / kept[-1]).is_dir():
        try:
            previous = json.loads((area.versions / kept[-1] / "receipt.json").read_bytes()).get("previous")
        except (OSError, ValueError, AttributeError):
            return None
        if not isinstance(previous, str) or not _RUN.match(previous) or previous in kept:
            break
        kept.append(previous)
    older = sorted((name for name in good if name < kept[-1]), reverse=True)
    kept += older[: max(keep - len(kept), 0)]
    return {*kept, *(name for name in good if name > current.name)}


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


def _same(one: Path, other: Path) -> bool:
    try:
        return os.path.samefile(one, other)
    except OSError:
        return False


def _sync(path: Path) -> None:
    """Make the file or folder at `path` survive a power cut."""
    if path.is_dir() and os.name == "nt":
        return
    # Windows flushes only what is open for writing.
    descriptor = os.open(path, os.O_RDWR if os.name == "nt" else os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
