"""Fleets of products, made without rendering each: one fresh product, copied with other names, wired to each other.

Every tenth product is a source: its output port `airlines` is what the nine after it have pinned as their input.
"""

from __future__ import annotations

import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml

import suite_repo
from outer.fleet.wish import Wish

NAME = "flight-punctuality"
"""The name of the fresh product that all are copies of."""

COST_CENTRE = """\
id: ORG901
title: Every product names its cost centre.
why: Somebody pays for it.
todo: Add the custom property costCentre.
scope: descriptor
path: customProperties[property=costCentre].value
condition: {present: true}
message: "the cost centre is {value}"
bad: {path: outer/data-product.odps.yaml, old: "property: title", new: "property: titel"}
"""
"""A policy that none of the products keeps."""

DOMAINS = ("aviation", "retail", "finance", "logistics", "health")
_TEXTS = (".yaml", ".yml", ".md", ".json", ".toml", ".py", "CODEOWNERS", ".cfg")


def wish(*places: Path, as_of: datetime | None = None, suite: Path | None = None, **more: Any) -> Wish:
    """What a command is asked for over `places`: in one process, quietly, and now unless said otherwise."""
    asked: dict[str, Any] = {"jobs": 1, "quiet": True, "suite": str(suite) if suite else None, **more}
    return Wish(places=places, as_of=as_of or datetime.now(UTC), **asked)


def fleet(folder: Path, fresh: Path, count: int, *, commit: bool = False) -> list[Path]:
    """`count` products below `folder`, copies of the product `fresh`; with `commit` each is a git repository."""
    roots: list[Path] = []
    for number in range(count):
        name = f"{'source' if number % 10 == 0 else 'product'}-{number:04}"
        source = f"source-{number // 10 * 10:04}"
        root = member(folder / name, fresh, name, DOMAINS[number // 10 % len(DOMAINS)], source)
        if commit:
            suite_repo.start(root)
        roots.append(root)
    return roots


def member(root: Path, fresh: Path, name: str, domain: str, source: str) -> Path:
    """One product: a source where it is called as `source`, else one that reads the port `airlines` of `source`."""
    shutil.copytree(fresh, root, symlinks=True, ignore=shutil.ignore_patterns(".git", "data", ".venv", "__pycache__"))
    for path in suite_repo.files(root).values():
        if path.suffix in _TEXTS or path.name in _TEXTS:
            text = path.read_bytes()
            changed = text.replace(NAME.encode(), name.encode()).replace(
                b"domain: aviation", f"domain: {domain}".encode()
            )
            changed = changed.replace(f":aviation:{name}:".encode(), f":{domain}:{name}:".encode())
            changed = changed.replace(b"title: 'Flight punctuality'", f"title: 'Flight punctuality {name}'".encode())
            if changed != text:
                path.write_bytes(changed)
    edit(root / "outer/data-product.odps.yaml", lambda value: _described(value, name, domain, source))
    if name == source:
        _source(root, name, domain)
    else:
        edit(
            root / "outer/contracts/input/airlines.v1.odcs.yaml",
            lambda value: value.update(id=airlines(source, domain)),
        )
    return root


def airlines(source: str, domain: str) -> str:
    """Id of the contract of the output port `airlines` of `source`."""
    return f"urn:dmb:cmp:{domain}:{source}:1:airlines"


def edit(path: Path, change: Any) -> None:
    """Change the YAML file at `path`, comments lost."""
    value = yaml.safe_load(path.read_text(encoding="utf-8"))
    change(value)
    path.write_text(yaml.safe_dump(value, sort_keys=False, allow_unicode=True, width=1000), encoding="utf-8")


def _described(value: dict[str, Any], name: str, domain: str, source: str) -> None:
    for entry in value["customProperties"]:
        if entry["property"] == "title":
            entry["value"] = f"Flight punctuality {name}"
    if name == source:
        return
    old = "urn:dmb:cmp:aviation:nyc-flights:1:airlines"
    for port in value["inputPorts"]:
        if port["contractId"] == old:
            port["contractId"] = airlines(source, domain)
    for port in value["outputPorts"]:
        for entry in port["inputContracts"]:
            if entry["id"] == old:
                entry["id"] = airlines(source, domain)


def _source(root: Path, name: str, domain: str) -> None:
    """Let the product publish the table of airlines instead of its own."""
    outputs = root / "outer/contracts/output"
    old = outputs / "carrier_punctuality.v1.odcs.yaml"
    own = yaml.safe_load(old.read_text(encoding="utf-8"))
    table = yaml.safe_load((root / "outer/contracts/input/airlines.v1.odcs.yaml").read_text(encoding="utf-8"))
    servers = [{**s, "path": s["path"].replace("carrier_punctuality", "airlines")} for s in own["servers"]]
    contract = {
        **table, "id": airlines(name, domain), "domain": domain, "servers": servers, "status": "draft",
        "slaProperties": own["slaProperties"], "team": own["team"], "support": own["support"], "roles": own["roles"],
        "customProperties": own["customProperties"],
    }  # fmt: skip
    for column in contract["schema"][0]["properties"]:
        column["classification"] = "internal"
    old.unlink()
    (outputs / "airlines.v1.odcs.yaml").write_text(yaml.safe_dump(contract, sort_keys=False), encoding="utf-8")

    def described(value: dict[str, Any]) -> None:
        value["outputPorts"][0] |= {"name": "airlines", "contractId": airlines(name, domain)}

    edit(root / "outer/data-product.odps.yaml", described)
    edit(root / "inner/inner.yaml", lambda value: value["workloads"][0].update(writes=["airlines"]))


def from_suite(product: Path, suite: Path) -> Path:
    """Let the product come from `suite`, which holds the release that it is pinned to, and commit that."""
    old = yaml.safe_load((product / ".copier-answers.yml").read_text(encoding="utf-8"))["_src_path"]
    for path in suite_repo.files(product).values():
        data = path.read_bytes()
        if old.encode() in data:
            path.write_bytes(data.replace(old.encode(), str(suite).encode()))
    suite_repo.commit(product)
    return product
