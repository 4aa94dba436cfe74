"""Git as every command asks it: whatever repository surrounds this process, and running nothing a repository brings."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

_KEPT = (
    "GIT_CONFIG_GLOBAL", "GIT_CONFIG_NOSYSTEM", "GIT_CONFIG_COUNT", "GIT_CONFIG_KEY_", "GIT_CONFIG_VALUE_",
    "GIT_SSH", "GIT_ASKPASS", "GIT_SSL_",
)  # fmt: skip
"""How variables of git begin that say how to reach something, not which repository is meant."""

# To read runs nothing of a repository, so its owner does not matter: containers often run as another user than the one
# who cloned.
_READING = ("git", "-c", "safe.directory=*", "-c", "core.fsmonitor=false", "-c", "log.showSignature=false")


def environment() -> dict[str, str]:
    """The environment of this process without the repository that a git hook would name in it."""
    return {name: value for name, value in os.environ.items() if not name.startswith("GIT_") or name.startswith(_KEPT)}


def printed(folder: Path, *arguments: str) -> bytes:
    """What the reading command `git <arguments>` prints in `folder`; nothing where it fails, or there is no git."""
    own = environment() | {"GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C"}
    try:
        done = subprocess.run(
            [*_READING, *arguments], cwd=folder, env=own, stdin=subprocess.DEVNULL, capture_output=True, check=False,
            timeout=60,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired):
        return b""
    return done.stdout if done.returncode == 0 else b""


def public(address: str) -> str:
    """`address` of a repository as it may be shown: without the user and the password in it."""
    return re.sub("//[^/@]*@", "//", address)


def reason(stderr: bytes) -> str:
    """Why git failed, in one line of what it said."""
    lines = [line.strip() for line in stderr.decode("utf-8", "replace").splitlines() if line.strip()]
    said = next((line for line in lines if line.startswith(("fatal:", "error:"))), lines[0] if lines else "it failed")
    words = said.partition(": ")[2] if said.startswith(("fatal:", "error:")) else said
    return "".join(c if c.isprintable() else " " for c in words)[:200]
