"""Managed files as they must be: rendered from the answers and the pin, offline, and compared byte for byte."""

from __future__ import annotations

import base64
import json
import os
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from outer import __version__, suite
from outer.product import File

if TYPE_CHECKING:
    from outer.update.render import Template


def managed_files(answers: File) -> Mapping[str, bytes]:
    """Every managed file of a product with these answers: path from its root -> content.

    The first rendering takes Copier's import and half a second, so the result is kept per user, under a key of all that
    it depends on. Raises `UsageError` when the answers no longer fit the questions.
    """
    sources = suite.outer_half()
    key = sha256(__version__.encode())
    for path, content in sources.items():
        key.update(path.encode() + b"\0" + sha256(content).digest())
    state = key.hexdigest()
    key.update(json.dumps(answers.value, sort_keys=True).encode())
    kept = cache_folder() / "managed" / f"{key.hexdigest()}.json"
    with suppress(OSError, ValueError):
        known = json.loads(kept.read_bytes())
        return {path: base64.b64decode(content) for path, content in known.items()}
    rendered = {path: file.content for path, file in _template(state).managed(answers.value).items()}
    with suppress(OSError):  # a machine that keeps nothing is slower, not wrong
        kept.parent.mkdir(parents=True, exist_ok=True)
        packed = {path: base64.b64encode(content).decode() for path, content in rendered.items()}
        with tempfile.NamedTemporaryFile(dir=kept.parent, delete=False, mode="w") as file:
            json.dump(packed, file)
        os.replace(file.name, kept)
    return rendered


def cache_folder() -> Path:
    """Where this suite keeps what can be made again, for the user."""
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return base / "data-product-blueprints"


@lru_cache(maxsize=1)
def _template(state: str) -> Template:
    """The template of this suite, while its files are in this `state`."""
    from outer.update.render import Template

    return Template(suite.folder())


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
