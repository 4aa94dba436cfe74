"""Migrates and judges one product after another for a program of another version, which updates products to this one.

One JSON object on a line of stdin for each product, one on stdout for each answer. A fleet is served by one process.
"""

from __future__ import annotations

import json
import sys
from contextlib import redirect_stdout
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from outer import __version__
from outer.errors import NothingChecked, OuterError

FORMAT = 1
"""Version of the lines; new keys alone do not change it."""


def answer(request: dict[str, Any]) -> dict[str, Any]:
    """Migrate the product that `request` names (unless `dry_run`), and judge it as it stands then (if `check`)."""
    from outer.check import check
    from outer.migrate import plan, write
    from outer.product import load
    from outer.report import View
    from outer.report.data import as_json

    root = Path(request["product"])
    as_of = date.fromisoformat(request["as_of"]) if request.get("as_of") else datetime.now(UTC).date()
    reply: dict[str, Any] = {"files": [], "steps": [], "left": [], "report": None}
    try:
        planned = plan(root)
    except NothingChecked:
        pass  # the gate says what is missing
    else:
        if not request.get("dry_run"):
            write(planned)
        reply["files"] = list(planned.files)
        reply["steps"] = [step.migration.title for step in planned.steps if step.files]
        reply["left"] = [f"{left.place}: {left.what}" for left in planned.left]
    if request.get("check"):
        reply["report"] = json.loads(as_json(check(load(root), as_of), View()))
    return reply


def main() -> int:
    """Answer every line of stdin until its end."""
    print(json.dumps({"format": FORMAT, "outer": __version__}), flush=True)
    for line in sys.stdin:
        try:
            with redirect_stdout(sys.stderr):  # stdout is for answers alone, whatever a migration prints
                reply = {"ok": True, **answer(json.loads(line))}
        except OuterError as error:
            reply = {"ok": False, "what": error.what, "todo": error.todo}
        except Exception as error:  # one product's trouble must not end the others' update
            reply = {"ok": False, "what": f"internal error: {type(error).__name__}: {error}", "todo": ""}
        print(json.dumps(reply), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
