"""The receipt of a run: what went in, what came out, by which rules, and how to prove it.

One JSON object, `format` 1:

    format        1; a reader refuses another number
    run_id        20261122T081530Z-3f9a1c
    product       {id, version} of the descriptor
    environment   local, dev, …
    started, finished   ISO 8601 in UTC; `finished` of a published run is the moment of its publication
    outcome       published | failed | restored (by `outer rollback`)
    reason        one line: why it failed, or was rolled back
    restored      run_id of the version that a rollback published again, or null
    previous      run_id of the version that was published before, or null
    since         YYYY-MM-DD of an incremental run, or null
    pin           {_commit, _src_path} of .copier-answers.yml: the standard that the product was rendered from
    outer_version, outer_hash   the command that ran, and SHA-256 over outer/ (see `fingerprint.outer`)
    inner_hash    SHA-256 over inner/ (see `fingerprint.inner`)
    lineage_run   id of the run in OpenLineage events
    inputs        [{port, contract, version, location, bytes, rows, sha256, format}]; sha256 is null for data beyond
                  1 GiB, and for those that were replaced while the run read them
    outputs       [{port, contract, version, file, location, rows, bytes, sha256, fingerprint, format, files}]; `file`
                  is a folder for Delta and partitioned Parquet, with `files` data files that count for `bytes`;
                  `sha256` is of the file, or of all that the folder holds (see `Dataset.sha256`); `fingerprint` is of
                  the rows, whatever holds them (see `fingerprint.content`)
    quarantine    [{port, rows, share, file}]: rows of an input that a workload has set aside, as a share of that
                  input's rows; `file` is relative to the folder that publishes
    audit         [{port, rule, outcome, severity, how, …}]: every rule of the output contracts (see `result.Result`)
    input_audit   the same for the inputs
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from outer.errors import UsageError
from outer.product import Product
from outer.result import AuditReport
from outer.talk import counted
from outer.yamlfile import show

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
    format: str = "parquet"


@dataclass(frozen=True)
class OutputRecord:
    """An output as it was published. `location` is where consumers find it: the path or table of the contract."""

    port: str
    contract: str
    version: str
    file: str
    location: str
    rows: int
    bytes: int
    sha256: str
    fingerprint: str
    format: str = "parquet"
    files: int = 1


@dataclass(frozen=True)
class QuarantineRecord:
    """Rows of the input `port` that a workload has set aside."""

    port: str
    rows: int
    share: float
    """Of the rows of the input, from 0 to 1."""
    file: str
    """Relative to the folder that publishes."""

    def sentence(self) -> str:
        """The record for people."""
        return f"{self.port}: {counted(self.rows, 'row')} ({self.share:.2%}) set aside: {self.file}"


@dataclass(frozen=True)
class Receipt:
    """The receipt of one run; the fields are explained above."""

    run_id: str
    product: Mapping[str, str]
    environment: str
    started: str
    finished: str
    outcome: Literal["published", "failed", "restored"]
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
    quarantine: tuple[QuarantineRecord, ...] = ()
    restored: str | None = None

    def as_json(self) -> bytes:
        value = {"format": FORMAT, **asdict(self)}
        return (json.dumps(value, indent=2, ensure_ascii=False, default=str) + "\n").encode("utf-8", "replace")


def read(path: Path) -> Receipt:
    """Read the receipt at `path`. Raises `UsageError` for anything but a receipt of this format."""
    try:
        value = json.loads(path.read_bytes())
        if not isinstance(value, dict) or value.pop("format", None) != FORMAT:
            raise ValueError(f"it is not a receipt of format {FORMAT}")
        value.setdefault("quarantine", ())  # receipts of older versions have none
        for side, record in _RECORDS.items():
            value[side] = tuple(record(**_known(record, entry)) for entry in value[side])
        for part in ("audit", "input_audit"):
            value[part] = tuple(value[part])
        receipt = Receipt(**_known(Receipt, value))
        instant(receipt.finished)
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        said = error.strerror if isinstance(error, OSError) else error
        raise UsageError(
            f"{path}: the receipt cannot be read: {said}",
            "Publish again with `outer run`. One below receipts/ that stays unreadable may be removed.",
        ) from None
    return receipt


_MAJOR = re.compile(r":[0-9]+\Z")
"""The end of an id, `urn:dmb:dp:<domain>:<name>:<major>`."""


def check_owner(version: Path | None, product: str) -> None:
    """Raise `UsageError` where `version` is that of another product than the one with the id `product`.

    Another major of a product is the same product. A receipt that cannot be read says nothing.
    """
    owner: object = None
    with suppress(UsageError):
        owner = read(version / "receipt.json").product.get("id") if version else None
    if version and owner is not None and not same_product(owner, product):
        root = version.parent.parent
        raise UsageError(
            f"{root} publishes another product, {show(str(owner))}",
            "Give each product a folder of its own (DATA_ROOT). If it is this one under an older id, remove the link "
            f"{root / 'current'}.",
        )


def same_product(owner: object, product: str) -> bool:
    """Whether a receipt that names `owner` is one of the product with the id `product`, in whatever major."""
    return _MAJOR.sub("", str(owner)) == _MAJOR.sub("", product)


def file_of(version: Path, contract: str, address: str) -> str | None:
    """Name of the file in `version` that was published at `address` by the contract with this id; None where none was.

    A port's name does not tell: when a newer major comes, the name is that one's. A receipt that cannot be read tells
    of none.
    """
    with suppress(UsageError):
        for record in read(version / "receipt.json").outputs:
            if (record.contract, record.location) == (contract, address):
                return record.file
    return None


def standing(folder: Path, run_id: str) -> Receipt | None:
    """The receipt of the rollback by which the version `run_id` is published; None where its own run published it.

    `folder` holds the receipts of all runs. Raises `UsageError` for one that cannot be read.
    """
    for path in sorted(folder.glob("*.json"), reverse=True):
        receipt = read(path)
        if receipt.outcome != "failed":
            return receipt if receipt.restored == run_id else None
    return None


_RECORDS: Mapping[str, type[Any]] = {
    "inputs": InputRecord,
    "outputs": OutputRecord,
    "quarantine": QuarantineRecord,
}


def _known(record: type[Any], entry: Mapping[str, Any]) -> dict[str, Any]:
    """What this version knows of `entry`: a later one may have added fields within the format."""
    names = {field.name for field in fields(record)}
    return {key: value for key, value in entry.items() if key in names}


def results(reports: Iterable[tuple[str, AuditReport]]) -> tuple[Mapping[str, Any], ...]:
    """The results of audits, each with the name of its port, as a receipt lists them."""
    return tuple({"port": port, **result.as_dict()} for port, report in reports for result in report.results)


def pin(product: Product) -> Mapping[str, str | None]:
    """The standard that `product` was rendered from, as its answers name it."""
    found = {key: product.answers.get(key) if product.answers else None for key in ("_commit", "_src_path")}
    return {key: None if value is None else str(value) for key, value in found.items()}


def moment(time: datetime) -> str:
    """`time` as receipts write it: ISO 8601 in UTC, with milliseconds."""
    return time.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def instant(text: str) -> datetime:
    """The time that a receipt wrote. Raises `ValueError`."""
    time = datetime.fromisoformat(text)
    if time.tzinfo is None:
        raise ValueError(f"{text} has no time zone")
    return time
