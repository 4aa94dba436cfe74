"""The git of a product and of the standard: what is asked of it, in as few processes as possible."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from outer.errors import UsageError
from outer.git import environment, reason
from outer.yamlfile import show

_SETTINGS = ("-c", "core.autocrlf=false", "-c", "core.fsmonitor=false", "-c", "core.quotePath=false",
             "-c", "advice.detachedHead=false", "-c", "gc.auto=0", "-c", "core.hooksPath=/dev/null",
             "-c", "safe.bareRepository=all")  # the suite's is ours, or was named by a person  # fmt: skip


def git(folder: Path, *arguments: str, variables: Mapping[str, str] | None = None, fine: tuple[int, ...] = (0,)) -> str:
    """What `git <arguments>` says in `folder`, whatever repository surrounds this process.

    No hook runs and nobody is asked for a password. Raises `UsageError` with git's words where it fails.
    """
    return git_bytes(folder, *arguments, variables=variables, fine=fine).decode("utf-8", "surrogateescape")


def git_bytes(
    folder: Path, *arguments: str, variables: Mapping[str, str] | None = None, fine: tuple[int, ...] = (0,)
) -> bytes:
    """The same, as bytes."""
    own = environment() | {"GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C", **(variables or {})}
    try:
        done = subprocess.run(["git", *_SETTINGS, *arguments], cwd=folder, env=own, capture_output=True, check=False)
    except OSError as error:
        raise UsageError(f"git cannot be started: {error.strerror}", "Install git.") from None
    if done.returncode not in fine:
        raise UsageError(
            f"git {arguments[0]} failed in {folder}: {reason(done.stderr)}", "See what git says there, and try again."
        )
    return done.stdout


@dataclass(frozen=True)
class State:
    """Where a product's working tree stands."""

    commit: str
    branch: str
    """Empty where HEAD is at a commit."""
    changed: tuple[str, ...]
    """Paths, from the product's root, that are not as committed; new files included, ignored ones not."""
    unmerged: tuple[str, ...]


def state(product: Path) -> State:
    """The state of the working tree of `product`. Raises `UsageError` where it has no repository or no commit."""
    try:
        said = git(product, "status", "--porcelain=v2", "--branch", "-z", "--untracked-files=all", "--", ".")
    except UsageError as error:
        if "not a git repository" not in error.what:
            raise
        raise UsageError(
            f"{product} is not in a git repository", "`git init`, commit, and try again: an update needs a way back."
        ) from None
    commit = branch = ""
    changed: list[str] = []
    unmerged: list[str] = []
    fields = iter(said.split("\0"))
    for line in fields:
        kind, _, rest = line.partition(" ")
        if line.startswith("# branch.oid "):
            commit = line.rpartition(" ")[2]
        elif line.startswith("# branch.head "):
            branch = line.rpartition(" ")[2]
        elif kind in ("1", "2"):
            changed.append(line.split(" ", 8 if kind == "1" else 9)[-1])
            if kind == "2":
                next(fields, None)  # where it came from
        elif kind == "u":
            unmerged.append(line.split(" ", 10)[-1])
        elif kind == "?":
            changed.append(rest)
    if commit == "(initial)" or not commit:
        raise UsageError(f"{product} has no commit yet", "Commit the product first: an update needs a way back.")
    return State(commit, "" if branch == "(detached)" else branch, tuple(changed), tuple(unmerged))


def ready(product: Path) -> State:
    """The state of a product whose working tree is clean. Raises `UsageError` where it is not."""
    now = state(product)
    if now.unmerged:
        names = ", ".join(map(show, now.unmerged[:5]))
        raise UsageError(
            f"{product}: a merge is unfinished: {names}", "Finish it, or give it up: `git merge --abort`, then again."
        )
    if now.changed:
        names = ", ".join(map(show, now.changed[:5])) + (
            f" and {more} more" if (more := len(now.changed) - 5) > 0 else ""
        )
        raise UsageError(
            f"{product}: the working tree has changes that are not committed: {names}",
            "Commit them or `git stash -u` them, then again: whatever the update changes must be seen for itself.",
        )
    return now


def git_folder(product: Path) -> tuple[Path, str]:
    """The folder that git keeps for the working tree around `product`, and the path of `product` in that tree."""
    for place in (product, *product.parents):
        git_here, below = place / ".git", product.relative_to(place).as_posix()
        if git_here.is_file():  # a worktree or submodule: one line says where it is kept
            return (place / git_here.read_text(encoding="utf-8").removeprefix("gitdir:").strip()).resolve(), below
        if git_here.is_dir():
            return git_here, below
    raise UsageError(f"{product} is not in a git repository", "`git init`, commit, and try again.")
