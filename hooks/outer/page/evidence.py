"""What the runs in one environment have left behind, as the page needs it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from outer.dataset import Dataset
from outer.model import Port
from outer.ports import Location
from outer.publish import Area
from outer.receipt import InputRecord, OutputRecord, QuarantineRecord, Receipt, instant, read, standing

State = Literal["good", "warn", "bad", "none"]
"""How something stands, from best to worst; `none` is for what nobody has measured."""


def worst(states: Iterable[State]) -> State:
    """The worst of `states`; good where there is none."""
    order: Sequence[State] = ("none", "good", "warn", "bad")
    return max([*states, "good"], key=order.index)


@dataclass(frozen=True)
class Counts:
    """Results of an audit, counted."""

    passed: int
    failed: int
    not_checked: int

    @property
    def checked(self) -> int:
        return self.passed + self.failed


@dataclass(frozen=True)
class Evidence:
    """The published version and the latest run."""

    files: Mapping[str, Dataset]
    """Where each output port is published, by its name; empty while nothing is published."""
    receipt: Receipt | None
    """Receipt of the published version; None while nothing is published."""
    last: Receipt | None
    """Receipt of the latest run, also of one that failed."""
    restored: Receipt | None = None
    """Receipt of the rollback that published this version again; None where its own run did."""
    unknown: str = ""
    """Why nobody can say what is published; empty where that is known."""

    @property
    def published(self) -> datetime | None:
        """When the published version was published."""
        return instant(self.receipt.finished) if self.receipt else None

    @property
    def failed(self) -> Receipt | None:
        """Receipt of the latest run, if it failed after the published version was made."""
        if self.last is None or self.last.outcome != "failed":
            return None
        return self.last if self.receipt is None or self.last.run_id > self.receipt.run_id else None

    def input(self, port: Port) -> InputRecord | None:
        """What the published version was made from at the input port `port`."""
        return next((r for r in (self.receipt.inputs if self.receipt else ()) if r.port == port.name), None)

    def set_aside(self, port: Port) -> QuarantineRecord | None:
        """What the run that made the published version has set aside of the input port `port`."""
        return next((r for r in (self.receipt.quarantine if self.receipt else ()) if r.port == port.name), None)

    def output(self, port: Port) -> OutputRecord | None:
        """What is published at the output port `port`."""
        return next((r for r in (self.receipt.outputs if self.receipt else ()) if r.port == port.name), None)

    def results(self, port: str | None = None) -> tuple[Mapping[str, Any], ...]:
        """Results of the audit of the published version: all, or those of one port."""
        found = self.receipt.audit if self.receipt else ()
        return tuple(e for e in found if port is None or e.get("port") == port)

    def counts(self, port: str | None = None) -> Counts:
        outcomes = [str(e.get("outcome")) for e in self.results(port)]
        passed, failed = outcomes.count("passed"), outcomes.count("failed")
        # Whatever is neither was not checked: silence is never a pass.
        return Counts(passed, failed, len(outcomes) - passed - failed)

    def audited(self, port: str | None = None) -> State:
        """How the audit of one port, or of all, went."""
        counts = self.counts(port)
        if counts.failed:
            words = [e.get("severity") or "error" for e in self.results(port) if e.get("outcome") == "failed"]
            return "bad" if "error" in words else "warn"
        return "good" if counts.passed else "warn"


def gather(root: Path, locations: Iterable[Location]) -> Evidence:
    """Read the receipts below `root`, the folder that publishes. Raises `UsageError` for one that cannot be read."""
    area = Area(root)
    # The version itself, not the link to it: a run that publishes meanwhile must not mix two versions on one page.
    version = area.published()
    runs = sorted((root / "receipts").glob("*.json"), key=lambda path: path.name)
    return Evidence(
        files={location.port.name: location.inside(version) for location in locations} if version else {},
        receipt=read(version / "receipt.json") if version else None,
        last=read(runs[-1]) if runs else None,
        restored=standing(root / "receipts", version.name) if version else None,
    )
