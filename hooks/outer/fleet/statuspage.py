"""The page of `outer fleet status --html`: one file that needs nothing else, to be sorted and searched."""

from __future__ import annotations

from pathlib import Path

from outer import __version__
from outer.fleet.status import Status
from outer.machine import save
from outer.page import content_policy, style, templates

_HERE = Path(__file__).parent / "catalog"


def write(found: Status, target: Path) -> None:
    """Write the page of `found` to the file `target`. Raises `UsageError` where it cannot be written."""
    css = f"{style()}\n{(_HERE / 'catalog.css').read_text(encoding='utf-8').strip()}"
    script = (_HERE / "status.js").read_text(encoding="utf-8").strip()
    html = (
        templates(_HERE)
        .get_template("status.html.jinja")
        .render(css=css, script=script, policy=content_policy(css, script), tool=__version__, found=found)
    )
    save(target, html.encode("utf-8", "replace"), todo="Name another file: --html FILE.")
