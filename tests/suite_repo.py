"""The suite as a git repository of its own, at a tag, and products made from it: what people meet, without the network.

Free of pytest, so that the demo and the benchmarks use it too. Nothing here reads the user's git or Copier settings.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from outer import __version__

ROOT = Path(__file__).resolve().parents[1]
TAG = f"v{__version__}"
ANSWERS = {"blueprint": "polars"}
"""The one answer without a default."""

_GIT = (
    "git",
    "-c", "user.name=Suite",
    "-c", "user.email=suite@example.com",
    "-c", "commit.gpgsign=false",
    "-c", "tag.gpgsign=false",
    "-c", "core.autocrlf=false",
    "-c", "core.hooksPath=/dev/null",
    "-c", "init.defaultBranch=main",
    "-c", "advice.detachedHead=false",
)  # fmt: skip


def git(folder: Path, *arguments: str | Path) -> str:
    """What `git <arguments>` prints in `folder`, whatever repository or user surrounds it."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    own["GIT_CONFIG_NOSYSTEM"] = "1"
    own["GIT_CONFIG_GLOBAL"] = os.devnull
    command = [*_GIT, *map(str, arguments)]
    done = subprocess.run(command, cwd=folder, env=own, capture_output=True, text=True, check=False)
    if done.returncode:
        raise AssertionError(f"{' '.join(command)} in {folder}:\n{done.stdout}{done.stderr}")
    return done.stdout


def clone(target: Path, tag: str = TAG) -> Path:
    """Put the suite's working tree, uncommitted changes included, into a new git repository at `tag`."""
    listed = git(ROOT, "ls-files", "--cached", "--others", "--exclude-standard", "-z")
    for name in filter(None, listed.split("\0")):
        source, copy = ROOT / name, target / name
        if source.is_symlink() or source.exists():  # git also lists what was deleted and not yet staged
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, copy, follow_symlinks=False)
    git(target, "init", "--quiet")
    return commit(target, tag)


def commit(folder: Path, tag: str | None = None) -> Path:
    """Commit all that lies in the repository `folder`, and tag it."""
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--allow-empty", "--message", tag or "Change")
    if tag:
        git(folder, "tag", tag)
    return folder


def release(suite: Path, version: str, changes: Mapping[str, str | bytes | None]) -> Path:
    """Release the suite again: write each of `changes` (None deletes), raise the version, tag it `v<version>`."""
    package = suite / "hooks" / "outer" / "__init__.py"
    text = package.read_text(encoding="utf-8")
    start = text.index('__version__ = "')
    package.write_text(f'{text[:start]}__version__ = "{version}"\n', encoding="utf-8")
    write(suite, changes)
    return commit(suite, f"v{version}")


def write(folder: Path, changes: Mapping[str, str | bytes | None]) -> None:
    """Write each path below `folder`; None deletes it."""
    for name, content in changes.items():
        path = folder / name
        if content is None:
            path.unlink()
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())


def render(target: Path, suite: Path, ref: str | None = TAG, **answers: Any) -> Path:
    """`copier copy` of `suite` at `ref` to `target`, headless and without trust; None takes a folder as it lies there."""
    from copier import run_copy

    run_copy(
        str(suite), target, data=ANSWERS | answers, vcs_ref=ref, defaults=True, quiet=True, unsafe=False
    )  # fmt: skip
    return target


def update(product: Path, ref: str | None = None, **answers: Any) -> Path:
    """`copier update --defaults` of the committed `product` to `ref` (None: the newest release), without trust."""
    from copier import run_update

    run_update(
        product, data=answers, vcs_ref=ref, defaults=True, overwrite=True, quiet=True, unsafe=False, conflict="inline"
    )
    return product


def start(product: Path) -> Path:
    """Make the folder `product` a git repository and commit it, as its README asks for."""
    git(product, "init", "--quiet")
    return commit(product)


def files(folder: Path, without: Iterable[str] = (".git",)) -> dict[str, Path]:
    """Every file and link below `folder`: path from it -> where it lies."""
    found: dict[str, Path] = {}
    for place, folders, names in os.walk(folder):
        folders[:] = sorted(set(folders) - set(without))
        for name in sorted(names) + [name for name in folders if Path(place, name).is_symlink()]:
            path = Path(place, name)
            found[path.relative_to(folder).as_posix()] = path
    return found


def contents(folder: Path) -> dict[str, bytes]:
    """Every file below `folder`: path from it -> its bytes; for a link, where it points."""
    return {
        name: os.fsencode(os.readlink(path)) if path.is_symlink() else path.read_bytes()
        for name, path in files(folder).items()
    }


def complaints(product: Path) -> list[str]:
    """What `outer check` of the working tree finds in `product`: `path:line: rule: message`, nothing when it is in order."""
    from outer.check import check
    from outer.product import load

    report = check(load(product), datetime.now(UTC).date())
    assert report.rules > 40, "nearly nothing was checked"
    crashed = [f"rule {rule} failed: {reason}" for rule, reason in report.crashed]
    return crashed + [f"{f.path}:{f.place.line}: {f.rule}: {f.message}" for f in report.findings]
