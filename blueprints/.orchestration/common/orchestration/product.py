"""What a scheduler needs to know of this data product, read from its own files whenever it is loaded.

Knows no orchestrator, and needs nothing but PyYAML. Owned by the team, like everything in inner/.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

ENVIRONMENT = os.environ.get("DATA_PRODUCT_ENVIRONMENT", "local")
"""Which servers of the contracts a run reads and writes: `local`, `dev`, `prod` …"""

PERIODS = {
    1 / 12: "*/5 * * * *",
    1 / 4: "*/15 * * * *",
    1 / 2: "*/30 * * * *",
    1: "0 * * * *",
    2: "0 */2 * * *",
    3: "0 */3 * * *",
    4: "0 */4 * * *",
    6: "0 */6 * * *",
    8: "0 */8 * * *",
    12: "0 */12 * * *",
    24: "0 0 * * *",
    7 * 24: "0 0 * * 0",
}
"""Hours between two runs, and the cron expression that starts them."""

HOURS = {
    **dict.fromkeys(("min", "minute", "minutes"), 1 / 60),
    **dict.fromkeys(("h", "hr", "hour", "hours"), 1),
    **dict.fromkeys(("d", "day", "days"), 24),
    **dict.fromkeys(("w", "week", "weeks"), 7 * 24),
    **dict.fromkeys(("y", "yr", "year", "years"), 365 * 24),
}


class Failed(Exception):
    """A command has failed; trying again may help: another run was in the way, an input was late, a machine was ill."""


class BrokenContract(Failed):
    """Data have broken a contract, and nothing was published; the same data would break it again."""

    def __init__(self, message: str, receipt: Mapping[str, Any]) -> None:
        super().__init__(message)
        self.receipt = receipt


@dataclass(frozen=True)
class Port:
    """An input or output port. `urn` is its address, the same in the product that writes and in those that read it."""

    name: str
    urn: str
    version: str
    description: str
    contract: Mapping[str, Any]


@dataclass(frozen=True)
class Workload:
    """One job of inner.yaml."""

    name: str
    technology: str
    reads: tuple[str, ...]
    writes: tuple[str, ...]


@dataclass(frozen=True)
class Product:
    """The data product in the folder `root`. `cron` is in UTC, None where nothing was promised; `why` explains it."""

    root: Path
    name: str
    domain: str
    purpose: str
    owner: str
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    workloads: tuple[Workload, ...]
    cron: str | None
    why: str

    @property
    def area(self) -> Path:
        """The folder that holds the versions and receipts of the environment."""
        for server in self.outputs[0].contract["servers"]:
            if server.get("environment") == ENVIRONMENT:
                # A server that is no file has no path; evidence of its runs lies where files would.
                path = server.get("path") or f"${{DATA_ROOT:-data}}/{ENVIRONMENT}/current/-"
                path = re.sub(r"\$\{(\w+)(?::-([^{}]*))?\}", _variable, path)
                return (self.root / path).parent.parent
        raise Failed(f"the contracts know no environment {ENVIRONMENT}: set DATA_PRODUCT_ENVIRONMENT to one of theirs")

    def table(self) -> str:
        """The workloads, as a table in Markdown."""
        rows = [
            f"| {one.name} | {one.technology} | {', '.join(one.reads)} | {', '.join(one.writes)} |"
            for one in self.workloads
        ]
        return "\n".join(["| workload | technology | reads | writes |", "| --- | --- | --- | --- |", *rows])


def load(root: Path) -> Product:
    """Read the product in the folder `root`. Raises OSError, ValueError or LookupError where that is not possible."""
    descriptor = _yaml(root / "outer" / "data-product.odps.yaml")
    contracts = [_yaml(path) for path in sorted((root / "outer" / "contracts").glob("*/*.yaml"))]
    known = {contract["id"]: contract for contract in contracts}

    def ports(key: str) -> tuple[Port, ...]:
        return tuple(
            Port(
                name=port["name"],
                urn=port["contractId"],
                version=port["version"],
                description=known[port["contractId"]].get("description", {}).get("purpose") or "",
                contract=known[port["contractId"]],
            )
            for port in descriptor.get(key) or ()
        )

    outputs = ports("outputPorts")
    cron, why = schedule(level for port in outputs for level in port.contract.get("slaProperties") or ())
    return Product(
        root=root,
        name=descriptor["name"],
        domain=descriptor.get("domain") or "",
        purpose=descriptor.get("description", {}).get("purpose") or "",
        owner=descriptor.get("team", {}).get("name") or "",
        inputs=ports("inputPorts"),
        outputs=outputs,
        workloads=tuple(
            Workload(one["name"], one["technology"], tuple(one["reads"]), tuple(one["writes"]))
            for one in _yaml(root / "inner" / "inner.yaml")["workloads"]
        ),
        cron=cron,
        why=why,
    )


def schedule(levels: Iterable[Mapping[str, Any]]) -> tuple[str | None, str]:
    """When to run, by the service levels of all output ports: a cron expression in UTC, and where it comes from.

    A `schedule` of a service level (ODCS 3.1, with `scheduler: cron`) is taken as it is. Without one, the product runs
    as often as `frequency` says, and more often than the shortest `freshness`: a run takes time, so that a period as
    long as the promise would break it every time.
    """
    levels = list(levels)
    named = {
        level["schedule"] for level in levels if level.get("schedule") and level.get("scheduler", "cron") == "cron"
    }
    if len(named) > 1:
        raise ValueError(f"the contracts name several schedules, but all ports are published at once: {sorted(named)}")
    if named:
        return named.pop(), "the schedule in the contract"
    often = [hours for level in levels if level["property"] == "frequency" and (hours := _hours(level))]
    fresh = [hours for level in levels if level["property"] == "freshness" and (hours := _hours(level))]
    periods = [p for p in PERIODS if all(p <= hours for hours in often) and all(p < hours for hours in fresh)]
    if not (often or fresh):
        return None, "no contract promises a frequency or freshness: runs are started by hand"
    promised = [
        *(f"every {hours:g} h" for hours in often),
        *(f"never older than {hours:g} h" for hours in fresh),
    ]
    return PERIODS[max(periods, default=min(PERIODS))], f"promised: {', '.join(promised)}"


def command(product: Product, name: str, log: Callable[[str], object]) -> None:
    """Run one of the product's own commands; what it prints goes to `log`, line by line. Raises Failed."""
    options = [] if name == "check" else ["--", "--env", ENVIRONMENT]
    with subprocess.Popen(
        [sys.executable, "noxfile.py", "-s", name, *options],
        cwd=product.root,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
        start_new_session=True,
    ) as process:
        try:
            for line in process.stdout or ():
                log(line.rstrip())
        except BaseException:  # the orchestrator stops the task: all that it started goes with it
            if sys.platform == "win32":
                process.terminate()
            else:
                os.killpg(process.pid, signal.SIGTERM)
            raise
    if process.returncode:
        raise Failed(f"`{name}` has failed; the lines above say why")


def publish(product: Product, log: Callable[[str], object]) -> Mapping[str, Any]:
    """Run all workloads, audit what they made, publish it; the receipt comes back.

    Raises BrokenContract where data are to blame, Failed for everything else. In both cases nothing was published, or
    nothing says that it was: a run that ends well but leaves no receipt where the contracts say has failed too.
    """
    before = _receipts(product)
    try:
        command(product, "run", log)
    except Failed:
        receipt = _newest(product, before)
        broken = [
            f"{result['port']}: {result['rule']}"
            for side in ("input_audit", "audit")
            for result in receipt.get(side, ())
            if result["outcome"] == "failed" and result["severity"] == "error"
        ]
        if broken:
            raise BrokenContract(f"{receipt['reason']} ({'; '.join(broken)})", receipt) from None
        raise
    receipt = _newest(product, before)
    if receipt.get("outcome") != "published":
        raise Failed(
            f"`run` has ended well, but left no receipt of a published version in {product.area / 'receipts'}: "
            "is that the folder that its contracts name?"
        )
    return receipt


def _newest(product: Product, before: set[str]) -> Mapping[str, Any]:
    """The receipt of the run that was just made; empty where there is none. Ids of runs begin with their time."""
    added = sorted(_receipts(product) - before)
    return json.loads((product.area / "receipts" / added[-1]).read_bytes()) if added else {}


def _receipts(product: Product) -> set[str]:
    return {path.name for path in (product.area / "receipts").glob("*.json")}


def _hours(level: Mapping[str, Any]) -> float | None:
    try:
        return float(level["value"]) * HOURS[str(level.get("unit")).strip().lower()]
    except (KeyError, TypeError, ValueError):
        return None


def _variable(match: re.Match[str]) -> str:
    name, default = match.groups()
    value = os.environ.get(name) or default
    if value is None:
        raise Failed(f"the environment variable {name} is not set, which a contract uses")
    return value


def _yaml(path: Path) -> dict[str, Any]:
    value = yaml.safe_load(path.read_text(encoding="utf-8"))
    if not isinstance(value, dict):
        raise ValueError(f"{path}: not a mapping")
    return value
