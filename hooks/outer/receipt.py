"""The receipt of a run: what went in, what came out, by which rules, and how to prove it.

One JSON object, `format` 1:

    format        1; a reader refuses another number
    run_id        20261122T081530Z-3f9a1c
    product       {id, version} of the descriptor
    environment   local, dev, …
    started, finished   ISO 8601 in UTC; `finished` of a published run is the moment of its publication
    outcome       published | failed;  reason: one line, why it failed
    previous      run_id of the version that was published before, or null
    since         YYYY-MM-DD of an incremental run, or null
    pin           {_commit, _src_path} of .copier-answers.yml: the standard that the product was rendered from
    outer_version, outer_hash   the command that ran, and SHA-256 over outer/ (see `fingerprint.outer`)
    inner_hash    SHA-256 over inner/ (see `fingerprint.inner`)
    lineage_run   id of the run in OpenLineage events
    inputs        [{port, contract, version, location, bytes, rows, sha256}]; sha256 is null for files beyond 1 GiB,
                  and for one that was replaced while the run read it
    outputs       [{port, contract, version, file, location, rows, bytes, sha256, fingerprint}]; `fingerprint` is of the
                  rows, not of the file (see `fingerprint.content`)
    audit         [{port, rule, outcome, severity, how, …}]: every rule of the output contracts (see `result.Result`)
    input_audit   the same for the inputs
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from outer.errors import UsageError
from outer.result import AuditReport

FORMAT = 1


@dataclass(frozen=True)
class InputRecord:
    """An input as it was read."""

    port: str
    contract: str
    version: str
    location: str
    bytes: int
    rows: int
    sha256: str | None


@dataclass(frozen=True)
class OutputRecord:
    """An output as it was published. `location` is the path that the contract promises, through `current`."""

    port: str
    contract: str
    version: str
    file: str
    location: str
    rows: int
    bytes: int
    sha256: str
    fingerprint: str


@dataclass(frozen=True)
class Receipt:
    """The receipt of one run; the fields are explained above."""

    run_id: str
    product: Mapping[str, str]
    environment: str
    started: str
    finished: str
    outcome: Literal["published", "failed"]
    reason: str
    previous: str | None
    since: str | None
    pin: Mapping[str, str | None]
    outer_version: str
    outer_hash: str
    inner_hash: str
    lineage_run: str
    inputs: tuple[InputRecord, ...] = ()
    outputs: tuple[OutputRecord, ...] = ()
    audit: tuple[Mapping[str, Any], ...] = ()
    input_audit: tuple[Mapping[str, Any], ...] = ()

    def as_json(self) -> bytes:
        fields = {"format": FORMAT, **asdict(self)}
        return (json.dumps(fields, indent=2, ensure_ascii=False, default=str) + "\n").encode("utf-8", "replace")


def read(path: Path) -> Receipt:
    """Read the receipt at `path`. Raises `UsageError` for anything but a receipt of this format."""
    try:
        value = json.loads(path.read_bytes())
        if not isinstance(value, dict) or value.pop("format", None) != FORMAT:
            raise ValueError(f"it is not a receipt of format {FORMAT}")
        for side, record in (("inputs", InputRecord), ("outputs", OutputRecord)):
            value[side] = tuple(record(**entry) for entry in value[side])
        for part in ("audit", "input_audit"):
            value[part] = tuple(value[part])
        receipt = Receipt(**value)
        instant(receipt.finished)
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        said = error.strerror if isinstance(error, OSError) else error
        raise UsageError(
            f"{path}: the receipt cannot be read: {said}",
            "Publish again with `outer run`; the next receipt replaces it.",
        ) from None
    return receipt


def results(reports: Iterable[tuple[str, AuditReport]]) -> tuple[Mapping[str, Any], ...]:
    """The results of audits, each with the name of its port, as a receipt lists them."""
    return tuple({"port": port, **result.as_dict()} for port, report in reports for result in report.results)


def moment(time: datetime) -> str:
    """`time` as receipts write it: ISO 8601 in UTC, with milliseconds."""
    return time.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def instant(text: str) -> datetime:
    """The time that a receipt wrote. Raises `ValueError`."""
    time = datetime.fromisoformat(text)
    if time.tzinfo is None:
        raise ValueError(f"{text} has no time zone")
    return time
