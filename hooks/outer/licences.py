"""Licences of what the inner installs: which packages a lock file names, and what is on record for each.

The record is a file `licences.yaml` beside the lock file, one line for each package: its name and an SPDX expression.
A lock of npm holds the licences itself.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from email.message import Message

RECORD = "licences.yaml"

_TOKEN = re.compile(r"\s*(\(|\)|[A-Za-z0-9.+:-]+)\s*")
_EXACT = re.compile(r"^([A-Za-z0-9][A-Za-z0-9._-]*)(?:\[[^\]]*\])?\s*==", re.MULTILINE)


@lru_cache(maxsize=8)  # two rules ask for the same files, one after the other
def packages(lock: str, data: bytes) -> Mapping[str, str] | None:
    """Packages that the lock file called `lock` names, each with the licence that the file itself gives ("" for none).

    Packages of the product's own are left out. None for a kind of lock file that this version does not read, or one
    that is not well-formed.
    """
    for pattern, reader in _READERS.items():
        if re.fullmatch(pattern, lock):
            try:
                return reader(data.decode("utf-8"))
            except (ValueError, RecursionError):
                return None
    return None


def normal(package: str) -> str:
    """The one spelling of a package's name (PEP 503)."""
    return re.sub(r"[-_.]+", "-", package).lower()


def allowed(expression: str, licences: Collection[str]) -> bool | None:
    """Whether an SPDX expression (SPDX 2.3, annex D) can be met with `licences` alone; None where it is none.

    `A OR B` needs one of the two, `A AND B` both; `A WITH B` counts as a licence of its own.
    """
    tokens: list[str] = []
    at = 0
    while at < len(expression):
        if not (match := _TOKEN.match(expression, at)):
            return None
        tokens.append(match[1])
        at = match.end()
    known = {licence.lower() for licence in licences}

    def either() -> bool:
        verdict = both()
        while tokens and tokens[0].upper() == "OR":
            tokens.pop(0)
            verdict = both() or verdict
        return verdict

    def both() -> bool:
        verdict = one()
        while tokens and tokens[0].upper() == "AND":
            tokens.pop(0)
            verdict = one() and verdict
        return verdict

    def one() -> bool:
        word = tokens.pop(0)
        if word == "(":
            verdict = either()
            if tokens.pop(0) != ")":
                raise IndexError
            return verdict
        if word == ")" or word.upper() in ("AND", "OR", "WITH"):
            raise IndexError
        if tokens and tokens[0].upper() == "WITH":
            tokens.pop(0)
            word = f"{word} WITH {tokens.pop(0)}"
        return word.lower() in known

    try:
        verdict = either()
    except (IndexError, RecursionError):  # a word is missing, or there are too many brackets for a licence
        return None
    return None if tokens else verdict


def installed(folder: Path) -> Mapping[str, str]:
    """Licences of the Python packages installed in the virtual environments in `folder`, as far as they say them as
    an SPDX expression (PEP 639), or in one word that can only be one."""
    found: dict[str, str] = {}
    for environment in sorted(folder.glob("*/pyvenv.cfg")) + sorted(folder.glob(".*/pyvenv.cfg")):
        for pattern in ("lib/python*/site-packages", "Lib/site-packages"):
            for site in environment.parent.glob(pattern):
                found.update(_said(site))
    return found


def recorded(record: bytes | None, found: Mapping[str, str]) -> bytes:
    """The record with a line for each package of `found`, in the order of names; nothing that is there changes."""
    lines = (record or HEAD).decode("utf-8").splitlines()
    for package, licence in sorted(found.items()):
        keys = ((at, match[1]) for at, line in enumerate(lines) if (match := _LINE.match(line)))
        lines.insert(next((at for at, key in keys if normal(key) > package), len(lines)), f"{package}: {licence}")
    return ("\n".join(lines) + "\n").encode()


HEAD = b"""\
# The licence of everything that the lock file beside this one names, as an SPDX expression. Owned by the team.
# `outer check` holds it against the licences that outer/standard.yaml allows; `outer check --fix` writes down what
# installed packages say of themselves. What says nothing clear is for a person to look up, once.

"""
_LINE = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]*):")


def _said(site: Path) -> Iterator[tuple[str, str]]:
    from importlib.metadata import distributions

    from packaging.licenses import InvalidLicenseExpression, canonicalize_license_expression

    for distribution in distributions(path=[str(site)]):
        meta = cast("Message", distribution.metadata)  # which it is, with all that a message can be asked
        classifiers = {_CLASSIFIERS.get(text, "") for text in meta.get_all("Classifier") or () if "License ::" in text}
        only = classifiers.pop() if len(classifiers) == 1 else ""
        for text in (meta.get("License-Expression"), meta.get("License"), only):
            try:
                if meta.get("Name") and text and len(text) < 100:
                    yield normal(meta["Name"]), str(canonicalize_license_expression(text))
                    break
            except InvalidLicenseExpression:
                continue


_CLASSIFIERS: Mapping[str, str] = {
    "License :: OSI Approved :: MIT License": "MIT",
    "License :: OSI Approved :: MIT No Attribution License (MIT-0)": "MIT-0",
    "License :: OSI Approved :: Apache Software License": "Apache-2.0",
    "License :: OSI Approved :: ISC License (ISCL)": "ISC",
    "License :: OSI Approved :: Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "License :: OSI Approved :: Python Software Foundation License": "PSF-2.0",
    "License :: OSI Approved :: The Unlicense (Unlicense)": "Unlicense",
}
"""Classifiers of the Python package index that can only mean one licence; "BSD License", for example, cannot."""


# --- Kinds of lock file ---------------------------------------------------------------------------


def _tables(text: str, head: str) -> Iterator[str]:
    """Text of each `head` table of a TOML file that a tool wrote; a parser would take longer than all the rules do."""
    yield from text.split(f"{head}\n")[1:]


def _value(table: str, key: str) -> str:
    match = re.search(rf"^{key} = (.*)$", table, re.MULTILINE)
    return match[1] if match else ""


def _uv(text: str) -> Mapping[str, str]:
    return {
        normal(_value(table, "name").strip('"')): ""
        for table in _tables(text, "[[package]]")
        if not re.match(r"\{ (?:editable|virtual|directory) = ", _value(table, "source"))
    }


def _poetry(text: str) -> Mapping[str, str]:
    return {normal(_value(table, "name").strip('"')): "" for table in _tables(text, "[[package]]")}


def _pylock(text: str) -> Mapping[str, str]:
    """PEP 751."""
    return {
        normal(_value(table, "name").strip("\"'")): ""
        for table in _tables(text, "[[packages]]")
        if not _value(table, "directory") and "[packages.directory]" not in table
    }


def _cargo(text: str) -> Mapping[str, str]:
    return {_value(t, "name").strip('"'): "" for t in _tables(text, "[[package]]") if _value(t, "source")}


def _npm(text: str) -> Mapping[str, str]:
    """Versions 2 and 3 of npm's lock file, which repeat the `license` of each package."""
    entries: Any = json.loads(text)
    entries = entries.get("packages") if isinstance(entries, dict) else None
    if not isinstance(entries, dict):
        raise ValueError("a lock file of version 1 holds no licences")
    return {
        path.rpartition("node_modules/")[2]: str(entry.get("license") or "")
        for path, entry in entries.items()
        if "node_modules/" in path and isinstance(entry, dict) and not entry.get("link")
    }


def _requirements(text: str) -> Mapping[str, str]:
    return {normal(name): "" for name in _EXACT.findall(text)} if "--hash=" in text else {}


_READERS: Mapping[str, Callable[[str], Mapping[str, str]]] = {
    r"uv\.lock": _uv,
    r"poetry\.lock|pdm\.lock": _poetry,
    r"pylock(\..*)?\.toml": _pylock,
    r"Cargo\.lock": _cargo,
    r"package-lock\.json|npm-shrinkwrap\.json": _npm,
    r"requirements.*\.txt": _requirements,
}
