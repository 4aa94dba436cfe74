"""What Copier itself renders: the measure of `outer.update.render`, its fallback, and whole products beside it."""

from __future__ import annotations

import os
import shutil
import tempfile
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from outer.errors import UsageError
from outer.product import ANSWERS

INNER = "%}inner{%"
"""In the name of a folder that holds seeds only."""

_MADE = ("__pycache__", ".venv", ".*_cache")
"""What work on a blueprint leaves in a checkout of the suite."""


class Refused(Exception):
    """Copier does not render this; the message says why, on one line."""


def render(suite: Path, target: Path, data: Mapping[str, Any], *, without: Mapping[str, str] | None = None) -> None:
    """Render the suite in the folder `suite` into `target`, with the answers `data` and defaults for the rest.

    `without`: `template` or `blueprints` -> a pattern of names that are left out. Raises `Refused`, and `OSError` where
    the machine does not allow it.
    """
    from copier import run_copy

    with tempfile.TemporaryDirectory() as folder, _only_this_configuration(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        # A copy of its own: in a checkout Copier would take the last commit instead of what lies there.
        shutil.copyfile(suite / "copier.yml", Path(folder, "copier.yml"))
        for name in ("template", "blueprints"):
            ignored = shutil.ignore_patterns(*_MADE, *filter(None, [(without or {}).get(name)]))
            shutil.copytree(suite / name, Path(folder, name), symlinks=True, ignore=ignored)
        try:
            run_copy(
                folder, target, data=dict(data), defaults=True, quiet=True, overwrite=True, answers_file=ANSWERS
            )  # fmt: skip
        except OSError:
            raise
        except Exception as error:  # Copier raises plain ValueError and many kinds of its own
            raise Refused(" ".join(str(error).split())[:300]) from None


@contextmanager
def _only_this_configuration() -> Iterator[None]:
    """Keep the user's Copier settings and a surrounding git command out of a render."""
    before = dict(os.environ)
    with tempfile.TemporaryDirectory() as folder:
        settings = Path(folder, "settings.yml")
        settings.write_text("{}")
        for name in [name for name in os.environ if name.startswith("GIT_")]:
            del os.environ[name]
        os.environ["COPIER_SETTINGS_PATH"] = str(settings)
        try:
            yield
        finally:
            os.environ.clear()
            os.environ.update(before)


def managed(template: Path, answers: Mapping[str, Any], url: str, *, exact: bool) -> Mapping[str, tuple[bytes, bool]]:
    """The managed files of a product with these answers: path -> content, and whether it may be executed.

    `url` is the address of the suite as the answers file keeps it. Raises `UsageError` where Copier refuses.
    """
    data = {name: value for name, value in answers.items() if not name.startswith("_")}
    given = {"suite_url": url, "suite_ref": str(answers.get("_commit") or ""), "managed_only": True}
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder, "product")
        if not exact:  # answers of an earlier time: Copier takes the default where one is not allowed any more
            import yaml

            target.mkdir()
            (target / ANSWERS).write_text(yaml.safe_dump(dict(answers)), encoding="utf-8")
            data = {}
        try:
            render(template, target, data | given, without={"template": f"*{INNER}*", "blueprints": "inner"})
        except (Refused, OSError) as error:
            raise UsageError(
                f"{ANSWERS}: the managed files cannot be rendered from these answers: {error}",
                "Run `copier update`; it asks for the answer that is missing or no longer allowed.",
            ) from None
        return {
            path.relative_to(target).as_posix(): (path.read_bytes(), bool(path.stat().st_mode & 0o100))
            for path in sorted(target.rglob("*"))
            if path.is_file()
        }
