"""Managed files as they must be: rendered from the answers and the pin, offline, and compared byte for byte."""

from __future__ import annotations

import base64
import json
import os
import sys
import tempfile
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from hashlib import sha256
from pathlib import Path
from typing import Any

from outer import __version__, suite
from outer.errors import UsageError
from outer.product import ANSWERS, File


def managed_files(answers: File) -> Mapping[str, bytes]:
    """Every managed file of a product with these answers: path from its root -> content.

    Rendering takes Copier's import and half a second, so the result is kept per user, under a key of all that it
    depends on. Raises `UsageError` when the answers no longer fit the questions.
    """
    sources = suite.outer_half()
    key = sha256(__version__.encode())
    for path, content in sources.items():
        key.update(path.encode() + b"\0" + sha256(content).digest())
    key.update(json.dumps(answers.value, sort_keys=True).encode())
    kept = _cache_folder() / f"{key.hexdigest()}.json"
    with suppress(OSError, ValueError):
        known = json.loads(kept.read_bytes())
        return {path: base64.b64decode(content) for path, content in known.items()}
    rendered = _render(sources, answers)
    with suppress(OSError):  # a machine that keeps nothing is slower, not wrong
        kept.parent.mkdir(parents=True, exist_ok=True)
        packed = {path: base64.b64encode(content).decode() for path, content in rendered.items()}
        with tempfile.NamedTemporaryFile(dir=kept.parent, delete=False, mode="w") as file:
            json.dump(packed, file)
        os.replace(file.name, kept)
    return rendered


def _cache_folder() -> Path:
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return base / "data-product-blueprints" / "managed"


def _render(sources: Mapping[str, bytes], answers: File) -> Mapping[str, bytes]:
    from copier import run_copy

    data: dict[str, Any] = {k: v for k, v in answers.value.items() if not k.startswith("_")}
    data["suite_url"] = str(answers.value.get("_src_path"))
    data["suite_ref"] = str(answers.value.get("_commit") or "")
    data["managed_only"] = True
    with tempfile.TemporaryDirectory() as folder, only_this_configuration():
        # A copy of its own: in a checkout of the suite Copier would take the last commit instead of what lies there.
        template, target = Path(folder, "suite"), Path(folder, "product")
        for path, content in sources.items():
            (template / path).parent.mkdir(parents=True, exist_ok=True)
            (template / path).write_bytes(content)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                run_copy(
                    str(template),
                    str(target),
                    data=data,
                    defaults=True,
                    quiet=True,
                    overwrite=True,
                    answers_file=ANSWERS,
                )
        except Exception as error:  # Copier raises plain ValueError and many kinds of its own
            raise UsageError(
                f"{ANSWERS}: the managed files cannot be rendered from these answers: "
                f"{' '.join(str(error).split())[:300]}",
                "Run `copier update`; it asks for the answer that is missing or no longer allowed.",
            ) from None
        return {
            path.relative_to(target).as_posix(): path.read_bytes()
            for path in sorted(target.rglob("*"))
            if path.is_file()
        }


@contextmanager
def only_this_configuration() -> Iterator[None]:
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
