"""What workloads may leave: data of their own at each output port, whole, and nothing beside them."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from pathlib import Path

from outer.dataset import Dataset, Unlisted, everything
from outer.errors import RunFailed
from outer.model import Workload
from outer.ports import QUARANTINE, Location, variable
from outer.yamlfile import show


def check_staging(workloads: Iterable[Workload], outputs: Iterable[Location], staging: Path) -> None:
    """Make sure that `staging` holds what all workloads were to write, and nothing else. Raises `RunFailed`."""
    outputs = list(outputs)
    for workload in workloads:
        check_written(workload, outputs, staging)
    expected = {QUARANTINE, *(location.path.name for location in outputs)}
    if strange := sorted(set(os.listdir(staging)) - expected):
        raise RunFailed(
            f"the workloads have written what is no output port: {', '.join(map(show, strange[:5]))}, in {staging}",
            "Write each output port to its location and nothing beside it; keep other files inside inner/.",
        )


def check_written(workload: Workload, outputs: Iterable[Location], staging: Path) -> None:
    """Make sure that the workload has written its ports into `staging`. Raises `RunFailed`."""
    for location in outputs:
        if location.port.name in workload.writes:
            _check_port(workload, location, location.inside(staging))


def _check_port(workload: Workload, location: Location, data: Dataset) -> None:
    path, kind = data.path, _KINDS[location.is_folder, location.format]
    todo = f"Let it write {kind} to ${variable('OUTPUT', location.port.name)}."
    start = f"workload {show(workload.name)} has ended without writing output port {show(location.port.name)}"
    try:
        found = path.lstat()
    except FileNotFoundError:
        raise RunFailed(f"{start}: {path} does not exist", todo) from None
    wanted = stat.S_ISDIR if location.is_folder else stat.S_ISREG
    if not wanted(found.st_mode):
        raise RunFailed(f"{start}: {path} is {_what(found.st_mode)}", todo)
    for file in everything(path) if location.is_folder else (path,):
        found = file.lstat()
        if not stat.S_ISREG(found.st_mode):
            raise RunFailed(f"{start}: {file} is {_what(found.st_mode)}", todo)
        if found.st_nlink > 1:
            raise RunFailed(
                f"{start}: {file} is the same file as another one (a hard link), which could change it later",
                "Let it write a file of its own, or copy.",
            )
    try:
        data.files()
    except Unlisted as error:
        raise RunFailed(f"{start}: {error}", todo) from None


_KINDS = {
    (False, "parquet"): "one Parquet file",
    (True, "parquet"): "a folder of Parquet files, one folder for each value of the partition columns,",
    (True, "delta"): "a Delta table",
}


def _what(mode: int) -> str:
    if stat.S_ISREG(mode):
        return "a file"
    return "a folder" if stat.S_ISDIR(mode) else "a link" if stat.S_ISLNK(mode) else "no file"
