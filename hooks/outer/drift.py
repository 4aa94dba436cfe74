"""Managed files as they must be: rendered from the answers and the pin, offline, and compared byte for byte."""

from __future__ import annotations

import base64
import json
import os
import sys
from collections.abc import Mapping
from contextlib import suppress
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from outer import __version__, suite
from outer.errors import UsageError
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
    from outer.machine import save  # only now: mostly the result is there

    packed = {path: base64.b64encode(content).decode() for path, content in rendered.items()}
    with suppress(OSError, UsageError):  # a machine that keeps nothing is slower, not wrong
        kept.parent.mkdir(parents=True, exist_ok=True)
        save(kept, json.dumps(packed).encode(), todo="")
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
