"""The pinned copy of a producer's contract: their words, our servers, and where it came from."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from outer.daytwo import edit
from outer.daytwo.change import Draft
from outer.daytwo.source import Offer
from outer.errors import UsageError
from outer.product import File, Product, custom, lookup, mappings
from outer.yamledit import CannotEdit, quoted, replace, scalar
from outer.yamlfile import parse

SOURCE, REVISION = "source", "sourceRevision"
"""Custom properties of a pinned contract (ODCS customProperties): where its producer keeps it, and at which commit."""

_PATH = re.compile(r"[A-Za-z0-9_$./{}:-]+\Z")
_OWN = re.compile(r"\$\{[A-Za-z_][A-Za-z0-9_]*:-")


@dataclass(frozen=True)
class Pin:
    """How this product keeps the contract of an input port."""

    name: str
    sample: str
    """Path of the sample, from the product's root."""
    source: str
    revision: str


def pinned(offer: Offer, pin: Pin, servers: str) -> bytes:
    """The producer's contract as it is pinned: byte for byte, but for its head, its servers and its source.

    `servers` is the text of the whole block. Raises `UsageError` where the producer's text does not allow it.
    """
    lines = (
        f"# Pinned copy of the contract of the input port `{pin.name}`: what this product relies on, as its producer "
        "published it.",
        "# Seed: owned by the team, the words of the producer. `outer pull` tells whether they have changed.",
        "# Format: Bitol Open Data Contract Standard 3.1, https://bitol-io.github.io/open-data-contract-standard/",
        "",
    )
    try:
        data = edit.head(offer.data, lines)
        data = edit.set_block(data, "servers", parse(servers.encode()).value["servers"], servers, after="description")
        return _stated(_stated(data, SOURCE, pin.source), REVISION, pin.revision)
    except CannotEdit as error:
        raise UsageError(
            f"{offer.where}: the contract is written in a way that is not changed by machine: {error}",
            "Copy it by hand, and write the servers of this product into it.",
        ) from None


def _stated(data: bytes, name: str, value: str) -> bytes:
    """The contract with this custom property; without it where `value` is empty and it never had one."""
    entries = parse(data).value.get("customProperties")
    for index, entry in mappings(entries):
        if entry.get("property") == name:
            return replace(data, {("customProperties", index, "value"): value})
    return edit.append(data, ("customProperties",), {"property": name, "value": value}) if value else data


def servers(draft: Draft, offer: Offer, pin: Pin) -> str:
    """The text of the servers of a pinned contract: the sample for `local`, for others the producer's location where it
    has one that means the same here."""
    environments = custom(draft.descriptor, "environments")
    environments = [str(e) for e in environments] if isinstance(environments, list) and environments else ["local"]
    text = "servers: # where the data are, for each environment of this product\n"
    for environment in environments:
        own = {"server": environment, "environment": environment, "type": "local", "format": "parquet"}
        if environment == "local":
            text += _server({**own, "path": pin.sample})
        elif theirs := _reachable(offer, environment, draft.product):
            text += _server({**theirs, "server": environment, "environment": environment})
        else:
            path = f"${{INPUT_ROOT}}/{PurePosixPath(pin.sample).name}"
            text += _server({**own, "path": path}, " # set INPUT_ROOT, or write the real location here")
    return text


def _server(server: Mapping[str, Any], note: str = "") -> str:
    path = str(server.get("path"))
    lines = [f"server: {scalar(server['server'])}", f"environment: {scalar(server['environment'])}"]
    lines += [f"type: {scalar(server['type'])}", f"path: {location(path)}{note}", f"format: {scalar(server['format'])}"]
    return "".join(f"  {'- ' if not index else '  '}{line}\n" for index, line in enumerate(lines))


def _reachable(offer: Offer, environment: str, product: Product) -> Mapping[str, Any] | None:
    """The producer's server of an environment, where this product can read it from its own place."""
    standard = product.standard.value if product.standard else None
    types = lookup(standard, ("contract", "servers")) or ["local"]
    formats = lookup(standard, ("contract", "input_formats")) or lookup(standard, ("contract", "formats"))
    for _, server in mappings(offer.value.get("servers")):
        path, kind = server.get("path"), server.get("format")
        if (server.get("environment") or server.get("server")) != environment or not isinstance(path, str):
            continue
        # A path from the producer's root, or a variable with such a default, leads into this product instead.
        whole = path.startswith("/") or (path.startswith("${") and not _OWN.search(path) and "DATA_ROOT" not in path)
        if whole and server.get("type") in types and kind in formats:
            return {"type": server["type"], "path": path, "format": kind}
    return None


def location(path: str) -> str:
    """A path as it is written in a contract."""
    return path if _PATH.match(path) and not path.startswith(("{", ":", "-")) and ": " not in path else quoted(path)


def recorded(contract: File) -> str:
    """Where a pinned contract came from; empty where nobody wrote it down."""
    value = custom(contract, SOURCE)
    return value.strip() if isinstance(value, str) else ""
