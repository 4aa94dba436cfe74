"""What an inner tells of those before it: swaps.yaml, one entry for each swap, in the inner and so in git."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from outer.errors import UsageError
from outer.swap.journal import Write
from outer.swap.report import Comparison, summary
from outer.swap.state import INNER, RECORD, lines

_HEAD = (
    "# Which inner replaced which, and how their data compared. Written by `outer swap`, for people.\n"
    "swaps:\n"
)  # fmt: skip


def entry(replaces: str, blueprint: str, comparison: Comparison | None, reason: str | None) -> str:
    """One more entry. `reason` is why differences were accepted, or why the old inner was taken back."""
    fields: dict[str, Any] = {
        "at": datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
        "from": replaces,
        "to": blueprint,
        "verdict": comparison.verdict if comparison else "not compared",
        "reason": reason,
    }
    if comparison is not None:
        fields |= {
            "environment": comparison.environment,
            "tolerance": comparison.tolerance,
            "failed": comparison.reason or None,
            "ports": summary(comparison),
        }
    first, _, rest = lines({k: v for k, v in fields.items() if v is not None}, "    ").partition("\n")
    return f"  - {first.strip()}\n{rest}"


def addition(root: Path, coming: str, text: str) -> Write:
    """The record for the inner in the folder `coming`: that of the living inner, and `text`.

    Raises `UsageError` where the coming inner has a file of that name that is no record.
    """
    living, target = root / INNER / RECORD, root / coming / RECORD
    before = target.read_bytes() if target.is_file() else None
    if before is not None and not before.startswith(_HEAD.encode()):
        raise UsageError(f"{coming}/{RECORD} is no record of swaps", "Give your file another name.")
    told = living.read_bytes() if living.is_file() else b""
    if not told.startswith(_HEAD.encode()):
        told = _HEAD.encode()
    if not told.endswith(b"\n"):
        told += b"\n"
    return Write(f"{coming}/{RECORD}", before, told + text.encode())
