"""Runs the commands of the inner: each in a group of processes of its own, which ends with it."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import sysconfig
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from outer.errors import RunFailed
from outer.ports import QUARANTINE, Location, Locations, variable
from outer.publish import Area
from outer.receipt import file_of
from outer.talk import Talk, seconds

GRACE = 5.0
"""Seconds between asking a command to end and ending it."""

ROOM = 1 << 20
"""Bytes below which a disk counts as full."""

TAIL = 20
"""Lines of output that are shown when a command fails."""

TIMEOUT = timedelta(hours=1)
"""Longest time for `setup` and `test`, which cannot name one."""

# What tells Python and uv of an environment that is not the inner's own.
_FOREIGN = ("VIRTUAL_ENV", "VIRTUAL_ENV_PROMPT", "PYTHONPATH", "PYTHONHOME", "UV_PROJECT_ENVIRONMENT", "UV_PROJECT")
# What a git hook tells git of its repository: `git rev-parse --local-env-vars`, without settings and credentials.
_GIT = (
    "GIT_DIR", "GIT_WORK_TREE", "GIT_IMPLICIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX", "GIT_COMMON_DIR",
    "GIT_OBJECT_DIRECTORY", "GIT_ALTERNATE_OBJECT_DIRECTORIES", "GIT_GRAFT_FILE", "GIT_SHALLOW_FILE",
    "GIT_REPLACE_REF_BASE", "GIT_NO_REPLACE_OBJECTS", "GIT_NAMESPACE",
)  # fmt: skip


def environment(tools: Path) -> dict[str, str]:
    """The environment that commands of the inner start from: that of this process, without what belongs to it alone.

    Where the machine has no uv, one that is installed beside this command is offered through the folder `tools`, which
    then holds uv and nothing else: the Python of this command must not become the inner's.
    """
    kept = {
        name: value
        for name, value in os.environ.items()
        if name not in _FOREIGN
        and name not in _GIT
        and not name.startswith(("PORT_INPUT_", "PORT_OUTPUT_", "PORT_QUARANTINE_"))
        and name not in ("PORTS_FILE", "RUN_SINCE")
    }
    own = [Path(sys.prefix)] if sys.prefix != sys.base_prefix else []
    if active := os.environ.get("VIRTUAL_ENV"):
        own.append(Path(active))
    if any(kept.get("UV_PYTHON", "").startswith(str(prefix)) for prefix in own):
        del kept["UV_PYTHON"]  # as nox sets it
    foreign = {os.path.realpath(prefix / folder) for prefix in own for folder in ("bin", "Scripts")}
    paths = [p for p in kept.get("PATH", os.defpath).split(os.pathsep) if os.path.realpath(p) not in foreign]
    if shutil.which("uv", path=os.pathsep.join(paths)) is None:
        paths += _packaged_uv(tools)
    return {**kept, "PATH": os.pathsep.join(paths)}


def _packaged_uv(tools: Path) -> list[str]:
    uv = shutil.which("uv", path=sysconfig.get_path("scripts"))
    if uv is None:
        return []
    tools.mkdir(parents=True, exist_ok=True)
    link = tools / Path(uv).name
    try:
        link.symlink_to(Path(uv).resolve())
    except OSError:
        shutil.copy2(uv, link)
    return [str(tools)]


def describe(
    locations: Locations, area: Area, run_id: str, env: str, since: date | None, previous: Path | None
) -> dict[str, str]:
    """Tell workloads where their ports are: write PORTS_FILE, and give the variables that say the same."""

    def entry(location: Location, path: Path) -> dict[str, Any]:
        contract = location.port.contract
        return {
            "location": str(path),
            "format": location.format,
            "contract": str(locations.product_root / contract.file.path),
            "schema": [
                {
                    "name": c.name,
                    "logicalType": c.logical_type,
                    "physicalType": c.physical_type,
                    "required": c.required,
                }
                for c in contract.columns
            ],
        }

    def last(location: Location) -> str | None:
        name: str | None = location.path.name
        if previous and location.table:
            name = file_of(previous, location.port.contract.id, location.address)
        path = previous / name if previous and name else None
        return str(path) if path and path.exists() else None

    def output(location: Location) -> dict[str, Any]:
        described = {**entry(location, location.inside(staging).path), "previous": last(location)}
        columns = location.partitioned_by
        return {**described, "partitioned_by": list(columns)} if columns else described

    staging = area.staging(run_id)
    inputs = {i.port.name: entry(i, i.path) for i in locations.inputs}
    outputs = {o.port.name: output(o) for o in locations.outputs}
    aside = {
        i.port.name: {"location": str(staging / QUARANTINE / f"{i.port.name}.parquet"), "format": "parquet"}
        for i in locations.inputs
    }
    ports = {
        "environment": env,
        "run_id": run_id,
        "since": since.isoformat() if since else None,
        "inputs": inputs,
        "outputs": outputs,
        "quarantine": aside,
    }
    if aside:
        (staging / QUARANTINE).mkdir(mode=0o700, parents=True, exist_ok=True)
    # Beside the logs: with this file, a run can be looked into, and a workload be started by hand.
    file = area.logs(run_id) / "ports.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(ports, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    return {
        **{variable("INPUT", name): value["location"] for name, value in inputs.items()},
        **{variable("OUTPUT", name): value["location"] for name, value in outputs.items()},
        **{variable("QUARANTINE", name): value["location"] for name, value in aside.items()},
        "PORTS_FILE": str(file),
        **({"RUN_SINCE": since.isoformat()} if since else {}),
    }


def execute(
    command: str,
    *,
    name: str,
    cwd: Path,
    env: Mapping[str, str],
    log: Path,
    timeout: timedelta = TIMEOUT,
    talk: Talk,
    keep_open: tuple[int, ...] = (),
    started: Callable[[int], None] = lambda _group: None,
    advice: str = "",
) -> None:
    """Run `command` by the system's shell in `cwd` until it ends; what it prints goes to the file `log`.

    `keep_open` are file descriptors to inherit; `started` is told the id of its group of processes; `advice` says what
    to do when it fails, by default to read the log. Raises `RunFailed` when it fails or takes longer than `timeout`.
    However this function is left, nothing of the group is left running.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as output:
        # Not a pipe: a process that stays behind in the background could keep a pipe, and so the run, open for ever.
        process = subprocess.Popen(  # noqa: S602 (the team's own command, in the team's own words)
            command,
            shell=True,
            cwd=cwd,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            **_group_options(keep_open),
        )
    try:
        started(process.pid)
        ended = _watch(process, log, timeout, talk)
    except BaseException:
        _stop(process)
        raise
    if not ended:
        _stop(process)
        raise _failure(f"{name} took longer than {seconds(timeout.total_seconds())} and was stopped", log, talk, advice)
    _kill_group(process)
    if process.returncode:
        raise _failure(f"{name} failed: {_exit(process.returncode)}", log, talk, advice)


def _group_options(keep_open: tuple[int, ...]) -> dict[str, Any]:
    if sys.platform == "win32":
        return {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP}
    # A session of its own: Ctrl-C reaches this process alone, which then ends the group in order.
    return {"start_new_session": True, "pass_fds": keep_open}


def _watch(process: subprocess.Popen[bytes], log: Path, timeout: timedelta, talk: Talk) -> bool:
    """Wait for the end of `process`, passing on what it prints; say whether it ended in time."""
    deadline = time.monotonic() + timeout.total_seconds()
    with log.open("rb") as printed:
        rest = b""
        while True:
            left = deadline - time.monotonic()
            with suppress(subprocess.TimeoutExpired):
                process.wait(min(max(left, 0), 0.2 if talk.verbose else 5))
            ended = process.poll() is not None
            if talk.verbose:
                rest += printed.read()
                lines, rest = (rest, b"") if ended else _whole_lines(rest)
                talk.output(lines.decode("utf-8", "replace"))
            if ended or left <= 0:
                return ended


def _whole_lines(text: bytes) -> tuple[bytes, bytes]:
    end = text.rfind(b"\n") + 1
    return text[:end], text[end:]


def _stop(process: subprocess.Popen[bytes]) -> None:
    """Ask the group of `process` to end, then end it."""
    with suppress(BaseException):  # a second Ctrl-C must not leave anything running
        _signal_group(process, terminate=True)
        process.wait(GRACE)
    _kill_group(process)
    process.wait()


def _kill_group(process: subprocess.Popen[bytes]) -> None:
    _signal_group(process, terminate=False)


def _signal_group(process: subprocess.Popen[bytes], *, terminate: bool) -> None:
    if sys.platform == "win32":
        if process.poll() is None:
            subprocess.run(["taskkill", "/T", "/F", "/PID", str(process.pid)], capture_output=True, check=False)
    else:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGTERM if terminate else signal.SIGKILL)


def _exit(code: int) -> str:
    # A shell reports the signal that ended its command as 128 and its number.
    number = -code if code < 0 else code - 128
    with suppress(ValueError):
        name = signal.Signals(number).name
        return f"it was ended by {name}" + (", perhaps for want of memory" if name == "SIGKILL" else "")
    return f"exit code {code}" + (" (a command was not found)" if code == 127 else "")


def _failure(what: str, log: Path, talk: Talk, advice: str) -> RunFailed:
    lines = _last_lines(log)
    if lines and not talk.verbose:
        talk.fail("\n".join([f"the last lines of {log}:", *lines]))
    with suppress(OSError):
        if shutil.disk_usage(log.parent).free < ROOM:
            # What it printed of that may have had no room either.
            return RunFailed(f"{what}; there is no space left in {log.parent}", "Make room there and run again.")
    return RunFailed(what, advice or f"All that it printed: {log}")


def _last_lines(log: Path) -> list[str]:
    with suppress(OSError), log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - 16_384))
        text = file.read().decode("utf-8", "replace")
        lines = text.splitlines()[-TAIL:]
        return ["".join(c if c.isprintable() or c == "\t" else "?" for c in line)[:500] for line in lines]
    return []
