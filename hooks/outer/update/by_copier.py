"""Managed files as Copier itself renders them: the measure of `outer.update.render`, and its fallback."""

from __future__ import annotations

import shutil
import tempfile
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from outer.errors import UsageError
from outer.product import ANSWERS

INNER = "%}inner{%"
"""In the name of a folder that holds seeds only."""


def managed(template: Path, answers: Mapping[str, Any], url: str, *, exact: bool) -> Mapping[str, tuple[bytes, bool]]:
    """The managed files of a product with these answers: path -> content, and whether it may be executed.

    `url` is the address of the suite as the answers file keeps it. Raises `UsageError` where Copier refuses.
    """
    from copier import run_copy

    from outer.drift import only_this_configuration

    data = {name: value for name, value in answers.items() if not name.startswith("_")}
    given = {"suite_url": url, "suite_ref": str(answers.get("_commit") or ""), "managed_only": True}
    with tempfile.TemporaryDirectory() as folder, only_this_configuration(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        # A copy of its own: in a checkout Copier would take the last commit instead of what lies there.
        suite, target = Path(folder, "suite"), Path(folder, "product")
        suite.mkdir()
        shutil.copyfile(template / "copier.yml", suite / "copier.yml")
        for name, seeds in (("template", f"*{INNER}*"), ("blueprints", "inner")):
            ignored = shutil.ignore_patterns("__pycache__", seeds)
            shutil.copytree(template / name, suite / name, symlinks=True, ignore=ignored)
        if not exact:  # answers of an earlier time: Copier takes the default where one is not allowed any more
            import yaml

            target.mkdir()
            (target / ANSWERS).write_text(yaml.safe_dump(dict(answers)), encoding="utf-8")
            data = {}
        try:
            run_copy(
                str(suite), target, data=data | given, defaults=True, quiet=True, overwrite=True,
                answers_file=ANSWERS,
            )  # fmt: skip
        except Exception as error:  # Copier raises plain ValueError and many kinds of its own
            raise UsageError(
                f"{ANSWERS}: the managed files cannot be rendered from these answers: "
                f"{' '.join(str(error).split())[:300]}",
                "Run `copier update`; it asks for the answer that is missing or no longer allowed.",
            ) from None
        return {
            path.relative_to(target).as_posix(): (path.read_bytes(), bool(path.stat().st_mode & 0o100))
            for path in sorted(target.rglob("*"))
            if path.is_file()
        }
