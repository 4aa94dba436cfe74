"""The page of `outer fleet status --html`: one file that needs nothing else, to be sorted and searched."""

from __future__ import annotations

from pathlib import Path

from outer.fleet.catalog import filled
from outer.fleet.status import Status
from outer.machine import save


def write(found: Status, target: Path) -> None:
    """Write the page of `found` to the file `target`. Raises `UsageError` where it cannot be written."""
    html = filled("status.html.jinja", "status.js", found=found)
    save(target, html.encode("utf-8", "replace"), todo="Name another file: --html FILE.")
