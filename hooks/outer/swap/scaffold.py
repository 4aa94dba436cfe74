"""The new inner, as the blueprint of the suite makes it for this product: rendered offline from the command itself."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from outer import suite
from outer.drift import managed_files
from outer.errors import OuterError, UsageError
from outer.product import ANSWERS, File
from outer.swap.journal import Write
from outer.swap.state import INNER, lines
from outer.update.by_copier import Refused, render
from outer.yamlfile import parse, show

_LINK = re.compile(r"\{% if blueprint == '([^']+)' %\}inner\{% endif %\}\Z")


@dataclass(frozen=True)
class Change:
    """Another blueprint for a product: the answers before and after, each as a file of answers."""

    before: File
    after: File


def blueprints() -> list[str]:
    """Names of the blueprints that the suite of this command offers."""
    found = (_LINK.match(path.name) for path in (suite.folder() / "template").iterdir())
    return sorted(match[1] for match in found if match)


def own_questions(blueprint: str) -> list[str]:
    """The questions that only `blueprint` asks."""
    path = suite.folder() / "blueprints" / blueprint / "questions.yml"
    asked = yaml.safe_load(path.read_text(encoding="utf-8")) if path.is_file() else None
    return [name for name in asked or {} if not name.startswith("_")]


def own_answers(answers: File, blueprint: str) -> dict[str, Any]:
    """What `answers` say to the questions that only `blueprint` asks."""
    return {name: answers.value[name] for name in own_questions(blueprint) if name in answers.value}


def check_blueprint(wanted: str, living: str) -> None:
    """Raise `UsageError` where `wanted` cannot replace the blueprint `living`."""
    known = blueprints()
    if wanted not in known:
        raise UsageError(f"there is no blueprint {show(wanted)} (there are: {', '.join(known)})", "Name one of these.")
    if wanted == living:
        raise UsageError(
            f"inner/ is built with {show(living)} already",
            f"Name another one: {', '.join(name for name in known if name != living) or 'there is none'}.",
        )


def change(answers: File, blueprint: str, given: Mapping[str, Any]) -> Change:
    """`answers` with another `blueprint`, and with what is `given` to its own questions.

    Raises `UsageError` for an answer to what the blueprint does not ask: all other answers are the outer's.
    """
    asked = own_questions(blueprint)
    for name in given:
        if name not in asked:
            raise UsageError(
                f"the blueprint {show(blueprint)} does not ask for {show(name)} "
                f"(it asks for: {', '.join(asked) or 'nothing of its own'})",
                "A swap changes the inner only. Other answers: copier update -r :current: -d NAME=VALUE.",
            )
    gone = set(own_questions(str(answers.value["blueprint"])))
    value = {name: entry for name, entry in answers.value.items() if name not in gone}
    return Change(answers, File(ANSWERS, parse(lines({**value, "blueprint": blueprint, **given}).encode())))


def rewrites(root: Path, wanted: Change) -> list[Write]:
    """The managed files that say which blueprint a product has, from their old content to the new.

    Today that is the file of answers alone. Raises `UsageError` where one was edited.
    """
    old, new = managed_files(wanted.before), managed_files(wanted.after)
    found = []
    for path in sorted(old.keys() | new.keys()):
        if old.get(path) == new.get(path):
            continue
        target = root / path
        now = target.read_bytes() if target.is_file() and not target.is_symlink() else None
        if now != old.get(path):
            raise UsageError(
                f"{path} is not as the standard made it, so it cannot be made to name the new blueprint",
                "See what differs: outer check. It restores the file with --fix and keeps yours aside.",
            )
        found.append(Write(path, old.get(path), new.get(path)))
    return found


@contextmanager
def rendered(area: Path, wanted: Change) -> Iterator[Path]:
    """Give the folder of the new inner, rendered below `area`; whoever wants to keep it moves it away.

    Raises `UsageError` where the blueprint does not take the answers of the product.
    """
    data = {name: entry for name, entry in wanted.after.value.items() if not name.startswith("_")}
    data["suite_url"] = str(wanted.after.value.get("_src_path"))
    data["suite_ref"] = str(wanted.after.value.get("_commit"))
    folder = Path(tempfile.mkdtemp(prefix="new-", dir=area))
    target = folder / "product"
    try:
        try:
            render(suite.folder(), target, data)
        except Refused as error:
            raise UsageError(
                f"the blueprint {show(data['blueprint'])} cannot be rendered with the answers of this product: {error}",
                "Answer its own questions with -d NAME=VALUE, or take a blueprint that fits the product's answers.",
            ) from None
        if not (target / INNER / "inner.yaml").is_file():
            raise OuterError("the blueprint has rendered no inner/inner.yaml", "Report this to its maintainers.")
        yield target / INNER
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def environments(folder: Path) -> list[Path]:
    """Virtual environments below `folder`: they hold their own path, and do not work when they are moved."""
    found, waiting = [], [folder]
    while waiting:
        for path in sorted(p for p in waiting.pop().iterdir() if p.is_dir() and not p.is_symlink()):
            if os.path.lexists(path / "pyvenv.cfg"):
                found.append(path)
            else:
                waiting.append(path)
    return found
