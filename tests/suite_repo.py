"""The suite as a git repository of its own, at a tag, and products made from it: what people meet, without the network.

Free of pytest, so that the demo and the benchmarks use it too. Nothing here reads the user's git or Copier settings.
"""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml

from outer import __version__
from outer.errors import UsageError

ROOT = Path(__file__).resolve().parents[1]
TAG = f"v{__version__}"
ANSWERS = {"blueprint": "polars"}
"""The one answer without a default."""
CURRENT = ":current:"
"""The release that a product is at."""
OWN_ENVIRONMENT = ("VIRTUAL_ENV", "VIRTUAL_ENV_PROMPT", "UV_PROJECT", "UV_PROJECT_ENVIRONMENT", "UV_PYTHON")
"""Variables of nox that lead every uv to the environment of the tests; a product's would empty and refill that."""

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


def change(path: Path, *pairs: tuple[str, str]) -> None:
    """Replace the first of each pair by the second, once, in the file at `path`; it must be there."""
    text = path.read_bytes().decode()
    for old, new in pairs:
        assert old in text, f"{path} does not hold {old!r}"
        text = text.replace(old, new, 1)
    path.write_bytes(text.encode())


def render(target: Path, suite: Path | str, ref: str | None = TAG, *, overwrite: bool = False, **answers: Any) -> Path:
    """`copier copy` of `suite` at `ref` to `target`, without a terminal or trust; None takes a folder as it is.

    `overwrite` lets a blueprint through that is retired: docs/how-to/retire-a-blueprint.md.
    """
    from copier import run_copy

    told = ANSWERS | answers
    run_copy(
        str(suite), target, data=told, vcs_ref=ref, defaults=True, quiet=True, unsafe=False, overwrite=overwrite
    )  # fmt: skip
    return target


def update(product: Path, ref: str | None = None, **answers: Any) -> Path:
    """`copier update --defaults` of the committed `product`, without trust.

    To `ref`; to the newest release when it is None, and to the release that the product has when it is CURRENT.
    """
    from copier import VcsRef, run_update

    target = VcsRef.CURRENT if ref == CURRENT else ref
    run_update(
        product,
        data=answers,
        vcs_ref=target,
        defaults=True,
        overwrite=True,
        quiet=True,
        unsafe=False,
        conflict="inline",
    )
    return product


def recopy(product: Path) -> Path:
    """`copier recopy` of `product` at the release and with the answers that it has, as `outer check` advises."""
    from copier import VcsRef, run_recopy

    run_recopy(
        product, vcs_ref=VcsRef.CURRENT, defaults=True, skip_answered=True, overwrite=True, quiet=True, unsafe=False
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


def executable(folder: Path) -> set[str]:
    """Paths of the files below `folder` that may be executed."""
    return {name for name, path in files(folder).items() if not path.is_symlink() and path.stat().st_mode & 0o100}


def is_seed(path: str) -> bool:
    """Whether the file at `path` of a product was written once and is the team's. Every other one is managed."""
    return path == "README.md" or (path.startswith(("inner/", "outer/")) and path != "outer/standard.yaml")


def complaints(product: Path) -> list[str]:
    """What `outer check` finds in `product`: `path:line: rule: message`; nothing when it is in order."""
    from outer.check import check
    from outer.product import load

    report = check(load(product), datetime.now(UTC).date())
    assert report.rules > 40, "nearly nothing was checked"
    assert not report.crashed
    return [f"{f.path}:{f.place.line}: {f.rule}: {f.message}" for f in report.findings]


def complaints_of(command: Sequence[str | Path], product: Path, **environment: str) -> list[str]:
    """The same, judged by the `outer` that the Python started by `command` finds in this `environment`."""
    script = "import sys, pathlib, suite_repo; print(*suite_repo.complaints(pathlib.Path(sys.argv[1])), sep='\\n')"
    paths = [environment.pop("PYTHONPATH", ""), str(Path(__file__).parent)]
    environment |= {"PYTHONPATH": os.pathsep.join(filter(None, paths))}
    done = subprocess.run(
        [*command, "-c", script, product], env=os.environ | environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return [line for line in done.stdout.splitlines() if line]


@functools.cache
def downloads() -> Mapping[str, str]:
    """Where packages and interpreters are kept that were downloaded before; else every set-up would fetch them."""
    uv = str(Path(sys.executable).with_name("uv"))
    uv = uv if shutil.which(uv) else "uv"
    found: dict[str, str] = {}
    for variable, command in {
        "UV_CACHE_DIR": [uv, "cache", "dir"],
        "UV_PYTHON_INSTALL_DIR": [uv, "python", "dir"],
        "PIP_CACHE_DIR": [sys.executable, "-m", "pip", "cache", "dir"],
    }.items():
        if variable in os.environ:
            found[variable] = os.environ[variable]
        elif shutil.which(command[0]):
            told = subprocess.run(command, capture_output=True, text=True, check=False)
            if told.returncode == 0:
                found[variable] = told.stdout.strip()
    return found


def questions(folder: Path = ROOT) -> dict[str, dict[str, Any]]:
    """Every question of the suite in `folder` by its name, those of the blueprints last."""
    return {name: entry for name, entry in settings(folder).items() if not name.startswith("_")}


def choices(question: Mapping[str, Any]) -> list[Any]:
    """The values that a question of copier.yml offers; none where it takes any text."""
    if question.get("type") == "bool":
        return [True, False]
    offered = question.get("choices", [])
    values = offered.values() if isinstance(offered, dict) else offered
    return [value["value"] if isinstance(value, dict) else value for value in values]


def settings(folder: Path = ROOT) -> dict[str, Any]:
    """All that copier.yml of the suite in `folder` says, with what it includes."""

    class Loader(yaml.SafeLoader):
        pass

    def include(_: Loader, node: yaml.ScalarNode) -> dict[str, Any]:
        merged: dict[str, Any] = {}
        for path in sorted(folder.glob(str(node.value))):
            try:
                merged |= yaml.safe_load(path.read_text(encoding="utf-8")) or {}
            except (yaml.YAMLError, TypeError, ValueError) as error:
                said = " ".join(str(error).split())
                raise UsageError(f"{path.relative_to(folder)}: no questions of Copier: {said}", "Mend it.") from None
        return merged

    Loader.add_constructor("!include", include)
    merged: dict[str, Any] = {}
    for document in yaml.load_all((folder / "copier.yml").read_text(encoding="utf-8"), Loader):
        merged |= document
    return merged


def plant_blueprint(suite: Path, name: str) -> Path:
    """Give the repository `suite` one more blueprint, tiny and complete, as `copier.yml` offers it; commit it."""
    copier = suite / "copier.yml"
    text = copier.read_text(encoding="utf-8")
    head, choices = text.split("\nblueprint:\n", 1)
    before, after = choices.split("  choices:\n", 1)
    offered = f"  choices:\n    {name.capitalize()}: {name}\n"
    copier.write_text(f"{head}\nblueprint:\n{before}{offered}{after}", encoding="utf-8")
    inner = "{setup: 'true', workloads: [{name: build, technology: NAME, reads: [flights, airlines],\n"
    inner += "  writes: [{{ output_port }}], depends_on: [], run: sh build.sh}], storage: [], test: 'true'}\n"
    write(
        suite / "blueprints" / name,
        {
            "blueprint.yml": f"{{name: {name}, technology: {name}}}\n",
            "questions.yml": "{}\n",
            "README.md": "# Planted\n",
            "inner/inner.yaml.jinja": inner.replace("NAME", name),
            "inner/build.sh": 'cp "$PORT_INPUT_FLIGHTS" "$PORT_OUTPUT_X"\n',
        },
    )
    link = suite / "template" / f"{{% if blueprint == '{name}' %}}inner{{% endif %}}"
    link.symlink_to(f"../blueprints/{name}/inner")
    return commit(suite)
