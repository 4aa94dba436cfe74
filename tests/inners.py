"""The inner of a blueprint by itself: in an environment of its own, installed from its lock, beside no product."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from collections.abc import Sequence
from pathlib import Path

import suite_repo

_LEFT_OVER = shutil.ignore_patterns(".venv", "target", "logs", "__pycache__", ".*_cache")


def install(blueprint: str, folder: Path, *options: str) -> Path:
    """A copy of the inner of `blueprint` below `folder`, with what `uv sync <options>` takes from its lock file."""
    inner = folder / "inner"
    shutil.copytree(suite_repo.ROOT / "blueprints" / blueprint / "inner", inner, ignore=_LEFT_OVER)
    call(["uv", "sync", "--frozen", "--quiet", *options], inner)
    return inner


def program(project: Path, name: str) -> Path:
    """A program of the environment that uv made in the folder `project`."""
    return project / ".venv" / (f"Scripts/{name}.exe" if os.name == "nt" else f"bin/{name}")


def call(
    command: Sequence[str | Path], cwd: Path, *, code: int = 0, both: bool = False, **environment: str
) -> str:  # fmt: skip
    """What `command` prints on stdout, or on `both`; it has to end with `code`. It knows nothing of our environment."""
    own = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    stderr = subprocess.STDOUT if both else subprocess.PIPE
    done = subprocess.run(
        command, cwd=cwd, env=own | environment, stdout=subprocess.PIPE, stderr=stderr, text=True, check=False
    )
    assert done.returncode == code, f"{list(map(str, command))}:\n{done.stdout}{done.stderr or ''}"
    return done.stdout


def free_port() -> int:
    """A port of this machine that nobody listens on."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])
