"""The suite that this command belongs to: where its template lies, and which version it is.

An installed command carries copier.yml, template/ and blueprints/ inside the package; in a checkout of the suite they
lie beside hooks/.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from outer import __version__
from outer.errors import OuterError

INNER = "%}inner{%"
"""In the name of every link, or folder, of template/ whose files land in inner/."""

_DESCRIBED = re.compile(r"-[0-9]+-g[0-9a-f]{7,}\Z")


def folder() -> Path:
    """Folder that holds copier.yml, template/ and blueprints/."""
    package = Path(__file__).resolve().parent
    for place in (package / "_suite", package.parent.parent):
        if (place / "copier.yml").is_file():
            return place
    raise OuterError(
        "the template of the standard was not found beside this command",
        "Install the command again; the package is incomplete.",
    )


def outer_half() -> Mapping[str, bytes]:
    """Everything of the suite that a managed file can come from: path from its root -> content."""
    root = folder()
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in _sources(root)}


def _sources(root: Path) -> Iterator[Path]:
    yield root / "copier.yml"
    yield root / "blueprints" / ".link-probe"
    yield from sorted((root / "blueprints").glob("*/questions.yml"))
    folders = [root / "template"]
    while folders:
        for path in sorted(folders.pop().iterdir()):
            if path.name == "__pycache__":
                continue
            if path.is_file():
                yield path
            # What lands in inner/ is seeds only; managed files never come from there.
            elif not path.is_symlink() and INNER not in path.name:
                folders.append(path)


def is_version(pin: str) -> bool | None:
    """Whether the pin of a product names the version of this command.

    None when it cannot be said: the pin is a bare commit, as products of an untagged suite have it.
    """
    base = _DESCRIBED.sub("", pin).removeprefix("v")
    if not re.match(r"[0-9]+\.[0-9]", base):
        return None
    return base == __version__
