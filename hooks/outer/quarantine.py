"""Rows of an input that a workload has set aside: counted, kept for the producer, and never more than is allowed.

A workload that meets rows it cannot use writes them to the file that PORTS_FILE names under `quarantine`, and goes on.
Not to write it means that nothing was set aside.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from outer.errors import RunFailed
from outer.parquet import Unusable, opened
from outer.ports import QUARANTINE
from outer.publish import Area
from outer.receipt import QuarantineRecord
from outer.yamlfile import show


def collect(area: Area, run_id: str, inputs: Mapping[str, int]) -> tuple[QuarantineRecord, ...]:
    """What the run `run_id` has set aside in its staging area; `inputs` gives rows by input port.

    Files without rows are removed, and the folder with them. Raises `RunFailed` for anything else that lies there.
    """
    folder = area.staging(run_id) / QUARANTINE
    if not folder.is_dir():
        return ()
    known = {f"{port}.parquet": port for port in inputs}
    found: list[QuarantineRecord] = []
    for name in sorted(os.listdir(folder)):
        path = folder / name
        if name not in known or not _own(path):
            raise RunFailed(
                f"the workloads have written to the quarantine what is no file of an input port: {show(name)}",
                "Write what is set aside to the file that PORTS_FILE names for its port, and nothing beside it.",
            )
        rows = _rows(path)
        if not rows:
            path.unlink()
            continue
        port = known[name]
        share = rows / inputs[port] if inputs[port] else 1.0
        found.append(QuarantineRecord(port, rows, share, f"versions/{run_id}/{QUARANTINE}/{name}"))
    if not found:
        folder.rmdir()
    else:
        folder.chmod(0o700)  # rows of the inputs, for the team alone
    return tuple(found)


def rescue(area: Area, run_id: str, inputs: Mapping[str, int]) -> tuple[QuarantineRecord, ...]:
    """Move what a run that has failed had set aside to its logs, and drop what nobody could read.

    The parameters are those of `collect`.
    """
    folder = area.staging(run_id) / QUARANTINE
    target = area.logs(run_id) / QUARANTINE
    found: list[QuarantineRecord] = []
    for port, all_rows in inputs.items():
        path = folder / f"{port}.parquet"
        with suppress(OSError, RunFailed):
            rows = _rows(path) if _own(path) else 0
            if not rows:
                continue
            target.mkdir(parents=True, exist_ok=True, mode=0o700)
            os.replace(path, target / path.name)
            share = rows / all_rows if all_rows else 1.0
            found.append(QuarantineRecord(port, rows, share, f"logs/{run_id}/{QUARANTINE}/{path.name}"))
    return tuple(found)


def _own(path: Path) -> bool:
    """Whether `path` is a file that the workload has written here, and not another name of one elsewhere."""
    found = path.lstat()
    return stat.S_ISREG(found.st_mode) and found.st_nlink == 1


def _rows(path: Path) -> int:
    try:
        with opened(path) as table:
            return table.footer.rows
    except Unusable as error:
        raise RunFailed(
            f"the quarantine {path} cannot be read: {error}", "Write it as one Parquet file, or not at all."
        ) from None
