"""What the fleet asks of git. Nothing that a repository brings along is executed: no hook, no filter of its own."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from outer import git
from outer.errors import UsageError

SECONDS = 300
"""How long one command may take."""

_SAFE = (
    "git", "--no-pager", "-c", "core.hooksPath=/dev/null", "-c", "core.fsmonitor=false",
    "-c", "advice.detachedHead=false", "-c", "gc.auto=0", "-c", "maintenance.auto=false",
    "-c", "log.showSignature=false",
)  # fmt: skip


def environment(**more: str) -> dict[str, str]:
    """The environment of a git that asks nobody and belongs to no other repository."""
    return git.environment() | {
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_ALLOW_PROTOCOL": "file:https:ssh",
        "GIT_LFS_SKIP_SMUDGE": "1",
        "GIT_OPTIONAL_LOCKS": "0",
        "LC_ALL": "C",
        **more,
    }


def ask(folder: Path, *arguments: str, data: bytes | None = None, variables: Mapping[str, str] | None = None) -> bytes:
    """What `git <arguments>` prints in `folder`. Raises `UsageError` with git's own reason where it fails."""
    try:
        done = subprocess.run(
            [*_SAFE, *arguments], cwd=folder, env=environment(**(variables or {})), input=data or b"",
            capture_output=True, check=False, timeout=SECONDS,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise UsageError(f"git {arguments[0]} did not end within {SECONDS} s in {folder}", "Try again later.") from None
    except OSError as error:
        raise UsageError(f"git cannot be run ({error.strerror})", "Install git, or check the folder.") from None
    if done.returncode:
        raise UsageError(f"git {arguments[0]}: {git.reason(done.stderr)}", "Look after the repository.")
    return done.stdout


def mirror(address: str, clone: Path) -> None:
    """Have in the folder `clone`, which nobody works in, what the default branch of `address` holds now.

    Raises `UsageError` where the address cannot be read.
    """
    try:
        if (clone / ".git").is_dir():  # never thrown away: it may hold branches of updates that were not pushed
            ask(clone, "fetch", "--quiet", "--prune", "--tags", "--force", "origin")
            ask(clone, "remote", "set-head", "origin", "--auto")
            ask(clone, "checkout", "--quiet", "--force", "--detach", "origin/HEAD")
            ask(clone, "clean", "--quiet", "-ffd", "--exclude=/data/")
            return
        shutil.rmtree(clone, ignore_errors=True)  # what a clone that was interrupted left
        clone.parent.mkdir(parents=True, exist_ok=True)
        part = clone.with_name(f".{clone.name}.part")
        shutil.rmtree(part, ignore_errors=True)
        ask(clone.parent, "clone", "--quiet", "--no-recurse-submodules", "--", address, str(part))
        part.rename(clone)
    except UsageError as error:
        raise UsageError(f"{address} cannot be read: {error.what}", "Check address and access.") from None


def head(root: Path, ref: str = "HEAD") -> str:
    """The commit that the product in `root` is at, in full, or the one of `ref`; empty where git knows of none.

    Read from git's own files (gitrepository-layout): a process for every product would cost more than all the rest.
    """
    place = next((folder for folder in (root, *root.parents) if (folder / ".git").exists()), None)
    if place is None:
        return ""
    try:
        folder = place / ".git"
        if folder.is_file():
            folder = place / folder.read_text(encoding="utf-8").removeprefix("gitdir:").strip()
        name = ref
        if ref == "HEAD":
            name = (folder / "HEAD").read_text(encoding="utf-8").strip()
            if not name.startswith("ref: "):
                return name if len(name) in (40, 64) else ""
            name = name.removeprefix("ref: ")
        shared = (
            folder / (folder / "commondir").read_text("utf-8").strip() if (folder / "commondir").exists() else folder
        )
        if (shared / name).is_file():
            return (shared / name).read_text(encoding="utf-8").strip()
        packed = (shared / "packed-refs").read_text(encoding="utf-8").splitlines()
        return next((line.split(" ")[0] for line in packed if line.endswith(f" {name}")), "")
    except (OSError, ValueError):
        return ""


def dirty(root: Path) -> Sequence[str]:
    """Paths in the repository of `root` that are not as they were committed, those that git ignores left out."""
    told = ask(root, "status", "--porcelain=v1", "-z", "--untracked-files=normal")
    return [entry[3:].decode("utf-8", "replace") for entry in told.split(b"\0") if len(entry) > 3]


def top(root: Path) -> Path:
    """The folder of the repository around `root`. Raises `UsageError` where there is none."""
    return Path(ask(root, "rev-parse", "--show-toplevel").decode("utf-8", "surrogateescape").rstrip("\n"))
